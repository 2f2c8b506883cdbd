"""Every two operations that can get in each other's way, and what may come of it.

An edge prepares a stage and returns two deeds. What may come of them is listed: the
error of the first, of the second, and the number of slots afterwards; None stands for
success. It is what comes of doing one after the other, in either order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID, uuid4

from tests.races import deeds
from tests.races.deeds import GUEST, do
from tests.races.stage import hours

if TYPE_CHECKING:
    from collections.abc import Callable

    from libres.db.models import Allocation, Reservation
    from tests.races.racers import Deed
    from tests.races.stage import Stage

Result: TypeAlias = tuple[str | None, str | None, int]

TAKEN = "AlreadyReservedError"
NOTHING_THERE = "InvalidReservationError"
UNKNOWN = "InvalidReservationToken"
GONE = "NoResultFound"
"""Of the id of a reservation or allocation; the library documents it."""
IN_USE = "AffectedReservationError"
AWAITED = "AffectedPendingReservationError"
OVERLAPS = "OverlappingAllocationError"

HOUR = 4
"""Slots of an hour, at a raster of 15 minutes."""

ONE_OF_TWO = ((None, TAKEN, HOUR), (TAKEN, None, HOUR))


@dataclass(frozen=True, slots=True)
class Edge:
    """Two deeds on one stage."""

    name: str
    results: frozenset[Result]
    prepare: Callable[[Stage], list[Deed]]


EDGES: list[Edge] = []


def edge(name: str, *results: Result) -> Callable[[Any], Any]:
    """Add a function that prepares a stage to the list."""

    def add(prepare: Callable[[Stage], list[Deed]]) -> Callable[[Stage], list[Deed]]:
        EDGES.append(Edge(name, frozenset(results), prepare))
        return prepare

    return add


# What is there before ---------------------------------------------------------------


def morning(stage: Stage, quota: int = 1, **options: Any) -> Allocation:
    """Allocate 9 to 12 in the room."""
    [allocation] = stage.room.allocate(
        hours(9, 12), partly_available=True, raster=15, quota=quota, **options
    )
    return allocation


def pending(stage: Stage, start: float = 9, end: float = 10, **options: Any) -> str:
    """Reserve some hours and return the token."""
    return str(stage.room.reserve(GUEST, hours(start, end), **options))


def booked(stage: Stage, start: float = 9, end: float = 10) -> Reservation:
    """Book some hours."""
    [reservation] = stage.room.book(GUEST, hours(start, end))
    return reservation


def changed(reservation: Reservation, start: float, end: float) -> Deed:
    """Give a reservation other hours."""
    return do(deeds.change, str(reservation.token), reservation.id, start, end)


def removed(reservation: Reservation) -> Deed:
    """Remove a reservation."""
    return do(deeds.remove, str(reservation.token))


def two_days(stage: Stage) -> UUID:
    """Allocate two days as a group."""
    days = [hours(9, 12), hours(9, 12, day=1)]
    return stage.room.allocate(days, grouped=True)[0].group


# Reserving, approving, booking ------------------------------------------------------


@edge("book, book the same", *ONE_OF_TWO)
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.book, (9, 10))] * 2


@edge("book, book some of it", *ONE_OF_TWO)
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.book, (9, 10)), do(deeds.book, (9.5, 10.5))]


@edge("book, book next to it", (None, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.book, (9, 10)), do(deeds.book, (10, 11))]


@edge("book, book another place", (None, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage, quota=2)
    return [do(deeds.book, (9, 10))] * 2


@edge("book two, book two of three", (None, TAKEN, 2 * HOUR), (TAKEN, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage, quota=3)
    return [do(deeds.book, (9, 10), quota=2)] * 2


@edge("book, book backwards", (None, TAKEN, 2 * HOUR), (TAKEN, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    dates = (9, 10), (11, 12)
    return [do(deeds.book, *dates), do(deeds.book, *reversed(dates))]


@edge("reserve, book", (None, None, HOUR), (TAKEN, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.reserve, (9, 10)), do(deeds.book, (9, 10))]


@edge(
    "reserve, reserve in one session",
    (None, "OverlappingReservationError", 0),
    ("OverlappingReservationError", None, 0),
)
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.reserve, (9, 10), session_id=uuid4())] * 2


@edge("approve, approve", *ONE_OF_TWO)
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.approve, pending(stage)) for _ in range(2)]


@edge("approve, approve the same", (None, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage, quota=2)
    return [do(deeds.approve, pending(stage))] * 2


@edge("approve, book", *ONE_OF_TWO)
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.approve, pending(stage)), do(deeds.book, (9, 10))]


@edge("approve, deny", (None, None, HOUR), (UNKNOWN, None, 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    token = pending(stage)
    return [do(deeds.approve, token), do(deeds.deny, token)]


@edge("approve, remove", (None, None, 0), (UNKNOWN, None, 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    token = pending(stage)
    return [do(deeds.approve, token), do(deeds.remove, token)]


@edge("deny, deny", (None, None, 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.deny, pending(stage))] * 2


@edge("remove, remove", (None, None, 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [removed(booked(stage))] * 2


@edge("remove, book", (None, None, HOUR), (None, TAKEN, 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [removed(booked(stage)), do(deeds.book, (9, 10))]


@edge("book once, book once under the same key", (None, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage, quota=2)
    return [do(deeds.book_once, "a key")] * 2


# Changing ---------------------------------------------------------------------------


@edge("change, change to the same", (None, TAKEN, 2 * HOUR), (TAKEN, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [
        changed(booked(stage), 11, 12),
        changed(booked(stage, 10, 11), 11, 12),
    ]


@edge("change, change places", (TAKEN, TAKEN, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    first, second = booked(stage, 9, 10), booked(stage, 10, 11)
    return [changed(first, 10, 11), changed(second, 9, 10)]


@edge("change, change it elsewhere", (None, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    reservation = booked(stage)
    return [changed(reservation, 10, 11), changed(reservation, 11, 12)]


@edge("change, book there", (None, TAKEN, HOUR), (TAKEN, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [changed(booked(stage), 11, 12), do(deeds.book, (11, 12))]


@edge("change, book what it leaves", (None, None, 2 * HOUR), (None, TAKEN, HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [changed(booked(stage), 11, 12), do(deeds.book, (9, 10))]


@edge("change, remove", (None, None, 0), (GONE, None, 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    reservation = booked(stage)
    return [changed(reservation, 11, 12), removed(reservation)]


@edge("change, deny", (None, None, 0), (GONE, None, 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    token = pending(stage)
    reservation = stage.room.reservations_by_token(token).one()
    return [changed(reservation, 11, 12), do(deeds.deny, token)]


@edge("change, approve", (None, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    token = pending(stage)
    reservation = stage.room.reservations_by_token(token).one()
    return [changed(reservation, 11, 12), do(deeds.approve, token)]


@edge("change, block there", (None, TAKEN, HOUR), (TAKEN, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [changed(booked(stage), 11, 12), do(deeds.block, 11, 12)]


# Blocking ---------------------------------------------------------------------------


@edge("block, block", *ONE_OF_TWO)
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.block, 9, 10)] * 2


@edge("block, book", (None, TAKEN, 2 * HOUR), (TAKEN, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage, quota=2)
    return [do(deeds.block, 9, 10), do(deeds.book, (9, 10))]


@edge("block, approve", *ONE_OF_TWO)
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.block, 9, 10), do(deeds.approve, pending(stage))]


@edge("unblock, book", (None, None, HOUR), (None, TAKEN, 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    [blocker] = stage.room.add_blocker(hours(9, 10))
    return [do(deeds.unblock, str(blocker.token)), do(deeds.book, (9, 10))]


@edge("move a blocker, book there", (None, TAKEN, HOUR), (TAKEN, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    [blocker] = stage.room.add_blocker(hours(9, 10))
    moved = do(deeds.change_blocker, str(blocker.token), blocker.id, 10, 11)
    return [moved, do(deeds.book, (10, 11))]


# Resources that block each other ----------------------------------------------------

MUTUAL = {"room": ("hall",), "hall": ("room",)}


def hall_and_room(stage: Stage) -> None:
    """Allocate the morning of two resources."""
    for what in MUTUAL:
        stage.scheduler(what).allocate(hours(9, 12), partly_available=True, raster=15)


@edge("book the room, book the hall", *ONE_OF_TWO)
def _(stage: Stage) -> list[Deed]:
    hall_and_room(stage)
    return [do(deeds.book_in, *each) for each in MUTUAL.items()]


@edge("approve the room, approve the hall", *ONE_OF_TWO)
def _(stage: Stage) -> list[Deed]:
    hall_and_room(stage)
    return [
        do(
            deeds.approve_in,
            what,
            blocking,
            str(stage.scheduler(what).reserve(GUEST, hours(9, 10))),
        )
        for what, blocking in MUTUAL.items()
    ]


@edge("block the room, book the hall", *ONE_OF_TWO)
def _(stage: Stage) -> list[Deed]:
    hall_and_room(stage)
    return [
        do(deeds.block_in, "room", MUTUAL["room"]),
        do(deeds.book_in, "hall", MUTUAL["hall"]),
    ]


@edge("block the room, block the hall", *ONE_OF_TWO)
def _(stage: Stage) -> list[Deed]:
    hall_and_room(stage)
    return [do(deeds.block_in, *each) for each in MUTUAL.items()]


@edge(
    "book the room, book the hall that it blocks",
    (None, None, 2 * HOUR),
    (None, TAKEN, HOUR),
)
def _(stage: Stage) -> list[Deed]:
    hall_and_room(stage)
    return [do(deeds.book, (9, 10)), do(deeds.book_in, "hall", ("room",))]


# Groups -----------------------------------------------------------------------------


@edge("book a group, book a member", (None, TAKEN, 2), (TAKEN, None, 2))
def _(stage: Stage) -> list[Deed]:
    group = two_days(stage)
    return [do(deeds.book_group, str(group)), do(deeds.book, (9, 12))]


@edge("book a group, block a member", (None, TAKEN, 2), (TAKEN, None, 2))
def _(stage: Stage) -> list[Deed]:
    group = two_days(stage)
    return [do(deeds.book_group, str(group)), do(deeds.block, 9, 12)]


@edge("approve a group, approve a member", (None, TAKEN, 2), (TAKEN, None, 2))
def _(stage: Stage) -> list[Deed]:
    group = two_days(stage)
    by_group = str(stage.room.reserve(GUEST, group=group))
    return [do(deeds.approve, by_group), do(deeds.approve, pending(stage, 9, 12))]


@edge("book a group, remove it", (None, IN_USE, 2), (NOTHING_THERE, None, 0))
def _(stage: Stage) -> list[Deed]:
    group = str(two_days(stage))
    return [do(deeds.book_group, group), do(deeds.remove_group, group)]


# Allocations ------------------------------------------------------------------------


@edge("allocate, allocate the same", (None, OVERLAPS, 0), (OVERLAPS, None, 0))
def _(_stage: Stage) -> list[Deed]:
    return [do(deeds.allocate, 9, 12)] * 2


@edge("allocate, allocate some of it", (None, OVERLAPS, 0), (OVERLAPS, None, 0))
def _(_stage: Stage) -> list[Deed]:
    return [do(deeds.allocate, 9, 12), do(deeds.allocate, 11, 13)]


@edge("move, allocate there", (None, OVERLAPS, 0), (OVERLAPS, None, 0))
def _(stage: Stage) -> list[Deed]:
    return [do(deeds.move, morning(stage).id, 13, 16), do(deeds.allocate, 14, 17)]


@edge("move, allocate what it leaves", (None, None, 0), (None, OVERLAPS, 0))
def _(stage: Stage) -> list[Deed]:
    return [do(deeds.move, morning(stage).id, 13, 16), do(deeds.allocate, 9, 12)]


@edge("move, move to the same", (None, OVERLAPS, 0), (OVERLAPS, None, 0))
def _(stage: Stage) -> list[Deed]:
    [other] = stage.room.allocate(hours(18, 20), partly_available=True, raster=15)
    return [do(deeds.move, each, 13, 16) for each in (morning(stage).id, other.id)]


@edge("move, move it elsewhere", (None, None, 0))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage).id
    return [do(deeds.move, number, 13, 16), do(deeds.move, number, 17, 20)]


@edge("move, book", (None, NOTHING_THERE, 0), (IN_USE, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    return [do(deeds.move, morning(stage).id, 13, 16), do(deeds.book, (9, 10))]


@edge("move, book a mirror", (None, NOTHING_THERE, HOUR), (IN_USE, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage, quota=2).id
    booked(stage, 11, 12)
    return [do(deeds.move, number, 11, 14), do(deeds.book, (9, 10))]


@edge("move, reserve", (None, NOTHING_THERE, 0), (AWAITED, None, 0))
def _(stage: Stage) -> list[Deed]:
    return [do(deeds.move, morning(stage).id, 13, 16), do(deeds.reserve, (9, 10))]


@edge("move, approve", (AWAITED, None, HOUR), (IN_USE, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage).id
    return [do(deeds.move, number, 13, 16), do(deeds.approve, pending(stage))]


@edge("move, block", (None, NOTHING_THERE, 0), (IN_USE, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    return [do(deeds.move, morning(stage).id, 13, 16), do(deeds.block, 9, 10)]


@edge("lower the quota, book", (None, TAKEN, HOUR), (IN_USE, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage, quota=2).id
    booked(stage)
    return [do(deeds.change_quota, number, 1), do(deeds.book, (9, 10))]


@edge("lower the quota, approve", (None, TAKEN, HOUR), (IN_USE, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage, quota=2).id
    token = pending(stage)
    booked(stage)
    return [do(deeds.change_quota, number, 1), do(deeds.approve, token)]


@edge("close a gap, book", (None, TAKEN, HOUR), (IN_USE, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage, quota=2).id
    first, _second = booked(stage), booked(stage)
    stage.room.remove_reservation(first.token)
    return [do(deeds.change_quota, number, 1), do(deeds.book, (9, 10))]


@edge("close a gap, remove what moves", (None, None, 0))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage, quota=2).id
    first, second = booked(stage), booked(stage)
    stage.room.remove_reservation(first.token)
    return [do(deeds.change_quota, number, 1), removed(second)]


@edge("close a gap, change what moves", (None, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage, quota=2).id
    first, second = booked(stage), booked(stage)
    stage.room.remove_reservation(first.token)
    return [do(deeds.change_quota, number, 1), changed(second, 10, 11)]


@edge("lower the quota, remove", (None, None, HOUR), (IN_USE, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage, quota=2).id
    booked(stage)
    return [do(deeds.change_quota, number, 1), removed(booked(stage))]


@edge("lower the quota, lower it further", (None, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage, quota=3).id
    first, _second = booked(stage), booked(stage)
    stage.room.remove_reservation(first.token)
    return [do(deeds.change_quota, number, 2), do(deeds.change_quota, number, 1)]


@edge("raise the quota, book", (None, None, 2 * HOUR), (None, TAKEN, HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage).id
    booked(stage)
    return [do(deeds.change_quota, number, 2), do(deeds.book, (9, 10))]


@edge("raise the quota, approve", (None, None, 2 * HOUR), (None, TAKEN, HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage).id
    token = pending(stage)
    booked(stage)
    return [do(deeds.change_quota, number, 2), do(deeds.approve, token)]


@edge("lower the quota, block", (None, None, HOUR), (IN_USE, None, 2 * HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage, quota=2).id
    return [do(deeds.change_quota, number, 1), do(deeds.block, 9, 10)]


@edge("remove an allocation, book", (None, NOTHING_THERE, 0), (IN_USE, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage).id
    return [do(deeds.remove_allocation, number), do(deeds.book, (9, 10))]


@edge("remove an allocation, reserve", (None, NOTHING_THERE, 0), (AWAITED, None, 0))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage).id
    return [do(deeds.remove_allocation, number), do(deeds.reserve, (9, 10))]


@edge("remove an allocation, block", (None, NOTHING_THERE, 0), (IN_USE, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage).id
    return [do(deeds.remove_allocation, number), do(deeds.block, 9, 10)]


@edge("remove an allocation, allocate", (None, None, 0), (None, OVERLAPS, 0))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage).id
    return [do(deeds.remove_allocation, number), do(deeds.allocate, 9, 12)]


@edge("remove an allocation, move it", (None, GONE, 0), (None, None, 0))
def _(stage: Stage) -> list[Deed]:
    number = morning(stage).id
    return [do(deeds.remove_allocation, number), do(deeds.move, number, 13, 16)]


@edge("remove what is unused, book", (None, NOTHING_THERE, 0), (None, None, HOUR))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.remove_unused), do(deeds.book, (9, 10))]


@edge("remove what is unused, reserve", (None, NOTHING_THERE, 0), (None, None, 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.remove_unused), do(deeds.reserve, (9, 10))]


# Sessions ---------------------------------------------------------------------------


@edge("expire, confirm", (None, None, 0), (None, "NoReservationsToConfirm", 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    session_id = uuid4()
    pending(stage, session_id=session_id)
    return [do(deeds.expire), do(deeds.confirm, session_id)]


@edge("expire, approve", (None, None, HOUR), (None, UNKNOWN, 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    return [do(deeds.expire), do(deeds.approve, pending(stage, session_id=uuid4()))]


@edge("expire, change", (None, None, 0), (None, GONE, 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    token = pending(stage, session_id=uuid4())
    reservation = stage.room.reservations_by_token(token).one()
    return [do(deeds.expire), changed(reservation, 11, 12)]


@edge(
    "expire, reserve in the session",
    (None, None, 0),
    (None, "OverlappingReservationError", 0),
)
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    session_id = uuid4()
    pending(stage, session_id=session_id)
    return [do(deeds.expire), do(deeds.reserve, (9, 10), session_id=session_id)]


@edge("expire, expire", (None, None, 0))
def _(stage: Stage) -> list[Deed]:
    morning(stage)
    pending(stage, session_id=uuid4())
    return [do(deeds.expire)] * 2
