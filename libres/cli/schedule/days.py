"""Assigns sessions to the days of a room, and days to what is allocated already.

A day of a congress does not end at midnight: what begins in the small hours belongs
to the evening before. So a day lasts from dawn to dawn (six o'clock, in the zone of
the resource), and a session belongs to the day in which it begins. If one is still
running when the next day's first one begins, that one belongs to the same day as the
one it meets; therefore the spans of a room's days never overlap.

Pure: rows in, spans out.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from libres.modules.rasterizer import Raster, rasterize_end, rasterize_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

    from libres.cli.schedule.reading import Row

DAWN = timedelta(hours=6)
RASTER: Raster = 5
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open stretch of time, in UTC and on the raster."""

    start: datetime
    end: datetime

    def overlaps(self, other: Span) -> bool:
        """Tell whether they have a moment in common."""
        return self.start < other.end and other.start < self.end

    def joined(self, other: Span) -> Span:
        """Return the span from the earlier start to the later end."""
        return Span(min(self.start, other.start), max(self.end, other.end))


@dataclass(frozen=True, slots=True)
class Day:
    """What takes place in a room from one dawn to the next."""

    date: date
    span: Span


def span_of(row: Row) -> Span:
    """Return the time a session takes, widened to the raster."""
    start, end = row.start.astimezone(UTC), row.end.astimezone(UTC)
    return Span(rasterize_start(start, RASTER), rasterize_end(end, RASTER) + TICK)


def days_by_room(rows: Iterable[Row], zone: ZoneInfo) -> dict[str, tuple[Day, ...]]:
    """Return the days of every room, both in order of time and of the file."""
    rooms: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        rooms[row.room].append(row)
    return {room: days_of(sessions, zone) for room, sessions in rooms.items()}


def days_of(rows: Iterable[Row], zone: ZoneInfo) -> tuple[Day, ...]:
    """Return the days of one room, in order of time."""
    days: list[Day] = []
    for span in sorted(map(span_of, rows), key=lambda span: span.start):
        day = day_at(span.start, zone)
        if days and (days[-1].date == day or days[-1].span.overlaps(span)):
            days[-1] = replace(days[-1], span=days[-1].span.joined(span))
        else:
            days.append(Day(day, span))
    return tuple(days)


def day_at(moment: datetime, zone: ZoneInfo) -> date:
    """Return the day whose dawn was the last one before *moment*."""
    # On the wall clock, so that dawn stays where it is on the days of a transition.
    local = moment.astimezone(zone).replace(tzinfo=None)
    return (local - DAWN).date()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to allocate, and to which span allocations have to grow, by their key."""

    new: tuple[Span, ...]
    grown: dict[int, Span]


def plan(days: Sequence[Day], existing: dict[int, Span]) -> Plan:
    """Fit the days of a room to what has been allocated there before.

    A day that meets nothing is new; one that meets a single allocation is taken in by
    it; one that meets several stays as they are.
    """
    new: list[Span] = []
    grown: dict[int, Span] = {}
    for day in days:
        met = [key for key, span in existing.items() if span.overlaps(day.span)]
        if not met:
            new.append(day.span)
        elif len(met) == 1:
            grown[met[0]] = grown.get(met[0], existing[met[0]]).joined(day.span)
    changed = {key: span for key, span in grown.items() if span != existing[key]}
    return Plan(tuple(new), changed)
