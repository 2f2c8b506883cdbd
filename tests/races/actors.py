"""What the racing processes do: each opens a session of its own and does one thing."""

# ruff: noqa: DTZ001 - naive times are in the zone of the scheduler

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from libres.context.registry import create_default_registry
from libres.db.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

NINE = datetime(2030, 5, 6, 9)
TEN = datetime(2030, 5, 6, 10)
NOON = datetime(2030, 5, 6, 12)


def scheduler_on(dsn: str) -> Scheduler:
    """Make the scheduler all of them share, on a session of this process."""
    context = create_default_registry().register_context("race")
    context.set_setting("dsn", dsn)
    return Scheduler(context, "room", "Europe/Zurich")


def in_transaction(dsn: str, act: Callable[[Scheduler], Any]) -> Any:
    """Run *act* in a retrying transaction and leave no connection behind."""
    scheduler = scheduler_on(dsn)
    try:
        return scheduler.transaction(lambda: act(scheduler), attempts=30)
    finally:
        scheduler.close()
        scheduler.session_provider.stop_service()


def allocate(dsn: str, quota: int) -> None:
    """Allocate the morning."""
    in_transaction(
        dsn,
        lambda scheduler: (
            scheduler.allocate(
                (NINE, NOON), partly_available=True, raster=15, quota=quota
            )
            and None
        ),
    )


def book(dsn: str) -> None:
    """Book the first hour."""
    in_transaction(
        dsn, lambda scheduler: scheduler.book("a@example.org", (NINE, TEN)) and None
    )


def reserve(dsn: str) -> str:
    """Reserve the first hour and return the token."""
    token: str = in_transaction(
        dsn, lambda scheduler: str(scheduler.reserve("a@example.org", (NINE, TEN)))
    )
    return token


def approve(dsn: str, token: str) -> None:
    """Approve what was reserved."""
    in_transaction(
        dsn, lambda scheduler: scheduler.approve_reservations(token) and None
    )


def block(dsn: str) -> None:
    """Block the first hour."""
    in_transaction(dsn, lambda scheduler: scheduler.add_blocker((NINE, TEN)) and None)


def count_slots(dsn: str) -> int:
    """Count what is taken."""
    slots: int = in_transaction(
        dsn, lambda scheduler: scheduler.managed_reserved_slots().count()
    )
    return slots
