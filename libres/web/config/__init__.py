"""The pages that configure synchronisation, and watch it: one file per page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, request, url_for

from libres.web.config import dashboard, signin, visiting
from libres.web.config.visiting import Visit

_ALL: Final[tuple[Any, ...]] = (
    dashboard,
    signin,
)


@dataclass(frozen=True, slots=True)
class Section:
    """A page in the navigation of the configuration."""

    title: str
    endpoint: str
    is_for_staff: bool = False

    @property
    def url(self) -> str:
        """Where the page is."""
        return url_for(f"libres.config.{self.endpoint}")

    @property
    def is_here(self) -> bool:
        """Tell whether the request is for it, or for a part of it."""
        name = self.endpoint.partition(".")[0]
        return (request.blueprint or "").endswith(f".{name}")


SECTIONS: Final[tuple[Section, ...]] = (Section("Dashboard", "dashboard.dashboard"),)


def sections(here: Visit | None) -> list[Section]:
    """Return what a visitor finds in the navigation."""
    if here is None:
        return []
    return [each for each in SECTIONS if here.is_staff or not each.is_for_staff]


def known() -> dict[str, Any]:
    """Return what every template of these pages knows."""
    found = visiting.visiting()
    return {"visit": found, "sections": sections(found)}


config = Blueprint("config", __name__, url_prefix="/config")
config.before_request(visiting.guard)
config.context_processor(known)
for _each in _ALL:
    config.register_blueprint(_each.page)
