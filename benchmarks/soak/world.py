"""What the clients book: rooms, an annex, a course of groups, a hall and its stage."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from libres.context.registry import create_default_registry
from libres.db.models import Reservation, ReservationBlocker
from libres.db.scheduler import Scheduler

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

DAYS: Final = 5
OPENS, CLOSES = 8, 20
ROOMS: Final = ("room 1", "room 2", "room 3")
ANNEX, COURSE = "annex", "course"
MUTUAL: Final = {"hall": ("stage",), "stage": ("hall",)}
"""Resources that block each other."""

GROUPS: Final = 10
GUEST: Final = "guest@example.org"
FIRST: Final = datetime.fromisoformat("2030-01-07")


def hours(day: int, start: float, end: float) -> tuple[datetime, datetime]:
    """Return hours of a day, naive: in the zone of the resources."""
    midnight = FIRST + timedelta(days=day)
    return midnight + timedelta(hours=start), midnight + timedelta(hours=end)


def context_on(dsn: str) -> Context:
    """Make the context of all resources."""
    context = create_default_registry().register_context("soak")
    context.set_setting("dsn", dsn)
    return context


def resource(context: Context, name: str) -> Scheduler:
    """Make the scheduler of a resource."""
    return Scheduler(context, name, "Europe/Zurich", MUTUAL.get(name, ()))


def create_tables(context: Context) -> None:
    """Create the tables."""
    room = resource(context, ROOMS[0])
    room.setup_database()
    room.commit()


def allocate(context: Context) -> None:
    """Allocate what can be booked, without a commit."""
    days = [hours(day, OPENS, CLOSES) for day in range(DAYS)]
    for name in (*ROOMS, *MUTUAL):
        quota = 1 if name in MUTUAL else 2
        resource(context, name).allocate(
            days, partly_available=True, raster=15, quota=quota
        )
    course = resource(context, COURSE)
    for group in range(GROUPS):
        evenings = [hours(7 * week, 10 + group, 11 + group) for week in range(3)]
        course.allocate(evenings, grouped=True, quota=2)


def state_of(session: Session, token: str) -> list[str]:
    """Say what a token stands for: each reservation and blocker as a line."""
    reservations = session.query(Reservation).filter(Reservation.token == token)
    blockers = session.query(ReservationBlocker).filter(
        ReservationBlocker.token == token
    )
    return sorted(
        [
            *(f"{r.status} {r.start} {r.end} {r.quota}" for r in reservations),
            *(f"blocked {b.start} {b.end}" for b in blockers),
        ]
    )
