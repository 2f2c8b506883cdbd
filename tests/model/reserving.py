"""What becomes of the world if somebody reserves, approves, changes or gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from libres.modules.errors import (
    AlreadyReservedError,
    InvalidEmailAddress,
    InvalidQuota,
    InvalidReservationError,
    InvalidReservationToken,
    Misuse,
    NoReservationsToConfirm,
    NotReservableError,
    OverlappingReservationError,
    QuotaImpossible,
    QuotaOverLimit,
    ReservationTooLong,
    ReservationTooShort,
    TimerangeTooLong,
)
from tests.model.calendar import DAY, HOUR, Asked, rasterized
from tests.model.world import Allocation, Refused, Reservation, Slot, World

Check = Callable[[World, Allocation, Asked, bool], None]
"""Refuses a range on an allocation; the last one tells whether it is an own one."""

LIFETIME = 15
"""Minutes after which a cart expires."""


@dataclass(frozen=True)
class Request:
    """What ``reserve`` and ``book`` take; either dates or a group."""

    dates: tuple[Asked, ...] = ()
    group: str | None = None
    email: str = "ada@example.org"
    data: tuple[tuple[str, int], ...] = ()
    session: str | None = None
    quota: int = 1
    single: bool = False


@dataclass(frozen=True)
class Target:
    """What one record is about: a range of an allocation, or a whole group."""

    group: str
    times: Asked | None = None


# Judging ----------------------------------------------------------------------------


def check_ranges(world: World, room: str, dates: Iterable[Asked], check: Check) -> None:
    """Judge one range after the other: its length, then all that it touches."""
    for asked in dates:
        check_length(world, asked)
        check_each(world, room, asked, check)


def check_each(world: World, room: str, asked: Asked, check: Check) -> None:
    """Judge what a range touches of the room and of those that block it."""
    refused: set[type[Exception]] = set()
    for each in world.touched(asked, *world.visible(room)):
        try:
            check(world, each, asked, each.room == room)
        except Refused as refusal:
            refused |= refusal.classes
    if refused:
        raise Refused(*refused)


def check_length(world: World, asked: Asked) -> None:
    """At least five minutes; less than a day, or a whole one."""
    start, end, short = asked
    whole_hours = (end - start - short) // HOUR * HOUR
    longest = DAY + HOUR if world.season.is_whole_day(start, end) else DAY - HOUR
    if whole_hours > longest:
        raise Refused(ReservationTooLong)
    if end - start < 5:
        raise Refused(ReservationTooShort)


def reservable(quota: int) -> Check:
    """Refuse what ``reserve`` refuses."""

    def check(world: World, each: Allocation, asked: Asked, own: bool) -> None:
        if not each.manual:
            check_free(quota)(world, each, asked, own)
        if own and not each.contains(asked):
            raise Refused(TimerangeTooLong)
        if 0 < each.limit < quota:
            raise Refused(QuotaOverLimit)
        if each.quota < quota:
            raise Refused(QuotaImpossible)
        if quota < 1:
            raise Refused(InvalidQuota)

    return check


def check_free(quota: int) -> Check:
    """Refuse if fewer places are free, or none."""

    def check(world: World, each: Allocation, asked: Asked, own: bool) -> None:  # noqa: ARG001 - a Check
        if len(world.free(each, asked)) < max(1, quota):
            raise Refused(AlreadyReservedError)

    return check


# Reserving --------------------------------------------------------------------------


def reserve(world: World, room: str, request: Request) -> str:
    """Write pending reservations; return their token."""
    targets = _targets(world, room, request)
    return _write(world, room, request, targets)


def _targets(world: World, room: str, request: Request) -> list[Target]:
    if bool(request.dates) == bool(request.group):
        raise Refused(Misuse)
    if "@" not in request.email:
        raise Refused(InvalidEmailAddress)
    check_ranges(world, room, dates_of(world, room, request), reservable(request.quota))
    targets = targets_of(world, room, request.dates, request.group)
    if not targets:
        raise Refused(InvalidReservationError)
    held = {(each.target, each.times) for each in cart(world, request.session)}
    starts = {(target, times and times.start) for target, times in held}
    if any((each.group, each.times and each.times.start) in starts for each in targets):
        raise Refused(OverlappingReservationError)
    return targets


def dates_of(world: World, room: str, request: Request) -> list[Asked]:
    """The dates, or those of the group's members."""
    if request.group:
        return [each.own for each in world.members(room, request.group)]
    return list(request.dates)


