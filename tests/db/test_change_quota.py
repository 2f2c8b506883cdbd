"""Changing the quota: gaps are closed, and nobody loses a place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libres.context.registry import create_default_registry
from libres.db.models import Allocation, ReservedSlot
from libres.db.scheduler import Scheduler
from libres.modules import errors
from libres.modules.utils import generate_uuids

MONDAY = datetime.fromisoformat("2030-06-03")
EMAIL = "test@example.org"


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def book(scheduler, dates, quota=1):
    """Reserve and approve; return the token."""
    token = scheduler.reserve(EMAIL, dates, quota=quota)
    scheduler.approve_reservations(token)
    return token


def occupied(scheduler, quota, places, dates=None):
    """Allocate *quota* places and book those given; return master and tokens."""
    dates = dates or hours(8, 10)
    (master,) = scheduler.allocate(dates, quota=quota)
    tokens = {n: book(scheduler, dates) for n in range(1, max(places, default=0) + 1)}
    for number in tokens.keys() - set(places):
        scheduler.remove_reservation(tokens.pop(number))
    scheduler.commit()
    return master, tokens


def place_of(scheduler, token):
    """The id and resource of the one allocation that holds a token's slots."""
    allocation = scheduler.allocations_by_reservation(token).one()
    (slot,) = scheduler.reserved_slots_by_reservation(token).all()
    assert slot.resource == allocation.resource
    assert slot.allocation_id == allocation.id
    return allocation.id, allocation.resource


