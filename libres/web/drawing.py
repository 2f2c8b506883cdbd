"""Draws a day of a resource to scale: what stands in which row of its column.

A row is five minutes that pass, so that a day has 23 to 25 hours of rows. The hours
that are shown are the same for all columns of a page, as the clocks on the walls tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, time, timedelta
from typing import Final

from libres.domain.days import UTC, to_utc, to_zone
from libres.domain.spans import Span
from libres.web.clock import day_of
from libres.web.showing import Held, Kind, Part

ROW: Final = timedelta(minutes=5)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

MOST_ROWS: Final = 26 * HOUR // ROW
"""Of a column; a few clocks are put back by two hours."""

WORKING: Final = (8, 18)
"""The hours that are shown if nothing is allocated."""


@dataclass(frozen=True, slots=True)
class Tick:
    """An hour at the side of a column."""

    label: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A part of an allocation as it is drawn: the rows from *first* until *last*."""

    first: int
    last: int
    start: datetime
    end: datetime
    """What of it lies in this column, in the zone of the resource."""

    part: Part
    is_continued: bool
    """Whether it began before this column, or goes on after it."""

    @property
    def kind(self) -> Kind:
        """What it is to the viewer."""
        return self.part.kind

    @property
    def is_whole(self) -> bool:
        """Whether it is reserved as a whole or not at all."""
        return not self.part.master.partly_available

    @property
    def step(self) -> int:
        """The raster, in minutes."""
        return self.part.master.raster

    @property
    def mine(self) -> Held | None:
        """The reservation of the viewer."""
        return self.part.mine

    @property
    def chosen(self) -> tuple[datetime, datetime]:
        """What is chosen by choosing it: all of an allocation that has no parts."""
        if not self.is_whole:
            return self.start, self.end
        span, zone = self.part.master.span, self.part.master.timezone
        return to_zone(span.start, zone), to_zone(span.end, zone)

    @property
    def times(self) -> str:
        """When it is, for people."""
        start, end = self.chosen
        return told_times(start, end)

    @property
    def who(self) -> list[str]:
        """Whose it is, as far as the viewer may know it."""
        return [each.title for each in self.part.held if not each.is_pending]

    @property
    def words(self) -> str:
        """What it is, for people."""
        part = self.part
        if part.mine is not None:
            return "yours, waits for approval" if part.mine.is_pending else "yours"
        if part.kind != "free":
            return "blocked" if part.is_blocked else "taken"
        if part.master.quota == 1:
            return "free"
        return f"{part.left} of {part.master.quota} places free"


@dataclass(frozen=True, slots=True)
class Column:
    """A day of a resource."""

    day: Date
    rows: int
    ticks: tuple[Tick, ...]
    drawn: tuple[Drawn, ...]
    hours: int
    """That the day has."""

    @property
    def name(self) -> str:
        """The day, for people."""
        return told_day(self.day)

    @property
    def is_changed(self) -> bool:
        """Whether the clocks are changed on this day."""
        return self.hours != 24


def told_day(day: Date) -> str:
    """Tell a day to people: Mon 30 Nov."""
    return f"{day:%a} {day.day} {day:%b}"


def told_times(start: datetime, end: datetime) -> str:
    """Tell times to people: from when to when; with days, if there are several."""
    first, last = told_time(start), told_time(end)
    if end.date() == start.date():
        return f"{first} to {last}"
    if end.time() == time() and end.date() - start.date() == DAY:
        return f"{first} to 24:00"
    return f"{told_day(start.date())} {first} to {told_day(end.date())} {last}"


def told_whole(start: datetime, end: datetime) -> str:
    """Tell day and times to people."""
    times = told_times(start, end)
    is_told = times.startswith(told_day(start.date()))
    return times if is_told else f"{told_day(start.date())}, {times}"


def told_time(moment: datetime) -> str:
    """Tell a time to people; one that the clock shows twice with its zone."""
    return f"{moment:%H:%M} {moment:%Z}" if _is_twice(moment) else f"{moment:%H:%M}"


def _is_twice(moment: datetime) -> bool:
    """Tell whether the clock shows this time before or afterwards again."""
    utc, shown = moment.astimezone(UTC), moment.replace(tzinfo=None)
    others = (utc + sign * amount for sign in (-1, 1) for amount in (HOUR / 2, HOUR))
    return any(
        each.astimezone(moment.tzinfo).replace(tzinfo=None) == shown for each in others
    )


def columns(
    parts: Iterable[Sequence[Part]], days: Sequence[tuple[Date, str]]
) -> list[Column]:
    """Draw days of zones, and the parts of each, side by side."""
    drawn = [
        (day, zone, _pieces(some, day_of(day, zone)))
        for some, (day, zone) in zip(parts, days, strict=True)
    ]
    hours = _hours(drawn)
    return [_column(day, zone, pieces, hours) for day, zone, pieces in drawn]


def _pieces(parts: Iterable[Part], day: Span) -> list[tuple[Span, Part]]:
    return [(day.clip(each.span), each) for each in parts if each.span.overlaps(day)]


def _hours(
    drawn: Iterable[tuple[Date, str, Sequence[tuple[Span, Part]]]],
) -> tuple[int, int]:
    """Return the first and the last hour that anything lies in."""
    found = []
    for day, zone, pieces in drawn:
        for span, _ in pieces:
            start, end = to_zone(span.start, zone), to_zone(span.end, zone)
            last = 24 if end.date() > day else end.hour + bool(end.minute)
            found.append((start.hour, last))
    if not found:
        return WORKING
    return min(first for first, _ in found), max(last for _, last in found)


def _column(
    day: Date,
    zone: str,
    pieces: Sequence[tuple[Span, Part]],
    hours: tuple[int, int],
) -> Column:
    whole = day_of(day, zone)
    shown = _shown(day, zone, hours, [span for span, _ in pieces])
    rows = -(-shown.duration // ROW)
    return Column(
        day=day,
        rows=rows,
        ticks=tuple(_ticks(shown, zone, rows)),
        drawn=tuple(_drawn(shown, span, part, zone) for span, part in pieces),
        hours=round(whole.duration / HOUR),
    )


def _shown(day: Date, zone: str, hours: tuple[int, int], spans: Sequence[Span]) -> Span:
    """Return the time that a column shows; of hours that exist twice, both."""
    whole, midnight = day_of(day, zone), datetime.combine(day, time())
    start, end = (to_utc(midnight + hour * HOUR, zone) for hour in hours)
    start = min([start, *(span.start for span in spans)])
    end = max([end, *(span.end for span in spans)])
    return whole.clip(Span(start, end))


def _ticks(shown: Span, zone: str, rows: int) -> Iterable[Tick]:
    each = HOUR // ROW
    for first in range(0, rows, each):
        start = to_zone(shown.start + first * ROW, zone)
        yield Tick(f"{start:%H:%M}", first, min(first + each, rows))


def _drawn(shown: Span, span: Span, part: Part, zone: str) -> Drawn:
    first = (span.start - shown.start) // ROW
    last = max(first + 1, (span.end - shown.start) // ROW)
    return Drawn(
        first=first,
        last=min(last, MOST_ROWS),
        start=to_zone(span.start, zone),
        end=to_zone(span.end, zone),
        part=part,
        is_continued=span != part.span,
    )


def scale() -> str:
    """Return the stylesheet with the rows, as pages may not say them in place."""
    rules = (
        f".from-{row}{{grid-row-start:{row + 1}}}.to-{row}{{grid-row-end:{row + 1}}}"
        for row in range(MOST_ROWS + 1)
    )
    return "\n".join(rules)
