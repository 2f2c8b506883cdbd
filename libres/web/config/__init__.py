"""The pages that configure synchronisation, and watch it: one file per page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, request, url_for

from libres.web.config import (
    audit,
    dashboard,
    devices,
    logs,
    members,
    metrics,
    models,
    organizations,
    permissions,
    roles,
    settings,
    signin,
    users,
    visiting,
)
from libres.web.config.visiting import Visit

_ALL: Final[tuple[Any, ...]] = (
    audit,
    dashboard,
    devices,
    logs,
    members,
    metrics,
    models,
    organizations,
    permissions,
    roles,
    settings,
    signin,
    users,
)


@dataclass(frozen=True, slots=True)
class Section:
    """A page in the navigation of the configuration."""

    title: str
    endpoint: str
    is_for_staff: bool = False
    parts: tuple[str, ...] = ()
    """The blueprints of what else belongs to it."""

    @property
    def url(self) -> str:
        """Where the page is."""
        return url_for(f"libres.config.{self.endpoint}")

    @property
    def is_here(self) -> bool:
        """Tell whether the request is for it, or for a part of it."""
        name = self.endpoint.partition(".")[0]
        names = tuple(f".{each}" for each in (name, *self.parts))
        return (request.blueprint or "").endswith(names)


ORGANIZATIONS: Final = Section(
    "Organisations", "organizations.organizations", parts=("members", "roles")
)

SECTIONS: Final[tuple[Section, ...]] = (
    Section("Dashboard", "dashboard.dashboard"),
    ORGANIZATIONS,
    Section("Users", "users.users", is_for_staff=True),
    Section("Permissions", "permissions.chooser"),
    Section("Models", "models.models"),
    Section("Devices", "devices.devices"),
    Section("Audit", "audit.trail"),
    Section("Logs", "logs.log"),
    Section("Metrics", "metrics.metrics", is_for_staff=True),
    Section("Settings", "settings.settings", is_for_staff=True),
)


def sections(here: Visit | None) -> list[Section]:
    """Return what a visitor finds in the navigation."""
    if here is None or not here.may_see:
        return []
    return [each for each in SECTIONS if here.is_staff or not each.is_for_staff]


def known() -> dict[str, Any]:
    """Return what every template of these pages knows."""
    found = visiting.settled()
    return {
        "visit": found,
        "sections": sections(found),
        "sign_in_url": visiting.sign_in_url(),
    }


config = Blueprint("config", __name__, url_prefix="/config")
config.before_request(visiting.guard)
config.context_processor(known)
for _each in _ALL:
    config.register_blueprint(_each.page)
