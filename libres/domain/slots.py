"""The slots of an allocation: what one reservation of a place occupies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from libres.domain.spans import Span
from libres.modules.rasterizer import Raster


@dataclass(frozen=True, slots=True)
class SlotRun:
    """Adjacent slots of equal length; empty if *span* is.

    The slots partition the span, so its duration is a multiple of *step*.
    """

    span: Span
    step: timedelta

    def __iter__(self) -> Iterator[Span]:
        start = self.span.start
        while start < self.span.end:
            yield Span(start, start + self.step)
            start += self.step

    def __len__(self) -> int:
        return 0 if self.span.is_empty else self.span.duration // self.step

    @property
    def last_start(self) -> datetime:
        """Where the last slot begins."""
        return self.span.end - self.step


def slots_of(
    allocated: Span, raster: Raster, asked: Span | None = None, *, partly: bool
) -> SlotRun:
    """Return the slots that *asked* (or all of it) occupies of *allocated*.

    A partly available allocation has one slot per step of its *raster* (minutes); any
    other is a single slot, however little of it was asked for. What is allocated is on
    its raster already.
    """
    if not partly:
        return SlotRun(allocated, allocated.duration)
    step = timedelta(minutes=raster)
    if asked is None:
        return SlotRun(allocated, step)
    span = allocated.clip(asked)
    if span.is_empty:
        return SlotRun(Span(span.start, span.start), step)
    return SlotRun(Span.rasterized(span.start, span.end, raster), step)
