"""How much of an allocation is left, in percent and as partitions.

One algorithm serves all of it: a timeline of blocks, each with a duration and the
number of places left in it. Where clocks change within it, the timeline is
normalised to what the wall clock shows: a repeated hour is left out, a missing hour
is put in as reserved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import TypeAlias

from libres.domain.days import Shift
from libres.domain.spans import Span
from libres.modules.rasterizer import TICK, Raster, rasterize_start

Partitions: TypeAlias = list[tuple[float, bool]]
"""Blocks in order of time: percent of the whole, reserved or not."""

NOTHING = timedelta()


@dataclass(frozen=True, slots=True)
class Taken:
    """A span in which one place (or, if *blocked*, every place) is taken."""

    span: Span
    blocked: bool


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a timeline: so many places are left for this long."""

    duration: timedelta
    left: int
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """The blocks of an allocation of *quota* places, in order of time."""

    quota: int
    blocks: tuple[Block, ...]

    @property
    def availability(self) -> float:
        """Percent of the time and places that are left.

        What is blocked shrinks the whole instead of counting as reserved; an
        allocation that is blocked from end to end is 0.
        """
        open_blocks = [block for block in self.blocks if not block.blocked]
        places = sum(block.duration // TICK * self.quota for block in open_blocks)
        left = sum(block.duration // TICK * block.left for block in open_blocks)
        return percent_left(places, places - left, 0)

    @property
    def partitions(self) -> Partitions:
        """Show the timeline as (percent, reserved); the percents sum to 100."""
        return _shares((block.duration, block.left == 0) for block in self.blocks)


def timeline(
    allocated: Span,
    raster: Raster,
    taken: Sequence[Taken],
    *,
    quota: int = 1,
    partly: bool,
    shifts: Sequence[Shift] = (),
) -> Timeline:
    """Lay out what is left of an allocation.

    *taken* may overlap and reach beyond it; *shifts* are the clock changes to
    normalise. An allocation that is not partly available is one block.
    """
    inside = [each for each in taken if each.span.overlaps(allocated)]
    if not partly:
        return Timeline(quota, (_whole(allocated, inside, quota),))
    if not (inside or shifts):
        return Timeline(quota, (Block(allocated.duration, quota),))
    snapped = _snapped(allocated, raster, inside)
    blocks = _normalized(allocated, snapped, _sensible(shifts, allocated), quota)
    return Timeline(quota, tuple(blocks))


def percent_left(total: float, reserved: float, blocked: float) -> float:
    """Return the availability of a record from its numbers of slots, 0 to 100.

    *total* includes the blocked ones.
    """
    if blocked >= total:
        return 0.0
    return max(0.0, 100.0 - 100.0 * reserved / (total - blocked))


def average(percents: Iterable[float], *, records: int, quota: int) -> float:
    """Return the availability of *quota* places of which *records* are stored.

    Places without a record are wholly free. No places at all: 0.
    """
    if not quota:
        return 0.0
    return (sum(percents) + 100.0 * (quota - records)) / quota


def skipped_window(allocated: Span, shift: Shift) -> Span:
    """Return the part of *allocated* that a fold shows a second time.

    It is the first of the two; an allocation that begins within it loses its own
    first part instead.
    """
    start = max(shift.at + shift.amount, allocated.start)
    return Span(start, min(start - shift.amount, allocated.end))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of an allocation in which nothing begins or ends."""

    span: Span
    used: int
    blocked: bool

    def block(self, quota: int) -> Block:
        left = 0 if self.blocked else max(0, quota - self.used)
        return Block(self.span.duration, left, self.blocked)


def _whole(allocated: Span, taken: Sequence[Taken], quota: int) -> Block:
    """See an allocation that is reserved as a whole: its worst moment counts."""
    blocks = [piece.block(quota) for piece in _pieces(allocated, taken)]
    if any(block.blocked for block in blocks):
        return Block(allocated.duration, 0, blocked=True)
    return Block(allocated.duration, min(block.left for block in blocks))


def _snapped(allocated: Span, raster: Raster, taken: Iterable[Taken]) -> list[Taken]:
    """Let everything take whole steps of the raster.

    What takes parts of a step (it lies on a blocking resource with a finer raster)
    counts as often as it does in the worst moment of that step.
    """
    whole: list[Taken] = []
    parts: list[Taken] = []
    for each in taken:
        inside = Taken(allocated.clip(each.span), each.blocked)
        start, end = inside.span.start, inside.span.end
        is_whole = _is_step(start, raster) and _is_step(end, raster)
        (whole if is_whole else parts).append(inside)
    return [*whole, *_worst_of_steps(allocated, raster, parts)]


def _is_step(moment: datetime, raster: Raster) -> bool:
    """Tell whether a step of the raster begins at a moment."""
    return not (moment.minute % raster or moment.second or moment.microsecond)


def _worst_of_steps(
    allocated: Span, raster: Raster, parts: Sequence[Taken]
) -> Iterator[Taken]:
    """Say for each step that is touched as often as needed that it is taken."""
    if not parts:
        return
    for step in _steps(allocated, raster, parts):
        span = _in_steps(Span(step[0].span.start, step[-1].span.end), raster)
        yield from [Taken(span, False)] * max(piece.used for piece in step)
        if any(piece.blocked for piece in step):
            yield Taken(span, True)


def _steps(
    allocated: Span, raster: Raster, parts: Sequence[Taken]
) -> Iterator[list[_Piece]]:
    """Cut *allocated* into pieces: those of one step together, whole steps alone."""
    moments = {moment for each in parts for moment in (each.span.start, each.span.end)}
    steps = [allocated.clip(_in_steps(Span(each, each), raster)) for each in moments]
    edges = (edge for step in steps for edge in (step.start, step.end))
    pieces = _pieces(allocated, parts, edges)
    by_step = groupby(pieces, lambda each: rasterize_start(each.span.start, raster))
    return (list(step) for _, step in by_step)


def _in_steps(span: Span, raster: Raster) -> Span:
    return Span.rasterized(span.start, span.end, raster)


def _sensible(shifts: Sequence[Shift], allocated: Span) -> Sequence[Shift]:
    """Drop clock changes that would leave nothing on the wall clock."""
    shown = allocated.duration + sum((s.amount for s in shifts), NOTHING)
    return shifts if shown > NOTHING else ()


def _normalized(
    allocated: Span, taken: Sequence[Taken], shifts: Sequence[Shift], quota: int
) -> Iterator[Block]:
    gaps = {shift.at: shift.amount for shift in shifts if shift.is_gap}
    folds = [skipped_window(allocated, s) for s in shifts if not s.is_gap]
    cuts = [*gaps, *(edge for fold in folds for edge in (fold.start, fold.end))]
    for piece in _pieces(allocated, taken, cuts):
        if piece.span.start in gaps:
            yield Block(gaps[piece.span.start], 0)
        if not any(fold.contains(piece.span) for fold in folds):
            yield piece.block(quota)
    if allocated.end in gaps:
        yield Block(gaps[allocated.end], 0)


def _pieces(
    allocated: Span, taken: Iterable[Taken], cuts: Iterable[datetime] = ()
) -> Iterator[_Piece]:
    """Cut *allocated* wherever something begins or ends, and at *cuts*."""
    edges = (allocated.start, allocated.end, *cuts)
    changes: dict[datetime, list[int]] = {edge: [0, 0] for edge in edges}
    for each in taken:
        inside = allocated.clip(each.span)
        changes.setdefault(inside.start, [0, 0])[each.blocked] += 1
        changes.setdefault(inside.end, [0, 0])[each.blocked] -= 1
    used = blocked = 0
    for start, end in pairwise(sorted(changes)):
        used += changes[start][False]
        blocked += changes[start][True]
        yield _Piece(Span(start, end), used, blocked > 0)


def _shares(parts: Iterable[tuple[timedelta, bool]]) -> Partitions:
    merged = [
        (sum(duration // TICK for duration, _ in group), reserved)
        for reserved, group in groupby(parts, key=lambda part: part[1])
    ]
    total = sum(ticks for ticks, _ in merged)
    shares = [(100.0 * ticks / total, reserved) for ticks, reserved in merged]
    last, reserved = shares[-1]
    shares[-1] = (last + (100.0 - sum(share for share, _ in shares)), reserved)
    return shares
