"""Reads what was noted, for people: filtered, page by page."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn, get_args

from sqlalchemy import select, true

from libres.domain.days import UTC
from libres.modules.errors import insist
from libres.sync.audit.tables import Tables
from libres.sync.audit.values import ERASED, Action, Entry, FieldChange
from libres.sync.errors import UnknownEntity
from libres.sync.feed import numbering
from libres.sync.models import SyncChange
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from libres.context.core import Context
    from libres.sync.registry import SyncModel

PAGE: Final = 1000
MOST: Final = 10_000

_TABLE: Final[Any] = SyncChange.__table__
_C: Final[Any] = _TABLE.c

TOLD: Final = (
    *("position", "at", "numbered", "relation", "key", "operation", "actor"),
    *("request", "reason", "tenant", "xid", "before", "after", "salts"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which changes are asked for; None: all."""

    model: Any = None
    id: Any = None
    user: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    request: str | None = None
    tenants: Collection[str] | None = None


def history(
    context: Context, asked: Asked, before: int | None, limit: int
) -> list[Entry]:
    """Return changes, the latest first. Two statements, three if some are pending."""
    insist(1 <= limit <= MOST, f"limit is between 1 and {MOST}.")
    numbering.number(context)
    tables = Tables(context)
    query = select(*(_C[name] for name in TOLD)).where(
        _C.context == context.name,
        *_criteria(tables, asked),
        true() if before is None else _C.position < before,
    )
    with apart(context) as connection:
        rows = connection.execute(query.order_by(_C.position.desc()).limit(limit))
        return [entry_of(tables, row) for row in rows]


def entries(context: Context, asked: Asked) -> Iterator[Entry]:
    """Yield all of them, page by page."""
    before: int | None = None
    while page := history(context, asked, before, PAGE):
        yield from page
        before = page[-1].position


def entry(context: Context, position: int) -> Entry:
    """Return the change of a number. Raises UnknownEntity."""
    tables = Tables(context)
    query = select(*(_C[name] for name in TOLD)).where(
        _C.context == context.name, _C.position == position
    )
    with apart(context) as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise UnknownEntity(kind="change", name=str(position))
    return entry_of(tables, row)


# What is asked ------------------------------------------------------------------------


def _criteria(tables: Tables, asked: Asked) -> list[ColumnElement[bool]]:
    found: list[Any] = []
    if asked.model is not None:
        model = tables.named(asked.model)
        found.append(_C.relation == model.relation)
        if asked.id is not None:
            found.append(_C.key == key_of(model, asked.id))
    insist(asked.id is None or asked.model is not None, "An id needs its model.")
    if asked.action is not None:
        allowed = get_args(Action)
        insist(asked.action in allowed, f"action is one of {', '.join(allowed)}.")
        found.append(_C.operation == asked.action)
    for column, value in ((_C.actor, asked.user), (_C.request, asked.request)):
        if value is not None:
            found.append(column == value)
    found += _times(asked)
    if asked.tenants is not None:
        found.append(_C.tenant.in_(list(asked.tenants)))
    return found


def _times(asked: Asked) -> Iterator[Any]:
    for moment in (asked.since, asked.until):
        aware = moment is None or moment.tzinfo is not None
        insist(aware, "A moment needs a timezone.")
    if asked.since is not None:
        yield _C.at >= asked.since
        yield _C.numbered >= asked.since  # leaves out older partitions
    if asked.until is not None:
        yield _C.at < asked.until


def key_of(model: SyncModel, given: Any) -> str:
    """Return the key of a row as the feed has it, from what a host holds of it."""
    values = given if isinstance(given, tuple) else (given,)
    insist(len(values) == len(model.key), f"{model.name} has {len(model.key)} keys.")
    return model.key_text(values)


# What is told -------------------------------------------------------------------------


def entry_of(tables: Tables, row: Any) -> Entry:
    """Make a change of a row of the feed."""
    before, after = _shown(row, row.before), _shown(row, row.after)
    return Entry(
        position=row.position,
        at=row.at.astimezone(UTC),
        numbered=row.numbered.astimezone(UTC),
        model=tables.name_of(row.relation),
        relation=row.relation,
        key=row.key,
        action=row.operation,
        actor=row.actor,
        request=row.request,
        reason=row.reason,
        tenant=row.tenant,
        transaction=row.xid,
        before=before,
        after=after,
        changes=tuple(changes_of(before, after)),
    )


def changes_of(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Iterator[FieldChange]:
    """Yield in which fields two images differ."""
    was, is_ = before or {}, after or {}
    for name in sorted(was.keys() | is_.keys()):
        old, new = was.get(name), is_.get(name)
        if old is ERASED or new is ERASED or old != new or None in (before, after):
            yield FieldChange(name, old, new)


def _shown(row: Any, image: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if image is None or None not in (row.salts or ()):
        return image
    names = sorted({*(row.before or ()), *(row.after or ())}, key=_as_jsonb)
    gone = {name for name, salt in zip(names, row.salts, strict=True) if salt is None}
    return {name: ERASED if name in gone else it for name, it in image.items()}


def _as_jsonb(name: str) -> tuple[int, bytes]:
    """Sort the names of fields as jsonb does: by length, then by bytes."""
    plain = name.encode()
    return len(plain), plain


def find(context: Context, model: Any, values: Mapping[str, Any]) -> NoReturn:
    """Return the keys of rows that have ever had these values."""
    raise NotImplementedError
