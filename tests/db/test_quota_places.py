"""Places: mirrors come into being in order, are filled, freed and filled again."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from uuid import uuid5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libres.db.models import Allocation, ReservedSlot
from libres.modules import errors
from libres.modules.utils import generate_uuids

MONDAY = datetime.fromisoformat("2030-06-03")
EIGHT = MONDAY + timedelta(hours=8)
STEP = timedelta(minutes=5)
GUEST = "guest@example.org"


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def local(date):
    """The wall clock of Zurich in summer."""
    return date.astimezone(timezone(timedelta(hours=2))).replace(tzinfo=None)


def places(scheduler, quota):
    """The resources of all places in the order in which they are filled."""
    return [scheduler.resource, *generate_uuids(scheduler.resource, quota)]


def materialised(scheduler):
    """The resources of the allocations in the database, as they came into being."""
    records = scheduler.managed_allocations().order_by(Allocation.id)
    return [record.resource for record in records]


def book(scheduler, dates, quota=1):
    """Book and return the token and the places taken, in no order."""
    (booked,) = scheduler.book(GUEST, dates, quota=quota)
    slots = scheduler.reserved_slots_by_reservation(booked.token)
    return booked.token, {slot.resource for slot in slots}


class TestOrder:
    def test_nothing_before_need(self, scheduler):
        """An allocation of any quota is one record until its places are taken."""
        scheduler.allocate(hours(8, 10), quota=12)
        assert materialised(scheduler) == [scheduler.resource]

    def test_derived_resources(self, scheduler):
        """The resource of place n is derived from the master's and n."""
        assert places(scheduler, 3)[1:] == [
            uuid5(scheduler.resource, "1"),
            uuid5(scheduler.resource, "2"),
        ]

    def test_master_first(self, scheduler):
        """Places are filled in their order: master, first mirror, second mirror."""
        scheduler.allocate(hours(8, 10), quota=12)
        filled = [book(scheduler, hours(8, 10))[1] for _ in range(12)]
        assert filled == [{place} for place in places(scheduler, 12)]

    def test_only_what_is_needed(self, scheduler):
        """Only the mirrors that are taken become records."""
        scheduler.allocate(hours(8, 10), quota=12)
        book(scheduler, hours(8, 10), quota=3)
        assert set(materialised(scheduler)) == set(places(scheduler, 3))

    def test_mirror_is_a_copy(self, scheduler):
        """A mirror has the times, the group and the data of its master."""
        (master,) = scheduler.allocate(hours(8, 10), quota=2, data={"n": 1})
        book(scheduler, hours(8, 10), quota=2)
        scheduler.commit()
        (mirror,) = scheduler.managed_allocations().filter_by(
            resource=places(scheduler, 2)[1]
        )
        assert mirror.mirror_of == master.resource
        for name in ("start", "end", "group", "quota", "data", "raster", "timezone"):
            assert getattr(mirror, name) == getattr(master, name)

    def test_parts_share_a_place(self, scheduler):
        """Two parts that do not overlap fit on one place."""
        scheduler.allocate(hours(8, 10), quota=2, partly_available=True, raster=60)
        assert book(scheduler, hours(8, 9))[1] == {scheduler.resource}
        assert book(scheduler, hours(9, 10))[1] == {scheduler.resource}
        assert len(materialised(scheduler)) == 1

    def test_no_spread(self, scheduler):
        """A range lies on one place; two half free places make no free one."""
        scheduler.allocate(hours(8, 10), quota=2, partly_available=True, raster=60)
        book(scheduler, hours(8, 9))
        book(scheduler, hours(8, 10))
        with pytest.raises(errors.AlreadyReservedError):
            book(scheduler, hours(8, 10))
        assert book(scheduler, hours(9, 10))[1] == {scheduler.resource}


class TestRefill:
    def test_first_free_place(self, scheduler):
        """A place that became free is taken before those behind it."""
        scheduler.allocate(hours(8, 10), quota=4)
        tokens = [book(scheduler, hours(8, 10))[0] for _ in range(3)]
        scheduler.remove_reservation(tokens[1])
        second, fourth = places(scheduler, 4)[1::2]
        assert book(scheduler, hours(8, 10))[1] == {second}
        assert book(scheduler, hours(8, 10))[1] == {fourth}

    def test_master_again(self, scheduler):
        """When the master becomes free, it is the first to be taken."""
        scheduler.allocate(hours(8, 10), quota=3)
        token, _ = book(scheduler, hours(8, 10))
        book(scheduler, hours(8, 10))
        scheduler.remove_reservation(token)
        assert book(scheduler, hours(8, 10))[1] == {scheduler.resource}

    def test_around_taken_ones(self, scheduler):
        """Several places are taken around one that is not free."""
        scheduler.allocate(hours(8, 10), quota=4)
        tokens = [book(scheduler, hours(8, 10))[0] for _ in range(2)]
        scheduler.remove_reservation(tokens[0])
        first, _, third, _ = places(scheduler, 4)
        assert book(scheduler, hours(8, 10), quota=2)[1] == {first, third}

    def test_mirrors_are_reused(self, scheduler):
        """Filling again brings no further records into being."""
        scheduler.allocate(hours(8, 10), quota=3)
        for _ in range(3):
            token, _ = book(scheduler, hours(8, 10), quota=3)
            scheduler.remove_reservation(token)
        assert len(materialised(scheduler)) == 3


