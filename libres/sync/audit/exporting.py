"""Writes changes as lines of JSON, with all that proves them.

The first line says what follows, and the last one that this was all; between them is a
line per change, and one per signature, after the change that it is about. Of changes
that were not asked for there is only what they add to the chain: so it can be computed
by who must not see them. `libres.sync.audit.offline` reads it, without a database.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    text,
)

from libres.domain.days import UTC
from libres.sync.audit import anchors, reading, verifying
from libres.sync.audit.offline import KIND, VERSION
from libres.sync.audit.tables import Tables
from libres.sync.feed import chain, numbering
from libres.sync.models import SyncChange
from libres.sync.transacting import snapshot

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from libres.context.core import Context

PAGE: Final = 1000
"""So many rows are held at once."""

_TABLE: Final[Any] = SyncChange.__table__

PROVED: Final = """\
(
    SELECT coalesce(json_agg(json_build_object(
        'salt', sync_changes.salts[number],
        'commitment', encode(
            substr(
                sync_changes.commitments, ((number - 1) * {bytes} + 1)::int, {bytes}
            ), 'hex'
        ),
        'values', jsonb_build_array(
            field, sync_changes.before -> field, sync_changes.after -> field
        )::text
    ) ORDER BY number), '[]') FROM {fields}
)""".format(bytes=chain.BYTES, fields=chain.FIELDS.format(row="sync_changes"))
"""The fields of a change: salt, what was committed to, and the text of it."""

ENTRY_TEXT: Final = chain.ENTRY_TEXT.format(row="sync_changes")
LINK: Final = f"encode({chain.ENTRY.format(row='sync_changes')}, 'hex')"

NEXT: Final = text("""\
SELECT min(position) FROM audit_anchors
WHERE context = :context AND position >= :position
""").bindparams(
    bindparam("context", type_=Text()), bindparam("position", type_=BigInteger())
)

FOLLOWED: Final = text("""\
SELECT encode(digest, 'hex') FROM sync_changes
WHERE context = :context AND position = :position
""").bindparams(
    bindparam("context", type_=Text()), bindparam("position", type_=BigInteger())
)


@dataclass(frozen=True, slots=True)
class _Range:
    """Which changes are written, or left out."""

    first: int
    last: int
    follows: str
    is_whole: bool


def export(context: Context, file: IO[str], asked: reading.Asked) -> int:
    """Write what is asked for, and return how many changes that is; what lies between,
    up to the signature that follows, is left out.

    Raises UnknownEntity and Misuse, as `reading.history` does.
    """
    wanted = reading.matching(Tables(context), asked)
    if asked.tenants is not None:
        # What was taken from an organisation has values of another one.
        wanted = and_(wanted, _TABLE.c.tenant_before.is_(None))
    count = 0
    numbering.number(context)
    with snapshot(context) as connection:
        found = _range(connection, context.name, wanted, asked)
        _write(file, _header(connection, context.name, found))
        signed = _signatures(connection, context.name)
        for line in _lines(_rows(connection, context.name, found, wanted), signed):
            count += "digest" in line
            _write(file, line)
        _write(file, {"end": found.last})
    return count


# Which --------------------------------------------------------------------------------


def _range(
    connection: Connection, context: str, wanted: Any, asked: reading.Asked
) -> _Range:
    head = verifying.head_of(connection, context)
    if asked == reading.Asked():
        follows = head.before.hex()
        return _Range(head.dropped + 1, head.position, follows, is_whole=True)
    place = _TABLE.c.position
    ends = select(func.min(place), func.max(place)).where(
        _TABLE.c.context == context, wanted
    )
    first, last = connection.execute(ends).one()
    if first is None:
        return _Range(head.position + 1, head.position, "", is_whole=False)
    values = {"context": context, "position": last}
    until = connection.execute(NEXT, values).scalar() or last
    values = {"context": context, "position": first - 1}
    before = connection.execute(FOLLOWED, values).scalar() or head.before.hex()
    return _Range(first, min(until, head.position), before, is_whole=False)


def _rows(connection: Connection, context: str, found: _Range, wanted: Any) -> Any:
    """Read the changes in order, page by page, by a cursor of the database."""
    table = _TABLE.c
    names = ("position", "at", "numbered", "relation", "key", "operation", "actor")
    more = ("request", "reason", "tenant", "digest")
    query = (
        select(
            *(table[name] for name in (*names, *more)),
            wanted.label("told"),
            literal_column(ENTRY_TEXT).label("entry"),
            literal_column(PROVED).label("fields"),
            literal_column(LINK).label("link"),
        )
        .where(
            table.context == context,
            table.position.between(found.first, found.last),
        )
        .order_by(table.position)
    )
    options = {"stream_results": True, "yield_per": PAGE}
    return connection.execution_options(**options).execute(query)


# Lines --------------------------------------------------------------------------------


def _write(file: IO[str], line: dict[str, Any]) -> None:
    # ASCII: what some take for the end of a line is in no line.
    file.write(json.dumps(line) + "\n")


def _header(connection: Connection, context: str, found: _Range) -> dict[str, Any]:
    now = connection.execute(select(func.now())).scalar_one()
    return {
        "export": KIND,
        "version": VERSION,
        "context": context,
        "at": now.astimezone(UTC).isoformat(),
        "first": found.first,
        "last": found.last,
        "follows": found.follows,
        "whole": found.is_whole,
    }


def _signatures(connection: Connection, context: str) -> dict[int, Any]:
    found = anchors.stored(connection, context)
    return {each.position: anchors.as_json(context, each) for each in found}


def _lines(rows: Any, signed: dict[int, Any]) -> Iterator[dict[str, Any]]:
    left_out: list[str] = []
    for row in rows:
        if not row.told:
            left_out.append(row.link)
        is_signed = row.position in signed
        if left_out and (row.told or is_signed or len(left_out) == PAGE):
            yield {"left_out": left_out}
            left_out = []
        if row.told:
            yield _line(row)
        if is_signed:
            yield {"anchor": signed[row.position]}
    if left_out:
        yield {"left_out": left_out}


def _line(row: Any) -> dict[str, Any]:
    return {
        "position": row.position,
        "at": row.at.astimezone(UTC).isoformat(),
        "numbered": row.numbered.astimezone(UTC).isoformat(),
        "relation": row.relation,
        "key": row.key,
        "action": row.operation,
        "actor": row.actor,
        "request": row.request,
        "reason": row.reason,
        "tenant": row.tenant,
        "fields": row.fields,
        "entry": row.entry,
        "digest": bytes(row.digest).hex(),
    }
