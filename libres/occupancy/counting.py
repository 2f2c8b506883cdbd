"""Answers how many are in a space, now and at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import func, or_, select

from libres.db.models.timestamp import TimestampMixin
from libres.db.passing import fetch
from libres.domain.days import UTC
from libres.domain.spans import Span
from libres.occupancy import statements
from libres.occupancy.algebra import (
    Calibration,
    Item,
    Passage,
    Policy,
    Summary,
    extremes_of,
    in_order,
    shown,
    summary_of,
)
from libres.occupancy.errors import InvalidMoment
from libres.occupancy.models import OccEvent
from libres.occupancy.places import Sensor, Space
from libres.occupancy.steps import (
    HOUR,
    TICK,
    Step,
    bounds,
    bucket_of,
    level_of,
    steps_of,
)
from libres.occupancy.tallying import summary_in

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MOST_STEPS: Final = 2000

DRIFT_UNIT: Final = 1000
"""Passages of which drift is told."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many are in a space at a moment."""

    space_id: UUID
    ts: datetime
    count: int
    stale: bool
    """Whether a sensor that should watch it has been silent for too long, or none
    watches it: nobody knows."""

    drift_hint: float | None
    """How many too many are counted in 1,000 passages, by its calibrations; None: it
    has none that tell."""


@dataclass(frozen=True, slots=True)
class Passages:
    """How many walked beneath a sensor, by direction."""

    positive: int
    negative: int


@dataclass(frozen=True, slots=True)
class Extreme:
    """The lowest or the highest count of a time, and when it was so first."""

    count: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Extremes:
    """Both of them."""

    lowest: Extreme
    highest: Extreme


def count_of(
    session: Session, space: Space, moment: datetime, policy: Policy | None
) -> Count:
    """Count who is in a space; an event exactly at the moment counts. Two statements,
    whatever has happened before."""
    by = policy or space.policy
    counted = count_before(session, space, moment + TICK, by)
    values = {"space": str(space.id), "at": moment}
    (known,) = fetch(session, statements.standing(), values)
    return Count(
        space_id=space.id,
        ts=moment,
        count=shown(counted, by),
        stale=not known.is_watched,
        drift_hint=_drift(known),
    )


def _drift(known: Any) -> float | None:
    if not known.passages:
        return None
    return float(known.drift) * DRIFT_UNIT / float(known.passages)


def count_before(
    session: Session, space: Space, moment: datetime, policy: Policy
) -> int:
    """Count who is in a space just before a moment; below zero, too, under floor."""
    hour, day, month = (bucket_of(moment, each) for each in ("hour", "day", "month"))
    times = {"hour": hour, "day": day, "month": month, "end": moment}
    rows = fetch(session, statements.changes(), {"space": str(space.id), **times})
    count = 0
    for row in rows:
        change = Summary(shift=row.shift, lo_raw=row.lo_raw, lo_sat=row.lo_sat)
        count = change.after(count, policy)
    return count


def items_of(
    session: Session, space: Space, start: datetime, end: datetime
) -> list[Item]:
    """Read what changed a count from a moment until before another, in order."""
    values = {"space": str(space.id), "start": start, "end": end}
    if start >= end:
        return []
    told = fetch(session, statements.calibrated(), values)
    return in_order(
        (
            Passage(row.ts, row.effect, row.seq)
            for row in fetch(session, statements.passed(), values)
        ),
        (Calibration(row.ts, row.value) for row in told),
    )


# Whether anybody knows ----------------------------------------------------------------


def silences_of(session: Session, space: Space, span: Span) -> list[Span]:
    """Return when a space was not watched by all its sensors, by start.

    A space without any sensor at some time is not watched then.
    """
    values = {"space": str(space.id), "start": span.start, "end": span.end}
    asked = statements.silences(), statements.unwatched()
    rows = [row for statement in asked for row in fetch(session, statement, values)]
    return sorted(
        Span(row.start.astimezone(UTC), row.end.astimezone(UTC)) for row in rows
    )


# Over time ----------------------------------------------------------------------------