class TestSoldOut:
    def test_sixty_at_once(self, scheduler):
        """Sixty places are sold in one go, and then there is none."""
        (concert,) = scheduler.allocate(hours(20, 22), quota=60)
        assert len(book(scheduler, hours(20, 22), quota=60)[1]) == 60
        with pytest.raises(errors.AlreadyReservedError):
            book(scheduler, hours(20, 22))
        assert scheduler.availability() == 0
        assert concert.quota_left == 0

    def test_sixty_one_by_one(self, scheduler):
        """Sixty tickets are sold one by one, each a place of its own."""
        (concert,) = scheduler.allocate(hours(20, 22), quota=60)
        sold = [book(scheduler, hours(20, 22))[1] for _ in range(60)]
        assert len(set().union(*sold)) == 60
        with pytest.raises(errors.AlreadyReservedError):
            book(scheduler, hours(20, 22))
        scheduler.session.expire_all()
        assert concert.find_spot(*hours(20, 22)) is None

    def test_last_one(self, scheduler):
        """The last place is sold, the one after it is not."""
        scheduler.allocate(hours(20, 22), quota=60)
        book(scheduler, hours(20, 22), quota=59)
        with pytest.raises(errors.AlreadyReservedError):
            book(scheduler, hours(20, 22), quota=2)
        assert book(scheduler, hours(20, 22))[1] == {places(scheduler, 60)[-1]}


class House:
    """What should happen: places are sets of steps, filled first fit."""

    def __init__(self, quota):
        self.places = [set() for _ in range(quota)]
        self.booked = []

    def book(self, first, length, quota):
        """The places taken, or None if there are too few."""
        steps = set(range(first, first + length))
        free = [n for n, taken in enumerate(self.places) if not taken & steps]
        if len(free) < quota:
            return None
        for number in free[:quota]:
            self.places[number] |= steps
        self.booked.append((steps, free[:quota]))
        return free[:quota]

    def remove(self, index):
        """Free what the booking of this index has taken."""
        steps, numbers = self.booked.pop(index)
        for number in numbers:
            self.places[number] -= steps


BOOK = st.tuples(
    st.just("book"), st.integers(0, 11), st.integers(1, 6), st.integers(1, 3)
)
REMOVE = st.tuples(st.just("remove"), st.integers(0, 99))


class TestNeverMoreThanQuota:
    @given(
        quota=st.integers(1, 4),
        actions=st.lists(st.one_of(BOOK, BOOK, REMOVE), min_size=3, max_size=10),
    )
    @settings(
        deadline=None,
        max_examples=25,
        derandomize=True,
        # Every example starts by rolling back what the one before it did.
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def test_any_sequence(self, scheduler, quota, actions):
        """After any bookings and removals each step is taken quota times at most,
        on the places that first fit says."""
        scheduler.rollback()
        opened = EIGHT, EIGHT + 17 * STEP
        scheduler.allocate(opened, quota=quota, partly_available=True)
        house, tokens = House(quota), []
        for action, *args in actions:
            if action == "book":
                self.book(scheduler, house, tokens, *args)
            elif tokens:
                index = args[0] % len(tokens)
                house.remove(index)
                scheduler.remove_reservation(tokens.pop(index))
            self.check(scheduler, house, quota)
        scheduler.rollback()

    def book(self, scheduler, house, tokens, first, length, quota):
        """Book on both sides; they must agree on whether it is possible."""
        dates = EIGHT + first * STEP, EIGHT + (first + length) * STEP
        expected = house.book(first, length, quota)
        try:
            (booked,) = scheduler.book(GUEST, dates, quota=quota)
        except errors.AlreadyReservedError:
            assert expected is None
        else:
            assert expected is not None
            tokens.append(booked.token)

    def check(self, scheduler, house, quota):
        """The slots in the database are those of the model."""
        taken = scheduler.managed_reserved_slots().with_entities(
            ReservedSlot.resource, ReservedSlot.start
        )
        numbers = {place: n for n, place in enumerate(places(scheduler, quota))}
        stored = {(numbers[r], (local(start) - EIGHT) // STEP) for r, start in taken}
        assert stored == {
            (number, step)
            for number, steps in enumerate(house.places)
            for step in steps
        }
        assert all(n <= quota for n in Counter(s for _, s in stored).values())
        counted, blocked = scheduler.reserved_slots_by_range(
            EIGHT, EIGHT + timedelta(hours=2)
        )
        assert blocked == set()
        assert {(local(start) - EIGHT) // STEP: n for start, n in counted.items()} == (
            Counter(step for _, step in stored)
        )
