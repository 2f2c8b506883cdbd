"""Furnishes the centre for the pages: titles, tutors, who waits, and who walks in.

What the acts have left is kept; what is added is the same in each run of a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import TYPE_CHECKING, Final

from libres.cli.centre.acts import (
    ADA,
    BEN,
    CLEO,
    DAN,
    EVA,
    HALL,
    MEETING_ROOM,
    NURSERY,
    RESOURCES,
    STUDIO,
    WORKSHOP,
    Resource,
)
from libres.cli.centre.week import (
    EVERY_DAY,
    FRIDAY,
    MONDAY,
    SATURDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    WORKDAYS,
    Week,
)
from libres.db.scheduler import Scheduler
from libres.occupancy import Occupancy, Reading
from libres.timetable import Timetable
from libres.waiting import WaitingList
from libres.web.directory import Directory, Place
from libres.web.identity import MANAGE
from libres.web.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from libres.context.core import Context
    from libres.modules.rasterizer import Raster

SEVEN: Final = timedelta(days=7)
MINUTE: Final = timedelta(minutes=1)

NEXT: Final[tuple[tuple[Resource, Iterable[int], tuple[str, str], Raster], ...]] = (
    (MEETING_ROOM, WORKDAYS, ("08:00", "18:00"), 15),
    (STUDIO, EVERY_DAY, ("10:00", "22:00"), 30),
    (WORKSHOP, range(TUESDAY, SATURDAY + 1), ("09:00", "20:00"), 60),
)
"""What is open next week as well: there is something to book on a Sunday, too."""

TUTORS: Final = (
    ("Fatima", (MONDAY, TUESDAY, WEDNESDAY), ("08:00", "14:00")),
    ("Goran", (MONDAY, THURSDAY, FRIDAY), ("09:00", "17:00")),
    ("Hana", (TUESDAY, WEDNESDAY, THURSDAY), ("12:00", "20:00")),
    ("Ivo", WORKDAYS, ("10:00", "15:00")),
    ("Jun", (WEDNESDAY, SATURDAY), ("08:00", "18:00")),
)
"""Who they are, and when they are there."""

LESSONS: Final = (
    ("Fatima", MONDAY, ("09:00", "10:30"), CLEO),
    ("Goran", THURSDAY, ("13:00", "15:00"), DAN),
    ("Hana", TUESDAY, ("16:00", "17:00"), EVA),
    ("Ivo", WEDNESDAY, ("10:00", "12:00"), BEN),
)

CENTRE: Final = "Community centre"
CAPACITIES: Final = {CENTRE: 120, HALL.name: 80}

ENTRANCE, DOOR = "entrance", "hall-door"
"""Sensors; they count who comes in."""

VISITORS: Final = 60
"""Of a day."""

LONG_AGO: Final = datetime(2018, 1, 1, tzinfo=UTC)
"""Since when the sensors hang there: before all that they send."""

DEMO: Final = "demo"
"""The name of the key."""


@dataclass(frozen=True, slots=True)
class House:
    """What is furnished: the centre, its week, and what time it is."""

    context: Context
    week: Week
    now: datetime

    @property
    def zone(self) -> str:
        """The name of the timezone."""
        return str(self.week.zone)

    @property
    def next_week(self) -> Week:
        """The week after that of the acts."""
        return Week(self.week.monday + SEVEN, self.week.zone)

    def scheduler(self, resource: Resource | str) -> Scheduler:
        """Return the scheduler of a resource, or of a tutor."""
        if isinstance(resource, str):
            return Scheduler(self.context, resource, self.zone)
        blocking = resource.blocking
        return Scheduler(self.context, resource.name, self.zone, blocking)


def furnish(house: House) -> str:
    """Furnish the centre, in a transaction for each part; return a key to manage it."""
    for part in (_show, _open, _queue, _teach, _watch):
        house.context.transaction(lambda part=part: part(house))  # type: ignore[misc]
    return house.context.transaction(lambda: _key(house.context))


def _show(house: House) -> None:
    """Show the resources in the order of the story."""
    directory = Directory(house.context)
    for position, each in enumerate(RESOURCES):
        place = Place(each.name, each.name, house.zone, each.blocking, position)
        directory.put(place)


def _open(house: House) -> None:
    """Open some resources next week."""
    for resource, days, (begin, end), raster in NEXT:
        spans = house.next_week.spans(days, begin, end)
        opened = house.scheduler(resource)
        opened.allocate(spans, partly_available=True, raster=raster)


def _queue(house: House) -> None:
    """Let some wait for an approval next week, and others for a place."""
    nursery, week = house.scheduler(NURSERY), house.next_week
    opened = nursery.allocate(
        week.spans(WORKDAYS, "08:00", "16:00"), quota=2, approve_manually=True
    )
    days = [(each.display_start(), each.display_end()) for each in opened]
    for parent in (ADA, BEN):
        nursery.approve_reservations(nursery.reserve(parent, days[TUESDAY]))
    for parent in (CLEO, EVA):
        nursery.reserve(parent, days[WEDNESDAY : THURSDAY + 1])
    waiting = WaitingList(house.context)
    for entry in waiting.entries(nursery):
        waiting.leave(entry.id)
    for parent in (DAN, EVA):
        waiting.join(nursery, parent, *days[TUESDAY])


# Tutors -------------------------------------------------------------------------------


def _teach(house: House) -> None:
    """Open the hours of the tutors, this week and the next, and give some lessons."""
    names = [name for name, _days, _hours in TUTORS]
    table = Timetable(house.context)
    table.add(*names, timezone=house.zone, tags=["tutor"])
    for name in names:
        house.scheduler(name).extinguish_managed_records()
    for week in (house.week, house.next_week):
        for name, days, (begin, end) in TUTORS:
            table.open([name], week.spans(days, begin, end))
        for name, day, (begin, end), pupil in LESSONS:
            house.scheduler(name).book(pupil, week.span(day, begin, end))


# Occupancy ----------------------------------------------------------------------------


def _watch(house: House) -> None:
    """Count who walked in and out since Monday."""
    occupancy = Occupancy(house.context)
    _hang(house, occupancy)
    occupancy.record(_passages(house), source=DEMO)


def _hang(house: House, occupancy: Occupancy) -> None:
    for name, capacity in CAPACITIES.items():
        occupancy.add_space(
            name,
            timezone=house.zone,
            parent=None if name == CENTRE else CENTRE,
            resource=None if name == CENTRE else name,
            capacity=capacity,
        )
    occupancy.add_doorway("Main entrance", CENTRE, None)
    occupancy.add_doorway("Hall door", HALL.name, CENTRE)
    known = {sensor.code for sensor in occupancy.sensors()}
    for code, doorway in ((ENTRANCE, "Main entrance"), (DOOR, "Hall door")):
        if code not in known:
            occupancy.add_sensor(code, heartbeat=SEVEN)
            occupancy.assign(code, doorway, 1, LONG_AGO)


def _passages(house: House) -> Iterator[Reading]:
    """Make up who passed a door until now: each day differs, each run is the same."""
    for day in house.week.days:
        choose = Random(str(day))  # noqa: S311 - nothing is secret
        opens = datetime.combine(day, time(8), house.week.zone).astimezone(UTC)
        for _ in range(VISITORS):
            came = opens + choose.betavariate(2, 3) * 12 * 60 * MINUTE
            left = came + choose.uniform(30, 120) * MINUTE
            yield from _until(house.now, _visit(came, left, choose.random() < 0.5))


def _visit(came: datetime, left: datetime, is_for_hall: bool) -> Iterator[Reading]:
    yield Reading(ENTRANCE, came, 1)
    if is_for_hall:
        yield Reading(DOOR, came + 3 * MINUTE, 1)
        yield Reading(DOOR, left - 3 * MINUTE, -1)
    yield Reading(ENTRANCE, left, -1)


def _until(now: datetime, readings: Iterable[Reading]) -> Iterator[Reading]:
    return (each for each in readings if each.moment <= now)


# The key ------------------------------------------------------------------------------


def _key(context: Context) -> str:
    """Make a key, and let those of former runs open nothing any more."""
    keys = Keys(context)
    for each in keys.all():
        if each.name == DEMO and each.revoked is None:
            keys.revoke(each.id)
    return keys.create(DEMO, [MANAGE], ADA)
