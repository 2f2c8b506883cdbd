"""A hall that is open on five days, and people who wait for its hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_postgresql.factories import postgresql_noproc

from libres.db.scheduler import Scheduler
from libres.modules import events
from libres.waiting import WaitingList, on_free, schema
from tests.fixtures.database import PREFIX, filling, make_tables

MONDAY = datetime(2026, 11, 30, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

ADA, BOB, EVE, ZOE = (f"{name}@example.org" for name in ("ada", "bob", "eve", "zoe"))


def make_waiting(**where):
    """Fill a template with the table of waiting lists."""
    with filling(**where) as connection:
        schema.create_missing(connection)


template = postgresql_noproc(
    dbname=f"{PREFIX}waiting",
    load=[make_tables, make_waiting],
    load_autocommit=False,
    depends_on="server",
)
"""What the databases of these tests are cloned from."""


def at(clock, day=0):
    """A moment of the week of the tests: day 0 is a Monday."""
    hours, minutes = map(int, clock.split(":"))
    return MONDAY + day * DAY + hours * HOUR + timedelta(minutes=minutes)


def hours(first, last, day=0):
    """A time of that week, from one hour to another."""
    return at(f"{first}:00", day), at(f"{last}:00", day)


@pytest.fixture(autouse=True)
def today(clock):
    """It is the Friday before."""
    clock.now = MONDAY - 3 * DAY
    return clock


@pytest.fixture
def hall(context):
    """A hall with one place, open on five days from 8 to 18, in steps of 15 minutes."""
    made = Scheduler(context, "hall", "UTC")
    made.allocate(
        [hours(8, 18, day) for day in range(5)], partly_available=True, raster=15
    )
    return made


@pytest.fixture
def course(context):
    """A course with three places, on Monday from 9 to 11, as a whole."""
    made = Scheduler(context, "course", "UTC")
    made.allocate(hours(9, 11), quota=3)
    return made


@pytest.fixture
def office(context):
    """An office whose hours somebody has to approve, on Monday from 8 to 18."""
    made = Scheduler(context, "office", "UTC")
    made.allocate(hours(8, 18), partly_available=True, approve_manually=True)
    return made


@pytest.fixture
def queue(context):
    """The waiting lists of the context."""
    return WaitingList(context)


@pytest.fixture
def told():
    """What on_free tells, and afterwards nobody listens any more."""
    lists = (
        events.on_reservations_made,
        events.on_reservations_removed,
        events.on_reservations_denied,
        events.on_reservation_time_changed,
        on_free,
        on_free.committed,
    )
    before = [list(each) for each in lists]
    heard = []
    on_free.append(lambda _context, entries: heard.append(emails(entries)))
    yield heard
    for each, listeners in zip(lists, before, strict=True):
        each[:] = listeners


def take(scheduler, first, last, day=0, quota=1):
    """Book hours for Zoe; return the token."""
    booked = scheduler.book(ZOE, hours(first, last, day), quota=quota)
    return booked[0].token


def emails(entries):
    """Who waits."""
    return [entry.email for entry in entries]
