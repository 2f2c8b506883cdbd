"""Removing allocations: one by one, by group, or all that nobody has used."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import NoResultFound

from libres.modules import errors

MONDAY = datetime.fromisoformat("2030-06-03")
WEEK = (MONDAY, MONDAY + timedelta(days=7))
EMAIL = "test@example.org"


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    midnight = MONDAY + timedelta(days=day)
    return midnight + timedelta(hours=start), midnight + timedelta(hours=end)


def book(scheduler, dates, quota=1):
    """Reserve and approve; return the token."""
    token = scheduler.reserve(EMAIL, dates, quota=quota)
    scheduler.approve_reservations(token)
    return token


def days_left(scheduler):
    """The days of the week (Monday is 0) that are still allocated."""
    scheduler.commit()
    masters = [a for a in scheduler.managed_allocations() if a.is_master]
    return sorted(a.display_start().weekday() for a in masters)


class TestRemoveAllocation:
    def test_by_id(self, scheduler):
        """The allocation of the id goes, others stay."""
        removed, other = scheduler.allocate([hours(8, 10), hours(12, 14)])
        scheduler.remove_allocation(removed.id)
        scheduler.commit()
        assert scheduler.managed_allocations().all() == [other]

    def test_mirrors_go_along(self, scheduler):
        """Stored mirrors are removed with their master."""
        (master,) = scheduler.allocate(hours(8, 10), quota=3)
        scheduler.remove_reservation(book(scheduler, hours(8, 10), quota=3))
        assert scheduler.managed_allocations().count() == 3
        scheduler.remove_allocation(id=master.id)
        assert scheduler.managed_allocations().count() == 0

    def test_by_groups(self, scheduler):
        """All allocations of the groups go, their mirrors included."""
        first = scheduler.allocate([hours(8, 9), hours(10, 11)], grouped=True, quota=2)
        second = scheduler.allocate([hours(12, 13), hours(14, 15)], grouped=True)
        (other,) = scheduler.allocate(hours(16, 17))
        token = scheduler.reserve(EMAIL, group=first[0].group, quota=2)
        scheduler.approve_reservations(token)
        scheduler.remove_reservation(token)
        scheduler.remove_allocation(groups=[first[0].group, second[0].group])
        scheduler.commit()
        assert scheduler.managed_allocations().all() == [other]

    def test_the_id_comes_first(self, scheduler):
        """With an id, groups are ignored."""
        removed, other = scheduler.allocate([hours(8, 10), hours(12, 14)])
        scheduler.remove_allocation(id=removed.id, groups=[other.group])
        scheduler.commit()
        assert scheduler.managed_allocations().all() == [other]

    @pytest.mark.parametrize(
        "options", [{}, {"id": None}, {"groups": []}, {"id": 0, "groups": ()}]
    )
    def test_what_to_remove_must_be_said(self, scheduler, options):
        """Without id and groups nothing is removed."""
        scheduler.allocate(hours(8, 10))
        with pytest.raises(NotImplementedError) as caught:
            scheduler.remove_allocation(**options)
        assert str(caught.value)
        assert scheduler.managed_allocations().count() == 1

    def test_unknown_id(self, scheduler):
        """An id that is not there cannot be removed."""
        with pytest.raises(NoResultFound):
            scheduler.remove_allocation(4711)

    def test_unknown_group(self, scheduler):
        """Of an unknown group there is nothing to remove."""
        scheduler.allocate(hours(8, 10))
        scheduler.remove_allocation(groups=[uuid4()])
        assert scheduler.managed_allocations().count() == 1

    @pytest.mark.parametrize("by", ["id", "group"])
    def test_foreign(self, scheduler_factory, by):
        """Allocations of another resource are not ours to remove."""
        other, room = scheduler_factory(name="other"), scheduler_factory(name="room")
        (foreign,) = other.allocate(hours(8, 10))
        if by == "id":
            with pytest.raises((NoResultFound, AssertionError)):
                room.remove_allocation(foreign.id)
        else:
            room.remove_allocation(groups=[foreign.group])
        other.commit()
        assert other.managed_allocations().all() == [foreign]

    def test_reserved(self, scheduler):
        """What is reserved stays; the first slot is told."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        book(scheduler, hours(8, 10))
        with pytest.raises(errors.AffectedReservationError) as caught:
            scheduler.remove_allocation(allocation.id)
        assert type(caught.value) is errors.AffectedReservationError
        assert caught.value.existing == scheduler.managed_reserved_slots().one()
        assert str(caught.value)
        assert scheduler.managed_allocations().count() == 1

    def test_reserved_on_a_mirror(self, scheduler):
        """A slot on any place counts."""
        (master,) = scheduler.allocate(hours(8, 10), quota=2)
        first = book(scheduler, hours(8, 10))
        book(scheduler, hours(8, 10))
        scheduler.remove_reservation(first)
        with pytest.raises(errors.AffectedReservationError):
            scheduler.remove_allocation(master.id)

    def test_blocked(self, scheduler):
        """What is blocked stays."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        scheduler.add_blocker(hours(8, 10))
        with pytest.raises(errors.AffectedReservationError):
            scheduler.remove_allocation(allocation.id)

    def test_awaited(self, scheduler):
        """Someone waits for it: it stays; his id is told."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        token = scheduler.reserve(EMAIL, hours(8, 10))
        with pytest.raises(errors.AffectedPendingReservationError) as caught:
            scheduler.remove_allocation(allocation.id)
        waiting = scheduler.reservations_by_token(token).one()
        assert caught.value.existing.id == waiting.id
        assert str(caught.value)

    def test_all_or_nothing(self, scheduler):
        """All are checked before the first is removed."""
        free, taken = scheduler.allocate([hours(8, 10), hours(12, 14)])
        book(scheduler, hours(12, 14))
        with pytest.raises(errors.AffectedReservationError):
            scheduler.remove_allocation(groups=[free.group, taken.group])
        scheduler.commit()
        assert scheduler.managed_allocations().count() == 2

    def test_can_be_allocated_again(self, scheduler):
        """Where something was removed there is room, within the same session."""
        (removed,) = scheduler.allocate(hours(8, 10))
        scheduler.remove_allocation(removed.id)
        (again,) = scheduler.allocate(hours(8, 10))
        assert scheduler.managed_allocations().all() == [again]