class TestChangeQuota:
    @pytest.mark.parametrize("quota", [0, -1, None])
    def test_positive(self, scheduler, quota):
        """There is at least one place."""
        (master,) = scheduler.allocate(hours(8, 10), quota=2)
        with pytest.raises((AssertionError, TypeError, errors.InvalidQuota)) as caught:
            scheduler.change_quota(master, quota)
        assert str(caught.value)
        assert master.quota == 2

    @pytest.mark.parametrize("quota", [0, -1])
    def test_misuse(self, scheduler, quota):
        """A number below one is misuse."""
        (master,) = scheduler.allocate(hours(8, 10), quota=2)
        with pytest.raises(AssertionError):
            scheduler.change_quota(master, quota)

    def test_same(self, scheduler):
        """The present quota changes nothing."""
        master, tokens = occupied(scheduler, 3, [1, 3])
        before = {n: place_of(scheduler, token) for n, token in tokens.items()}
        scheduler.change_quota(master, 3)
        assert master.quota == 3
        assert before == {n: place_of(scheduler, t) for n, t in tokens.items()}

    def test_raised(self, scheduler):
        """More places can be used at once."""
        master, _ = occupied(scheduler, 1, [1])
        scheduler.change_quota(master, 3)
        scheduler.commit()
        assert master.quota_left == 2
        book(scheduler, hours(8, 10), quota=2)
        assert master.quota_left == 0
        assert scheduler.managed_allocations().count() == 3

    def test_lowered_without_mirrors(self, scheduler):
        """Places that nobody has used vanish."""
        (master,) = scheduler.allocate(hours(8, 10), quota=9)
        scheduler.change_quota(master, 2)
        scheduler.commit()
        assert master.quota == 2
        assert len(master.siblings()) == 2

    def test_example_of_the_specification(self, scheduler):
        """Of seven places 3, 4, 6 are free: 1 and 2 stay, 5 goes to 3, 7 to 4."""
        master, tokens = occupied(scheduler, 7, [1, 2, 5, 7])
        former = {n: s.id for n, s in enumerate(master.siblings(imaginary=False), 1)}
        scheduler.change_quota(master, 4)
        scheduler.commit()
        now = {n: place_of(scheduler, token)[0] for n, token in tokens.items()}
        assert now == {1: former[1], 2: former[2], 5: former[3], 7: former[4]}

    def test_records_that_are_left(self, scheduler):
        """All remaining records have the new quota, the others are deleted."""
        master, _ = occupied(scheduler, 7, [1, 2, 5, 7])
        scheduler.change_quota(master, 4)
        scheduler.commit()
        records = scheduler.managed_allocations().all()
        assert [record.quota for record in records] == [4] * 4
        kept = {master.resource, *generate_uuids(master.resource, 4)}
        assert {record.resource for record in records} == kept

    def test_the_master_stays(self, scheduler):
        """With no place taken, the master is what remains."""
        master, tokens = occupied(scheduler, 4, [4])
        scheduler.remove_reservation(tokens[4])
        scheduler.change_quota(master, 1)
        scheduler.commit()
        assert scheduler.managed_allocations().one().is_master
        assert master.quota_left == 1

    def test_full_again(self, scheduler):
        """After closing the gaps, exactly the free places can be booked."""
        master, _ = occupied(scheduler, 7, [2, 5, 7])
        scheduler.change_quota(master, 4)
        scheduler.commit()
        assert master.quota_left == 1
        book(scheduler, hours(8, 10))
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.reserve(EMAIL, hours(8, 10))

    def test_too_low(self, scheduler):
        """With too few free places nothing changes, and a slot in the way is told."""
        master, tokens = occupied(scheduler, 5, [1, 3, 5])
        before = {n: place_of(scheduler, token) for n, token in tokens.items()}
        with pytest.raises(errors.AffectedReservationError) as caught:
            scheduler.change_quota(master, 2)
        assert type(caught.value) is errors.AffectedReservationError
        assert isinstance(caught.value.existing, ReservedSlot)
        assert caught.value.existing.reservation_token in tokens.values()
        assert str(caught.value)
        scheduler.commit()
        assert master.quota == 5
        assert before == {n: place_of(scheduler, t) for n, t in tokens.items()}

    def test_partly_taken_is_taken(self, scheduler):
        """A place of which a part is reserved is not free."""
        (master,) = scheduler.allocate(hours(8, 12), quota=3, partly_available=True)
        book(scheduler, hours(8, 9), quota=2)
        with pytest.raises(errors.AffectedReservationError):
            scheduler.change_quota(master, 1)
        scheduler.change_quota(master, 2)
        assert master.quota == 2

    def test_all_slots_move(self, scheduler):
        """Every slot of a place moves with it."""
        (master,) = scheduler.allocate(hours(8, 12), quota=3, partly_available=True)
        first = book(scheduler, hours(8, 9))
        second = book(scheduler, hours(8, 10))
        scheduler.remove_reservation(first)
        before = {s.start for s in scheduler.reserved_slots_by_reservation(second)}
        scheduler.change_quota(master, 1)
        scheduler.commit()
        slots = scheduler.reserved_slots_by_reservation(second).all()
        assert {slot.start for slot in slots} == before
        assert {slot.resource for slot in slots} == {master.resource}
        assert {slot.allocation_id for slot in slots} == {master.id}
        assert len(master.reserved_slots) == 24

    def test_blocked(self, scheduler):
        """A blocker is on every place, so none of them is free."""
        (master,) = scheduler.allocate(hours(8, 10), quota=3)
        scheduler.add_blocker(hours(8, 10))
        with pytest.raises(errors.AffectedReservationError):
            scheduler.change_quota(master, 2)

    def test_raised_while_blocked(self, scheduler):
        """A blocker holds the places that are added, for the time that it blocks."""
        dates = hours(8, 10)
        (master,) = scheduler.allocate(dates, partly_available=True, raster=60, quota=2)
        (blocker,) = scheduler.add_blocker(hours(8, 9))
        scheduler.change_quota(master, 4)
        assert master.quota_left == 0
        assert scheduler.free_allocations_count(master, *hours(9, 10)) == 4
        assert scheduler.reserved_slots_by_blocker(blocker.token).count() == 4
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.reserve(EMAIL, hours(8, 9))
        scheduler.remove_blocker(blocker.token)
        assert master.quota_left == 4

    def test_raised_by_moving_while_blocked(self, scheduler):
        """The same holds for the members of a group."""
        first, second = scheduler.allocate(
            [hours(8, 10), hours(11, 12)], grouped=True, quota=1
        )
        (blocker,) = scheduler.add_blocker(group=first.group)
        scheduler.move_allocation(first.id, new_quota=3)
        assert (first.quota_left, second.quota_left) == (0, 0)
        slots = scheduler.reserved_slots_by_blocker(blocker.token).all()
        assert len(slots) == 6
        assert {slot.source_id for slot in slots} == {blocker.id}

    def test_other_times_are_not_touched(self, scheduler):
        """Places of another allocation of the resource stay as they are."""
        _, tokens = occupied(scheduler, 3, [1, 3], hours(12, 14))
        before = {n: place_of(scheduler, token) for n, token in tokens.items()}
        master, _ = occupied(scheduler, 3, [2])
        scheduler.change_quota(master, 1)
        scheduler.commit()
        assert before == {n: place_of(scheduler, t) for n, t in tokens.items()}

    @settings(
        max_examples=8,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.sets(st.integers(1, 5)), st.integers(1, 5))
    def test_claims_survive(self, scheduler_factory, places, quota):
        """Closing gaps keeps every claim and its order, on the lowest places."""
        scheduler = scheduler_factory(name=str(uuid4()))
        master, tokens = occupied(scheduler, 5, places)
        if quota < len(places):
            with pytest.raises(errors.AffectedReservationError):
                scheduler.change_quota(master, quota)
            return
        scheduler.change_quota(master, quota)
        scheduler.commit()
        canonical = [master.resource, *generate_uuids(master.resource, 5)]
        held = [
            canonical.index(place_of(scheduler, tokens[number])[1])
            for number in sorted(places)
        ]
        closed = range(len(places)) if quota < 5 else [n - 1 for n in sorted(places)]
        assert held == list(closed)
        assert master.quota_left == quota - len(places)


