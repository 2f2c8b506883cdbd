"""Approves reservations: claims places and writes their slots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Integer, any_, update
from sqlalchemy.orm.attributes import set_committed_value

from libres.context.telling import tell
from libres.db import loading
from libres.db.criteria import owned_by
from libres.db.loading import Wish
from libres.db.models import Reservation, ReservedSlot
from libres.db.operations import reserving
from libres.db.operations.repeating import once
from libres.db.operations.writing import write_and_return_claims, write_claims
from libres.db.passing import passed_array
from libres.db.selections import reservations_by_token
from libres.domain.allotting import Allotment, Claim
from libres.domain.judging import Match, check_free
from libres.modules import events
from libres.modules.errors import (
    InvalidReservationToken,
    LibresError,
    NotReservableError,
)

if TYPE_CHECKING:
    from sqlalchemy import Executable

    from libres.db.scope import Scope


def approve_token(scope: Scope, token: object) -> list[ReservedSlot]:
    """Approve what is pending under a token; tell ``on_reservations_approved``."""
    scope.session.flush()  # the caller may have switched autoflush off
    wishes = loading.wishes(scope, "token", token)
    if not wishes:
        raise InvalidReservationToken(token=token)
    pending = [wish for wish in wishes if wish.reservation.status == "pending"]
    slots = [*_slots_of_approved(scope, wishes), *_approve(scope, pending)]
    if pending:
        approved = [wish.reservation for wish in pending]
        tell(scope.context, scope.session, events.on_reservations_approved, approved)
    return slots


def approve_record(scope: Scope, reservation: Reservation) -> list[ReservedSlot]:
    """Approve a single reservation, without an event."""
    scope.session.flush()
    wishes = loading.wishes(scope, "id", reservation.id)
    if not wishes:
        raise InvalidReservationToken(token=reservation.token)
    pending = [wish for wish in wishes if wish.reservation.status == "pending"]
    return [*_slots_of_approved(scope, wishes), *_approve(scope, pending)]


def _slots_of_approved(scope: Scope, wishes: Sequence[Wish]) -> list[ReservedSlot]:
    """Return the slots that approved reservations hold already."""
    ids = [w.reservation.id for w in wishes if w.reservation.status == "approved"]
    if not ids:
        return []
    token = wishes[0].reservation.token
    query = scope.session.query(ReservedSlot).filter(
        owned_by("reservation", token, None), ReservedSlot.source_id.in_(ids)
    )
    return query.order_by(ReservedSlot.source_id, ReservedSlot.start).all()


def _approve(scope: Scope, pending: Sequence[Wish]) -> list[ReservedSlot]:
    if not pending:
        return []
    claims = _judged(scope, pending)
    token = pending[0].reservation.token
    slots = write_and_return_claims(scope.session, claims, "reservation", token)
    mark_approved(scope, [wish.reservation for wish in pending])
    return slots


def _judged(scope: Scope, pending: Sequence[Wish]) -> list[Claim]:
    ranges = [asked for wish in pending for asked in wish.ranges]
    found = iter(loading.matches(scope, ranges, scope.visible_resources))
    allotment = Allotment()
    for wish in pending:
        with naming(wish.reservation):
            matches = [match for _ in wish.ranges for match in next(found)]
            claim(scope, allotment, matches, wish.reservation)
    return allotment.claims


@contextmanager
def naming(reservation: Reservation) -> Iterator[None]:
    """Let an error say which reservation it happened with."""
    try:
        yield
    except LibresError as error:
        error.reservation = reservation
        raise


def claim(
    scope: Scope,
    allotment: Allotment,
    matches: Sequence[Match],
    reservation: Reservation,
) -> None:
    """Claim the places of one reservation, its ``quota`` per match.

    Raises AlreadyReservedError if too few are free, also on a blocking resource, and
    NotReservableError if there is nothing to claim.
    """
    own = [match for match in matches if reserving.is_own(scope, match)]
    for match in matches:
        if match not in own:
            check_free(match, reservation.quota)
    claims = [
        claim
        for match in own
        for claim in allotment.take(match, reservation.quota, reservation.id)
    ]
    if not any(len(claim.slots) for claim in claims):
        raise NotReservableError(token=reservation.token)


def mark_approved(scope: Scope, reservations: Sequence[Reservation]) -> None:
    """Set the status of all of them, in one statement."""
    ids = [reservation.id for reservation in reservations]
    scope.session.execute(_approve_statement(), {"ids": ids})
    for reservation in reservations:
        set_committed_value(reservation, "status", "approved")
        scope.session.expire(reservation, ["modified"])


@cache
def _approve_statement() -> Executable:
    query = update(Reservation).values(status="approved")
    ids = passed_array("ids", Integer())
    found = query.where(Reservation.id == any_(ids))
    return found.execution_options(synchronize_session=False)


@dataclass(frozen=True, slots=True)
class _Booking:
    """A plan, and the places it takes."""

    plan: reserving.Plan
    claims: list[Claim]

    @property
    def token(self) -> UUID:
        return self.plan.token


def book(
    scope: Scope, request: reserving.Request, key: object = None
) -> list[Reservation]:
    """Reserve and approve, or do nothing at all.

    Tells ``on_reservations_made``, then ``on_reservations_approved``. A request that
    was made with the *key* before only gets its reservations again.
    """
    booking = once(scope, "book", request, key, partial(_judged_booking, scope))
    if not isinstance(booking, _Booking):
        return _booked_before(scope, booking.token)
    planned = booking.plan
    reservations = reserving.reservations_of(scope, request, planned, "approved")
    reserving.write_new(scope, reservations)
    owned = [c.owned_by(reservations[c.source_id].id) for c in booking.claims]
    write_claims(scope.session, owned, "reservation", planned.token)
    tell(scope.context, scope.session, events.on_reservations_approved, reservations)
    return reservations


def _booked_before(scope: Scope, token: UUID) -> list[Reservation]:
    query = reservations_by_token(scope, token)
    found = query.order_by(Reservation.id).all()
    if not found:
        raise InvalidReservationToken(token=token)
    return found


def _judged_booking(scope: Scope, request: reserving.Request) -> _Booking:
    planned = reserving.plan(scope, request)
    return _Booking(planned, _planned_claims(scope, request, planned))


def _planned_claims(
    scope: Scope, request: reserving.Request, planned: reserving.Plan
) -> list[Claim]:
    """Claim what the targets need; ``source_id`` is the position of the target."""
    groups = [target.group for target in planned.targets if target.match is None]
    members = planned.matches
    if groups and not request.group:
        members = loading.group_matches(scope, groups)
    allotment = Allotment()
    for matches in [*planned.matches, *members]:
        for match in matches:
            check_free(match, request.quota)
    for position, target in enumerate(planned.targets):
        for match in target.matches_among(members):
            allotment.take(match, request.quota, position)
    return allotment.claims