class TestRange:
    @pytest.mark.parametrize(
        ("start", "end", "left"),
        [
            pytest.param(*WEEK, [], id="the week"),
            pytest.param(*hours(8, 10, 2), [0, 1, 3, 4, 5, 6], id="exactly"),
            pytest.param(*hours(8.5, 12, 2), [*range(7)], id="not the start"),
            pytest.param(*hours(0, 9.5, 2), [*range(7)], id="not the end"),
            pytest.param(*hours(9, 58), [0, 3, 4, 5, 6], id="over three days"),
            pytest.param(
                date(2030, 6, 4), date(2030, 6, 6), [0, 3, 4, 5, 6], id="dates"
            ),
            pytest.param(
                datetime.fromisoformat("2030-06-04 06:00+00:00"),
                datetime.fromisoformat("2030-06-04 08:00+00:00"),
                [0, 2, 3, 4, 5, 6],
                id="aware",
            ),
        ],
    )
    def test_within(self, scheduler, start, end, left):
        """What lies within the range goes and is counted; dates are local 0:00."""
        scheduler.allocate(hours(8, 10, day) for day in range(7))
        assert scheduler.remove_unused_allocations(start, end) == 7 - len(left)
        assert days_left(scheduler) == left

    def test_local_midnight(self, scheduler_factory):
        """A date begins at midnight of the scheduler's zone."""
        scheduler = scheduler_factory(timezone="America/New_York")
        scheduler.allocate([hours(22, 24), hours(0, 2, 1)])
        removed = scheduler.remove_unused_allocations(
            date(2030, 6, 4), date(2030, 6, 5)
        )
        assert removed == 1
        assert days_left(scheduler) == [0]

    def test_foreign(self, scheduler_factory):
        """Allocations of other resources are never removed."""
        other = scheduler_factory(name="other")
        other.allocate(hours(8, 10))
        assert scheduler_factory(name="room").remove_unused_allocations(*WEEK) == 0
        assert days_left(other) == [0]