class TestBlockers:
    @pytest.mark.parametrize("partly", [False, True])
    def test_added_places_are_blocked(self, scheduler, partly):
        """A blocker holds every place of its time, also those that come later."""
        (master,) = scheduler.allocate(hours(8, 12), quota=2, partly_available=partly)
        (blocker,) = scheduler.add_blocker(hours(8, 10))
        before = scheduler.reserved_slots_by_blocker(blocker.token).count()
        scheduler.change_quota(master, 4)
        scheduler.commit()
        slots = scheduler.reserved_slots_by_blocker(blocker.token)
        assert slots.count() == before * 2
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.reserve(EMAIL, hours(8, 10))
        scheduler.remove_blocker(blocker.token)
        assert len(scheduler.book(EMAIL, hours(8, 10), quota=4)) == 1

    def test_reservations_are_not_copied(self, scheduler):
        """What is reserved on a place is not reserved on the new ones."""
        (master,) = scheduler.allocate(hours(8, 12), partly_available=True)
        scheduler.book(EMAIL, hours(8, 10))
        scheduler.add_blocker(hours(10, 12))
        scheduler.change_quota(master, 2)
        assert scheduler.free_allocations_count(master, *hours(8, 10)) == 1
        assert scheduler.free_allocations_count(master, *hours(10, 12)) == 0

    def test_without_blockers_no_mirrors(self, scheduler):
        """Places that nobody takes are no records."""
        (master,) = scheduler.allocate(hours(8, 12))
        scheduler.book(EMAIL, hours(8, 12))
        scheduler.change_quota(master, 2**31 - 1)
        assert scheduler.managed_allocations().count() == 1


def spots(quota, taken):
    """A master and its mirrors without a session; those at *taken* are occupied."""
    first = uuid4()
    resources = [first, *generate_uuids(first, quota)]
    allocations = []
    start, end = (moment.replace(tzinfo=UTC) for moment in hours(8, 10))
    for number, resource in enumerate(resources):
        allocation = Allocation(
            resource=resource,
            mirror_of=first,
            start=start,
            end=end,
            raster=5,
            timezone="UTC",
            quota=quota,
        )
        if number in taken:
            slot = ReservedSlot(resource=resource, start=start, end=end)
            allocation.reserved_slots.append(slot)
        allocations.append(allocation)
    return allocations, resources


@pytest.fixture(scope="module")
def planner():
    """A scheduler that never sees a database."""
    context = create_default_registry().register_context("planner")
    return Scheduler(context, "room", "UTC")


def cases(quota):
    """Which places are taken, and in what order the allocations come."""
    numbers = st.integers(0, quota - 1)
    order = st.permutations(range(quota))
    return st.tuples(st.just(quota), st.sets(numbers), order)


class TestReorderedKeylist:
    def test_example_of_the_specification(self, planner):
        """An occupied key is shifted back by the free ones before it."""
        allocations, keys = spots(7, {0, 1, 4, 6})
        expected = [keys[0], keys[1], None, None, keys[2], None, keys[3]]
        reordered = planner.reordered_keylist(allocations, 4)
        assert list(reordered) == keys
        assert list(reordered.values()) == expected

    @pytest.mark.parametrize("masters", [0, 2])
    def test_exactly_one_master(self, planner, masters):
        """Without a master, or with two, there is no order."""
        (first, *mirrors), _ = spots(3, ())
        (second, *_), _ = spots(3, ())
        given_ones = [*[first, second][:masters], *mirrors]
        with pytest.raises(AssertionError):
            planner.reordered_keylist(given_ones, 2)

    @given(st.integers(1, 12).flatmap(cases))
    def test_a_permutation(self, planner, case):
        """Occupied keys go to the lowest keys, keeping their order."""
        quota, taken, order = case
        allocations, keys = spots(quota, taken)
        shuffled = [allocations[n] for n in order]
        reordered = planner.reordered_keylist(shuffled, max(1, len(taken)))
        assert list(reordered) == keys
        moved = [reordered[keys[number]] for number in sorted(taken)]
        assert moved == keys[: len(taken)]
        free = set(range(quota)) - taken
        assert all(reordered[keys[number]] is None for number in free)
