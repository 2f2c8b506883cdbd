"""Turns what a scheduler knows about some days into lines that can be drawn.

Reads through the public API only, a fixed number of statements per resource, and
leaves the drawing to ``drawing``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from libres.cli.drawing import Chart, Line, Mark, Stretch
from libres.cli.terminal import rounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from libres.db.scheduler import Scheduler

DAY = timedelta(days=1)
STEP = timedelta(minutes=5)
"""The raster of ``reserved_slots_by_range``."""


@dataclass(frozen=True, slots=True)
class Open:
    """An allocation: when, how many places, and how much of it is free (percent)."""

    start: datetime
    end: datetime
    quota: int
    availability: float
    partitions: tuple[tuple[float, bool], ...]

    @property
    def length(self) -> float:
        """Say how long it is in seconds of real time."""
        return (self.end.astimezone(UTC) - self.start.astimezone(UTC)).total_seconds()


@dataclass(frozen=True, slots=True)
class Taken:
    """What is taken, by five-minute step.

    How many places, which steps are blocked, and which are taken from us by what is
    reserved on another resource.
    """

    places: Mapping[datetime, int]
    blocked: AbstractSet[datetime] = frozenset()
    elsewhere: AbstractSet[datetime] = frozenset()

    def mark(self, step: datetime, quota: int) -> Mark:
        """Say in which state a step of an allocation with *quota* places is."""
        if step in self.blocked:
            return Mark.BLOCKED
        if step in self.elsewhere:
            return Mark.ELSEWHERE
        places = self.places.get(step, 0)
        if places >= quota:
            return Mark.RESERVED
        return Mark.SOME if places else Mark.FREE


def opening_hours(
    scheduler: Scheduler, start: datetime, end: datetime
) -> tuple[Open, ...]:
    """Load the allocations of a resource in a range, in order of time."""
    found = scheduler.allocations_with_availability_by_range(
        start, end, normalize_dst=False
    )
    return tuple(
        Open(
            allocation.display_start(),
            allocation.display_end(),
            allocation.quota,
            availability,
            tuple(partitions),
        )
        for allocation, availability, partitions in found
    )


def taken_steps(scheduler: Scheduler, start: datetime, end: datetime) -> Taken:
    """Load what is taken in a range, here and on the blocking resources."""
    places, blocked = scheduler.reserved_slots_by_range(start, end)
    if not scheduler.blocking_names:
        return Taken(places, blocked)
    alone = scheduler.clone()
    alone.blocking_names = ()
    own, _blocked = alone.reserved_slots_by_range(start, end)
    elsewhere = {step for step, count in places.items() if count > own.get(step, 0)}
    return Taken(own, blocked, elsewhere)


def taken_by_partitions(opening: Open) -> Taken:
    """Read off the partitions what is taken: all there is to know about one place."""
    steps = list(_steps_between(opening))
    places: dict[datetime, int] = {}
    share = 0.0
    for length, reserved in opening.partitions:
        first, share = share, share + length
        if reserved:
            run = slice(*(round(edge * len(steps) / 100) for edge in (first, share)))
            places.update(dict.fromkeys(steps[run], opening.quota))
    return Taken(places)


def stretches(day: date, opening: Open, taken: Taken, zone: ZoneInfo) -> list[Stretch]:
    """Cut an allocation into stretches of one state, as offsets from *day*'s midnight.

    On the wall clock: the hour that autumn repeats is drawn once.
    """
    marked = (
        (step, taken.mark(step, opening.quota)) for step in _steps_between(opening)
    )
    return [
        _stretch(day, tuple(step for step, _mark in run), mark, zone)
        for mark, run in groupby(marked, key=lambda pair: pair[1])
    ]


def _steps_between(opening: Open) -> Iterator[datetime]:
    step, end = opening.start.astimezone(UTC), opening.end.astimezone(UTC)
    while step < end:
        yield step
        step += STEP


def _stretch(
    day: date, steps: Sequence[datetime], mark: Mark, zone: ZoneInfo
) -> Stretch:
    offsets = [_offset(day, step.astimezone(zone)) for step in steps]
    return Stretch(min(offsets), max(offsets) + STEP, mark)


def _offset(day: date, local: datetime) -> timedelta:
    days = (local.date() - day).days
    return timedelta(days=days, hours=local.hour, minutes=local.minute)


def week_chart(scheduler: Scheduler, days: Sequence[date], remark: str) -> Chart:
    """Load the days of a resource, which follow each other, as a chart."""
    zone = ZoneInfo(scheduler.timezone)
    start, end = _midnight(days[0], zone), _midnight(days[-1] + DAY, zone)
    openings = opening_hours(scheduler, start, end)
    taken = taken_steps(scheduler, start, end)
    free = f"{rounded(scheduler.availability(start, end))} % free"
    lines = tuple(_day_line(day, openings, taken, zone) for day in days)
    return Chart(scheduler.name, f"{remark}: {free}", lines)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone)


def _day_line(
    day: date, openings: Sequence[Open], taken: Taken, zone: ZoneInfo
) -> Line:
    todays = [each for each in openings if each.start.astimezone(zone).date() == day]
    drawn = [each for one in todays for each in stretches(day, one, taken, zone)]
    remark = f"{rounded(free_percent(todays))} % free"
    return Line(f"{day:%a} {day.day:2}", tuple(drawn), remark)


def free_percent(openings: Sequence[Open]) -> float:
    """Say how much of *openings* is free, every place weighing the same."""
    places = sum(each.quota for each in openings)
    free = sum(each.availability * each.quota for each in openings)
    return free / places if places else 0.0
