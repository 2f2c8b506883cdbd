"""Moves a reservation to another time, or gives it another quota.

The old record goes and a new one comes with the same id and token, all of it within a
savepoint: whatever is refused, the old reservation stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from libres.context.telling import tell
from libres.db import loading, selections
from libres.db.models import Allocation, Reservation
from libres.db.operations import reserving, withdrawing
from libres.db.operations.writing import write_claims
from libres.domain.allotting import Allotment
from libres.domain.judging import (
    Match,
    check_contained,
    check_free,
    check_length,
    check_reservable,
)
from libres.domain.spans import Range, stored_end
from libres.modules import events
from libres.modules.errors import InvalidReservationError, insist

if TYPE_CHECKING:
    from libres.db.scope import Scope


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a reservation; dates in UTC, its end as stored or displayed."""

    new_times: Range
    quota: int


def change(
    scope: Scope,
    token: object,
    id: int,  # noqa: A002 - the public name
    new_start: datetime | None,
    new_end: datetime | None,
    quota: int | None,
) -> Reservation | None:
    """Change a reservation; None if it is as wanted already.

    Tells ``on_reservations_removed``, ``on_reservations_made`` (with a temporary token)
    and ``on_reservation_time_changed``.
    """
    insist(new_start and new_end, "A change needs both a new start and a new end.")
    times = scope.utc(new_start), scope.utc(new_end)  # type: ignore[arg-type]
    scope.session.flush()  # the caller may have switched autoflush off
    found = selections.reservations_by_token(scope, token, id)
    reservation = withdrawing.readable(found).one()
    wanted = Change(times, quota or reservation.quota)
    reserving.check_quota_type(wanted.quota)
    if _is_unchanged(reservation, wanted):
        return None
    _check_contained(scope, reservation, times)
    try:
        with scope.session.begin_nested():
            return _replace(scope, reservation, wanted)
    except BaseException:
        if reservation not in scope.session:
            scope.session.add(reservation)
        raise


def _is_unchanged(reservation: Reservation, wanted: Change) -> bool:
    start, end = wanted.new_times
    return (
        wanted.quota == reservation.quota
        and start == reservation.start
        and reservation.end in (end, stored_end(end))
    )


def _check_contained(scope: Scope, reservation: Reservation, times: Range) -> None:
    """Raise TimerangeTooLong if the times leave the reservation's allocation.

    Raises MultipleResultsFound if it is spread over several allocations.
    """
    allocation = _allocation_of(scope, reservation)
    check_contained(Match(times, loading.master_of(allocation)))
    reservation.display_start()  # a group's times cannot be changed


def _allocation_of(scope: Scope, reservation: Reservation) -> Allocation:
    if reservation.status == "approved":
        query = selections.allocations_by_reservation(
            scope, reservation.token, reservation.id
        )
        return query.options(loading.WITHOUT_SLOTS).one()
    targets = reservation._target_allocations().options(loading.WITHOUT_SLOTS)
    found = targets.first()
    if found is None:
        raise InvalidReservationError(token=reservation.token)
    return found


def _replace(scope: Scope, old: Reservation, wanted: Change) -> Reservation:
    was_approved, old_times = old.status == "approved", _displayed(old)
    withdrawing.take_away(scope.session, [old])
    match = _judged(scope, wanted, approve=was_approved)
    new = _new_record(scope, old, wanted, match)
    tell(scope.context, scope.session, events.on_reservations_removed, [old])
    reserving.write(scope, [new])
    new.token, new.session_id = old.token, old.session_id
    if was_approved:
        allotment = Allotment()
        allotment.take(match, wanted.quota, new.id)
        new.status = "approved"
        write_claims(scope.session, allotment.claims, "reservation", old.token)
    scope.session.flush()
    _tell_change(scope, new, old_times)
    return new


def _tell_change(scope: Scope, new: Reservation, old_times: Range) -> None:
    tell(
        scope.context,
        scope.session,
        events.on_reservation_time_changed,
        new,
        old_time=old_times,
        new_time=_displayed(new),
    )


def _displayed(reservation: Reservation) -> Range:
    return reservation.display_start(), reservation.display_end()


def _judged(scope: Scope, wanted: Change, *, approve: bool) -> Match:
    """Find the own allocation of the new times and judge it like a reservation."""
    check_length(wanted.new_times, scope.timezone)
    (found,) = loading.matches(scope, [wanted.new_times], scope.visible_resources)
    for match in found:
        check_reservable(match, wanted.quota, own=reserving.is_own(scope, match))
        if approve:
            check_free(match, wanted.quota)
    own = [match for match in found if reserving.is_own(scope, match)]
    if not own:
        raise InvalidReservationError(start=wanted.new_times[0])
    return own[0]


def _new_record(
    scope: Scope, old: Reservation, wanted: Change, match: Match
) -> Reservation:
    new = scope.reservation_cls()
    new.id = old.id
    new.token = uuid4()
    new.resource = scope.resource
    new.status = "pending"
    new.email, new.data, new.quota = old.email, old.data, wanted.quota
    target = reserving.Target(match.master.group, match)
    for name, value in target.values.items():
        setattr(new, name, value)
    return new
