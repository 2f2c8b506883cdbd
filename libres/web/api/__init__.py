"""The HTTP API: one file per kind of thing, and here the list of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libres.web import bodies
from libres.web.api import (
    allocations,
    blockers,
    conflicts,
    feeds,
    health,
    occupancy,
    reservations,
    resources,
    search,
    sessions,
    sync,
    timetable,
    waiting,
)

if TYPE_CHECKING:
    from apiflask import APIBlueprint

_ALL = (
    resources,
    allocations,
    search,
    feeds,
    reservations,
    sessions,
    blockers,
    waiting,
    timetable,
    conflicts,
    occupancy,
    health,
)


BLUEPRINTS: Final[tuple[APIBlueprint, ...]] = (
    *(each.api for each in _ALL),
    sync.api,  # reads bodies by itself
)

for _each in _ALL:
    _each.api.before_request(bodies.check)
