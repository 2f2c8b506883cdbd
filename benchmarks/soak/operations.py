"""What clients do: each chooses at random what to ask for, and asks the library."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID, uuid4

from benchmarks.soak import world
from benchmarks.soak.world import GUEST, hours
from libres.db.models import Allocation
from libres.db.models.timestamp import TimestampMixin

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from libres.context.core import Context
    from libres.db.models import Reservation
    from libres.db.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class Item:
    """What a client holds: *kind* is booked, pending, blocked or grouped."""

    kind: str
    resource: str


@dataclass(slots=True)
class Hands:
    """A client's chance, its database, and what it holds by token."""

    random: Random
    context: Context
    items: dict[str, Item] = field(default_factory=dict)

    def resource(self, name: str) -> Scheduler:
        """Return the scheduler of a resource."""
        return world.resource(self.context, name)

    def held(self, *kinds: str) -> list[str]:
        """Return the tokens of some kinds."""
        return [token for token, item in self.items.items() if item.kind in kinds]


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction: *run* returns the token of what it has made or changed."""

    name: str
    run: Callable[[], str | None]
    token: str | None = None
    """What is about to be changed or removed."""
    item: Item | None = None
    """What the token stands for afterwards."""


Choice: TypeAlias = "Callable[[Hands], Step | None]"
"""Chooses a step; None if there is nothing to do it with."""


# Reservations -----------------------------------------------------------------------


def book(hands: Hands) -> Step:
    """Book one or two times of a room."""
    name = hands.random.choice((*world.ROOMS, world.ANNEX))
    room = hands.resource(name)
    dates = [_some_hours(hands) for _ in range(hands.random.choice((1, 1, 1, 2)))]
    quota = hands.random.choice((1, 1, 2))
    return Step(
        "book",
        lambda: _token(room.book(GUEST, dates, quota=quota)),
        item=Item("booked" if len(dates) == 1 else "several", name),
    )


def book_blocking(hands: Hands) -> Step:
    """Book the hall or its stage."""
    name = hands.random.choice(tuple(world.MUTUAL))
    room, dates = hands.resource(name), _some_hours(hands)
    return Step(
        "book hall or stage",
        lambda: _token(room.book(GUEST, dates)),
        item=Item("booked", name),
    )


def book_group(hands: Hands) -> Step:
    """Book a course by its group."""
    course = hands.resource(world.COURSE)
    number = hands.random.randrange(world.GROUPS)

    def run() -> str:
        first = course.allocation_by_date(*hours(0, 10.25 + number, 10.75 + number))
        return _token(course.book(GUEST, group=first.group))

    return Step("book a group", run, item=Item("grouped", world.COURSE))


def reserve(hands: Hands) -> Step:
    """Reserve a time, to be approved or denied."""
    name = hands.random.choice(world.ROOMS)
    room, dates = hands.resource(name), _some_hours(hands)
    return Step(
        "reserve",
        lambda: str(room.reserve(GUEST, dates)),
        item=Item("pending", name),
    )


def fill_a_cart(hands: Hands) -> Step:
    """Reserve in a session and confirm it, or leave it to expire."""
    name = hands.random.choice(world.ROOMS)
    room, dates = hands.resource(name), _some_hours(hands)
    confirmed = hands.random.random() < 0.5

    def run() -> str | None:
        session = uuid4()
        token = room.reserve(GUEST, dates, session_id=session)
        if confirmed:
            room.queries.confirm_reservations_for_session(session)
        return str(token) if confirmed else None

    return Step("fill a cart", run, item=Item("pending", name) if confirmed else None)


def expire(hands: Hands) -> Step:
    """Remove the carts that were left a second ago."""
    room = hands.resource(world.ROOMS[0])

    def run() -> None:
        before = TimestampMixin.timestamp() - timedelta(seconds=1)
        room.queries.remove_expired_reservation_sessions(before)

    return Step("expire carts", run)


def approve(hands: Hands) -> Step | None:
    """Approve what is pending."""
    return _on_own(
        hands, "approve", ("pending",), "booked", lambda r, t: r.approve_reservations(t)
    )


def deny(hands: Hands) -> Step | None:
    """Deny what is pending."""
    return _on_own(
        hands, "deny", ("pending",), None, lambda r, t: r.deny_reservation(t)
    )


def remove(hands: Hands) -> Step | None:
    """Remove a reservation."""
    kinds = ("booked", "several", "grouped")
    return _on_own(hands, "remove", kinds, None, lambda r, t: r.remove_reservation(t))


def change(hands: Hands) -> Step | None:
    """Give a reservation another time of its day."""
    start = hands.random.randrange(world.OPENS, world.CLOSES)

    def run(room: Scheduler, token: str) -> None:
        reservation = room.reservations_by_token(token).one()
        midnight = reservation.display_start().replace(hour=0, minute=0)
        begin = midnight + timedelta(hours=start)
        end = begin + timedelta(hours=1)
        room.change_reservation(token, reservation.id, begin, end)

    return _on_own(hands, "change", ("booked", "pending"), "same", run)


# Blockers ---------------------------------------------------------------------------


def block(hands: Hands) -> Step:
    """Block a time, where the quota stays as it is."""
    name = hands.random.choice((world.ANNEX, *world.MUTUAL))
    room, dates = hands.resource(name), _some_hours(hands)
    return Step(
        "block",
        lambda: str(room.add_blocker(dates)[0].token),
        item=Item("blocked", name),
    )


def unblock(hands: Hands) -> Step | None:
    """Remove a blocker."""
    return _on_own(
        hands, "unblock", ("blocked",), None, lambda r, t: r.remove_blocker(t)
    )


# Allocations ------------------------------------------------------------------------


def allocate(hands: Hands) -> Step:
    """Allocate some hours of the annex."""
    annex, dates = hands.resource(world.ANNEX), _some_hours(hands, longest=4)

    def run() -> None:
        annex.allocate(dates, partly_available=True, raster=15, quota=2)

    return Step("allocate", run)


def move(hands: Hands) -> Step:
    """Move what lies at some time in the annex, if anything does."""
    annex, at = hands.resource(world.ANNEX), _some_hours(hands)
    there = _some_hours(hands, longest=4)

    def run() -> None:
        found = _allocation_at(annex, at)
        if found is not None:
            annex.move_allocation(found.id, *there)

    return Step("move", run)


def remove_allocation(hands: Hands) -> Step:
    """Remove what lies at some time in the annex, if anything does."""
    annex, at = hands.resource(world.ANNEX), _some_hours(hands)

    def run() -> None:
        found = _allocation_at(annex, at)
        if found is not None:
            annex.remove_allocation(found.id)

    return Step("remove an allocation", run)


def change_quota(hands: Hands) -> Step:
    """Give a day of a room another quota."""
    room = hands.resource(hands.random.choice(world.ROOMS))
    at, quota = _some_hours(hands), hands.random.randint(1, 4)

    def run() -> None:
        found = _allocation_at(room, at)
        if found is not None:
            room.change_quota(found, quota)

    return Step("change a quota", run)


# Reading ----------------------------------------------------------------------------


def search(hands: Hands) -> Step:
    """Search what is free."""
    room = hands.resource(hands.random.choice((*world.ROOMS, *world.MUTUAL)))
    dates = _some_hours(hands)

    def run() -> None:
        room.search_allocations(*dates, available_only=True)

    return Step("search", run)


def availability(hands: Hands) -> Step:
    """Ask how much is left of a week."""
    room = hands.resource(hands.random.choice((*world.ROOMS, *world.MUTUAL)))
    week = hours(0, 0, 24 * world.DAYS)

    def run() -> None:
        room.availability(*week)

    return Step("availability", run)


def day_view(hands: Hands) -> Step:
    """Draw a day."""
    room = hands.resource(hands.random.choice((*world.ROOMS, *world.MUTUAL)))
    day = hours(hands.random.randrange(world.DAYS), 0, 24)

    def run() -> None:
        list(room.allocations_with_availability_by_range(*day))

    return Step("draw a day", run)


WEIGHTS: Final[dict[Choice, int]] = {
    book: 18,
    book_blocking: 8,
    book_group: 4,
    reserve: 10,
    fill_a_cart: 4,
    expire: 1,
    approve: 10,
    deny: 2,
    remove: 18,
    change: 12,
    block: 4,
    unblock: 4,
    allocate: 3,
    move: 3,
    remove_allocation: 2,
    change_quota: 4,
    search: 5,
    availability: 5,
    day_view: 4,
}
"""How often each is chosen."""


def chosen(hands: Hands) -> Step:
    """Choose the next step."""
    [choice] = hands.random.choices(list(WEIGHTS), list(WEIGHTS.values()))
    return choice(hands) or book(hands)


def _on_own(
    hands: Hands,
    name: str,
    kinds: tuple[str, ...],
    becomes: str | None,
    do: Callable[[Scheduler, str], object],
) -> Step | None:
    """Do something with one of the own tokens."""
    tokens = hands.held(*kinds)
    if not tokens:
        return None
    token = hands.random.choice(tokens)
    item = hands.items[token]
    room = hands.resource(item.resource)
    after = item if becomes == "same" else becomes and Item(becomes, item.resource)

    def run() -> str:
        do(room, token)
        return token

    return Step(name, run, token, after or None)


def _some_hours(hands: Hands, longest: int = 2) -> tuple[datetime, datetime]:
    day = hands.random.randrange(world.DAYS)
    start = hands.random.randrange(world.OPENS, world.CLOSES - longest)
    length = hands.random.randint(1, 4 * longest) / 4
    return hours(day, start, start + length)


def _token(reservations: list[Reservation]) -> str:
    token: UUID = reservations[0].token
    return str(token)


def _allocation_at(room: Scheduler, at: tuple[datetime, datetime]) -> Allocation | None:
    found = room.allocations_in_range(*at)
    return found.order_by(Allocation._start).first()
