"""What reserving costs in round trips: the same for one and for fifty of anything.

The budgets are those of the design. Each scenario prepares a room of a certain size
and returns what is measured, in a session that has forgotten everything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from tests.fixtures.statements import counted

MONDAY = datetime.fromisoformat("2030-06-03")
GUEST = "guest@example.org"
MANY = 50


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def days(n):
    """The hours from 8 to 10 on *n* days."""
    return [hours(8, 10, day=day) for day in range(n)]


class House:
    """Makes rooms of one context, under names that differ from size to size."""

    def __init__(self, factory, n):
        self.n = n
        self.factory = factory
        self.room = factory(f"room {n}")

    def blocking(self):
        """A room with *n* blocking resources, each allocated at the same times."""
        names = [f"neighbour {i} of {self.n}" for i in range(self.n)]
        for name in names:
            self.factory(name).allocate(days(1))
        return self.factory(f"room {self.n}", blocking_names=names)

    def filled(self, quota, taken, **more):
        """Allocate *quota* places of which *taken* are records and booked."""
        (allocation,) = self.room.allocate(days(1), quota=quota, **more)
        if taken:
            self.room.book(GUEST, days(1), quota=taken)
        return allocation


def cost(factory, prepare, n):
    """The number of statements of what *prepare* returns for *n*."""
    house = House(factory, n)
    act = prepare(house)
    house.room.commit()
    house.room.session.expunge_all()
    with counted(house.room.session) as statements:
        act()
    return len(statements)


def reserve_dates(house):
    """Reserve so many days at once."""
    house.room.allocate(days(house.n))
    return lambda: house.room.reserve(GUEST, days(house.n))


def reserve_quota(house):
    """Reserve so many places of an empty house."""
    house.filled(quota=house.n, taken=0)
    return lambda: house.room.reserve(GUEST, days(1), quota=house.n)


def reserve_beside(house):
    """Reserve one place beside so many that are taken."""
    house.filled(quota=house.n + 1, taken=house.n)
    return lambda: house.room.reserve(GUEST, days(1))


def reserve_group(house):
    """Reserve a group of so many members."""
    group = house.room.allocate(days(house.n), grouped=True)[0].group
    return lambda: house.room.reserve(GUEST, group=group)


def reserve_in_session(house):
    """Reserve in a session that holds so many reservations already."""
    cart = uuid4()
    dates = days(house.n + 1)
    house.room.allocate(dates)
    house.room.reserve(GUEST, dates[1:], session_id=cart)
    more = {"session_id": cart, "single_token_per_session": True}
    return lambda: house.room.reserve(GUEST, dates[0], **more)


def reserve_blocking(house):
    """Reserve what so many other resources can block."""
    room = house.blocking()
    room.allocate(days(1))
    return lambda: room.reserve(GUEST, days(1))


def approve_dates(house):
    """Approve so many days of one token."""
    house.room.allocate(days(house.n))
    token = house.room.reserve(GUEST, days(house.n))
    return lambda: house.room.approve_reservations(token)


def approve_quota(house):
    """Approve so many places, all but one of them new records."""
    house.filled(quota=house.n, taken=0)
    token = house.room.reserve(GUEST, days(1), quota=house.n)
    return lambda: house.room.approve_reservations(token)


def approve_beside(house):
    """Approve one place, a new record, beside so many that are taken."""
    house.filled(quota=house.n + 1, taken=house.n)
    token = house.room.reserve(GUEST, days(1))
    return lambda: house.room.approve_reservations(token)


def approve_group(house):
    """Approve a group of so many members."""
    group = house.room.allocate(days(house.n), grouped=True)[0].group
    token = house.room.reserve(GUEST, group=group)
    return lambda: house.room.approve_reservations(token)


def approve_steps(house):
    """Approve a range of so many steps of five minutes."""
    house.room.allocate(days(1), partly_available=True)
    start = days(1)[0][0]
    dates = start, start + house.n * timedelta(minutes=5)
    if house.n > 24:
        dates = days(1)
    token = house.room.reserve(GUEST, dates)
    return lambda: house.room.approve_reservations(token)


def approve_blocking(house):
    """Approve what so many other resources can block."""
    room = house.blocking()
    room.allocate(days(1))
    token = room.reserve(GUEST, days(1))
    return lambda: room.approve_reservations(token)


def book_dates(house):
    """Book so many days at once."""
    house.room.allocate(days(house.n))
    return lambda: house.room.book(GUEST, days(house.n))


def book_quota(house):
    """Book so many places, all but one of them new records."""
    house.filled(quota=house.n, taken=0)
    return lambda: house.room.book(GUEST, days(1), quota=house.n)


def book_beside(house):
    """Book one place, a new record, beside so many that are taken."""
    house.filled(quota=house.n + 1, taken=house.n)
    return lambda: house.room.book(GUEST, days(1))


def book_group(house):
    """Book a group of so many members."""
    group = house.room.allocate(days(house.n), grouped=True)[0].group
    return lambda: house.room.book(GUEST, group=group)


def deny_dates(house):
    """Deny so many days of one token."""
    house.room.allocate(days(house.n))
    token = house.room.reserve(GUEST, days(house.n))
    return lambda: house.room.deny_reservation(token)


def remove_dates(house):
    """Remove so many approved days of one token."""
    house.room.allocate(days(house.n))
    token = house.room.book(GUEST, days(house.n))[0].token
    return lambda: house.room.remove_reservation(token)


def remove_quota(house):
    """Remove a reservation of so many places."""
    house.filled(quota=house.n, taken=0)
    token = house.room.book(GUEST, days(1), quota=house.n)[0].token
    return lambda: house.room.remove_reservation(token)


def remove_group(house):
    """Remove a reservation of a group of so many members."""
    group = house.room.allocate(days(house.n), grouped=True)[0].group
    token = house.room.book(GUEST, group=group)[0].token
    return lambda: house.room.remove_reservation(token)


def remove_one(house):
    """Remove one of so many siblings and one more."""
    house.room.allocate(days(house.n + 1))
    first = house.room.book(GUEST, days(house.n + 1))[0]
    key = first.token, first.id
    return lambda: house.room.remove_reservation(*key)


def change_sibling(house):
    """Change one of so many siblings and one more."""
    dates = days(house.n + 1)
    house.room.allocate(dates, partly_available=True, raster=60)
    first = house.room.book(GUEST, [(start, start + HOUR) for start, _ in dates])[0]
    key = first.token, first.id
    return lambda: house.room.change_reservation(*key, *hours(9, 10))


def change_beside(house):
    """Change a reservation beside so many that take other places."""
    house.room.allocate(days(1), quota=house.n + 1, partly_available=True, raster=60)
    house.room.book(GUEST, days(1), quota=house.n)
    (booked,) = house.room.book(GUEST, hours(8, 9))
    key = booked.token, booked.id
    return lambda: house.room.change_reservation(*key, *hours(9, 10))


def change_quota(house):
    """Raise the quota of a reservation by so many places."""
    house.filled(quota=house.n + 1, taken=0)
    (booked,) = house.room.book(GUEST, days(1))
    key = booked.token, booked.id
    return lambda: house.room.change_reservation(*key, *days(1)[0], quota=house.n + 1)


def change_pending(house):
    """Change a pending reservation among so many others of its session."""
    dates = days(house.n + 1)
    house.room.allocate(dates, partly_available=True, raster=60)
    token = house.room.reserve(GUEST, dates, session_id=uuid4())
    first = house.room.reservations_by_token(token).order_by("start").first()
    key = first.token, first.id
    return lambda: house.room.change_reservation(*key, *hours(9, 10))


def block_dates(house):
    """Block so many days at once."""
    house.room.allocate(days(house.n))
    return lambda: house.room.add_blocker(days(house.n))


def block_quota(house):
    """Block so many places, all but one of them new records."""
    house.filled(quota=house.n, taken=0)
    return lambda: house.room.add_blocker(days(1))


def block_dates_and_quota(house):
    """Block so many days of as many places each."""
    house.room.allocate(days(house.n), quota=house.n)
    return lambda: house.room.add_blocker(days(house.n))


def block_group(house):
    """Block a group of so many members."""
    group = house.room.allocate(days(house.n), grouped=True)[0].group
    return lambda: house.room.add_blocker(group=group)


def block_mirrors(house):
    """Block so many places that are records already."""
    house.filled(quota=house.n, taken=0, partly_available=True, raster=60)
    house.room.book(GUEST, hours(8, 9), quota=house.n)
    return lambda: house.room.add_blocker(hours(9, 10))


HOUR = timedelta(hours=1)


def row(prepare, budget, few=1):
    """Make a row; *few* is 2 where with 1 there is nothing of the kind to do."""
    return pytest.param(prepare, budget, few, id=prepare.__name__)


@pytest.mark.parametrize(
    ("prepare", "budget", "few"),
    [
        row(reserve_dates, 3),
        row(reserve_quota, 3),
        row(reserve_beside, 3),
        row(reserve_group, 4),
        row(reserve_in_session, 4),
        row(reserve_blocking, 4),
        row(approve_dates, 6),
        row(approve_quota, 6, few=2),
        row(approve_beside, 6),
        row(approve_group, 6),
        row(approve_steps, 6),
        row(approve_blocking, 6),
        row(book_dates, 7),
        row(book_quota, 7, few=2),
        row(book_beside, 7),
        row(book_group, 7),
        row(deny_dates, 3),
        row(remove_dates, 4),
        row(remove_quota, 4),
        row(remove_group, 4),
        row(remove_one, 4),
        row(change_sibling, 12),
        row(change_beside, 12),
        row(change_quota, 12),
        row(change_pending, 12),
        row(block_dates, 6),
        row(block_quota, 6, few=2),
        row(block_dates_and_quota, 6, few=2),
        row(block_group, 6),
        row(block_mirrors, 6, few=2),
    ],
)
def test_budget(scheduler_factory, prepare, budget, few):
    """Fifty cost what few cost, and no more than the budget says."""
    costs = {n: cost(scheduler_factory, prepare, n) for n in (few, MANY)}
    assert costs[MANY] == costs[few]
    assert max(costs.values()) <= budget


@pytest.mark.parametrize(
    ("more", "budget"),
    [
        pytest.param({}, 7, id="plain"),
        pytest.param({"quota": 3}, 7, id="several places"),
        pytest.param({"data": {"n": 1}}, 7, id="with data"),
    ],
)
def test_warm(scheduler_factory, more, budget):
    """A session that knows the allocation already needs no more than a cold one."""
    room = scheduler_factory()
    room.allocate(days(1), quota=6)
    room.book(GUEST, days(1), **more)
    with counted(room.session) as statements:
        room.book(GUEST, days(1), **more)
    assert len(statements) <= budget
