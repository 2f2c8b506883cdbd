"""Blockers: they take every place at once, without a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from libres.db.models import ReservationBlocker
from libres.modules import errors

MONDAY = datetime.fromisoformat("2030-06-03")
TICK = timedelta(microseconds=1)
GUEST = "guest@example.org"


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def shown(record):
    """What a person reads on the wall: naive local start and end."""
    return (
        record.display_start().replace(tzinfo=None),
        record.display_end().replace(tzinfo=None),
    )


def taken(scheduler):
    """What is taken on any place: naive local ranges, sorted."""
    return sorted(shown(slot) for slot in scheduler.managed_reserved_slots())


class TestAdd:
    def test_record(self, scheduler):
        """A blocker has times, target and reason of its own."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        (blocker,) = scheduler.add_blocker(hours(8, 10), reason="paint")
        scheduler.commit()
        assert isinstance(blocker, ReservationBlocker)
        assert (blocker.reason, blocker.target) == ("paint", allocation.group)
        assert (blocker.target_type, blocker.timezone) == (
            "allocation",
            "Europe/Zurich",
        )
        assert (shown(blocker), blocker.resource) == (hours(8, 10), scheduler.resource)

    def test_slots(self, scheduler):
        """Its slots name it as their source."""
        scheduler.allocate(hours(8, 10))
        (blocker,) = scheduler.add_blocker(hours(8, 10))
        (slot,) = scheduler.managed_reserved_slots()
        assert (slot.source_type, slot.source_id) == ("blocker", blocker.id)
        assert slot.reservation_token == blocker.token

    def test_every_place(self, scheduler):
        """All places of the quota are taken, and become records."""
        scheduler.allocate(hours(8, 10), quota=3)
        scheduler.add_blocker(hours(8, 10))
        slots = scheduler.managed_reserved_slots().all()
        assert len({slot.allocation_id for slot in slots}) == len(slots) == 3
        assert scheduler.managed_allocations().count() == 3

    def test_mirrors_that_exist(self, scheduler):
        """Places that are records already are taken as well, once."""
        scheduler.allocate(hours(8, 10), quota=3, partly_available=True, raster=60)
        scheduler.book(GUEST, hours(9, 10), quota=2)
        scheduler.add_blocker(hours(8, 9))
        assert taken(scheduler) == [hours(8, 9)] * 3 + [hours(9, 10)] * 2
        assert scheduler.managed_allocations().count() == 3

    def test_steps(self, scheduler):
        """Of a partly available allocation only the steps in range are taken."""
        scheduler.allocate(hours(8, 12), partly_available=True, raster=60)
        scheduler.add_blocker(hours(9, 11))
        assert taken(scheduler) == [hours(9, 10), hours(10, 11)]

    def test_whole(self, scheduler):
        """An indivisible allocation is blocked whole, by any part of it."""
        scheduler.allocate(hours(8, 12))
        scheduler.add_blocker(hours(9, 10))
        assert taken(scheduler) == [hours(8, 12)]

    def test_dates(self, scheduler):
        """One call gives a record per range, all of one token."""
        dates = [hours(8, 9), hours(10, 11)]
        scheduler.allocate(dates)
        blockers = scheduler.add_blocker(dates)
        assert [shown(b) for b in blockers] == dates
        assert len({b.token for b in blockers}) == 1
        assert len({b.id for b in blockers}) == 2

    def test_group(self, scheduler):
        """By group there is one record without times, over the whole of each."""
        dates = [hours(8, 9), hours(10, 11)]
        first, _ = scheduler.allocate(dates, grouped=True, quota=2)
        (blocker,) = scheduler.add_blocker(group=first.group)
        assert (blocker.target_type, blocker.target) == ("group", first.group)
        assert (blocker.start, blocker.end, blocker.timezone) == (None, None, None)
        assert taken(scheduler) == [hours(8, 9)] * 2 + [hours(10, 11)] * 2

    def test_dates_of_a_group(self, scheduler):
        """Dates that lie in a grouped allocation block its group, once."""
        dates = [hours(8, 9), hours(10, 11)]
        scheduler.allocate(dates, grouped=True)
        (blocker,) = scheduler.add_blocker(dates)
        assert blocker.target_type == "group"
        assert taken(scheduler) == dates

    def test_token_and_id(self, scheduler):
        """Token and id can be chosen by the caller."""
        scheduler.allocate(hours(8, 10))
        token = uuid4()
        (blocker,) = scheduler.add_blocker(hours(8, 10), token=token, id=4711)
        assert (blocker.token, blocker.id) == (token, 4711)
        assert scheduler.reserved_slots_by_blocker(token, 4711).count() == 1

    def test_flushed(self, scheduler):
        """Ids are known on return, also without autoflush."""
        scheduler.allocate(hours(8, 10))
        with scheduler.session.no_autoflush:
            (blocker,) = scheduler.add_blocker(hours(8, 10))
            assert blocker.id is not None

    def test_beside_pending(self, scheduler):
        """Pending reservations are in nobody's way."""
        scheduler.allocate(hours(8, 10))
        scheduler.reserve(GUEST, hours(8, 10))
        assert len(scheduler.add_blocker(hours(8, 10))) == 1


