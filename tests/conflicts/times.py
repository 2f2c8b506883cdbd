"""Short names for what the tests of claims need all the time."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from libres.conflicts import Proposal

SOURCE = "scheduling_app.Reservation"
TRUCK = "HMMWV-123"
UTC = ZoneInfo("UTC")


def at(hour, minute=0, day=1):
    """A moment of December 2025."""
    return datetime(2025, 12, day, tzinfo=UTC) + timedelta(hours=hour, minutes=minute)


def hours(start, end, day=1):
    """A time of December 2025, from hour to hour."""
    return at(start, day=day), at(end, day=day)


def wish(start=9, end=10, resource=TRUCK, **more):
    """A proposal for some hours."""
    return Proposal(resource=resource, during=hours(start, end), **more)


def booked(number, start=9, end=10, resource=TRUCK, **more):
    """A proposal of a booking of the host."""
    return wish(start, end, resource, source=SOURCE, source_id=number, **more)
