"""Fills a database with rooms that are open for weeks, and half of which is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import TYPE_CHECKING, Final

from libres.cli.serving import set_up
from libres.db import new_scheduler
from libres.web.directory import Directory, Place
from libres.web.identity import MANAGE
from libres.web.keys import Keys

if TYPE_CHECKING:
    from libres.context.core import Context

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)

OPENS, CLOSES = 8, 18
TAKEN: Final = ((8, 30, 60), (10, 0, 45), (11, 15, 90))
"""What is reserved on each day: hour, minute and minutes. The afternoons are free."""

AFTERNOON: Final = range(13 * 4, 18 * 4)
RASTER: Final = 15


@dataclass(frozen=True, slots=True)
class Filled:
    """What was made, and the key that opens it."""

    rooms: int
    days: int
    first: date
    key: str

    def weeks(self, choose: Random) -> Iterator[tuple[str, datetime, datetime]]:
        """Draw rooms and weeks, without end."""
        while True:
            day = choose.randrange(max(self.days - WEEK.days, 1))
            start = at(self.first + day * DAY, 0)
            yield room(choose.randrange(self.rooms)), start, start + WEEK

    def free(self, choose: Random) -> list[tuple[str, datetime, datetime]]:
        """Return all steps of the raster that are free, each once, shuffled."""
        step = timedelta(minutes=RASTER)
        found = [
            (room(number), start, start + step)
            for number in range(self.rooms)
            for day in range(self.days)
            for quarter in AFTERNOON
            for start in (at(self.first + day * DAY, 0) + quarter * step,)
        ]
        choose.shuffle(found)
        return found


def room(number: int) -> str:
    """Name a room."""
    return f"room-{number}"


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """Return a moment in UTC."""
    return datetime.combine(day, time(hour, minute), UTC)


def fill(context: Context, rooms: int, days: int, first: date) -> Filled:
    """Open the rooms, take the mornings, and make a key."""
    new_scheduler(context, "first", "UTC").setup_database()
    context.get_service("session_provider").session().commit()
    set_up(context)
    for number in range(rooms):
        place = Place(room(number), f"Room {number}", "UTC", (), number)
        context.transaction(lambda place=place: _open(context, place, days, first))  # type: ignore[misc]
    key = context.transaction(lambda: Keys(context).create("bench", [MANAGE]))
    return Filled(rooms, days, first, key)


def _open(context: Context, place: Place, days: int, first: date) -> None:
    Directory(context).put(place)
    scheduler = place.scheduler(context)
    dates = [first + number * DAY for number in range(days)]
    spans = [(at(day, OPENS), at(day, CLOSES)) for day in dates]
    scheduler.allocate(spans, partly_available=True, raster=RASTER)
    taken = [
        (at(day, hour, minute), at(day, hour, minute) + timedelta(minutes=minutes))
        for day in dates
        for hour, minute, minutes in TAKEN
    ]
    scheduler.book("ada@example.org", taken)
