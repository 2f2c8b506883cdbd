"""Boolean SQL expressions, and arrays of parameters as tables.

A range is bounded on both sides. As the allocations of one resource never overlap,
the earliest that can touch a range is the last one that starts before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID as PlainUUID

from sqlalchemy import ARRAY, and_, cast, column, func, literal, or_, select
from sqlalchemy.orm import aliased

from libres.db.models import Allocation, ReservedSlot
from libres.db.models.types import UUID, UTCDateTime
from libres.domain.days import DISTANT_PAST

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, TableValuedAlias
    from sqlalchemy.types import TypeEngine

Moment = Any
"""An aware datetime, or an SQL expression of that type."""


def moment(date: Any) -> Any:
    """Pass an aware datetime as the columns hold it, whatever the server's zone is."""
    return literal(date, UTCDateTime()) if isinstance(date, datetime) else date


def is_master() -> ColumnElement[bool]:
    """Is it the first of its places?

    Not a plain equality: from that the planner would conclude that it can look for
    both columns in ``mirror_resource_ix``, and read all dates of the resource.
    """
    return Allocation.resource.is_not_distinct_from(Allocation.mirror_of)


def has_id(column: Any, *ids: Any) -> ColumnElement[bool]:
    """Is it one of these? Numbers that no integer column holds are nobody's."""
    possible = [each for each in ids if not isinstance(each, int) or _fits(each)]
    found: ColumnElement[bool] = column.in_(possible)
    return found


def _fits(number: int) -> bool:
    return -(2**31) <= number < 2**31


def managed_by(resources: Collection[PlainUUID]) -> ColumnElement[bool]:
    """Is it a place of one of these resources?"""
    if len(resources) == 1:
        (resource,) = resources
        return Allocation.mirror_of == resource
    return Allocation.mirror_of.in_(sorted(resources))


def touches(start: datetime, end: datetime) -> ColumnElement[bool]:
    """Do the stored times have a moment in common with a range, borders included?"""
    return or_(
        and_(Allocation._start <= start, start <= Allocation._end),
        and_(start <= Allocation._start, Allocation._start <= end),
    )


def managed_within(
    resources: Collection[PlainUUID], start: datetime, end: datetime
) -> ColumnElement[bool]:
    """Is it a place of one of these resources that touches a range?

    Walks ``ix_allocations_mirror_of_start``, once per resource.
    """
    return or_(
        False,
        *(
            and_(
                Allocation.mirror_of == resource,
                _bounded(resource, start, end),
                touches(start, end),
            )
            for resource in sorted(resources)
        ),
    )


def _bounded(resource: Any, start: datetime, end: datetime) -> ColumnElement[bool]:
    """Does it start within what can touch a range? All time has no bounds."""
    if start == DISTANT_PAST:
        return Allocation._start <= max(start, end)
    return and_(
        not_before_previous(resource, start), Allocation._start <= max(start, end)
    )


def not_before_previous(resource: Any, start: Moment) -> ColumnElement[bool]:
    """Does it start late enough to reach *start*?"""
    previous = aliased(Allocation)
    latest = (
        select(func.max(previous._start))
        .where(previous.mirror_of == resource, previous._start <= start)
        .correlate_except(previous)
        .scalar_subquery()
    )
    return Allocation._start >= func.coalesce(latest, moment(start))


def shares_group() -> ColumnElement[bool]:
    """Do at least two allocations of this resource have this group?"""
    other = aliased(Allocation)
    return (
        select(other.id)
        .where(
            other.group == Allocation.group,
            other.resource == Allocation.resource,
            other.id != Allocation.id,
        )
        .correlate_except(other)
        .exists()
    )


def owned_by(source_type: str, token: object, id: int | None) -> ColumnElement[bool]:  # noqa: A002 - the public name
    """Is it a slot of this token and, unless None, of this very record?"""
    criteria = [
        ReservedSlot.source_type == source_type,
        ReservedSlot.reservation_token == token,
    ]
    if id is not None:
        criteria.append(has_id(ReservedSlot.source_id, id))
    return and_(*criteria)


def array_of(values: Iterable[object], item: TypeEngine[Any]) -> ColumnElement[Any]:
    """Pass many values as a single parameter."""
    kind = ARRAY(item)
    return cast(literal(list(values), kind), kind)


def table_of(
    name: str, columns: dict[str, tuple[TypeEngine[Any], list[Any]]]
) -> TableValuedAlias:
    """Pass a table as parameters, one array per column; adds a column *position*."""
    arrays = [array_of(values, item) for item, values in columns.values()]
    names = [column(key, item) for key, (item, _) in columns.items()]
    table = func.unnest(*arrays).table_valued(*names, with_ordinality="position")
    return table.render_derived(name)


def windows_table(
    windows: Iterable[tuple[PlainUUID, datetime, datetime]],
) -> TableValuedAlias:
    """Pass (resource, start, end) as the table ``windows``."""
    rows = list(windows)
    return table_of(
        "windows",
        {
            "resource": (UUID(), [resource for resource, _, _ in rows]),
            "start": (UTCDateTime(), [start for _, start, _ in rows]),
            "end": (UTCDateTime(), [end for _, _, end in rows]),
        },
    )


def in_window(window: Any) -> ColumnElement[bool]:
    """Is it a master that touches a row of the windows table?

    Walks ``resource_start_ix``, once per window.
    """
    return and_(
        Allocation.resource == window.c.resource,
        is_master(),
        not_before_previous(window.c.resource, window.c.start),
        Allocation._start <= window.c.end,
        Allocation._end >= window.c.start,
    )
