"""The SQL of waiting: who waits for what, and who came before them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Integer,
    Interval,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    null,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from libres.db.models.types import UUID, UTCDateTime
from libres.db.passing import WINDOWS
from libres.waiting.models import WaitingEntry
from libres.waiting.rules import LONGEST

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Executable, Select

TABLE: Final[Any] = WaitingEntry.__table__

GIVEN: Final = (
    *("context", "resource", "name", "timezone", "email", "start", "end"),
    *("places", "data", "until", "created"),
)
"""What is said of a new entry."""

LAST_SAID: Final = ("name", "timezone", "email", "places", "data", "until")
"""What may be said anew of an entry that is there."""

_NOW: Final = bindparam("now", type_=UTCDateTime())
_CONTEXT: Final = bindparam("context", type_=Text())
_ID: Final = bindparam("entry", type_=UUID())
_LONGEST: Final = literal(LONGEST, Interval())


# Who waits ----------------------------------------------------------------------------


def _entries(entry: Any, *criteria: Any) -> Select[Any]:
    columns = [getattr(entry, each.key) for each in TABLE.columns]
    found = select(*columns, _position(entry)).where(*criteria)
    return found.order_by(entry.turn)


def _waits(entry: Any) -> ColumnElement[bool]:
    return and_(entry.token.is_(None), entry.until > _NOW)


def _overlaps(entry: Any, start: Any, end: Any) -> ColumnElement[bool]:
    """Does it have time in common? Bounded on both sides, for the index."""
    return and_(entry.start > start - _LONGEST, entry.start < end, entry.end > start)


def _position(entry: Any) -> Any:
    """How many who wait for the same time came before, and oneself?"""
    other = aliased(WaitingEntry)
    before = select(func.count() + 1).where(
        other.context == entry.context,
        other.resource == entry.resource,
        other.turn < entry.turn,
        _waits(other),
        _overlaps(other, entry.start, entry.end),
    )
    counted = before.correlate_except(other).scalar_subquery()
    return case((_waits(entry), counted), else_=null()).label("position")


@cache
def by_id() -> Select[Any]:
    """Read one entry, whether it waits or not."""
    entry = WaitingEntry
    return _entries(entry, entry.context == _CONTEXT, entry.id == _ID)


@cache
def locking() -> Executable:
    """Read one entry, and keep others from changing it."""
    return by_id().with_for_update(of=WaitingEntry)


@cache
def waiting() -> Executable:
    """Read who waits for a time of a resource, after a turn, and at most so many."""
    entry = WaitingEntry
    start = bindparam("start", type_=UTCDateTime())
    end = bindparam("end", type_=UTCDateTime())
    found = _entries(
        entry,
        entry.context == _CONTEXT,
        entry.resource == bindparam("resource", type_=UUID()),
        _waits(entry),
        or_(start.is_(None), entry.end > start),
        or_(end.is_(None), entry.start < end),
        entry.turn > bindparam("after", type_=BigInteger()),
    )
    return found.limit(bindparam("most", type_=Integer()))


@cache
def waiting_in_windows() -> Executable:
    """Read who waits for any of several times, each of a resource.

    Who waits for two of them is there twice. One window is looked up after the other,
    which under SERIALIZABLE gets in the way of nobody else.
    """
    windows, entry = WINDOWS.table, WaitingEntry
    found = (
        select(*TABLE.columns)
        .where(
            entry.context == _CONTEXT,
            entry.resource == windows.c.resource,
            _waits(entry),
            _overlaps(entry, windows.c.start, windows.c.end),
        )
        .correlate(windows)
        .offset(0)
        .lateral("found")
    )
    return _entries(aliased(entry, found)).join_from(windows, found, true())


# Writing ------------------------------------------------------------------------------


@cache
def joining() -> Executable:
    """Add an entry, unless its address waits for this time already; return the id.

    If it does and may say so *again*, it keeps its turn, and what was said last counts.
    Who stopped waiting gets a new turn.
    """
    added = insert(TABLE).values(
        {name: bindparam(name, type_=TABLE.c[name].type) for name in GIVEN}
    )
    is_over = TABLE.c.until <= _NOW
    new = added.excluded
    kept = {"turn": TABLE.c.turn, "created": TABLE.c.created}
    same = ("context", "resource", "start", "end")
    return added.on_conflict_do_update(
        index_elements=[*(TABLE.c[name] for name in same), func.lower(TABLE.c.email)],
        index_where=text("token IS NULL"),
        set_={
            **{name: new[name] for name in LAST_SAID},
            **{name: case((is_over, new[name]), else_=kept[name]) for name in kept},
        },
        where=or_(is_over, bindparam("again", type_=Boolean())),
    ).returning(TABLE.c.id)


@cache
def leaving() -> Executable:
    """Delete an entry that has not been served; return its id."""
    gone = delete(TABLE).where(
        TABLE.c.context == _CONTEXT, TABLE.c.id == _ID, TABLE.c.token.is_(None)
    )
    return gone.returning(TABLE.c.id)


@cache
def marking() -> Executable:
    """Note what was reserved for an entry."""
    token = bindparam("reserved", type_=UUID())
    marked = update(TABLE).where(TABLE.c.id == _ID).values(token=token)
    return marked.returning(TABLE.c.id)


@cache
def dropping() -> Executable:
    """Delete who waits no more, and who was served for a time that is over."""
    gone = delete(TABLE).where(
        TABLE.c.context == _CONTEXT,
        TABLE.c.until <= _NOW,
        or_(TABLE.c.token.is_(None), TABLE.c.end <= _NOW),
    )
    return gone.returning(TABLE.c.id)
