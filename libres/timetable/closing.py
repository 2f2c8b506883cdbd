"""Takes back allocated time that nobody holds; what is reserved stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from libres.db.models.timestamp import TimestampMixin
from libres.db.passing import fetch
from libres.domain.days import UTC
from libres.domain.spans import Span
from libres.timetable import changes, rules
from libres.timetable.subjects import known

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context


@dataclass(frozen=True, slots=True)
class Closed:
    """What became of allocations."""

    cut: int
    """Those that were removed, or are shorter now."""

    kept: list[tuple[str, Span]]
    """Those that somebody holds a part of: subject and time."""


def close_many(
    context: Context,
    session: Session,
    wanted: Sequence[tuple[str, Sequence[Span]]],
) -> Closed:
    """Take the spans of each subject from its allocations."""
    spans = dict(wanted)
    known(context, session, [*spans])
    stored = [(name, *_plain(span)) for name, some in wanted for span in some]
    rows = fetch(
        session,
        changes.touching(),
        {
            "context": context.name,
            "name": [name for name, _, _ in stored],
            "starts": [start for _, start, _ in stored],
            "ends": [end for _, _, end in stored],
        },
    )
    parts = {
        row.id: rules.without([Span.from_stored(row.starts, row.ends)], spans[row.name])
        for row in rows
        if not row.is_held
    }
    _write(session, parts)
    held = [row for row in rows if row.is_held]
    kept = [(row.name, Span.from_stored(row.starts, row.ends)) for row in held]
    return Closed(len(parts), kept)


def _write(session: Session, parts: dict[int, list[Span]]) -> None:
    if not parts:
        return
    left = {number: spans for number, spans in parts.items() if spans}
    removed = [number for number in parts if number not in left]
    session.execute(changes.removing(), {"removed": removed, "cut": [*left]})
    firsts = [(number, spans[0]) for number, spans in left.items()]
    others = [(number, span) for number, spans in left.items() for span in spans[1:]]
    # The further parts first, as they lie within what is cut.
    for statement, some in (
        (changes.adding_parts(), others),
        (changes.cutting(), firsts),
    ):
        if some:
            session.execute(statement, _values(some))


def _values(parts: Sequence[tuple[int, Span]]) -> dict[str, Any]:
    stored = [_plain(span) for _, span in parts]
    return {
        "ids": [number for number, _ in parts],
        "starts": [start for start, _ in stored],
        "ends": [end for _, end in stored],
        "now": TimestampMixin.timestamp().replace(tzinfo=None),
    }


def _plain(span: Span) -> tuple[Any, Any]:
    """Return the stored ends as the database has them: UTC, without a zone."""
    start, end = (each.astimezone(UTC).replace(tzinfo=None) for each in span.stored)
    return start, end
