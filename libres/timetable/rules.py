"""Decides about free time: pure functions over half-open spans, sorted by start."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge

from libres.domain.spans import Span
from libres.modules.rasterizer import Raster, checked_raster, rasterize_start

NO_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class Common:
    """Time that several have in common."""

    span: Span
    subjects: list[str]
    """Who is free all the time."""

    others: list[str]
    """Who is free for a part of it; none, unless a quorum was asked for."""


@dataclass(frozen=True, slots=True)
class Opportunity:
    """Somebody is free then."""

    subject: str
    span: Span


# Spans --------------------------------------------------------------------------------


def merged(spans: Iterable[Span]) -> list[Span]:
    """Join spans that touch or overlap; sorts."""
    found: list[Span] = []
    for span in sorted(spans):
        if span.is_empty:
            continue
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Return what is left of spans."""
    left: list[Span] = []
    gone = deque(merged(taken))
    for span in merged(spans):
        start = span.start
        while gone and gone[0].start < span.end:
            left.append(Span(start, max(start, gone[0].start)))
            start = max(start, gone[0].end)
            if gone[0].end > span.end:
                break
            gone.popleft()
        left.append(Span(start, span.end))
    return [span for span in left if not span.is_empty]


def clipped(spans: Iterable[Span], window: Span) -> list[Span]:
    """Return the parts of spans within a window."""
    found = (span.clip(window) for span in spans)
    return [span for span in found if not span.is_empty]


def inward(span: Span, raster: Raster) -> Span:
    """Return the whole steps that lie within a span; empty if there are none."""
    step = timedelta(minutes=checked_raster(raster))
    start = rasterize_start(span.start, raster)
    start = start if start == span.start else start + step
    return Span(start, max(start, rasterize_start(span.end, raster)))


def usable(
    spans: Iterable[Span], min_length: timedelta | None, raster: Raster | None
) -> list[Span]:
    """Return spans of whole steps, those that are long enough."""
    cut = (span if raster is None else inward(span, raster) for span in spans)
    least = NO_TIME if min_length is None else min_length
    return [span for span in cut if not span.is_empty and span.duration >= least]


# Several ------------------------------------------------------------------------------


def common(
    free: Mapping[str, Sequence[Span]], quorum: int, min_length: timedelta | None
) -> list[Common]:
    """Return when at least *quorum* of several are free; as long as possible each."""
    spans = _crowded(free, quorum)
    return [_common(span, free) for span in usable(spans, min_length, None)]


def _crowded(free: Mapping[str, Sequence[Span]], quorum: int) -> list[Span]:
    """Return when so many are free at the same time."""
    changes: Counter[datetime] = Counter()
    for span in (span for spans in free.values() for span in spans):
        changes[span.start] += 1
        changes[span.end] -= 1
    found: list[Span] = []
    present, since = 0, None
    for moment, change in sorted(changes.items()):
        present += change
        if present >= quorum and since is None:
            since = moment
        elif present < quorum and since is not None:
            found.append(Span(since, moment))
            since = None
    return found


def _common(span: Span, free: Mapping[str, Sequence[Span]]) -> Common:
    parts = {name: clipped(spans, span) for name, spans in free.items()}
    whole = [name for name, part in parts.items() if part == [span]]
    some = [name for name, part in parts.items() if part and part != [span]]
    return Common(span, sorted(whole), sorted(some))


def earliest(
    free: Mapping[str, Sequence[Span]], duration: timedelta, raster: Raster
) -> Iterator[Opportunity]:
    """Yield when somebody is free for so long, by start, then by name.

    Each starts on the raster; those of one subject do not overlap.
    """
    yield from merge(
        *(_of_subject(name, spans, duration, raster) for name, spans in free.items()),
        key=lambda each: (each.span.start, each.subject),
    )


def _of_subject(
    name: str, spans: Sequence[Span], duration: timedelta, raster: Raster
) -> Iterator[Opportunity]:
    for span in spans:
        start = inward(Span(span.start, span.start), raster).start
        while start + duration <= span.end:
            yield Opportunity(name, Span(start, start + duration))
            start = inward(Span(start + duration, start + duration), raster).start


# Steps --------------------------------------------------------------------------------


def bits(free: Sequence[Span], day: Span, step: timedelta) -> str:
    """Return a ``1`` for each step of a day that is free, else ``0``."""
    number = -(-day.duration // step)
    starts = [day.start + place * step for place in range(number)]
    return "".join(
        "1" if any(span.contains(Span(at, at + step)) for span in free) else "0"
        for at in starts
    )


def spans_of_bits(text: str, day: Span, step: timedelta) -> list[Span]:
    """Return what the ``1`` of such a text stand for."""
    return merged(
        Span(day.start + place * step, day.start + (place + 1) * step)
        for place, bit in enumerate(text)
        if bit == "1"
    )


def steps_from(changes: Iterable[tuple[int, int]], number: int) -> list[int]:
    """Return the count of each step, of the steps at which it changes and to what."""
    found: list[int] = []
    count = 0
    for step, changed in [*changes, (number, 0)]:
        found.extend([count] * (min(step, number) - len(found)))
        count = changed
    return found
