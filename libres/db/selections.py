"""The named queries that callers may filter, count and change further.

All of them are legacy ``Query`` objects, lazy, and can be evaluated again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID as PlainUUID

from sqlalchemy import select
from sqlalchemy.orm import aliased

from libres.db import criteria
from libres.db.models import (
    Allocation,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
)
from libres.modules.errors import insist

if TYPE_CHECKING:
    from sqlalchemy.orm import Query

    from libres.db.scope import Scope


def allocations(scope: Scope, resources: Collection[PlainUUID]) -> Query[Allocation]:
    """The places, masters and mirrors, of these resources."""
    return scope.session.query(Allocation).filter(criteria.managed_by(resources))


def managed_allocations(scope: Scope) -> Query[Allocation]:
    """Our places."""
    return allocations(scope, [scope.resource])


def managed_reserved_slots(scope: Scope) -> Query[ReservedSlot]:
    """The slots on our places."""
    ours = select(Allocation.id).where(Allocation.mirror_of == scope.resource)
    return scope.session.query(ReservedSlot).filter(
        ReservedSlot.allocation_id.in_(ours)
    )


def reservations(scope: Scope, resources: Collection[PlainUUID]) -> Query[Reservation]:
    """The reservations of these resources."""
    query = scope.session.query(Reservation)
    return query.filter(Reservation.resource.in_(sorted(resources)))


def managed_reservations(scope: Scope) -> Query[Reservation]:
    """Our reservations."""
    query = scope.session.query(Reservation)
    return query.filter(Reservation.resource == scope.resource)


def blockers(
    scope: Scope, resources: Collection[PlainUUID]
) -> Query[ReservationBlocker]:
    """The blockers of these resources."""
    query = scope.session.query(ReservationBlocker)
    return query.filter(ReservationBlocker.resource.in_(sorted(resources)))


def allocations_by_groups(
    scope: Scope, groups: Iterable[object], *, masters_only: bool
) -> Query[Allocation]:
    """Our places in these groups."""
    query = managed_allocations(scope).filter(Allocation.group.in_(list(groups)))
    return query.filter(criteria.is_master()) if masters_only else query


def allocations_in_range(
    scope: Scope,
    start: datetime,
    end: datetime,
    *,
    masters_only: bool,
    managed_only: bool,
) -> Query[Allocation]:
    """Our places (or the visible ones) that touch a range in UTC."""
    resources = [scope.resource] if managed_only else scope.visible_resources
    query = scope.session.query(Allocation).filter(
        criteria.managed_within(resources, start, end)
    )
    return query.filter(criteria.is_master()) if masters_only else query


def reservations_by_token(
    scope: Scope,
    token: object,
    id: object = None,  # noqa: A002 - the public name
) -> Query[Reservation]:
    """Our reservations with a token; a falsy id is no restriction."""
    query = managed_reservations(scope).filter(Reservation.token == token)
    return query.filter(criteria.has_id(Reservation.id, id)) if id else query


def blockers_by_token(
    scope: Scope,
    token: object,
    id: object = None,  # noqa: A002 - the public name
) -> Query[ReservationBlocker]:
    """Our blockers with a token; a falsy id is no restriction."""
    query = blockers(scope, [scope.resource]).filter(ReservationBlocker.token == token)
    return query.filter(criteria.has_id(ReservationBlocker.id, id)) if id else query


def allocations_by_reservation(
    scope: Scope,
    token: object,
    id: int | None = None,  # noqa: A002 - the public name
) -> Query[Allocation]:
    """Our places that hold slots of a reservation. Empty while it is pending."""
    targets = reservations_by_token(scope, token, id).with_entities(Reservation.target)
    return _allocations_by_source(scope, "reservation", token, id, targets)


def allocations_by_blocker(
    scope: Scope,
    token: object,
    id: int | None = None,  # noqa: A002 - the public name
) -> Query[Allocation]:
    """Our places that hold slots of a blocker."""
    targets = blockers_by_token(scope, token, id)
    targets = targets.with_entities(ReservationBlocker.target)
    return _allocations_by_source(scope, "blocker", token, id, targets)


def _allocations_by_source(
    scope: Scope,
    source_type: str,
    token: object,
    id: int | None,  # noqa: A002 - the public name
    targets: Query[Any],
) -> Query[Allocation]:
    return (
        managed_allocations(scope)
        .join(Allocation.reserved_slots)
        .filter(
            criteria.owned_by(source_type, token, id or None),
            Allocation.group.in_(targets.scalar_subquery()),
        )
    )


def reservations_by_group(scope: Scope, group: object) -> Query[Reservation]:
    """Our reservations that share a token with one on this group."""
    other = aliased(Reservation)
    tokens = select(other.token).where(
        other.resource == scope.resource, other.target == group
    )
    return managed_reservations(scope).filter(Reservation.token.in_(tokens))


def reserved_slots_by_type(
    scope: Scope,
    token: object,
    source_type: str | None,
    id: int | None = None,  # noqa: A002 - the public name
) -> Query[ReservedSlot]:
    """Our slots with a token. Raises Misuse for a falsy token."""
    insist(token, "A token is needed to find its slots.")
    query = managed_reserved_slots(scope).filter(
        ReservedSlot.reservation_token == token
    )
    if source_type is not None:
        query = query.filter(ReservedSlot.source_type == source_type)
    return (
        query
        if id is None
        else query.filter(criteria.has_id(ReservedSlot.source_id, id))
    )


def change_candidates(
    scope: Scope, tokens: Collection[object] | None
) -> Query[Reservation]:
    """Approved reservations on partly available allocations."""
    partly = select(Allocation.group).where(
        Allocation.mirror_of == scope.resource, Allocation.partly_available
    )
    query = managed_reservations(scope).filter(
        Reservation.status == "approved",
        Reservation.target_type == "allocation",
        Reservation.target.in_(partly),
    )
    return query.filter(Reservation.token.in_(list(tokens))) if tokens else query
