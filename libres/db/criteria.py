"""Boolean SQL expressions.

A range is bounded on both sides. As the allocations of one resource never overlap,
the earliest that can touch a range is the last one that starts before it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID as PlainUUID

from sqlalchemy import Interval, and_, func, literal, or_, select, tuple_
from sqlalchemy.orm import aliased

from libres.db.models import Allocation, ReservedSlot
from libres.db.models.types import UUID, UTCDateTime

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

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
    owner, first = Allocation.mirror_of, moment(start)
    ordered = (literal(each, UUID()) for each in sorted(resources))
    return or_(
        False,
        *(
            and_(
                owner == resource,
                Allocation._start >= _earliest(owner, resource, first),
                Allocation._start <= max(start, end),
                touches(start, end),
            )
            for resource in ordered
        ),
    )


def in_window(window: Any, owner: Any = Allocation.resource) -> ColumnElement[bool]:
    """Does it touch a row of ``passing.WINDOWS``?

    The resource of the row is its own or, with ``mirror_of`` as *owner*, its master's.
    Walks ``resource_start_ix`` or ``ix_allocations_mirror_of_start``, once per window.
    """
    resource, start = window.c.resource, window.c.start
    return and_(
        owner == resource,
        Allocation._start >= _earliest(owner, resource, start),
        Allocation._start <= window.c.end,
        # Not a comparison of the column itself, which an index on it would answer.
        Allocation._end - start >= literal(timedelta(), Interval()),
    )


def _earliest(owner: Any, resource: Any, start: Moment) -> ColumnElement[Any]:
    """Where does the last one begin that starts before a range, and may reach into it?

    The last of all resources up to and including this one is looked up, then whether
    it is ours: with the resource as a condition the planner might search by time, and
    under SERIALIZABLE get in the way of whoever writes for other resources.
    """
    previous = aliased(Allocation)
    key = (getattr(previous, owner.key), previous._start)
    last = (
        select(*key)
        .where(tuple_(*key) <= tuple_(resource, start))
        .order_by(*(column.desc() for column in key))
        .limit(1)
        .correlate_except(previous)
        .subquery()
    )
    query = select(last.c._start).where(last.c[owner.key] == resource)
    return func.coalesce(query.correlate_except(last).scalar_subquery(), start)


def starts_at(owner: Any, resource: Any, start: Moment) -> ColumnElement[bool]:
    """Does an allocation with this owner, itself or its master, start right then?"""
    return and_(owner == resource, owner.parent.entity._start == start)


def shares_group() -> ColumnElement[bool]:
    """Do at least two allocations of this resource have this group?

    That the group lies between itself and itself adds nothing, but PostgreSQL then
    expects few members. Else it might look for the first one by reading the table.
    """
    other = aliased(Allocation)
    return (
        select(other.id)
        .where(
            other.group == Allocation.group,
            other.group >= Allocation.group,
            other.group <= Allocation.group,
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
