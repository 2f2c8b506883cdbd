"""Tells how rows were at a moment, and in what they differ.

The first change after the moment has kept the row as it was before; if there is none,
the row is still as the last change has left it, or as it has always been.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, bindparam, select, text, true

from libres.modules.errors import insist
from libres.sync import acting, row_security
from libres.sync.audit import reading, rows
from libres.sync.audit.tables import Tables
from libres.sync.audit.values import Entry, FieldChange
from libres.sync.errors import NotKept
from libres.sync.feed import numbering
from libres.sync.models import SyncChange
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from libres.context.core import Context
    from libres.sync.registry import Image, SyncModel

_TABLE: Final[Any] = SyncChange.__table__
_C: Final[Any] = _TABLE.c


def as_of(context: Context, model: Any, key: Any, time: datetime) -> Image | None:
    """Return a row as it was at a moment; None: there was none."""
    (found,) = _at(context, model, key, [time])
    return found


def diff(
    context: Context, model: Any, key: Any, first: datetime, second: datetime
) -> list[FieldChange]:
    """Return in which fields a row differs between two moments."""
    before, after = _at(context, model, key, [first, second])
    return list(reading.changes_of(before, after))


def _at(
    context: Context, model: Any, key: Any, times: list[datetime]
) -> list[Image | None]:
    for time in times:
        insist(isinstance(time, datetime), "A moment is a datetime.")
        reading.check_moment(time)
    tables = Tables(context)
    asked = tables.named(model)
    row = Row(context, tables, asked, reading.key_of(asked, key))
    now = row.now()  # what changes it from here on is numbered, and found, afterwards
    numbering.number(context)
    with apart(context) as connection:
        return [row.at(connection, time, now) for time in times]


@dataclass(frozen=True, slots=True)
class Row:
    """A row, and what was noted of it."""

    context: Context
    tables: Tables
    model: SyncModel
    key: str

    def now(self) -> Image | None:
        """Return the row as it is committed, without what is secret. One statement."""
        table = rows.table_of(self.model)
        query = select(rows.IMAGE).select_from(table)
        query = query.where(
            rows.is_row(table, self.model, self.key),
            rows.is_noted(self.model, self.context.name),
        )
        with apart(self.context) as connection:
            if row_security.is_told(self.context):
                acting.tell(connection, acting.who_acts())
            found = connection.execute(query).scalar()
        return None if found is None else rows.without_secrets(self.model, found)

    def at(self, connection: Connection, time: datetime, now: Image | None) -> Any:
        """Return the row as it was. Raises NotKept. At most three statements."""
        later = self._change(connection, _C.at > time, _C.position)
        until = true() if later is None else _C.position < later.position
        # A transaction that began before may have waited for one that began after it.
        last = self._change(connection, until, _C.position.desc())
        if last is None:
            self._check_kept(connection, time)
        if later is not None:
            return later.before
        return now if last is None else last.after

    def _change(self, connection: Connection, which: Any, order: Any) -> Entry | None:
        """Return the first of some changes of the row, in an order."""
        query = select(*(_C[name] for name in reading.TOLD)).where(
            _C.context == self.context.name,
            _C.relation == self.model.relation,
            reading.is_text(_C.key, self.key),
            which,
        )
        found = connection.execute(query.order_by(order).limit(1)).one_or_none()
        return None if found is None else reading.entry_of(self.tables, found)

    def _check_kept(self, connection: Connection, time: datetime) -> None:
        """Refuse if changes of the row since then may have been dropped: what was
        dropped was numbered before the first that is kept, and made before that."""
        values = {"context": self.context.name}
        dropped = connection.execute(DROPPED, values).scalar()
        if dropped is not None and time < dropped:
            raise NotKept(model=self.model.name, since=dropped)


DROPPED: Final = text("""\
SELECT coalesce(first.numbered, feed.numbered)
FROM sync_feeds AS feed LEFT JOIN LATERAL (
    SELECT position, numbered FROM sync_changes
    WHERE context = :context ORDER BY position LIMIT 1
) AS first ON true
WHERE feed.context = :context AND feed.position > 0
    AND first.position IS DISTINCT FROM 1
""").bindparams(bindparam("context", type_=Text()))
"""When the last change that is not kept had been numbered, or later; no row: all are.
"""
