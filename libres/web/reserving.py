"""Makes, changes and decides reservations for callers, each in one transaction.

What may be reserved is decided by the scheduler. Here is decided who may: whoever only
books must not get a time that is given by hand without anybody giving it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import aliased

from libres.db.models import Allocation, Reservation
from libres.domain.spans import Span
from libres.modules.errors import (
    AlreadyReservedError,
    InvalidEmailAddress,
    InvalidReservationToken,
    OverlappingReservationError,
)
from libres.web import carts
from libres.web.errors import (
    AlreadyDecided,
    NeedsApproval,
    NotFound,
    RemovedMeanwhile,
)
from libres.web.identity import MANAGE
from libres.web.records import WHOLE, tell_reservations

if TYPE_CHECKING:
    from libres.db.scheduler import Scheduler
    from libres.web.edge import Edge
    from libres.web.records import Plain

Wanted: TypeAlias = Mapping[str, Any]
"""The arguments of ``Scheduler.reserve`` and ``book``, the key included."""

Verb: TypeAlias = Callable[["Scheduler", Wanted], UUID]


def of_token(scheduler: Scheduler, token: UUID) -> Plain:
    """Tell what a token stands for. Raises NotFound."""
    found = _found(scheduler, token)
    names = {scheduler.resource: str(scheduler.name)}
    is_pending = any(each.status == "pending" for each in found)
    return {
        "token": token,
        "resource": scheduler.name,
        "status": "pending" if is_pending else "approved",
        "reservations": tell_reservations(scheduler.context, found, names),
    }


def _found(scheduler: Scheduler, token: UUID) -> list[Reservation]:
    query = scheduler.reservations_by_token(token).options(*WHOLE)
    found = query.order_by(Reservation.id).all()
    if not found:
        raise NotFound
    return found


# Making -------------------------------------------------------------------------------


def reserve(here: Edge, name: str, wanted: Wanted) -> Plain:
    """Reserve what is wanted, until somebody approves it; tell what came of it.

    Raises what the scheduler raises, and RemovedMeanwhile if it was made with the same
    key before and is gone.
    """
    return _made(here, name, wanted, _reserve)


def _reserve(scheduler: Scheduler, wanted: Wanted) -> UUID:
    return scheduler.reserve(**wanted)


def book(here: Edge, name: str, wanted: Wanted) -> Plain:
    """Reserve what is wanted and approve it; tell what came of it.

    Raises what ``reserve`` raises, and NeedsApproval if it is given by hand and the
    caller is none of those who give it.
    """
    return _made(here, name, wanted, partial(_book, by_hand=here.caller.may(MANAGE)))


def _book(scheduler: Scheduler, wanted: Wanted, *, by_hand: bool) -> UUID:
    if not by_hand:
        _check_nobody_decides(scheduler, wanted)
    try:
        return scheduler.book(**wanted)[0].token
    except InvalidReservationToken as error:
        raise RemovedMeanwhile from error


def _made(here: Edge, name: str, wanted: Wanted, make: Verb) -> Plain:
    scheduler = here.scheduler(name)
    carts.forget_expired(here, wanted["session_id"])

    def make_and_tell() -> Plain:
        token = make(scheduler, wanted)
        try:
            return of_token(scheduler, token)
        except NotFound:
            raise RemovedMeanwhile from None

    try:
        return here.write(make_and_tell)
    except (AlreadyReservedError, OverlappingReservationError):
        if not carts.make_way(here):
            raise
        return here.write(make_and_tell)


def key_of(here: Edge, key: str | None) -> str | None:
    """Make of a caller's idempotency key one that no other caller can send."""
    if key is None:
        return None
    who = here.caller.id or f"address {request.remote_addr}"
    owner = sha256(who.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{owner}:{key}"


def _check_nobody_decides(scheduler: Scheduler, wanted: Wanted) -> None:
    """Raise NeedsApproval if some of what is wanted is given by hand. One statement."""
    member = aliased(Allocation)
    in_hand = select(member.id).where(
        member.group == Allocation.group, member.approve_manually
    )
    asked = [Span(*each) for each in wanted["dates"] or ()]
    touched = _touched(scheduler, asked, wanted["group"]).filter(in_hand.exists())
    times = touched.with_entities(Allocation._start, Allocation._end)
    found = [Span.from_stored(*row) for row in times]
    if any(not asked or any(map(span.overlaps, asked)) for span in found):
        raise NeedsApproval


def _touched(scheduler: Scheduler, asked: list[Span], group: UUID | None) -> Any:
    if group or not asked:
        return scheduler.allocations_by_group(group)
    first, last = min(each.start for each in asked), max(each.end for each in asked)
    return scheduler.allocations_in_range(first, last)


# Changing -----------------------------------------------------------------------------


def change(
    here: Edge,
    name: str,
    token: UUID,
    id: int,  # noqa: A002 - as in the path
    wanted: Mapping[str, Any],
) -> Plain:
    """Give a reservation another time or quota; tell what its token stands for.

    Raises NotFound, what ``change_reservation`` raises, and NeedsApproval if somebody
    has given the time by hand and the caller is none of them.
    """
    scheduler, by_hand = here.scheduler(name), here.caller.may(MANAGE)

    def change_and_tell() -> Plain:
        found = [each for each in _found(scheduler, token) if each.id == id]
        if not found:
            raise NotFound
        if not by_hand and found[0].status == "approved":
            _check_given_by_nobody(found[0])
        scheduler.change_reservation(
            token, id, wanted["start"], wanted["end"], wanted.get("quota")
        )
        return of_token(scheduler, token)

    return here.write(change_and_tell)


def _check_given_by_nobody(reservation: Reservation) -> None:
    if not reservation.autoapprovable:
        raise NeedsApproval


def edit(here: Edge, name: str, token: UUID, wanted: Mapping[str, Any]) -> Plain:
    """Replace the e-mail or the data of a token; tell what it stands for.

    Raises NotFound and InvalidEmailAddress.
    """
    scheduler = here.scheduler(name)

    def edit_and_tell() -> Plain:
        _found(scheduler, token)
        if "email" in wanted:
            scheduler.change_email(token, _checked(scheduler, wanted["email"]))
        if "data" in wanted:
            scheduler.change_reservation_data(token, wanted["data"])
        return of_token(scheduler, token)

    return here.write(edit_and_tell)


def _checked(scheduler: Scheduler, email: str) -> str:
    """Return an address as ``reserve`` would keep it. Raises InvalidEmailAddress."""
    stripped = email.strip()
    if not (stripped and scheduler.validate_email(stripped)):
        raise InvalidEmailAddress(email=email)
    return stripped


# Deciding -----------------------------------------------------------------------------


def approve(here: Edge, name: str, token: UUID) -> Plain:
    """Approve what is pending under a token; tell what it stands for.

    Raises what ``approve_reservations`` raises.
    """
    scheduler = here.scheduler(name)

    def approve_and_tell() -> Plain:
        scheduler.approve_reservations(token)
        return of_token(scheduler, token)

    return here.write(approve_and_tell)


def deny(here: Edge, name: str, token: UUID) -> None:
    """Delete what is pending under a token.

    Raises NotFound, and AlreadyDecided if nothing of it is pending.
    """
    scheduler = here.scheduler(name)

    def deny_pending() -> None:
        if all(each.status != "pending" for each in _found(scheduler, token)):
            raise AlreadyDecided
        scheduler.deny_reservation(token)

    here.write(deny_pending)


def remove(
    here: Edge,
    name: str,
    token: UUID,
    id: int | None = None,  # noqa: A002 - as above
) -> None:
    """Delete a reservation, pending or approved; None: all of the token.

    Raises NotFound.
    """
    scheduler = here.scheduler(name)

    def remove_known() -> None:
        found = _found(scheduler, token)
        if id is not None and all(each.id != id for each in found):
            raise NotFound
        scheduler.remove_reservation(token, id)

    here.write(remove_known)
