"""Moving an allocation: new times, group, quota, approval, data."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import NoResultFound

from libres.modules import errors

MONDAY = datetime.fromisoformat("2030-06-03")
TICK = timedelta(microseconds=1)
EMAIL = "test@example.org"


def at(text):
    """Read a time; without an offset it is naive, so local to the scheduler."""
    return datetime.fromisoformat(text)


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def shown(allocation):
    """What a person reads on the wall: naive local start and end."""
    return (
        allocation.display_start().replace(tzinfo=None),
        allocation.display_end().replace(tzinfo=None),
    )


def reloaded(scheduler, allocation):
    """What is in the database, whatever the object says."""
    scheduler.session.flush()
    scheduler.session.refresh(allocation)
    return allocation


def book(scheduler, dates, quota=1):
    """Reserve and approve; return the token."""
    token = scheduler.reserve(EMAIL, dates, quota=quota)
    scheduler.approve_reservations(token)
    return token


class TestArguments:
    def test_an_id_is_needed(self, scheduler):
        """Without an id there is nothing to move."""
        with pytest.raises(AssertionError):
            scheduler.move_allocation(None, *hours(8, 10))

    @pytest.mark.parametrize(
        "options",
        [
            pytest.param({}, id="nothing"),
            pytest.param({"new_start": hours(8, 9)[0]}, id="one date alone"),
            pytest.param({"approve_manually": True}, id="approval alone"),
            pytest.param({"quota_limit": 2}, id="limit alone"),
            pytest.param({"data": {"a": 1}}, id="data alone"),
        ],
    )
    def test_something_to_do_is_needed(self, scheduler, options):
        """Both dates, a group or a quota must be given."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        with pytest.raises(AssertionError) as caught:
            scheduler.move_allocation(allocation.id, **options)
        assert str(caught.value)

    def test_unknown_id(self, scheduler):
        """An id that is not there cannot be moved."""
        with pytest.raises(NoResultFound):
            scheduler.move_allocation(4711, *hours(8, 10))

    def test_foreign_id(self, scheduler_factory):
        """An allocation of another resource cannot be moved."""
        (foreign,) = scheduler_factory(name="other").allocate(hours(8, 10))
        with pytest.raises(NoResultFound):
            scheduler_factory(name="room").move_allocation(foreign.id, *hours(10, 12))

    def test_another_zone(self, scheduler):
        """The zone of a scheduler must not change once it has allocations."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        scheduler.timezone = "America/New_York"
        with pytest.raises(AssertionError):
            scheduler.move_allocation(allocation.id, *hours(10, 12))


class TestTimes:
    def test_new_times(self, scheduler):
        """The allocation has the new times, local ones if they are naive."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        assert scheduler.move_allocation(allocation.id, *hours(12, 15, 1)) is None
        assert shown(reloaded(scheduler, allocation)) == hours(12, 15, 1)

    def test_aware_times(self, scheduler):
        """Aware times are converted."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        start, end = at("2030-06-03 10:00+00:00"), at("2030-06-03 11:00+00:00")
        scheduler.move_allocation(allocation.id, start, end)
        assert shown(reloaded(scheduler, allocation)) == hours(12, 13)

    def test_a_missing_date_stays(self, scheduler):
        """A date that is left out is the present one."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        end = at("2030-06-03 12:00+02:00")
        scheduler.move_allocation(allocation.id, new_end=end, new_quota=1)
        assert shown(reloaded(scheduler, allocation)) == hours(8, 12)
        scheduler.move_allocation(allocation.id, group=uuid4())
        assert shown(reloaded(scheduler, allocation)) == hours(8, 12)

    def test_over_itself(self, scheduler):
        """An allocation is not in its own way."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        scheduler.move_allocation(allocation.id, *hours(9, 11))
        assert shown(reloaded(scheduler, allocation)) == hours(9, 11)

    def test_rasterised(self, scheduler):
        """New times are rasterised with the raster of the allocation."""
        (allocation,) = scheduler.allocate(hours(8, 10), raster=30)
        scheduler.move_allocation(allocation.id, *hours(8.2, 10.7))
        assert shown(reloaded(scheduler, allocation)) == hours(8, 11)

    def test_whole_day(self, scheduler):
        """whole_day aligns the new times to the day."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        scheduler.move_allocation(allocation.id, *hours(9, 11, 1), whole_day=True)
        assert shown(reloaded(scheduler, allocation)) == hours(24, 48)

    @pytest.mark.parametrize("dates", [hours(12, 10), hours(34, 9)])
    def test_reversed(self, scheduler, dates):
        """The end may not lie before the start."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        with pytest.raises(errors.InvalidAllocationError):
            scheduler.move_allocation(allocation.id, *dates)
        assert shown(reloaded(scheduler, allocation)) == hours(8, 10)

    def test_in_the_way(self, scheduler):
        """Where another allocation is, nothing can be moved to."""
        moving, existing = scheduler.allocate([hours(8, 10), hours(12, 14)])
        with pytest.raises(errors.OverlappingAllocationError) as caught:
            scheduler.move_allocation(moving.id, *hours(11, 13))
        assert caught.value.existing is existing
        assert caught.value.start == at("2030-06-03 11:00+02:00")
        assert caught.value.end == at("2030-06-03 13:00+02:00") - TICK
        assert shown(reloaded(scheduler, moving)) == hours(8, 10)

    def test_next_to_another(self, scheduler):
        """An allocation may be moved up to another one."""
        moving, _ = scheduler.allocate([hours(8, 10), hours(12, 14)])
        scheduler.move_allocation(moving.id, *hours(10, 12))
        assert shown(reloaded(scheduler, moving)) == hours(10, 12)

    def test_mirrors_move_along(self, scheduler):
        """Stored mirrors keep the times of their master."""
        (master,) = scheduler.allocate(hours(8, 12), partly_available=True, quota=3)
        book(scheduler, hours(10, 11), quota=2)
        scheduler.move_allocation(master.id, *hours(9, 13))
        scheduler.commit()
        records = scheduler.managed_allocations().all()
        assert len(records) == 2
        assert {shown(record) for record in records} == {hours(9, 13)}
        assert master.find_spot(*hours(9, 10)) is master


class TestReservations:
    @pytest.mark.parametrize(
        "dates",
        [
            pytest.param(hours(8, 10.5), id="end within"),
            pytest.param(hours(10.5, 12), id="start within"),
            pytest.param(hours(12, 14), id="elsewhere"),
            pytest.param(hours(8, 12, 1), id="another day"),
        ],
    )
    @pytest.mark.parametrize("approved", [True, False], ids=["approved", "pending"])
    def test_partly_available(self, scheduler, dates, approved):
        """Approved slots and pending times must lie within the new times."""
        (allocation,) = scheduler.allocate(hours(8, 12), partly_available=True)
        token = scheduler.reserve(EMAIL, hours(10, 11))
        if approved:
            scheduler.approve_reservations(token)
        with pytest.raises(errors.AffectedReservationError) as caught:
            scheduler.move_allocation(allocation.id, *dates)
        pending = errors.AffectedPendingReservationError
        assert (type(caught.value) is pending) is not approved
        start = at("2030-06-03 10:00+02:00")
        assert start <= caught.value.existing.start < start + timedelta(hours=1)
        assert shown(reloaded(scheduler, allocation)) == hours(8, 12)

    @pytest.mark.parametrize("approved", [True, False], ids=["approved", "pending"])
    @pytest.mark.parametrize("dates", [hours(10, 11), hours(9.5, 14), hours(6, 11)])
    def test_partly_available_within(self, scheduler, dates, approved):
        """Times that still hold what is reserved are fine."""
        (allocation,) = scheduler.allocate(hours(8, 12), partly_available=True)
        token = scheduler.reserve(EMAIL, hours(10, 11))
        if approved:
            scheduler.approve_reservations(token)
        scheduler.move_allocation(allocation.id, *dates)
        assert shown(reloaded(scheduler, allocation)) == dates

    def test_slots_of_mirrors_count(self, scheduler):
        """A place other than the first holds the allocation as well."""
        (master,) = scheduler.allocate(hours(8, 12), partly_available=True, quota=2)
        first = book(scheduler, hours(10, 11))
        book(scheduler, hours(10, 11))
        scheduler.remove_reservation(first)
        with pytest.raises(errors.AffectedReservationError):
            scheduler.move_allocation(master.id, *hours(11, 14))

    def test_taken_as_a_whole(self, scheduler):
        """Times of what is reserved as a whole cannot change; the slot is told."""
        (allocation,) = scheduler.allocate(hours(8, 12))
        book(scheduler, hours(8, 12))
        with pytest.raises(errors.AffectedReservationError) as caught:
            scheduler.move_allocation(allocation.id, *hours(7, 13))
        assert type(caught.value) is errors.AffectedReservationError
        assert caught.value.existing == scheduler.managed_reserved_slots().one()
        assert str(caught.value)

    def test_awaited_as_a_whole(self, scheduler):
        """Someone waiting holds the times as well; his id is told."""
        (allocation,) = scheduler.allocate(hours(8, 12))
        token = scheduler.reserve(EMAIL, hours(8, 12))
        with pytest.raises(errors.AffectedPendingReservationError) as caught:
            scheduler.move_allocation(allocation.id, *hours(7, 13))
        waiting = scheduler.reservations_by_token(token).one()
        assert caught.value.existing.id == waiting.id

    def test_blocked(self, scheduler):
        """A blocker holds the times like a reservation."""
        (allocation,) = scheduler.allocate(hours(8, 12))
        scheduler.add_blocker(hours(8, 12))
        with pytest.raises(errors.AffectedReservationError):
            scheduler.move_allocation(allocation.id, *hours(12, 14))

    def test_same_times_change_nothing(self, scheduler):
        """What is reserved may get other data if its times stay."""
        (allocation,) = scheduler.allocate(hours(8, 12))
        book(scheduler, hours(8, 12))
        scheduler.move_allocation(allocation.id, *hours(8, 12), data={"a": 1})
        assert reloaded(scheduler, allocation).data == {"a": 1}


GROUPED = {"grouped": True, "quota": 2}


class TestGroupAndQuota:
    def test_into_a_group(self, scheduler):
        """An allocation joins the group that is given."""
        one, other = scheduler.allocate([hours(8, 10), hours(12, 14)])
        scheduler.move_allocation(one.id, group=other.group)
        assert reloaded(scheduler, one).group == other.group
        assert one.in_group
        assert other.in_group

    def test_mirrors_join_along(self, scheduler):
        """Stored mirrors are in the group of their master."""
        (master,) = scheduler.allocate(hours(8, 12), quota=3)
        token = book(scheduler, hours(8, 12), quota=3)
        scheduler.remove_reservation(token)
        group = uuid4()
        scheduler.move_allocation(master.id, group=group)
        scheduler.commit()
        assert [a.group for a in scheduler.managed_allocations()] == [group] * 3

    def test_reservations_follow(self, scheduler):
        """What is about an allocation is about its new group, pending or not."""
        one, other = scheduler.allocate([hours(8, 10), hours(12, 14)], quota=2)
        booked = book(scheduler, hours(8, 10))
        waiting = scheduler.reserve(EMAIL, hours(8, 10))
        elsewhere = scheduler.reserve(EMAIL, hours(12, 14))
        scheduler.move_allocation(one.id, group=uuid4())
        scheduler.commit()
        targets = {r.token: r.target for r in scheduler.managed_reservations()}
        assert targets == {
            booked: one.group,
            waiting: one.group,
            elsewhere: other.group,
        }
        scheduler.remove_reservation(booked)
        with pytest.raises(errors.AffectedPendingReservationError):
            scheduler.remove_allocation(one.id)

    def test_blockers_follow(self, scheduler):
        """So that what is blocked is not taken for unused."""
        (one,) = scheduler.allocate(hours(8, 10))
        scheduler.add_blocker(hours(8, 10))
        scheduler.move_allocation(one.id, group=uuid4())
        (blocker,) = scheduler.managed_blockers()
        assert blocker.target == one.group

    def test_a_group_is_followed_by_its_last_member(self, scheduler):
        """What is about a group stays with it, as long as it has a member."""
        one, other = scheduler.allocate([hours(8, 10), hours(12, 14)], grouped=True)
        token = scheduler.reserve(EMAIL, group=one.group)
        left, joined = one.group, uuid4()
        scheduler.move_allocation(one.id, group=joined)
        assert scheduler.reservations_by_token(token).one().target == left
        scheduler.move_allocation(other.id, group=joined)
        assert scheduler.reservations_by_token(token).one().target == joined
        assert len(scheduler.approve_reservations(token)) == 2

    def test_a_group_stays_uniform(self, scheduler):
        """Quota, limit and approval are those of every member, times are not."""
        masters = scheduler.allocate([hours(8, 9, day) for day in range(3)], **GROUPED)
        scheduler.move_allocation(
            masters[1].id,
            *hours(9, 11, 1),
            new_quota=5,
            approve_manually=True,
            quota_limit=2,
        )
        settings = {
            (m.quota, m.approve_manually, m.quota_limit)
            for m in (reloaded(scheduler, master) for master in masters)
        }
        assert settings == {(5, True, 2)}
        times = [hours(8, 9), hours(9, 11, 1), hours(8, 9, 2)]
        assert [shown(master) for master in masters] == times

    def test_joining_with_settings(self, scheduler):
        """What joins a group gets the new settings, like the group."""
        members = scheduler.allocate([hours(8, 9), hours(10, 11)], **GROUPED)
        (joining,) = scheduler.allocate(hours(12, 13))
        scheduler.move_allocation(
            joining.id, group=members[0].group, new_quota=4, approve_manually=True
        )
        settings = {
            (m.group, m.quota, m.approve_manually)
            for m in (reloaded(scheduler, master) for master in (*members, joining))
        }
        assert settings == {(members[0].group, 4, True)}

    def test_limit_is_left_alone(self, scheduler):
        """A limit that is not mentioned stays."""
        (allocation,) = scheduler.allocate(hours(8, 10), quota=5, quota_limit=3)
        scheduler.move_allocation(allocation.id, *hours(10, 12), new_quota=6)
        assert reloaded(scheduler, allocation).quota_limit == 3

    def test_limit_can_be_lifted(self, scheduler):
        """A limit of 0 means none."""
        (allocation,) = scheduler.allocate(hours(8, 10), quota=5, quota_limit=3)
        scheduler.move_allocation(allocation.id, *hours(8, 10), quota_limit=0)
        assert reloaded(scheduler, allocation).quota_limit == 0

    def test_approval_can_be_lifted(self, scheduler):
        """False is a value, None leaves approval alone."""
        (allocation,) = scheduler.allocate(hours(8, 10), approve_manually=True)
        scheduler.move_allocation(allocation.id, *hours(9, 11))
        assert reloaded(scheduler, allocation).approve_manually is True
        scheduler.move_allocation(allocation.id, *hours(9, 11), approve_manually=False)
        assert reloaded(scheduler, allocation).approve_manually is False

    def test_quota_too_low(self, scheduler):
        """Places that are taken cannot be moved away, and the times stay, too."""
        (allocation,) = scheduler.allocate(hours(8, 10), quota=4, data={"a": 1})
        book(scheduler, hours(8, 10), quota=3)
        scheduler.commit()
        with pytest.raises(errors.AffectedReservationError):
            scheduler.move_allocation(
                allocation.id, new_quota=2, group=uuid4(), data=None
            )
        reloaded(scheduler, allocation)
        assert (allocation.quota, allocation.data) == (4, {"a": 1})
        assert scheduler.managed_reserved_slots().count() == 3

    @pytest.mark.parametrize("booked", [0, 1])
    def test_too_low_a_quota_changes_nothing(self, scheduler, booked):
        """If one member cannot be lowered, no member gets any of the new terms."""
        members = scheduler.allocate([hours(8, 9), hours(10, 11)], quota=2)
        book(scheduler, hours(8, 9) if booked == 0 else hours(10, 11), quota=2)
        scheduler.move_allocation(members[1].id, group=members[0].group)
        with pytest.raises(errors.AffectedReservationError):
            scheduler.move_allocation(
                members[0].id, new_quota=1, approve_manually=True, quota_limit=1
            )
        terms = [
            (each.quota, each.quota_limit, each.approve_manually)
            for each in scheduler.managed_allocations()
            if each.is_master
        ]
        assert terms == [(2, 0, False)] * 2


class TestData:
    def test_left_alone(self, scheduler):
        """Data that are not mentioned stay."""
        (allocation,) = scheduler.allocate(hours(8, 10), data={"a": 1})
        scheduler.move_allocation(allocation.id, *hours(10, 12))
        assert reloaded(scheduler, allocation).data == {"a": 1}

    def test_none_is_a_value(self, scheduler):
        """Data None empties them."""
        (allocation,) = scheduler.allocate(hours(8, 10), data={"a": 1})
        scheduler.move_allocation(allocation.id, *hours(10, 12), data=None)
        assert reloaded(scheduler, allocation).data == {}

    def test_only_what_moves(self, scheduler):
        """Other members of the group keep their data."""
        one, other = scheduler.allocate(
            [hours(8, 9), hours(10, 11)], grouped=True, data={"a": 1}
        )
        scheduler.move_allocation(one.id, *hours(8, 9), data={"b": 2})
        scheduler.commit()
        assert (one.data, other.data) == ({"b": 2}, {"a": 1})