def history_of(
    session: Session, space: Space, span: Span, length: timedelta, policy: Policy | None
) -> list[Step]:
    """Tell of each step of a time what happened in it.

    Raises InvalidMoment for more than 2,000 steps.
    """
    number = -((span.start - span.end) // length)
    if number > MOST_STEPS:
        message = f"A history has {MOST_STEPS:,} steps at most, not {number:,}."
        raise InvalidMoment(message)
    by = policy or space.policy
    count = count_before(session, space, span.start, by)
    steps = bounds(span, length)
    return list(steps_of(steps, _summaries(session, space, steps), count, by))


def _summaries(
    session: Session, space: Space, steps: list[Span]
) -> Iterator[tuple[datetime, Summary]]:
    """Read what happened, in buckets if the steps consist of them."""
    levels = {level_of(each.start, each.duration) for each in (steps[0], steps[-1])}
    if None in levels:
        yield from _by_item(session, space, steps)
        return
    values = {
        "space": str(space.id),
        "level": "hour" if "hour" in levels else "day",
        "start": steps[0].start,
        "end": steps[-1].end,
    }
    for row in fetch(session, statements.tallies_within(), values):
        yield row.start, summary_in(row, 1)


def _by_item(
    session: Session, space: Space, steps: list[Span]
) -> Iterator[tuple[datetime, Summary]]:
    items = items_of(session, space, steps[0].start, steps[-1].end)
    first = 0
    for step in steps:
        last = first
        while last < len(items) and items[last].moment < step.end:
            last += 1
        if last > first:
            yield step.start, summary_of(items[first:last])
        first = last


def extremes(
    session: Session, space: Space, span: Span, policy: Policy | None
) -> Extremes:
    """Return the lowest and the highest count of a time, the one it begins with
    included, and when it was so first.

    Whole hours are looked at by their tallies, and only those in which an extreme lies
    by their events.
    """
    by = policy or space.policy
    count = count_before(session, space, span.start, by)
    entered = Extreme(shown(count, by), span.start)
    lows, highs = [entered], [entered]
    for part, first in _parts(session, space, span, by, count):
        items = items_of(session, space, part.start, part.end)
        if found := extremes_of(items, first, by):
            lows.append(Extreme(found.lowest, found.lowest_at))
            highs.append(Extreme(found.highest, found.highest_at))
    return Extremes(
        lowest=min(lows, key=lambda each: (each.count, each.at)),
        highest=min(highs, key=lambda each: (-each.count, each.at)),
    )


def _parts(
    session: Session, space: Space, span: Span, policy: Policy, count: int
) -> Iterator[tuple[Span, int]]:
    """Yield parts in which an extreme may lie, and the count before each."""
    first = bucket_of(span.start - TICK, "hour") + HOUR
    last = bucket_of(span.end, "hour")
    if first >= last:
        yield span, count
        return
    if span.start < first:
        yield Span(span.start, first), count
        count = count_before(session, space, first, policy)
    yield from _telling_hours(session, space, Span(first, last), policy, count)
    if last < span.end:
        yield Span(last, span.end), count_before(session, space, last, policy)


def _telling_hours(
    session: Session, space: Space, span: Span, policy: Policy, count: int
) -> list[tuple[Span, int]]:
    """Return the first hours in which the lowest and the highest count lie."""
    values = {"start": span.start, "end": span.end, "level": "hour"}
    rows = fetch(
        session, statements.tallies_within(), {"space": str(space.id), **values}
    )
    lows: list[tuple[int, datetime, int]] = []
    highs: list[tuple[int, datetime, int]] = []
    for row in rows:
        summary = summary_in(row, 1)
        low, high = (summary.lowest(count, policy), summary.highest(count, policy))
        if low is not None and high is not None:
            lows.append((shown(low, policy), row.start, count))
            highs.append((-shown(high, policy), row.start, count))
        count = summary.after(count, policy)
    return [
        (Span(start, start + HOUR), before)
        for _, start, before in [*sorted(lows)[:1], *sorted(highs)[:1]]
    ]


def passages_of(session: Session, sensor: Sensor, span: Span) -> Passages:
    """Count who walked beneath a sensor, whether it hung anywhere or not."""
    query = select(
        func.count().filter(OccEvent.direction == 1).label("positive"),
        func.count().filter(OccEvent.direction == -1).label("negative"),
    ).where(
        OccEvent.sensor == sensor.id,
        # one index knows the one, another one the other
        or_(OccEvent.state == "counted", OccEvent.state == "unassigned"),
        OccEvent.ts >= span.start,
        OccEvent.ts < span.end,
    )
    (row,) = fetch(session, query, {})
    return Passages(row.positive, row.negative)


def now() -> datetime:
    """Return what the clock of the library says."""
    return TimestampMixin.timestamp()
