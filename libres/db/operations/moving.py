"""Moves allocations and changes their terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from libres.db import criteria, loading, selections
from libres.db.models import (
    Allocation,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
)
from libres.db.operations.quota import change_quota, check_lowered
from libres.domain.judging import check_quota, moved_span
from libres.domain.spans import Span
from libres.modules.errors import (
    AffectedPendingReservationError,
    AffectedReservationError,
    OverlappingAllocationError,
    insist,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Query

    from libres.db.scope import Scope


class Missing:
    """Says that an argument was left out, where None is a value."""

    def __repr__(self) -> str:
        return "<missing>"

    def __bool__(self) -> bool:
        return False


missing: Final = Missing()


@dataclass(frozen=True, slots=True)
class Move:
    """What is to change; None (for data: missing) leaves a thing alone."""

    new_start: datetime | None
    new_end: datetime | None
    group: Any
    new_quota: int | None
    approve_manually: bool | None
    quota_limit: int | None
    whole_day: bool | None
    data: Any


def move(scope: Scope, master_id: int, wanted: Move) -> None:
    """Move one allocation; its group follows in quota, limit and approval."""
    insist(master_id, "The id of the allocation is needed.")
    insist(
        (wanted.new_start and wanted.new_end) or wanted.group or wanted.new_quota,
        "There is nothing to move: pass new_start and new_end, group or new_quota.",
    )
    _check_terms(wanted)
    scope.session.flush()
    affected = _places(scope, master_id)
    master = next(each for each in affected if each.is_master)
    insist(
        master.timezone == scope.timezone,
        f"The allocation is in {master.timezone}, the scheduler in {scope.timezone}.",
    )
    span = _new_span(scope, master, wanted)
    _check_overlap(scope, master, span)
    _check_affected(scope, affected, master, span)
    _change_terms(scope, master, wanted)
    _change_places(scope, master, span, wanted)


def _check_terms(wanted: Move) -> None:
    for name in ("new_quota", "quota_limit"):
        number = getattr(wanted, name)
        if number is not None:
            check_quota(number, name, least=0)


def _places(scope: Scope, id: int) -> list[Allocation]:  # noqa: A002 - the public name
    """Return an allocation and its stored siblings. Raises NoResultFound."""
    query = selections.managed_allocations(scope).options(loading.WITHOUT_SLOTS)
    found = query.filter(criteria.has_id(Allocation.id, id)).one()
    return query.filter(Allocation._start == found._start).all()


def _new_span(scope: Scope, master: Allocation, wanted: Move) -> Span:
    present_start, present_end = master.span.stored
    return moved_span(
        scope.utc(wanted.new_start) if wanted.new_start else present_start,
        scope.utc(wanted.new_end) if wanted.new_end else present_end,
        master.checked_raster,
        scope.timezone,
        whole_day=bool(wanted.whole_day),
    )


def _check_overlap(scope: Scope, master: Allocation, span: Span) -> None:
    start, end = span.stored
    query = selections.allocations_in_range(
        scope, start, end, masters_only=True, managed_only=True
    )
    query = query.options(loading.WITHOUT_SLOTS).order_by(Allocation._start)
    existing = query.filter(Allocation.id != master.id).first()
    if existing is not None:
        raise OverlappingAllocationError(start, end, existing)


def _check_affected(
    scope: Scope, affected: Sequence[Allocation], master: Allocation, span: Span
) -> None:
    """Refuse to leave a slot or a pending reservation without its time.

    Raises AffectedReservationError or AffectedPendingReservationError.
    """
    if span == master.span:
        return
    slots = scope.session.query(ReservedSlot).filter(
        ReservedSlot.allocation_id.in_([each.id for each in affected])
    )
    pending: Query[Any] = scope.session.query(Reservation.id).filter(
        Reservation.target == master.group, Reservation.status == "pending"
    )
    if master.partly_available:
        slots = _outside(slots, ReservedSlot, span)
        times = Reservation.start, Reservation.end
        pending = _outside(pending, Reservation, span).with_entities(*times)
    if slot := slots.order_by(ReservedSlot.start).first():
        raise AffectedReservationError(slot)
    if reservation := pending.order_by(Reservation.id).first():
        raise AffectedPendingReservationError(reservation)


def _outside(query: Query[Any], model: Any, span: Span) -> Query[Any]:
    start, end = span.stored
    outside = (model.start < start) | (model.end > end) | model.start.is_(None)
    within: Query[Any] = query.filter(outside)
    return within


def _change_terms(scope: Scope, master: Allocation, wanted: Move) -> None:
    """Keep the groups left and joined uniform in quota, limit and approval."""
    groups = [wanted.group or master.group]
    query = selections.managed_allocations(scope).filter(
        criteria.is_master(),
        Allocation.group.in_(groups) | (Allocation.id == master.id),
    )
    members = query.options(loading.WITHOUT_SLOTS).all()
    for member in members:
        check_lowered(scope.session, member, wanted.new_quota or member.quota)
    for member in members:
        if wanted.approve_manually is not None:
            member.approve_manually = wanted.approve_manually
        if wanted.quota_limit is not None:
            member.quota_limit = wanted.quota_limit
        if wanted.new_quota:
            change_quota(scope, member, wanted.new_quota)


def _change_places(scope: Scope, master: Allocation, span: Span, wanted: Move) -> None:
    """Set time, group and data on every place that is left of the allocation."""
    start, group = master._start, master.group
    query = selections.managed_allocations(scope).options(loading.WITHOUT_SLOTS)
    for place in query.filter(Allocation._start == start).all():
        place._start, place._end = span.stored
        place.group = wanted.group or place.group
        if wanted.data is not missing:
            place.data = wanted.data
    scope.session.flush()
    if wanted.group and master.group != group:
        _follow(scope, master, group)


def _follow(scope: Scope, master: Allocation, left: UUID) -> None:
    """Let what is about an allocation be about its new group.

    What is about the group that it has left, too, if that has no member any more.
    """
    start, end = master.span.stored
    members = selections.managed_allocations(scope).filter(Allocation.group == left)
    is_empty = ~members.with_entities(Allocation.id).exists()
    model: Any
    for model in (Reservation, ReservationBlocker):
        is_within = (model.start <= end) & (model.end >= start)
        is_about = (model.target_type == "allocation") & is_within
        query = scope.session.query(model).filter(
            model.resource == scope.resource, model.target == left, is_about | is_empty
        )
        query.update({model.target: master.group}, synchronize_session="fetch")
