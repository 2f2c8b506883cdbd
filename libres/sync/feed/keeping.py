"""Drops changes that are old, and tells how far the numbering is behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import DDL, BigInteger, LargeBinary, Text, bindparam, text
from sqlalchemy.exc import OperationalError

from libres.modules.errors import insist
from libres.sync.feed import guarding, halving, numbering, partitions
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

    What is audited is only not told to devices any more. Nothing is numbered meanwhile.
    Raises Misuse for a moment without timezone.
    """
    insist(until.tzinfo is not None, "A moment needs a timezone.")
    with apart(context) as connection:
        borders = borders_of(connection, context.name, until)
        count = borders.last - borders.kept
        if count > 0:
            connection.execute(KEEP, borders.values(context.name))
        if not borders.is_audited:
            drop(connection, context.name, borders, until)
        return max(count, 0)


@dataclass(frozen=True, slots=True)
class Borders:
    """What is kept, and what a moment has been before."""

    last: int
    """The number of the last change before the moment."""

    digest: bytes | None
    """Of the chain, after it."""

    kept: int
    """Changes up to this number are not told to devices any more."""

    dropped: int
    """Changes up to this number are not there any more."""

    is_audited: bool

    def values(self, context: str) -> dict[str, Any]:
        """What statements are told."""
        return {"context": context, "last": self.last, "digest": self.digest}


def borders_of(connection: Connection, context: str, until: datetime) -> Borders:
    """Look what was numbered before a moment; nothing is numbered from now on."""
    values = {"context": context}
    connection.execute(numbering.LOCK, values)
    row = connection.execute(BORDERS, {**values, "until": until}).one_or_none()
    if row is None:
        return Borders(0, None, 0, 0, is_audited=False)
    digest = None if row.digest is None else bytes(row.digest)
    return Borders(row.last, digest, row.kept, row.dropped, row.audited)


def drop(
    connection: Connection, context: str, borders: Borders, until: datetime
) -> None:
    """Drop changes for good, as whole partitions where nobody else needs them."""
    if borders.last <= borders.dropped:
        return
    values = borders.values(context)
    connection.execute(DROP, values)
    _drop_partitions(connection, context, until, borders.last)
    connection.execute(DELETE, {"until": until, **values})


BORDERS: Final = text(
    """\
WITH RECURSIVE halved (low, high) AS (
    SELECT dropped, position FROM sync_feeds WHERE context = :context
    UNION ALL
{step}
)
SELECT low AS last, kept, dropped, audited, coalesce(
    (SELECT digest FROM sync_changes WHERE context = :context AND position = low),
    dropped_digest
) AS digest
FROM halved JOIN sync_feeds ON context = :context WHERE low = high
""".format(step=halving.STEP.format(kept="", before="< :until"))
).bindparams(bindparam("context", type_=Text()), bindparam("until", type_=MOMENT))

KEEP: Final = text("""\
UPDATE sync_feeds SET kept = :last WHERE context = :context AND kept < :last
""").bindparams(
    bindparam("context", type_=Text()), bindparam("last", type_=BigInteger())
)

DROP: Final = text("""\
UPDATE sync_feeds SET
    kept = greatest(kept, :last), dropped = :last, dropped_digest = :digest
WHERE context = :context
""").bindparams(
    bindparam("context", type_=Text()),
    bindparam("last", type_=BigInteger()),
    bindparam("digest", type_=LargeBinary()),
)
"""Before anything goes: what is not said to be dropped cannot be deleted."""

DELETE: Final = text("""\
DELETE FROM sync_changes
WHERE context = :context AND position <= :last AND numbered < :until
""").bindparams(
    bindparam("context", type_=Text()),
    bindparam("last", type_=BigInteger()),
    bindparam("until", type_=MOMENT),
)


# Partitions ---------------------------------------------------------------------------

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
    for name in guarding.partitions_of(connection):
        if name.startswith(PREFIX) and name < first:
            yield name


PREFIX: Final = "sync_changes_"
