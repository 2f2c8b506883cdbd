"""A span of time, half-open, and its conversion to the stored form.

Stored ends lack one microsecond, so that adjacent records never touch. Everything
else in the library thinks in half-open spans; this is the only place that converts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

from libres.modules.rasterizer import (
    TICK,
    Raster,
    rasterize_end,
    rasterize_start,
)

Range: TypeAlias = tuple[datetime, datetime]
"""Start and end as a caller gave them, the end inclusive or not; aware."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The time from *start* until just before *end*; both aware.

    A span whose end does not lie after its start is empty.
    """

    start: datetime
    end: datetime

    @classmethod
    def from_stored(cls, start: datetime, end: datetime) -> Span:
        """Read what the database holds: *end* is one microsecond short."""
        return cls(start, end + TICK)

    @classmethod
    def rasterized(cls, start: datetime, end: datetime, raster: Raster) -> Span:
        """Snap a caller's range outwards to the *raster* (minutes).

        A stored end and the same end as it is displayed give the same span.
        """
        return cls(rasterize_start(start, raster), rasterize_end(end, raster) + TICK)

    @property
    def stored(self) -> Range:
        """Start and end as the database holds them."""
        return self.start, self.end - TICK

    @property
    def duration(self) -> timedelta:
        return self.end - self.start

    @property
    def is_empty(self) -> bool:
        return self.end <= self.start

    def overlaps(self, other: Span) -> bool:
        """Tell whether one begins within the other; touching is not enough.

        An empty span that begins within another one overlaps it, too.
        """
        return (
            other.start <= self.start < other.end
            or self.start <= other.start < self.end
        )

    def contains(self, other: Span) -> bool:
        """Tell whether *other* lies within this span, borders included."""
        return self.start <= other.start and other.end <= self.end

    def clip(self, other: Span) -> Span:
        """Return the part both have in common; empty if there is none."""
        return Span(max(self.start, other.start), min(self.end, other.end))


def display_end(stored_end: datetime) -> datetime:
    """Add back the microsecond that a stored end lacks."""
    return stored_end + TICK


def stored_end(displayed_end: datetime) -> datetime:
    """Take away the microsecond that a displayed end has too much."""
    return displayed_end - TICK


def reach(asked: Range) -> Range:
    """Return the stored range that touches the slots which *asked* occupies, on any
    raster, and no other ones.

    As the raster does, it leaves out the seconds of the end; what ends before it
    starts reaches where it starts.
    """
    start, end = asked
    return start, max(start, end.replace(second=0, microsecond=0) - TICK)


def first_overlap(spans: Iterable[Span]) -> tuple[Span, Span] | None:
    """Find two of *spans* that overlap each other, or None. Sorts, then looks once."""
    for earlier, later in pairwise(sorted(spans)):
        if earlier.overlaps(later):
            return earlier, later
    return None