class TestEffect:
    def test_not_reservable(self, scheduler):
        """What is blocked cannot be reserved."""
        scheduler.allocate(hours(8, 10), quota=2)
        scheduler.add_blocker(hours(8, 10))
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.reserve(GUEST, hours(8, 10))

    def test_rest_is_reservable(self, scheduler):
        """Beside the blocked steps the rest can be reserved."""
        scheduler.allocate(hours(8, 12), partly_available=True, raster=60)
        scheduler.add_blocker(hours(8, 9))
        assert scheduler.book(GUEST, hours(9, 12))

    def test_availability(self, scheduler):
        """A blocked allocation is not available at all."""
        scheduler.allocate(hours(8, 10), quota=2)
        scheduler.add_blocker(hours(8, 10))
        assert scheduler.availability() == 0


class TestRefusals:
    @pytest.mark.parametrize(
        "given",
        [
            pytest.param({}, id="neither"),
            pytest.param({"dates": hours(8, 10), "group": uuid4()}, id="both"),
        ],
    )
    def test_dates_or_group(self, scheduler, given):
        """Exactly one of dates and group is needed."""
        with pytest.raises(AssertionError):
            scheduler.add_blocker(**given)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            pytest.param(
                {"dates": (hours(8, 9)[0], hours(8, 9, day=2)[1])},
                errors.ReservationTooLong,
                id="days",
            ),
            pytest.param(
                {"dates": hours(8, 8)}, errors.ReservationTooShort, id="no time"
            ),
            pytest.param(
                {"dates": hours(9, 8)}, errors.ReservationTooShort, id="reversed"
            ),
            pytest.param(
                {"dates": hours(8, 10)}, errors.AlreadyReservedError, id="one taken"
            ),
            pytest.param(
                {"dates": hours(12, 14)},
                errors.AlreadyReservedError,
                id="manual approval does not help",
            ),
            pytest.param(
                {"dates": hours(15, 17)}, errors.TimerangeTooLong, id="reaching beyond"
            ),
            pytest.param(
                {"dates": hours(20, 21)},
                errors.InvalidReservationError,
                id="nothing there",
            ),
            pytest.param(
                {"group": uuid4()}, errors.NotReservableError, id="unknown group"
            ),
        ],
    )
    def test_table(self, scheduler, given, expected):
        """Each situation has its error, and no slot is written."""
        scheduler.allocate(hours(8, 10), quota=2)
        scheduler.allocate(hours(12, 14), quota=2, approve_manually=True)
        scheduler.allocate(hours(16, 18))
        scheduler.book(GUEST, [hours(8, 10), hours(12, 14)])
        with pytest.raises(errors.LibresError) as raised:
            scheduler.add_blocker(**given)
        assert raised.type is expected
        assert len(taken(scheduler)) == 2

    def test_blocked_already(self, scheduler):
        """What is blocked cannot be blocked again."""
        scheduler.allocate(hours(8, 10))
        scheduler.add_blocker(hours(8, 10))
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.add_blocker(hours(8, 10))

    def test_member_taken(self, scheduler):
        """A group of which one member is taken cannot be blocked."""
        dates = [hours(8, 9), hours(10, 11)]
        first, _ = scheduler.allocate(dates, grouped=True, quota=2)
        scheduler.book(GUEST, group=first.group)
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.add_blocker(group=first.group)