def targets_of(
    world: World, room: str, dates: Iterable[Asked], group: str | None
) -> list[Target]:
    """One target per range and own allocation; each group once."""
    if group:
        return [Target(group)] if world.members(room, group) else []
    found: list[Target] = []
    for asked in dates:
        for each in world.touched(asked, room):
            is_member = world.in_group(each)
            times = None if is_member else rasterized(asked, each.raster)
            target = Target(each.group, times and Asked(times.start, times.end))
            if not (is_member and target in found):
                found.append(target)
    return found


def cart(world: World, session: str | None) -> list[Reservation]:
    """What a session holds, in any room, oldest first."""
    held = [each for each in world.reservations.values() if each.session == session]
    return sorted(held, key=lambda each: (each.created, each.key)) if session else []


def _write(world: World, room: str, request: Request, targets: Sequence[Target]) -> str:
    held = cart(world, request.session) if request.single else []
    token = held[0].token if held else world.names.text("token")
    for target in targets:
        key = world.names.number()
        world.reservations[key] = Reservation(
            key=key,
            room=room,
            token=token,
            target=target.group,
            times=target.times,
            status="pending",
            email=request.email,
            data=request.data,
            quota=request.quota,
            session=request.session,
            created=world.now,
            modified=world.now,
        )
    return token


def book(world: World, room: str, request: Request) -> list[int]:
    """Reserve and approve, or nothing; return the names of the reservations."""
    targets = _targets(world, room, request)
    before = set(world.reservations)
    _write(world, room, request, targets)
    made = sorted(set(world.reservations) - before)
    for asked in dates_of(world, room, request):
        check_each(world, room, asked, check_free(request.quota))
    for key in made:
        _approve(world, world.reservations[key])
    return made


# Approving --------------------------------------------------------------------------


def approve(
    world: World, room: str, token: str, key: int | None = None
) -> frozenset[Slot]:
    """Approve what is pending of a token, or one record; return all its slots."""
    found = world.of_token(room, token, key)
    if not found:
        raise Refused(InvalidReservationToken)
    for each in found:
        if each.status == "pending":
            _approve(world, each)
    owners = {each.owner for each in found}
    return frozenset(each for each in world.slots if each.owner in owners)


def _approve(world: World, reservation: Reservation) -> None:
    """Take the first free places of each range."""
    asked_for = list(_ranges(world, reservation))
    for asked in asked_for:
        for other in world.touched(asked, *world.blocking[reservation.room]):
            check_free(reservation.quota)(world, other, asked, False)
    taken = len(world.slots)
    for asked in asked_for:
        for own in world.touched(asked, reservation.room):
            check_free(reservation.quota)(world, own, asked, True)
            places = world.free(own, asked)[: reservation.quota]
            world.take(own, places, asked, reservation.owner)
    if len(world.slots) == taken:
        raise Refused(NotReservableError)
    approved = replace(reservation, status="approved", modified=world.now)
    world.reservations[reservation.key] = approved


def _ranges(world: World, reservation: Reservation) -> Iterator[Asked]:
    if reservation.times is not None:
        yield reservation.times
        return
    for member in world.members(reservation.room, reservation.target):
        yield member.own


# Giving back ------------------------------------------------------------------------


def deny(world: World, room: str, token: str) -> None:
    """Delete what is pending of a token."""
    found = world.of_token(room, token)
    _delete(world, (each for each in found if each.status == "pending"))


def remove(world: World, room: str, token: str, key: int | None) -> None:
    """Delete the reservations of a token, or one of them."""
    _delete(world, world.of_token(room, token, key))


