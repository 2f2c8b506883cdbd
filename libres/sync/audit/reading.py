"""Reads what was noted, for people: filtered, page by page."""

from __future__ import annotations

import enum
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, get_args

from sqlalchemy import (
    DateTime,
    Numeric,
    Text,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from libres.domain.days import UTC
from libres.modules.errors import insist
from libres.sync.audit import locating
from libres.sync.audit.tables import Tables
from libres.sync.audit.values import ERASED, Action, Entry, FieldChange
from libres.sync.errors import UnknownEntity
from libres.sync.feed import numbering
from libres.sync.fields import TEXT, InvalidValue
from libres.sync.models import SyncChange
from libres.sync.models.feed import LATE
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Select

    from libres.context.core import Context
    from libres.sync.registry import SyncModel

PAGE: Final = 1000
MOST: Final = 10_000
LARGEST: Final = 2**63 - 1

_TABLE: Final[Any] = SyncChange.__table__
_C: Final[Any] = _TABLE.c

TOLD: Final = (
    *("position", "at", "numbered", "relation", "key", "operation", "actor"),
    *("request", "reason", "tenant", "tenant_before", "xid"),
    *("before", "after", "salts"),
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
    """Return changes, the latest first. Two statements; one more if times are asked
    for, and one if some are pending."""
    _check(asked, before, limit)
    tables = Tables(context)
    numbering.number(context)
    with apart(context) as connection:
        criteria = _criteria(tables, _placed(connection, context, tables, asked))
        where = locating.locate(connection, context.name, asked.since, asked.until)
        common = [*criteria, *_numbers(before, where), _C.context == context.name]
        rows = connection.execute(_page(common, _owners(asked), where, limit))
        return [entry_of(tables, row, asked.tenants) for row in rows]


def entries(context: Context, asked: Asked) -> Iterator[Entry]:
    """Yield all of them, page by page."""
    before: int | None = None
    while page := history(context, asked, before, PAGE):
        yield from page
        before = page[-1].position


def entry(
    context: Context, position: int, tenants: Collection[str] | None = None
) -> Entry:
    """Return the change of a number. Raises UnknownEntity."""
    insist(_is_whole(position), "The number of a change is a whole number.")
    insist(not isinstance(tenants, str), "Tenants are several: pass a list.")
    tables = Tables(context)
    query = select(*(_C[name] for name in TOLD)).where(
        _C.context == context.name,
        _C.position == min(max(position, 0), LARGEST),
        or_(*_owners(Asked(tenants=tenants))),
    )
    with apart(context) as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise UnknownEntity(kind="change", name=str(position))
    return entry_of(tables, row, tenants)


# What is asked ------------------------------------------------------------------------


def _check(asked: Asked, before: int | None, limit: int) -> None:
    is_limit = _is_whole(limit) and 1 <= limit <= MOST
    insist(is_limit, f"limit is a whole number between 1 and {MOST}.")
    insist(before is None or _is_whole(before), "before is the number of a change.")
    insist(asked.id is None or asked.model is not None, "An id needs its model.")
    insist(not isinstance(asked.tenants, str), "Tenants are several: pass a list.")
    allowed = get_args(Action)
    is_action = asked.action is None or asked.action in allowed
    insist(is_action, f"action is one of {', '.join(allowed)}.")
    for moment in (asked.since, asked.until):
        check_moment(moment)
    if asked.since is not None and asked.until is not None:
        insist(asked.since <= asked.until, "'until' lies before 'since'.")


def check_moment(moment: datetime | None) -> None:
    """Refuse a moment without timezone. Raises Misuse."""
    aware = moment is None or moment.tzinfo is not None
    insist(aware, "A moment needs a timezone.")


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of which something is noted, and that this process does not know."""

    relation: str


NOTED: Final = text("""\
SELECT EXISTS (
    SELECT FROM sync_changes WHERE context = :context AND relation = :relation
)
""").bindparams(bindparam("context", type_=Text()), bindparam("relation", type_=Text()))


def _placed(
    connection: Connection, context: Context, tables: Tables, asked: Asked
) -> Asked:
    """Find a table by what is noted of it, if this process does not know its model. No
    statement, if it does. Raises UnknownEntity."""
    try:
        if asked.model is not None:
            tables.named(asked.model)
        return asked
    except UnknownEntity:
        name = asked.model if can_be_held(asked.model) else ""
        values = {"context": context.name, "relation": name}
        if not connection.execute(NOTED, values).scalar():
            raise
        return replace(asked, model=_Table(name))


def _criteria(tables: Tables, asked: Asked) -> list[ColumnElement[bool]]:
    """Say what is asked for, but for its time, and whose it is."""
    found: list[Any] = []
    if isinstance(asked.model, _Table):
        found.append(_C.relation == asked.model.relation)
        if asked.id is not None:
            found.append(is_text(_C.key, str(asked.id)))
    elif asked.model is not None:
        model = tables.named(asked.model)
        found.append(_C.relation == model.relation)
        if asked.id is not None:
            found.append(is_text(_C.key, key_of(model, asked.id)))
    texts = {"operation": asked.action, "actor": asked.user, "request": asked.request}
    found += [
        is_text(_C[name], text) for name, text in texts.items() if text is not None
    ]
    if asked.since is not None:
        found.append(_besides(_C.at >= asked.since))
    if asked.until is not None:
        found.append(_besides(_C.at < asked.until))
    return found


def _besides(criterion: Any) -> Any:
    """Say what hardly leaves out anything, as the numbers have been chosen by it: the
    planner would believe that it leaves out as much once more."""
    return case((criterion, true()), else_=false())


def is_text(column: Any, text: str) -> Any:
    """Compare with a text; one that PostgreSQL cannot hold is in no row."""
    return column == text if can_be_held(text) else false()


def can_be_held(text: object) -> bool:
    """Tell whether PostgreSQL can hold a text."""
    try:
        TEXT.read(text)
    except InvalidValue:
        return False
    return True


def _numbers(before: int | None, where: locating.Range) -> Iterator[Any]:
    if before is not None:
        yield _C.position < min(max(before, 0), LARGEST)
    if where.after is not None:
        yield _C.position > where.after


def _owners(asked: Asked) -> list[Any]:
    """Say whose changes are told; no change is found twice by it.

    What was taken from an organisation concerns it as well.
    """
    if asked.tenants is None:
        return [true()]
    known = sorted({each for each in asked.tenants if can_be_held(each)})
    if not known:
        return [false()]
    now, once = _C.tenant, _C.tenant_before
    elsewhere = or_(now.is_(None), now.not_in(known))
    if len(known) > BRANCHES:
        return [or_(now.in_(known), and_(once.in_(known), elsewhere))]
    return [now == each for each in known] + [
        and_(once == each, once.is_not(None), elsewhere) for each in known
    ]


def _page(
    common: Sequence[Any], owners: Sequence[Any], where: locating.Range, limit: int
) -> Select[Any]:
    """Take a page of each kind of changes, which an index has in order, and merge."""
    kinds = list(_kinds(where))
    pages = [
        select(*(_C[name] for name in TOLD))
        .where(*common, owner, *kind)
        .order_by(_C.position.desc())
        .limit(limit)
        for owner in owners
        for kind in kinds
    ]
    if len(pages) == 1:
        return pages[0]
    merged = union_all(*(select(each.subquery()) for each in pages)).subquery()
    return select(merged).order_by(merged.c.position.desc()).limit(limit)


def _kinds(where: locating.Range) -> Iterator[Sequence[Any]]:
    """Yield what was numbered in time, and what was numbered late, if there are any."""
    yield [] if where.upto is None else [_C.position <= where.upto]
    if where.has_late:
        yield [_C.position > where.upto, LATE]


BRANCHES: Final = 8
"""So many organisations are looked for each by itself: in order, by an index."""


def key_of(model: SyncModel, given: Any) -> str:
    """Return the key of a row as the feed has it, from what a host holds of it, or from
    itself. What can be no key of the model is returned as it is, and found nowhere.

    Raises Misuse for another number of values.
    """
    values = given if isinstance(given, tuple | list) else (given,)
    count = len(model.key)
    if count > 1 and isinstance(given, str):
        values = _listed(given)
        if len(values) != count:
            return given
    insist(len(values) == count, f"{model.name} has {count} keys.")
    text = model.key_text(values)
    try:
        return model.key_text(model.key_values(text))
    except (ValueError, TypeError, OverflowError, InvalidValue):
        return text


def _listed(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []


# What rows have ever been -------------------------------------------------------------


def find(context: Context, model: Any, values: Mapping[str, Any]) -> list[str]:
    """Return the keys of rows that have ever had these values, sorted."""
    known = Tables(context).named(model)
    insist(values, "Say which values are looked for.")
    noted = {each.name for each in known.table.columns} - known.secret - known.ignored
    unknown = sorted(values.keys() - noted)
    insist(not unknown, f"Of {known.name} nothing is noted as {', '.join(unknown)}.")
    numbering.number(context)
    images = (
        and_(*(_has(image, name, value) for name, value in values.items()))
        for image in (_C.before, _C.after)
    )
    query = (
        select(_C.key)
        .distinct()
        .where(_C.context == context.name, _C.relation == known.relation, or_(*images))
    )
    with apart(context) as connection:
        return sorted(connection.scalars(query))


def _has(image: Any, name: str, value: Any) -> Any:
    """Say that an image has a value, by its text; numbers by what they are worth."""
    if value is None:
        return and_(image.has_key(name), image[name].astext.is_(None))
    if isinstance(value, bool):
        return image[name].astext == str(value).lower()
    if isinstance(value, dict | list):
        return image[name] == cast(json.dumps(value), JSONB)
    if isinstance(value, datetime):
        zone = DateTime(timezone=value.tzinfo is not None)
        return cast(image[name].astext, zone) == value
    if isinstance(value, enum.Enum):
        return image[name].astext == value.name
    if isinstance(value, int | float | Decimal) and Decimal(value).is_finite():
        is_same = image[name] == func.to_jsonb(cast(str(value), Numeric))
        return or_(is_same, image[name].astext == str(value))
    return is_text(image[name].astext, str(value))


# What is told -------------------------------------------------------------------------


def entry_of(tables: Tables, row: Any, tenants: Collection[str] | None = None) -> Entry:
    """Make a change of a row of the feed, as those of some organisations may see it:
    what a row was with others, and what became of it there, is not told."""
    owner = row.tenant if row.tenant_before is None else row.tenant_before
    is_given = tenants is not None and owner not in tenants
    is_taken = tenants is not None and row.tenant not in tenants
    before = None if is_given else _shown(row, row.before)
    after = None if is_taken else _shown(row, row.after)
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
        tenant=owner if is_taken else row.tenant,
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


def matching(tables: Tables, asked: Asked) -> ColumnElement[bool]:
    """Say what is asked for, for who reads all changes in order. Raises what `history`
    raises."""
    _check(asked, None, PAGE)
    return and_(true(), *_criteria(tables, asked), or_(*_owners(asked)))
