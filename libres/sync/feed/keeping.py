"""Drops changes that are old, and tells how far the numbering is behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import DDL, BigInteger, Text, bindparam, text
from sqlalchemy.exc import OperationalError

from libres.modules.errors import insist
from libres.sync.feed import numbering, partitions, reading
from libres.sync.models.columns import MOMENT
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from libres.context.core import Context

ddl: Callable[[str], DDL] = DDL


@dataclass(frozen=True, slots=True)
class Lag:
    """How far numbering is behind."""

    pending: int
    """Changes that are committed and have no number yet."""

    age: timedelta | None
    """Since when the transaction of the oldest of them had begun; None: there are none.
    """

    position: int
    """The number of the last change."""


LAG: Final = text("""\
SELECT count(seq), clock_timestamp() - min(at),
    coalesce((SELECT position FROM sync_feeds WHERE context = :context), 0)
FROM sync_pending WHERE context = :context
""").bindparams(bindparam("context", type_=Text()))


def lag(context: Context) -> Lag:
    """Tell how far numbering is behind, by the clock of the database. One statement."""
    with apart(context) as connection:
        pending, age, position = connection.execute(
            LAG, {"context": context.name}
        ).one()
    return Lag(pending, None if age is None else max(age, timedelta(0)), position)


# What is not kept ---------------------------------------------------------------------


def drop_old(context: Context, until: datetime) -> int:
    """Drop changes that were numbered before a moment; return how many.

    Nothing is numbered meanwhile. Raises Misuse for a moment without timezone.
    """
    insist(until.tzinfo is not None, "A moment needs a timezone.")
    with apart(context) as connection:
        connection.execute(numbering.LOCK, {"context": context.name})
        kept, last = _borders(connection, context.name, until)
        if last <= kept:
            return 0
        values = {"context": context.name, "kept": last}
        connection.execute(KEEP, values)
        _drop_partitions(connection, context.name, until, last)
        connection.execute(DELETE, {**values, "until": until})
        return last - kept


BORDERS: Final = text("""\
SELECT kept FROM sync_feeds WHERE context = :context
""").bindparams(bindparam("context", type_=Text()))

KEEP: Final = text("""\
UPDATE sync_feeds SET kept = :kept WHERE context = :context
""").bindparams(
    bindparam("context", type_=Text()), bindparam("kept", type_=BigInteger())
)

DELETE: Final = text("""\
DELETE FROM sync_changes
WHERE context = :context AND position <= :kept AND numbered < :until
""").bindparams(
    bindparam("context", type_=Text()),
    bindparam("kept", type_=BigInteger()),
    bindparam("until", type_=MOMENT),
)


def _borders(connection: Connection, context: str, until: datetime) -> tuple[int, int]:
    """Return up to which number nothing is kept: until now, and from now on."""
    kept = connection.execute(BORDERS, {"context": context}).scalar() or 0
    moment = until - timedelta(microseconds=1)
    values = {"context": context, "moment": moment}
    last = connection.execute(reading.POSITION_AT, values).scalar() or 0
    return kept, last


# Partitions ---------------------------------------------------------------------------

PARTITIONS: Final = text("""\
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = to_regclass('sync_changes') ORDER BY relname
""")

NEEDED: Final = """\
SELECT EXISTS (SELECT FROM {name} WHERE context <> :context OR position > :kept)
"""
"""Asked only of months that are over; an index answers it for each of two contexts."""

WAIT: Final = "SET LOCAL lock_timeout = '{seconds}s'"

LONGEST_WAIT: Final = 2
"""Seconds: who wants to read meanwhile has to wait as well."""


def _drop_partitions(
    connection: Connection, context: str, until: datetime, kept: int
) -> None:
    """Drop partitions as a whole that ended before, if nobody else has changes there.

    One that is read for long is left: its rows are deleted instead.
    """
    for name in _ended(connection, until):
        needed = text(NEEDED.format(name=name)).bindparams(context=context, kept=kept)
        if not connection.execute(needed).scalar():
            with suppress(OperationalError), connection.begin_nested():
                connection.execute(text(WAIT.format(seconds=LONGEST_WAIT)))
                connection.execute(ddl(f"DROP TABLE {name}"))


def _ended(connection: Connection, until: datetime) -> Iterator[str]:
    """Yield the partitions of months that ended before a moment."""
    first = partitions.name_of(until)
    for (name,) in connection.execute(PARTITIONS).all():
        if name.startswith(PREFIX) and name < first:
            yield name


PREFIX: Final = "sync_changes_"
