"""What racers do: each is one call of the library, importable by name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from libres.db.models.timestamp import TimestampMixin
from tests.races.stage import hours

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.races.stage import Stage

GUEST = "guest@example.org"


@dataclass(frozen=True, slots=True)
class Doing:
    """One of the functions below with its arguments, ready for a stage."""

    function: Callable[..., None]
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def __call__(self, stage: Stage) -> None:
        """Do it."""
        self.function(stage, *self.arguments, **self.options)


def do(function: Callable[..., None], *arguments: Any, **options: Any) -> Doing:
    """Bind the arguments of a deed."""
    return Doing(function, arguments, options)


def book(stage: Stage, *dates: Any, quota: int = 1) -> None:
    """Book hours of the room."""
    stage.room.book(GUEST, [hours(*each) for each in dates], quota=quota)


def book_once(stage: Stage, key: str) -> None:
    """Book an hour of the room under a key."""
    stage.room.book(GUEST, hours(9, 10), idempotency_key=key)


def reserve(stage: Stage, *dates: Any, session_id: Any = None) -> None:
    """Reserve hours of the room."""
    stage.room.reserve(GUEST, [hours(*each) for each in dates], session_id=session_id)


def approve(stage: Stage, token: str) -> None:
    """Approve what is pending."""
    stage.room.approve_reservations(token)


def deny(stage: Stage, token: str) -> None:
    """Deny what is pending."""
    stage.room.deny_reservation(token)


def remove(stage: Stage, token: str) -> None:
    """Remove a reservation."""
    stage.room.remove_reservation(token)


def change(stage: Stage, token: str, number: int, start: float, end: float) -> None:
    """Give a reservation other hours."""
    stage.room.change_reservation(token, number, *hours(start, end))


def block(stage: Stage, start: float, end: float) -> None:
    """Block hours of the room."""
    stage.room.add_blocker(hours(start, end))


def unblock(stage: Stage, token: str) -> None:
    """Remove a blocker."""
    stage.room.remove_blocker(token)


def change_blocker(
    stage: Stage, token: str, number: int, start: float, end: float
) -> None:
    """Give a blocker other hours."""
    stage.room.change_blocker(token, number, *hours(start, end))


def allocate(stage: Stage, start: float, end: float) -> None:
    """Allocate hours of the room."""
    stage.room.allocate(hours(start, end), partly_available=True, raster=15)


def move(stage: Stage, number: int, start: float, end: float) -> None:
    """Move an allocation to other hours."""
    new_start, new_end = hours(start, end)
    stage.room.move_allocation(number, new_start, new_end)


def change_quota(stage: Stage, number: int, quota: int) -> None:
    """Give an allocation another number of places."""
    stage.room.change_quota(stage.room.allocation_by_id(number), quota)


def remove_allocation(stage: Stage, number: int) -> None:
    """Remove an allocation."""
    stage.room.remove_allocation(number)


def remove_group(stage: Stage, group: str) -> None:
    """Remove all allocations of a group."""
    stage.room.remove_allocation(groups=[group])


def remove_unused(stage: Stage) -> None:
    """Remove what nobody has reserved."""
    stage.room.remove_unused_allocations(*hours(0, 24))


def expire(stage: Stage) -> None:
    """Remove the sessions that have expired by tomorrow."""
    tomorrow = TimestampMixin.timestamp() + timedelta(days=1)
    stage.room.queries.remove_expired_reservation_sessions(tomorrow)


def confirm(stage: Stage, session_id: Any) -> None:
    """Take reservations out of a session."""
    stage.room.queries.confirm_reservations_for_session(session_id)


def book_group(stage: Stage, group: str) -> None:
    """Book a whole group."""
    stage.room.book(GUEST, group=group)


def book_in(stage: Stage, what: str, blocking: tuple[str, ...]) -> None:
    """Book an hour of something that others block."""
    stage.scheduler(what, *blocking).book(GUEST, hours(9, 10))


def book_whole(stage: Stage, what: str, blocking: tuple[str, ...]) -> None:
    """Book the whole morning of something that others block."""
    stage.scheduler(what, *blocking).book(GUEST, hours(9, 12))


def approve_in(stage: Stage, what: str, blocking: tuple[str, ...], token: str) -> None:
    """Approve what is pending for something that others block."""
    stage.scheduler(what, *blocking).approve_reservations(token)


def block_in(stage: Stage, what: str, blocking: tuple[str, ...]) -> None:
    """Block an hour of something that others block."""
    stage.scheduler(what, *blocking).add_blocker(hours(9, 10))
