"""Where is there time for something? Spans of allocations that fit what is wanted.

A span fits if it lies within the hours that are asked for, and if as many places as are
wanted are free for the whole of it; also of everything that blocks it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date as Date
from datetime import datetime, time, timedelta
from typing import Final

from libres.domain.availability import Taken
from libres.domain.days import is_valid_length, to_utc, to_zone
from libres.domain.places import Master
from libres.domain.spans import Range, Span
from libres.modules.rasterizer import Raster, rasterize_start

DAY: Final = timedelta(days=1)
MIDNIGHT: Final = time()


@dataclass(frozen=True, slots=True)
class Opening:
    """A master, and what takes each of its stored places."""

    master: Master
    places: tuple[tuple[Taken, ...], ...] = ()

    def left(self, asked: Range) -> int:
        """Count the places that are free for the whole of a range, on its raster."""
        wanted = self.master.slots(self.master.rasterized(asked)).span
        busy = sum(
            any(taken.span.overlaps(wanted) for taken in place) for place in self.places
        )
        return max(0, self.master.quota - busy)

    def allows(self, places: int) -> bool:
        """Tell whether so many places may be reserved at once."""
        return not 0 < self.master.quota_limit < places

    def ends(self) -> Iterator[datetime]:
        """Yield where something ends, so that more might fit."""
        yield self.master.span.end
        yield from (taken.span.end for place in self.places for taken in place)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to fit: so many places, so long, in one piece."""

    duration: timedelta
    places: int = 1

    every_step: bool = False
    """Whether spans that fit may overlap each other, and start at each step of the
    raster; else the next one starts where the one before ends."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A span that fits, on the raster of its master, and how many places are left."""

    master: Master
    span: Span
    left: int


def fits(
    opening: Opening,
    wanted: Wanted,
    windows: Iterable[Span],
    blocking: Iterable[Opening] = (),
) -> Iterator[Fit]:
    """Yield the spans of an allocation that fit, by start.

    *windows* are the hours that are asked for, by start and apart. An allocation that
    is not partly available fits as a whole, if it lasts long enough. One that is
    reserved with its group only fits never.
    """
    master = opening.master
    if master.in_group:
        return
    search = _Search(opening, blocking, wanted)
    within = (each for each in windows if each.overlaps(master.span))
    yield from search.parts(within) if master.partly_available else search.whole(within)


def fit_at(
    opening: Opening, asked: Span, places: int, blocking: Iterable[Opening] = ()
) -> Fit | None:
    """Return what would be reserved of an allocation at a time; None: it does not fit.

    That is the time on its raster, or all of it if it is not partly available.
    """
    master = opening.master
    span = master.slots(master.rasterized(asked.stored)).span
    if master.in_group or not span.contains(asked):
        return None
    return _Search(opening, blocking, Wanted(asked.duration, places)).fit(span)


class _Search:
    """Looks for what fits into one allocation under what blocks it."""

    def __init__(
        self, opening: Opening, blocking: Iterable[Opening], wanted: Wanted
    ) -> None:
        self._master = opening.master
        span = opening.master.span
        around = (each for each in blocking if each.master.span.overlaps(span))
        self._all = [opening, *around]
        self._wanted = wanted
        ends = {end for each in self._all for end in each.ends()}
        self._ends = sorted(ends)

    def parts(self, windows: Iterable[Span]) -> Iterator[Fit]:
        """Yield parts of the allocation that fit."""
        raster = self._master.raster
        step = timedelta(minutes=raster)
        length = -(-self._wanted.duration // step) * step
        for window in windows:
            inside = self._master.span.clip(window)
            start: datetime | None = _next_step(inside.start, raster)
            while start is not None and start + length <= inside.end:
                fit = self.fit(Span(start, start + length))
                if fit is not None:
                    yield fit
                    start += step if self._wanted.every_step else length
                else:
                    start = self._next_start(start)

    def whole(self, windows: Iterable[Span]) -> Iterator[Fit]:
        """Yield the allocation itself, if it fits."""
        span = self._master.span
        is_within = any(window.contains(span) for window in windows)
        if is_within and span.duration >= self._wanted.duration:
            fit = self.fit(span)
            if fit is not None:
                yield fit

    def fit(self, span: Span) -> Fit | None:
        """Return a span with what is left during it; None: too little is."""
        if span.duration >= DAY and not is_valid_length(
            span.start, span.end, self._master.timezone
        ):
            return None
        places, asked = self._wanted.places, span.stored
        touched = [each for each in self._all if each.master.span.overlaps(span)]
        left = min(each.left(asked) for each in touched)
        if left < places or not all(each.allows(places) for each in touched):
            return None
        return Fit(self._master, span, left)

    def _next_start(self, start: datetime) -> datetime | None:
        """Return where something ends next, on the raster; None: nowhere."""
        at = bisect_right(self._ends, start)
        if at == len(self._ends):
            return None
        return _next_step(self._ends[at], self._master.raster)


def _next_step(moment: datetime, raster: Raster) -> datetime:
    start = rasterize_start(moment, raster)
    return start if start == moment else start + timedelta(minutes=raster)


# Hours --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hours:
    """On which days, at which times of day. Empty *days*: any; None: any time.

    An end that does not lie after the start is the next day's.
    """

    days: frozenset[int] = frozenset()
    begins: time | None = None
    ends: time | None = None

    @property
    def are_all(self) -> bool:
        """Whether nothing is left out."""
        return not self.days and self.begins is None and self.ends is None

    def within(self, asked: Span, timezone: str) -> list[Span]:
        """Return the parts of a time that lie within these hours, by start and apart.

        Times of day are local; what touches is one part.
        """
        if self.are_all:
            return [asked]
        first = to_zone(asked.start, timezone).date() - DAY
        last = to_zone(asked.end, timezone).date()
        days = (first + number * DAY for number in range((last - first).days + 1))
        chosen = (day for day in days if not self.days or day.weekday() in self.days)
        parts = (asked.clip(self._of(day, timezone)) for day in chosen)
        return _merged(part for part in parts if not part.is_empty)

    def _of(self, day: Date, timezone: str) -> Span:
        begins, ends = self.begins or MIDNIGHT, self.ends or MIDNIGHT
        last = day if ends > begins else day + DAY
        return Span(
            to_utc(datetime.combine(day, begins), timezone),
            to_utc(datetime.combine(last, ends), timezone),
        )


def _merged(parts: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for part in parts:
        if merged and part.start <= merged[-1].end:
            end = max(part.end, merged[-1].end)
            merged[-1] = replace(merged[-1], end=end)
        else:
            merged.append(part)
    return merged


# Alternatives -------------------------------------------------------------------------


def nearest(
    found: Iterable[Fit], start: datetime, timezone: str, limit: int
) -> list[Fit]:
    """Choose what lies nearest to a start, and does not overlap what is nearer.

    The same local day first, then the days around it, at about the same time of day.
    """
    wanted = to_zone(start, timezone)

    def distance(fit: Fit) -> tuple[timedelta, timedelta, datetime]:
        shown = to_zone(fit.span.start, timezone)
        clocks = abs(_clock(shown) - _clock(wanted))
        return abs(shown.date() - wanted.date()), clocks, fit.span.start

    chosen: list[Fit] = []
    for fit in sorted(found, key=distance):
        if len(chosen) == limit:
            break
        if not any(fit.span.overlaps(each.span) for each in chosen):
            chosen.append(fit)
    return chosen


def _clock(shown: datetime) -> timedelta:
    return timedelta(hours=shown.hour, minutes=shown.minute)
