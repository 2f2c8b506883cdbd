"""What an allocation knows in a session: siblings, spots, group, waiting list."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Query

from libres.db.models import Allocation, ReservedSlot
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


def detached(scheduler, day=0, **options):
    """Make an allocation that has left its session."""
    (allocation,) = scheduler.allocate(hours(8, 10, day), **options)
    scheduler.commit()
    scheduler.session.refresh(allocation)
    scheduler.session.expunge(allocation)
    return allocation


class TestSiblings:
    def test_one_place(self, scheduler):
        """With a quota of 1 an allocation is alone."""
        (master,) = scheduler.allocate(hours(8, 10))
        assert master.siblings() == [master]
        assert master.siblings(imaginary=False) == [master]

    def test_order_of_places(self, scheduler):
        """The master comes first, then the mirrors by number, none of them stored."""
        (master,) = scheduler.allocate(hours(8, 10), quota=4)
        siblings = master.siblings()
        assert siblings[0] is master
        resources = [sibling.resource for sibling in siblings]
        assert resources == [master.resource, *generate_uuids(master.resource, 4)]
        assert [s.is_transient for s in siblings] == [False, True, True, True]
        assert [s.is_master for s in siblings] == [True, False, False, False]
        assert {s.mirror_of for s in siblings} == {master.resource}

    def test_imaginary_ones_are_copies(self, scheduler):
        """A mirror that does not exist yet looks like the master."""
        (master,) = scheduler.allocate(
            hours(8, 10), quota=2, partly_available=True, raster=15, data={"a": 1}
        )
        _, mirror = master.siblings()
        names = "start end raster quota group partly_available timezone data"
        for name in names.split():
            assert getattr(mirror, name) == getattr(master, name), name

    def test_imaginary_ones_are_not_stored(self, scheduler):
        """To look at the siblings writes nothing."""
        (master,) = scheduler.allocate(hours(8, 10), quota=4)
        master.siblings()
        scheduler.commit()
        assert scheduler.managed_allocations().count() == 1

    def test_stored_ones(self, scheduler):
        """Mirrors become records when a reservation is approved on them."""
        (master,) = scheduler.allocate(hours(8, 10), quota=4)
        book(scheduler, hours(8, 10), quota=3)
        stored = master.siblings(imaginary=False)
        assert [s.resource for s in stored] == [s.resource for s in master.siblings()][
            :3
        ]
        assert [s.is_transient for s in master.siblings()] == [False] * 3 + [True]

    def test_asked_from_a_mirror(self, scheduler):
        """A stored mirror has the same siblings as its master."""
        (master,) = scheduler.allocate(hours(8, 10), quota=3)
        book(scheduler, hours(8, 10), quota=2)
        mirror = master.siblings()[1]
        assert mirror.siblings() == master.siblings()
        assert mirror.siblings(imaginary=False) == master.siblings(imaginary=False)
        assert mirror.siblings()[0] is master

    def test_of_another_time(self, scheduler):
        """Mirrors of another start are not among the siblings."""
        first, second = scheduler.allocate([hours(8, 10), hours(10, 12)], quota=2)
        book(scheduler, hours(8, 10), quota=2)
        assert len(first.siblings(imaginary=False)) == 2
        assert second.siblings(imaginary=False) == [second]

    def test_transient(self):
        """Who is not stored has no stored siblings."""
        with pytest.raises(AssertionError):
            Allocation(quota=2).siblings(imaginary=False)

    def test_detached(self, scheduler):
        """Without a session, the siblings of several places are unknown."""
        with pytest.raises(AssertionError):
            detached(scheduler, quota=2).siblings()

    def test_lonely_mirror(self, scheduler):
        """A mirror cannot have a quota of 1."""
        (master,) = scheduler.allocate(hours(8, 10), quota=2)
        mirror = master.siblings()[1]
        mirror.quota = 1
        with pytest.raises(AssertionError):
            mirror.siblings()


class TestMaster:
    def test_is_master_in_queries(self, scheduler):
        """is_master filters in SQL as well."""
        (master,) = scheduler.allocate(hours(8, 10), quota=3)
        book(scheduler, hours(8, 10), quota=3)
        query = scheduler.managed_allocations()
        assert query.filter(Allocation.is_master).all() == [master]
        assert query.filter(~Allocation.is_master).count() == 2

    def test_get_master(self, scheduler):
        """From a mirror one gets to the very object that is its master."""
        (master,) = scheduler.allocate(hours(8, 10), quota=2)
        book(scheduler, hours(8, 10), quota=2)
        assert master.get_master() is master
        assert master.siblings()[1].get_master() is master

    def test_is_transient(self, scheduler):
        """Stored, pending or detached records are not transient."""
        (master,) = scheduler.allocate(hours(8, 10), quota=2)
        assert not master.is_transient
        assert master.siblings()[1].is_transient
        assert not detached(scheduler, day=1).is_transient


class TestFindSpot:
    def test_master_first(self, scheduler):
        """The master is preferred as long as it is free."""
        (master,) = scheduler.allocate(hours(8, 10), quota=3)
        assert master.find_spot(*hours(8, 10)) is master

    def test_then_the_mirrors_in_order(self, scheduler):
        """Places are filled by their number."""
        (master,) = scheduler.allocate(hours(8, 10), quota=3)
        uuids = [master.resource, *generate_uuids(master.resource, 3)]
        for uuid in uuids:
            assert master.find_spot(*hours(8, 10)).resource == uuid
            book(scheduler, hours(8, 10))
        assert master.find_spot(*hours(8, 10)) is None

    def test_gaps_first(self, scheduler):
        """A place that has become free is found before later ones."""
        (master,) = scheduler.allocate(hours(8, 10), quota=4)
        tokens = [book(scheduler, hours(8, 10)) for _ in range(3)]
        scheduler.remove_reservation(tokens[1])
        spot = master.find_spot(*hours(8, 10))
        assert spot.resource == generate_uuids(master.resource, 4)[0]
        assert not spot.is_transient

    def test_one_place_taken(self, scheduler):
        """With a quota of 1 there is no second place."""
        (master,) = scheduler.allocate(hours(8, 10))
        book(scheduler, hours(8, 10))
        assert master.find_spot(*hours(8, 10)) is None

    def test_only_the_range_counts(self, scheduler):
        """A place may be taken at other times of the allocation."""
        (master,) = scheduler.allocate(hours(8, 12), quota=2, partly_available=True)
        book(scheduler, hours(8, 9))
        assert master.find_spot(*hours(9, 10)) is master
        assert master.find_spot(*hours(8.5, 9.5)) is not master


class TestQuotaLeft:
    def test_one_place(self, scheduler):
        """With a quota of 1 it is 1 or 0."""
        (master,) = scheduler.allocate(hours(8, 10))
        assert master.quota_left == 1
        book(scheduler, hours(8, 10))
        assert master.quota_left == 0

    def test_several_places(self, scheduler):
        """Every sibling that is free counts, stored or not."""
        (master,) = scheduler.allocate(hours(8, 10), quota=5)
        left = [master.quota_left]
        for quota in (1, 3, 1):
            book(scheduler, hours(8, 10), quota=quota)
            left.append(master.quota_left)
        assert left == [5, 4, 1, 0]

    def test_a_part_is_enough(self, scheduler):
        """A place of which a part is taken is not left."""
        (master,) = scheduler.allocate(hours(8, 12), quota=3, partly_available=True)
        book(scheduler, hours(8, 8.5))
        assert master.quota_left == 2

    def test_blocked(self, scheduler):
        """A blocker takes all places."""
        (master,) = scheduler.allocate(hours(8, 10), quota=3)
        scheduler.add_blocker(hours(8, 10))
        assert master.quota_left == 0


class TestGroup:
    def test_in_group(self, scheduler):
        """A group begins with two allocations of a resource."""
        one, other = scheduler.allocate([hours(8, 9), hours(10, 11)], grouped=True)
        assert one.in_group
        assert not one.is_separate
        scheduler.remove_allocation(id=other.id)
        assert not one.in_group
        assert one.is_separate

    def test_a_mirror_makes_no_group(self, scheduler):
        """Mirrors share the group of their master but not its resource."""
        (master,) = scheduler.allocate(hours(8, 10), quota=3)
        book(scheduler, hours(8, 10), quota=3)
        assert not master.in_group

    def test_needs_a_session(self, scheduler):
        """Without a session the group is unknown."""
        allocation = detached(scheduler)
        with pytest.raises(AssertionError):
            _ = allocation.in_group

    def test_partly_available_is_separate(self):
        """Partly available and grouped exclude each other: no session is needed."""
        assert Allocation(partly_available=True).is_separate


class TestWaitingList:
    def test_pending_reservations(self, scheduler):
        """The ids of the pending reservations are a query, its count the list."""
        (master,) = scheduler.allocate(hours(8, 10), approve_manually=True)
        tokens = [scheduler.reserve(EMAIL, hours(8, 10)) for _ in range(3)]
        ids = {scheduler.reservations_by_token(token).one().id for token in tokens}
        assert isinstance(master.pending_reservations, Query)
        assert {row[0] for row in master.pending_reservations} == ids
        assert master.waitinglist_length == 3

    def test_approved_ones_wait_no_more(self, scheduler):
        """Approval ends the waiting."""
        (master,) = scheduler.allocate(hours(8, 10), approve_manually=True)
        book(scheduler, hours(8, 10))
        assert master.waitinglist_length == 0

    def test_same_for_mirrors(self, scheduler):
        """Everyone of a group waits in the same list."""
        (master,) = scheduler.allocate(hours(8, 10), quota=2, approve_manually=True)
        book(scheduler, hours(8, 10), quota=2)
        scheduler.reserve(EMAIL, hours(8, 10))
        assert [s.waitinglist_length for s in master.siblings()] == [1, 1]

    def test_transient(self):
        """Nobody waits for what is not stored."""
        with pytest.raises(AssertionError):
            _ = Allocation().pending_reservations

    def test_detached(self, scheduler):
        """Without a session the waiting list is unknown."""
        allocation = detached(scheduler)
        with pytest.raises(AssertionError):
            _ = allocation.pending_reservations


class TestSlots:
    def test_availability_is_about_the_record(self, scheduler):
        """Every place has an availability of its own."""
        (master,) = scheduler.allocate(hours(8, 10), quota=3)
        book(scheduler, hours(8, 10), quota=2)
        assert [s.availability for s in master.siblings()] == [0.0, 0.0, 100.0]

    @pytest.mark.damaged("takes a reservation its slots")
    def test_slots_go_with_the_list(self, scheduler):
        """A slot that leaves the list of its allocation is deleted."""
        (master,) = scheduler.allocate(hours(8, 10))
        book(scheduler, hours(8, 10))
        scheduler.commit()
        master.reserved_slots.clear()
        scheduler.commit()
        assert scheduler.managed_reserved_slots().count() == 0

    @pytest.mark.damaged("the slot is no reservation's")
    def test_slot_made_by_hand(self, scheduler):
        """A slot that an application appends is stored with its allocation."""
        (master,) = scheduler.allocate(hours(8, 10))
        slot = ReservedSlot()
        slot.resource, slot.start, slot.end = master.resource, master.start, master.end
        slot.source_type, slot.source_id = "reservation", 1
        slot.reservation_token = master.group
        master.reserved_slots.append(slot)
        scheduler.commit()
        stored = scheduler.managed_reserved_slots().one()
        assert stored.allocation_id == master.id
        assert not master.is_available()