def _delete(world: World, reservations: Iterable[Reservation]) -> None:
    gone = list(reservations)
    world.give_back(each.owner for each in gone)
    for each in gone:
        del world.reservations[each.key]


# Changing ---------------------------------------------------------------------------


def change_email(world: World, room: str, token: str, email: str) -> None:
    """Set the e-mail of all reservations of a token."""
    _edit(world, world.of_token(room, token), email=email)


def change_data(
    world: World, room: str, token: str, data: tuple[tuple[str, int], ...]
) -> None:
    """Set the data of all reservations of a token."""
    _edit(world, world.of_token(room, token), data=data)


def _edit(world: World, reservations: Iterable[Reservation], **values: object) -> None:
    for each in reservations:
        edited = replace(each, **values)  # type: ignore[arg-type] # as the fields
        if edited != each:
            world.reservations[each.key] = replace(edited, modified=world.now)


def change(
    world: World, room: str, token: str, key: int, asked: Asked, quota: int | None
) -> Reservation | None:
    """Give a reservation other times or another quota; None if it has them."""
    found = world.of_token(room, token, key)
    if not found:
        raise Refused(NoResultFound)
    (old,) = found
    quota = quota or old.quota
    if old.times == Asked(asked.start, asked.end) and quota == old.quota:
        return None
    if not _allocation_of(world, old).contains(asked):
        raise Refused(TimerangeTooLong)
    if old.times is None:
        raise Refused(Misuse)
    return _replace(world, old, asked, quota)


def _allocation_of(world: World, old: Reservation) -> Allocation:
    """The allocation that holds it or, while it is pending, the first it is about."""
    if old.status == "pending":
        members = world.members(old.room, old.target)
        if not members:
            raise Refused(InvalidReservationError)
        return members[0]
    held = {
        (slot.allocation, slot.place)
        for slot in world.slots
        if slot.owner == old.owner
        and world.allocations[slot.allocation].group == old.target
    }
    if len(held) != 1:
        raise Refused(MultipleResultsFound if held else NoResultFound)
    ((key, _),) = held
    return world.allocations[key]


def _replace(world: World, old: Reservation, asked: Asked, quota: int) -> Reservation:
    _delete(world, [old])
    check_ranges(world, old.room, [asked], reservable(quota))
    own = world.touched(asked, old.room)
    if not own:
        raise Refused(InvalidReservationError)
    start, end, _ = rasterized(asked, own[0].raster)
    new = replace(
        old,
        target=own[0].group,
        times=Asked(start, end),
        status="pending",
        quota=quota,
        created=world.now,
        modified=world.now,
    )
    world.reservations[new.key] = new
    if old.status == "approved":
        _approve(world, new)
    return world.reservations[new.key]


# Carts ------------------------------------------------------------------------------


def confirm(world: World, session: str, token: str | None) -> None:
    """Take reservations out of a session."""
    held = [each for each in cart(world, session) if token in (None, each.token)]
    if not held:
        raise Refused(NoReservationsToConfirm)
    _edit(world, held, session=None)


def remove_from_session(world: World, session: str, token: str) -> None:
    """Delete the one reservation of a token; the others get new time."""
    held = [each for each in cart(world, session) if each.token == token]
    if len(held) != 1:
        raise Refused(MultipleResultsFound if held else NoResultFound)
    _delete(world, held)
    for each in cart(world, session):
        world.reservations[each.key] = replace(each, modified=world.now)


def expired(world: World) -> set[str]:
    """The sessions whose pending reservations nobody has touched for a while."""
    latest: dict[str, int] = {}
    for each in world.reservations.values():
        if each.session and each.status == "pending":
            touched = max(each.created, each.modified, latest.get(each.session, 0))
            latest[each.session] = touched
    return {each for each, time in latest.items() if time < world.now - LIFETIME}


def expire(world: World) -> set[str]:
    """Delete all reservations of the expired sessions."""
    gone = expired(world)
    _delete(
        world, [each for each in world.reservations.values() if each.session in gone]
    )
    return gone
