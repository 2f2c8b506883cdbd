"""Loads what is to be undone: a change, or all that its transaction did to the row."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, bindparam, cast, column, func, literal_column, null, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libres.context.transactions import plain_session
from libres.sync.audit import reading, rows
from libres.sync.audit.tables import Tables
from libres.sync.audit.values import Entry
from libres.sync.capture.triggers import DIALECT
from libres.sync.errors import NotRevertible
from libres.sync.models import SyncChange
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.sync.registry import SyncModel

_TABLE: Final[Any] = SyncChange.__table__
_C: Final[Any] = _TABLE.c

NO_MODEL: Final = (
    "This process does not know the table {name}: do it where its model is registered."
)

CHANGED_SINCE: Final = (
    "It was changed since ({fields}): undo the later changes first, the last one "
    "before the others."
)

GONE: Final = "The row is not there any more: undo what removed it first."

THERE: Final = "There is a row of this key again: change it, or remove it first."

ERASED_SINCE: Final = (
    "What was noted of it was erased on request, and nobody knows it any more."
)

NOTHING: Final = "It has changed nothing that was noted: there is nothing to undo."


@dataclass(frozen=True, slots=True)
class Undone:
    """A change that is to be undone; images as PostgreSQL has written them."""

    context: Context
    session: Session
    entry: Entry
    model: SyncModel
    before: str | None
    after: str | None

    @property
    def table(self) -> str:
        """The table as SQL names it."""
        return str(DIALECT.identifier_preparer.format_table(self.model.table))

    def record(self, image: str | None, name: str, columns: Iterable[str]) -> Any:
        """Return what a FROM clause has of an image: typed as the row is."""
        typed: Any = literal_column(f"NULL::{self.table}")
        written = bindparam(None, image, type_=Text())
        made = func.jsonb_populate_record(typed, cast(written, JSONB))
        return made.table_valued(*(column(each) for each in columns), name=name)

    def stale(self, fields: Collection[str]) -> list[str] | None:
        """Lock the row, and return which of some fields are not as the change has left
        them; None: there is no row. One statement."""
        table = rows.table_of(self.model)
        noted = self.record(self.after, "noted", ())
        name = func.unnest(cast(list(fields), ARRAY(Text))).column_valued("name")
        is_: Any = literal_column("to_jsonb(this)")
        was: Any = literal_column("to_jsonb(noted)")
        differing = (
            select(name)
            .where(is_.op("->")(name).is_distinct_from(was.op("->")(name)))
            .order_by(name)
        )
        query = (
            select(func.array(differing.scalar_subquery()))
            .select_from(table)
            .join(noted, literal_column("true"))
            .where(rows.is_row(table, self.model, self.entry.key))
        )
        found = self.session.execute(query.with_for_update(of=table)).one_or_none()
        return None if found is None else list(found[0])

    def check_unchanged(self, fields: Collection[str]) -> None:
        """Refuse if the row is gone, or some fields are not as the change has left
        them. Raises NotRevertible."""
        stale = self.stale(fields)
        if stale is None:
            raise NotRevertible(GONE)
        if stale:
            raise NotRevertible(CHANGED_SINCE.format(fields=", ".join(stale)))


def load(context: Context, position: int) -> Undone:
    """Return a change, in the session of a context. Raises UnknownEntity, and
    NotRevertible if this process does not know its table."""
    entry = reading.entry(context, position)
    model = Tables(context).of(entry.relation)
    if model is None:
        raise NotRevertible(NO_MODEL.format(name=entry.relation))
    (found,) = _images(context, entry, _C.position == position)
    session: Any = context.get_service("session_provider").session()
    plain = plain_session(session)
    return Undone(context, plain, entry, model, found.before, found.after)


def whole(undone: Undone) -> Undone:
    """Return all that the transaction of a change did to its row, as one change.

    Raises NotRevertible if something of it was erased, or nothing is left of it.
    """
    entry = undone.entry
    steps = _images(undone.context, entry, _C.xid == entry.transaction)
    if any(each.is_erased for each in steps):
        raise NotRevertible(ERASED_SINCE)
    first, last = steps[0].before, steps[-1].after
    if first is None and last is None:
        raise NotRevertible(NOTHING)
    return Undone(
        *(undone.context, undone.session, entry, undone.model, first, last),
    )


def _images(context: Context, entry: Entry, which: Any) -> list[Any]:
    """Return images of a row as texts: JSON would lose digits in Python."""
    is_erased = func.array_position(_C.salts, null()).is_not(None)
    query = select(
        cast(_C.before, Text).label("before"),
        cast(_C.after, Text).label("after"),
        is_erased.label("is_erased"),
    ).where(
        _C.context == context.name,
        _C.relation == entry.relation,
        _C.key == entry.key,
        which,
    )
    with apart(context) as connection:
        return list(connection.execute(query.order_by(_C.position)))