class TestRemove:
    def test_all(self, scheduler):
        """A removed blocker frees every place."""
        scheduler.allocate(hours(8, 10), quota=3)
        (blocker,) = scheduler.add_blocker(hours(8, 10))
        scheduler.remove_blocker(blocker.token)
        assert (taken(scheduler), scheduler.managed_blockers().count()) == ([], 0)
        assert scheduler.book(GUEST, hours(8, 10), quota=3)

    def test_by_id(self, scheduler):
        """With an id only that record goes; its siblings keep their slots."""
        dates = [hours(8, 9), hours(10, 11)]
        scheduler.allocate(dates)
        first, second = scheduler.add_blocker(dates)
        kept, token = second.id, second.token
        scheduler.remove_blocker(token, first.id)
        assert [b.id for b in scheduler.managed_blockers()] == [kept]
        assert taken(scheduler) == [hours(10, 11)]

    def test_reservations_stay(self, scheduler):
        """A reservation that has the same token keeps its slots."""
        scheduler.allocate([hours(8, 9), hours(10, 11)])
        (booked,) = scheduler.book(GUEST, hours(8, 9))
        token = booked.token
        scheduler.add_blocker(hours(10, 11), token=token)
        scheduler.remove_blocker(token)
        assert taken(scheduler) == [hours(8, 9)]
        assert scheduler.reservations_by_token(token).count() == 1

    def test_objects_are_fresh(self, scheduler):
        """An allocation that was loaded before shows that its slots are gone."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        token = scheduler.add_blocker(hours(8, 10))[0].token
        scheduler.session.refresh(allocation)
        assert len(allocation.reserved_slots) == 1
        scheduler.remove_blocker(token)
        assert allocation.reserved_slots == []


class TestReason:
    def test_changed(self, scheduler):
        """The reason is changed on all records of the token."""
        dates = [hours(8, 9), hours(10, 11)]
        scheduler.allocate(dates)
        token = scheduler.add_blocker(dates, reason="paint")[0].token
        scheduler.change_blocker_reason(token, "varnish")
        scheduler.commit()
        assert [b.reason for b in scheduler.managed_blockers()] == ["varnish"] * 2


class TestChange:
    @pytest.fixture
    def blocked(self, scheduler):
        """An hour, blocked, of a room that is open from 8 to 12."""
        scheduler.allocate(hours(8, 12), partly_available=True, raster=60)
        return scheduler.add_blocker(hours(8, 9), reason="paint")[0]

    def test_moved(self, scheduler, blocked):
        """A blocker moves with its slots and keeps reason, token and id."""
        before = blocked.token, blocked.id, blocked.reason
        changed = scheduler.change_blocker(*before[:2], *hours(9, 11))
        assert (changed.token, changed.id, changed.reason) == before
        assert shown(changed) == hours(9, 11)
        assert taken(scheduler) == [hours(9, 10), hours(10, 11)]
        assert scheduler.reserved_slots_by_blocker(*before[:2]).count() == 2

    def test_overlapping_itself(self, scheduler, blocked):
        """The new time may overlap the old one."""
        key = blocked.token, blocked.id
        assert shown(scheduler.change_blocker(*key, *hours(8, 10))) == hours(8, 10)

    def test_every_place(self, scheduler):
        """A blocker of several places moves on all of them."""
        scheduler.allocate(hours(8, 12), partly_available=True, raster=60, quota=3)
        (blocker,) = scheduler.add_blocker(hours(8, 9))
        scheduler.change_blocker(blocker.token, blocker.id, *hours(10, 11))
        assert taken(scheduler) == [hours(10, 11)] * 3

    @pytest.mark.parametrize(
        "end",
        [
            pytest.param(hours(8, 9)[1], id="as displayed"),
            pytest.param(hours(8, 9)[1] - TICK, id="as stored"),
        ],
    )
    def test_unchanged(self, scheduler, blocked, end):
        """The times it has change nothing and return None."""
        key = blocked.token, blocked.id
        assert scheduler.change_blocker(*key, hours(8, 9)[0], end) is None
        assert scheduler.managed_blockers().one() is blocked

    @pytest.mark.parametrize(
        ("dates", "expected"),
        [
            pytest.param(hours(11, 13), errors.TimerangeTooLong, id="reaching beyond"),
            pytest.param(hours(10, 11), errors.AlreadyReservedError, id="taken"),
            pytest.param(hours(9, 9), errors.ReservationTooShort, id="no time"),
        ],
    )
    def test_undone(self, scheduler, blocked, dates, expected):
        """A refused change leaves the blocker and its slots as they were."""
        scheduler.book(GUEST, hours(10, 11))
        key = blocked.token, blocked.id
        with pytest.raises(errors.LibresError) as raised:
            scheduler.change_blocker(*key, *dates)
        assert raised.type is expected
        assert taken(scheduler) == [hours(8, 9), hours(10, 11)]
        stored = scheduler.blockers_by_token(*key).one()
        assert (shown(stored), stored.reason) == (hours(8, 9), "paint")

    @pytest.mark.parametrize(
        "dates",
        [
            pytest.param((None, hours(8, 9)[1]), id="no start"),
            pytest.param((hours(8, 9)[0], None), id="no end"),
        ],
    )
    def test_both_dates(self, scheduler, blocked, dates):
        """Both dates are needed."""
        with pytest.raises(AssertionError):
            scheduler.change_blocker(blocked.token, blocked.id, *dates)

    def test_unknown(self, scheduler, blocked):
        """A blocker that does not exist is not found."""
        with pytest.raises(NoResultFound):
            scheduler.change_blocker(uuid4(), blocked.id, *hours(9, 10))

    def test_group(self, scheduler):
        """The time of a blocker of a group cannot be changed."""
        dates = [hours(8, 9), hours(10, 11)]
        first, _ = scheduler.allocate(dates, grouped=True)
        (blocker,) = scheduler.add_blocker(group=first.group)
        with pytest.raises(MultipleResultsFound):
            scheduler.change_blocker(blocker.token, blocker.id, *hours(8.5, 9))


class TestQueries:
    def test_by_token(self, scheduler):
        """Blockers are found by their token and id; an unknown token finds none."""
        dates = [hours(8, 9), hours(10, 11)]
        scheduler.allocate(dates)
        first, second = scheduler.add_blocker(dates)
        assert scheduler.blockers_by_token(first.token).count() == 2
        assert scheduler.blockers_by_token(first.token, second.id).one() is second
        assert scheduler.blockers_by_token(uuid4()).all() == []

    def test_allocations(self, scheduler):
        """The allocations of a blocker are those that hold its slots."""
        first, _ = scheduler.allocate([hours(8, 9), hours(10, 11)], quota=2)
        (blocker,) = scheduler.add_blocker(hours(8, 9))
        found = scheduler.allocations_by_blocker(blocker.token, blocker.id).all()
        assert {a.group for a in found} == {first.group}
        assert len(found) == 2

    def test_managed_and_visible(self, scheduler_factory):
        """Managed blockers are our own; visible ones include blocking resources'."""
        half = scheduler_factory("half")
        hall = scheduler_factory("hall", blocking_names=("half",))
        half.allocate(hours(8, 10))
        (blocker,) = half.add_blocker(hours(8, 10))
        assert hall.managed_blockers().all() == []
        assert hall.visible_blockers().all() == [blocker]