class TestUnused:
    @pytest.mark.parametrize("use", ["pending", "approved", "denied", "blocked"])
    def test_what_counts_as_use(self, scheduler, use):
        """Pending, approved and blocked ones stay; what was denied is unused again."""
        scheduler.allocate(hours(8, 10, day) for day in range(3))
        if use == "blocked":
            scheduler.add_blocker(hours(8, 10, 1))
        else:
            token = scheduler.reserve(EMAIL, hours(8, 10, 1))
        if use == "approved":
            scheduler.approve_reservations(token)
        if use == "denied":
            scheduler.deny_reservation(token)
        left = [] if use == "denied" else [1]
        assert scheduler.remove_unused_allocations(*WEEK) == 3 - len(left)
        assert days_left(scheduler) == left

    @pytest.mark.damaged("takes a blocker its slots")
    def test_record_of_a_blocker(self, scheduler):
        """A blocker without slots is a use as well, like a pending reservation."""
        scheduler.allocate(hours(8, 10))
        (blocker,) = scheduler.add_blocker(hours(8, 10))
        scheduler.reserved_slots_by_blocker(blocker.token).delete("fetch")
        assert scheduler.remove_unused_allocations(*WEEK) == 0

    def test_mirrors_are_counted(self, scheduler):
        """Stored mirrors that are free again go with their master."""
        scheduler.allocate(hours(8, 10), quota=3)
        scheduler.remove_reservation(book(scheduler, hours(8, 10), quota=2))
        assert scheduler.remove_unused_allocations(*WEEK) == 2
        assert days_left(scheduler) == []

    def test_free_places_of_a_used_one(self, scheduler):
        """As long as one place is used, all records stay."""
        scheduler.allocate(hours(8, 10), quota=3)
        first = book(scheduler, hours(8, 10), quota=2)
        book(scheduler, hours(8, 10))
        scheduler.remove_reservation(first)
        assert scheduler.remove_unused_allocations(*WEEK) == 0
        assert scheduler.managed_allocations().count() == 3

    def test_group_within(self, scheduler):
        """A group that lies within the range is removed with all its members."""
        scheduler.allocate([hours(8, 10), hours(8, 10, 2)], grouped=True)
        assert scheduler.remove_unused_allocations(*WEEK) == 2

    def test_group_reaching_out(self, scheduler):
        """A group stays whole if one of its members lies outside."""
        scheduler.allocate([hours(8, 10), hours(8, 10, 2)], grouped=True)
        assert scheduler.remove_unused_allocations(*hours(0, 24)) == 0
        assert days_left(scheduler) == [0, 2]

    def test_group_reserved(self, scheduler):
        """A group stays whole if someone has reserved it."""
        masters = scheduler.allocate([hours(8, 10), hours(8, 10, 2)], grouped=True)
        scheduler.reserve(EMAIL, group=masters[0].group)
        assert scheduler.remove_unused_allocations(*WEEK) == 0

    def test_exclude_groups(self, scheduler):
        """exclude_groups leaves groups of more than one record alone."""
        scheduler.allocate([hours(8, 10), hours(8, 10, 2)], grouped=True)
        scheduler.allocate(hours(8, 10, 4))
        assert scheduler.remove_unused_allocations(*WEEK, exclude_groups=True) == 1
        assert days_left(scheduler) == [0, 2]


class TestDays:
    @pytest.mark.parametrize(
        ("days", "left"),
        [
            pytest.param(["mo", "we"], [1, 3, 4, 5, 6], id="names"),
            pytest.param([0, 2], [1, 3, 4, 5, 6], id="numbers"),
            pytest.param(["mo", 6], [1, 2, 3, 4, 5], id="both"),
            pytest.param(("su",), [0, 1, 2, 3, 4, 5], id="tuple"),
            pytest.param({"fr", "sa"}, [0, 1, 2, 3, 6], id="set"),
            pytest.param([], [], id="empty: any"),
            pytest.param(None, [], id="none: any"),
        ],
    )
    def test_weekdays(self, scheduler, days, left):
        """Only allocations that start on one of the weekdays are removed."""
        scheduler.allocate(hours(8, 10, day) for day in range(7))
        removed = scheduler.remove_unused_allocations(*WEEK, days=days)
        assert removed == 7 - len(left)
        assert days_left(scheduler) == left

    def test_local_weekday(self, scheduler_factory):
        """The weekday is the one in the zone of the scheduler."""
        scheduler = scheduler_factory(timezone="America/New_York")
        scheduler.allocate([hours(21, 23), hours(21, 23, 1)])
        assert scheduler.remove_unused_allocations(*WEEK, days=["tu"]) == 1
        assert days_left(scheduler) == [0]

    def test_groups_are_exempt(self, scheduler):
        """With days, only groups with one single record are considered."""
        scheduler.allocate([hours(8, 9), hours(10, 11)], grouped=True)
        scheduler.allocate(hours(12, 14))
        assert scheduler.remove_unused_allocations(*WEEK, days=["mo"]) == 1
        assert days_left(scheduler) == [0, 0]

    def test_stored_mirrors_are_exempt(self, scheduler):
        """With days, allocations with stored mirrors stay as well."""
        scheduler.allocate(hours(8, 10), quota=2)
        scheduler.remove_reservation(book(scheduler, hours(8, 10), quota=2))
        assert scheduler.remove_unused_allocations(*WEEK, days=["mo"]) == 0
        assert scheduler.remove_unused_allocations(*WEEK) == 2
