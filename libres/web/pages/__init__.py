"""The pages: one file per page, and here the list of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import g, request, url_for
from flask_wtf.csrf import generate_csrf

from libres.version import __version__
from libres.web.config import visiting
from libres.web.identity import MANAGE, READ
from libres.web.pages import day, desk, find, home, people, signin, week, who

if TYPE_CHECKING:
    from flask import Blueprint

_ALL: tuple[Any, ...] = (home, signin, week, day, find, desk, people, who)


@dataclass(frozen=True, slots=True)
class Link:
    """A page in the navigation."""

    title: str
    endpoint: str
    scope: str | None = None
    """Whom it is shown to; None: everybody."""

    @property
    def url(self) -> str:
        """Where the page is."""
        return url_for(f"libres.{self.endpoint}")

    @property
    def is_here(self) -> bool:
        """Tell whether the request is for it, or for a part of it."""
        name = self.endpoint.partition(".")[0]
        return f"{request.blueprint}.".startswith(f"libres.{name}.")


NAVIGATION: Final[tuple[Link, ...]] = (
    Link("Week", "week.first"),
    Link("Day", "day.day"),
    Link("Find", "find.find"),
    Link("Who is free", "who.who"),
    Link("People", "people.people", READ),
    Link("Desk", "desk.desk", MANAGE),
)


CONFIGURATION: Final = Link("Configuration", "config.dashboard.dashboard")
"""Shown to who says that they have signed in there; whether it is true is looked up
when they come."""

BLUEPRINTS: Final[tuple[Blueprint, ...]] = tuple(each.page for each in _ALL)


def known() -> dict[str, Any]:
    """Return what every template knows."""
    return {
        "here": g.get("libres"),
        "csrf_token": generate_csrf,
        "version": __version__,
        "path": request.path,
        "navigation": navigation(),
    }


def navigation() -> list[Link]:
    """Return what a caller finds in the navigation. No statement."""
    caller = g.libres.caller
    found = [
        link for link in NAVIGATION if link.scope is None or caller.may(link.scope)
    ]
    return [*found, CONFIGURATION] if visiting.is_announced() else found
