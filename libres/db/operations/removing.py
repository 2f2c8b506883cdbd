"""Removes allocations, as long as nobody has reserved them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date as Date
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import aliased

from libres.db import criteria, selections
from libres.db.models import (
    Allocation,
    IdempotencyKey,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
)
from libres.domain.days import as_datetime, local_weekday, weekday_numbers
from libres.modules.errors import (
    AffectedPendingReservationError,
    AffectedReservationError,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Query

    from libres.db.scope import Scope


def remove_allocations(
    scope: Scope,
    id: int | None,  # noqa: A002 - the public name
    groups: Any,
) -> None:
    """Remove an allocation with its mirrors, or all of some groups."""
    query = _chosen(scope, id, groups)
    chosen = query.with_entities(Allocation.id, Allocation.group).all()
    if not chosen:
        return
    ids = [row.id for row in chosen]
    _check_unused(scope, ids, {row.group for row in chosen})
    found = scope.session.query(Allocation).filter(Allocation.id.in_(ids))
    found.delete("fetch")


def _chosen(scope: Scope, id: int | None, groups: Any) -> Query[Allocation]:  # noqa: A002 - the public name
    if id:
        query = selections.managed_allocations(scope)
        found = query.filter(criteria.has_id(Allocation.id, id)).with_entities(
            Allocation._start
        )
        return query.filter(Allocation._start == found.one()[0])
    if groups:
        given = [groups] if isinstance(groups, str) or not _is_many(groups) else groups
        return selections.allocations_by_groups(scope, given, masters_only=False)
    message = "Pass the id of an allocation, or groups."
    raise NotImplementedError(message)


def _is_many(groups: Any) -> bool:
    return hasattr(groups, "__iter__")


def _check_unused(scope: Scope, ids: Collection[int], groups: Collection[Any]) -> None:
    """Raise AffectedReservationError or AffectedPendingReservationError."""
    slots = scope.session.query(ReservedSlot).filter(
        ReservedSlot.allocation_id.in_(ids)
    )
    if slot := slots.order_by(ReservedSlot.start).first():
        raise AffectedReservationError(slot)
    pending = scope.session.query(Reservation.id).filter(
        Reservation.target.in_(groups), Reservation.status == "pending"
    )
    if reservation := pending.order_by(Reservation.id).first():
        raise AffectedPendingReservationError(reservation)


def remove_unused(
    scope: Scope,
    start: Date | datetime,
    end: Date | datetime,
    days: Any,
    *,
    exclude_groups: bool,
) -> int:
    """Delete what nobody reserved or blocked within a range; say how many."""
    numbers = weekday_numbers(days)
    criterion = _unused_within(
        scope, scope.utc(as_datetime(start)), scope.utc(as_datetime(end))
    )
    if exclude_groups or numbers:
        criterion = and_(criterion, _is_alone())
    ids = _on_days(scope, criterion, numbers)
    if not ids:
        return 0
    found = scope.session.query(Allocation).filter(Allocation.id.in_(ids))
    found.delete("fetch")
    return len(ids)


def _on_days(
    scope: Scope, criterion: ColumnElement[bool], numbers: frozenset[int]
) -> list[int]:
    query = select(Allocation.id, Allocation._start).where(criterion)
    return [
        id_
        for id_, start in scope.session.execute(query)
        if not numbers or local_weekday(start, scope.timezone) in numbers
    ]


def _unused_within(scope: Scope, start: datetime, end: datetime) -> ColumnElement[bool]:
    """Is it ours, with its whole group in the range, without slots or reservations?"""
    member = aliased(Allocation)
    outside = (
        select(member.id)
        .where(
            member.group == Allocation.group,
            or_(member._start < start, member._end > end),
        )
        .exists()
    )
    return and_(
        Allocation.mirror_of == scope.resource,
        Allocation._start >= start,
        Allocation._start <= end,
        Allocation._end <= end,
        ~outside,
        ~_exists(ReservedSlot.allocation_id == Allocation.id),
        ~_targeted(scope, Reservation),
        ~_targeted(scope, ReservationBlocker),
    )


def _targeted(scope: Scope, model: Any) -> ColumnElement[bool]:
    return _exists(model.target == Allocation.group, model.resource == scope.resource)


def _exists(*criterion: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(1).where(*criterion).correlate(Allocation).exists()


def _is_alone() -> ColumnElement[bool]:
    """Is it the only record of its group?"""
    other = aliased(Allocation)
    members = select(func.count(other.id)).where(other.group == Allocation.group)
    return members.scalar_subquery() == 1


def extinguish(scope: Scope) -> None:
    """Delete everything of ours: reservations and their keys, blockers, slots,
    allocations."""
    keys = scope.session.query(IdempotencyKey)
    keys.filter(IdempotencyKey.resource == scope.resource).delete("fetch")
    selections.managed_reservations(scope).delete("fetch")
    selections.blockers(scope, [scope.resource]).delete("fetch")
    selections.managed_reserved_slots(scope).delete("fetch")
    selections.managed_allocations(scope).delete("fetch")
