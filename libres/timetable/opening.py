"""Allocates time of many subjects, set by set, with the checks of the core."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from libres.db.models.timestamp import TimestampMixin
from libres.db.passing import fetch
from libres.domain.judging import check_quota
from libres.domain.spans import Span, first_overlap
from libres.modules.rasterizer import Raster, checked_raster
from libres.timetable import changes
from libres.timetable.errors import InvalidWindow
from libres.timetable.subjects import known
from libres.timetable.windows import window_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

BATCH: Final = 20_000
"""Allocations per statement."""

Progress = Callable[[int, int], None]
"""Is told how many spans are done, of how many."""


def spans_of(spans: object, raster: Raster, timezone: str | None) -> list[Span]:
    """Read spans to allocate, on the raster; they must not overlap each other."""
    if not isinstance(spans, Iterable) or isinstance(spans, str):
        message = f"Spans are a list of (start, end), not {spans!r}."
        raise InvalidWindow(message)
    found = [
        Span.rasterized(*_ends(each, timezone), checked_raster(raster))
        for each in spans
    ]
    if overlap := first_overlap(found):
        message = f"{overlap[0]} and {overlap[1]} overlap each other."
        raise InvalidWindow(message)
    return found


def _ends(span: Any, timezone: str | None) -> tuple[Any, Any]:
    start, end = (span.start, span.end) if isinstance(span, Span) else span
    window = window_of(start, end, timezone)
    return window.start, window.end


def open_many(
    context: Context,
    session: Session,
    wanted: Sequence[tuple[str, Sequence[Span]]],
    *,
    raster: Raster,
    quota: int,
    skip_overlapping: bool,
    progress: Progress | None,
) -> int:
    """Allocate the spans of each subject; return how many were written."""
    check_quota(quota)
    known(context, session, [name for name, _ in wanted])
    try:
        with session.begin_nested():
            return _open(
                context,
                session,
                wanted,
                {"quota": quota, "raster": raster, "data": None},
                progress,
                complete=not skip_overlapping,
            )
    except _Overlap as overlap:
        raise _refusal(session, overlap.values) from None


class _Overlap(Exception):
    """Something is in the way of one of these spans."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values


def _open(
    context: Context,
    session: Session,
    wanted: Sequence[tuple[str, Sequence[Span]]],
    terms: dict[str, Any],
    progress: Progress | None,
    *,
    complete: bool,
) -> int:
    """Write all batches. Raises _Overlap unless all is written that has to be."""
    total = sum(len(spans) for _, spans in wanted)
    now = TimestampMixin.timestamp().replace(tzinfo=None)
    written = done = 0
    for rows in _batches(wanted):
        values = _values(context, rows)
        found = fetch(session, changes.opening(), {**values, **terms, "now": now})
        number = int(found[0][0])
        if complete and number < len(rows):
            raise _Overlap(values)
        written += number
        done += len(rows)
        if progress is not None:
            progress(done, total)
    return written


def _batches(
    wanted: Sequence[tuple[str, Sequence[Span]]],
) -> Iterator[list[tuple[str, Span]]]:
    rows: list[tuple[str, Span]] = []
    for name, spans in wanted:
        for span in spans:
            rows.append((name, span))
            if len(rows) == BATCH:
                yield rows
                rows = []
    if rows:
        yield rows


def _values(context: Context, rows: Sequence[tuple[str, Span]]) -> dict[str, Any]:
    stored = [span.stored for _, span in rows]
    return {
        "context": context.name,
        "name": [name for name, _ in rows],
        "starts": [start.replace(tzinfo=None) for start, _ in stored],
        "ends": [end.replace(tzinfo=None) for _, end in stored],
    }


def _refusal(session: Session, values: dict[str, Any]) -> InvalidWindow:
    """Say which span has something in its way."""
    (row,) = fetch(session, changes.overlapping(), values)
    there = Span.from_stored(row.taken_from, row.taken_until)
    message = (
        f"{row.name} is allocated from {there.start.isoformat()} to "
        f"{there.end.isoformat()} already: pass skip_overlapping=True to leave out "
        f"what is in the way."
    )
    return InvalidWindow(message)
