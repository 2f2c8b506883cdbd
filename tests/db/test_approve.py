"""Approving: the slots that are written, what is refused, what stays as it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from libres.db.models import Reservation, ReservedSlot
from libres.modules import errors, events

MONDAY = datetime.fromisoformat("2030-06-03")
TICK = timedelta(microseconds=1)
GUEST = "guest@example.org"


def at(text):
    """Read a time; without an offset it is naive, so local to the scheduler."""
    return datetime.fromisoformat(text)


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def taken(slots):
    """What a person reads in the calendar: naive local ranges, sorted."""
    return sorted(
        (s.display_start().replace(tzinfo=None), s.display_end().replace(tzinfo=None))
        for s in slots
    )


def take(scheduler, *args, **kwargs):
    """Reserve and approve."""
    token = scheduler.reserve(GUEST, *args, **kwargs)
    scheduler.approve_reservations(token)
    return token


def the_reservation(scheduler, token):
    """The only reservation of this token."""
    return scheduler.reservations_by_token(token).one()


@pytest.fixture
def approvals():
    """The lists of reservations that on_reservations_approved was called with."""
    heard = []

    def listener(_, reservations):
        heard.append(list(reservations))

    events.on_reservations_approved.append(listener)
    yield heard
    events.on_reservations_approved.remove(listener)


class TestSlots:
    def test_whole(self, scheduler):
        """An indivisible allocation is taken whole, whatever part was reserved."""
        scheduler.allocate(hours(8, 10))
        token = scheduler.reserve(GUEST, hours(9, 9.5))
        slots = scheduler.approve_reservations(token)
        assert [(s.start, s.end) for s in slots] == [
            (at("2030-06-03 06:00+00:00"), at("2030-06-03 08:00+00:00") - TICK)
        ]

    def test_steps(self, scheduler):
        """Of a partly available allocation each step of the range is taken."""
        scheduler.allocate(hours(8, 10), partly_available=True, raster=15)
        token = scheduler.reserve(GUEST, hours(8.5, 9.25))
        assert taken(scheduler.approve_reservations(token)) == [
            hours(8.5, 8.75),
            hours(8.75, 9),
            hours(9, 9.25),
        ]

    def test_belonging(self, scheduler):
        """A slot names its allocation, its token, its source and the resource."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        token = scheduler.reserve(GUEST, hours(8, 10))
        (slot,) = scheduler.approve_reservations(token)
        assert (slot.resource, slot.allocation_id) == (
            scheduler.resource,
            allocation.id,
        )
        assert slot.reservation_token == token
        assert slot.source_type == "reservation"
        assert slot.source_id == the_reservation(scheduler, token).id

    def test_quota(self, scheduler):
        """Each place of the quota gets slots on an allocation of its own."""
        scheduler.allocate(hours(8, 10), quota=3)
        token = scheduler.reserve(GUEST, hours(8, 10), quota=3)
        slots = scheduler.approve_reservations(token)
        assert len(slots) == 3
        assert len({slot.allocation_id for slot in slots}) == 3
        assert len({slot.resource for slot in slots}) == 3

    def test_dates(self, scheduler):
        """All reservations of the token get their slots."""
        scheduler.allocate([hours(8, 9), hours(10, 11)])
        token = scheduler.reserve(GUEST, [hours(8, 9), hours(10, 11)])
        slots = scheduler.approve_reservations(token)
        assert taken(slots) == [hours(8, 9), hours(10, 11)]
        assert len({slot.source_id for slot in slots}) == 2

    def test_group(self, scheduler):
        """A group reservation takes every member of the group."""
        first, _ = scheduler.allocate([hours(8, 9), hours(10, 11)], grouped=True)
        token = scheduler.reserve(GUEST, group=first.group)
        slots = scheduler.approve_reservations(token)
        assert taken(slots) == [hours(8, 9), hours(10, 11)]
        assert len({slot.source_id for slot in slots}) == 1

    def test_group_with_quota(self, scheduler):
        """A group reservation takes its quota of places on every member."""
        dates = [hours(8, 9), hours(10, 11)]
        first, _ = scheduler.allocate(dates, grouped=True, quota=2)
        token = scheduler.reserve(GUEST, group=first.group, quota=2)
        assert len(scheduler.approve_reservations(token)) == 4

    def test_seen_by_the_allocation(self, scheduler):
        """An allocation that was loaded before shows its new slots at once."""
        (allocation,) = scheduler.allocate(hours(8, 10), quota=2)
        assert (allocation.reserved_slots, allocation.availability) == ([], 100)
        token = scheduler.reserve(GUEST, hours(8, 10))
        slots = scheduler.approve_reservations(token)
        assert allocation.reserved_slots == slots
        assert slots[0].allocation is allocation
        assert (allocation.availability, allocation.quota_left) == (0, 1)

    def test_flushed(self, scheduler):
        """The slots have reached the database on return, also without autoflush."""
        scheduler.allocate(hours(8, 10), quota=2)
        with scheduler.session.no_autoflush:
            token = scheduler.reserve(GUEST, hours(8, 10), quota=2)
            scheduler.approve_reservations(token)
            assert scheduler.session.query(ReservedSlot).count() == 2

    @pytest.mark.parametrize(
        ("day", "count"),
        [
            pytest.param("2030-06-03", 24, id="an ordinary day"),
            pytest.param("2030-03-31", 23, id="the day of the spring change"),
            pytest.param("2030-10-27", 25, id="the day of the autumn change"),
        ],
    )
    def test_whole_days(self, scheduler, day, count):
        """A whole day has as many hours as it really has."""
        dates = at(day), at(day) + timedelta(days=1)
        scheduler.allocate(dates, partly_available=True, raster=60)
        token = scheduler.reserve(GUEST, dates)
        slots = scheduler.approve_reservations(token)
        assert len(slots) == len({slot.start for slot in slots}) == count
        assert scheduler.availability() == 0

    def test_of_other_calls(self, scheduler):
        """Only the reservations of the token are approved."""
        scheduler.allocate(hours(8, 10), quota=2)
        scheduler.reserve(GUEST, hours(8, 10))
        token = scheduler.reserve(GUEST, hours(8, 10))
        scheduler.approve_reservations(token)
        approved = scheduler.managed_reservations().filter_by(status="approved")
        assert [r.token for r in approved] == [token]


class TestRecord:
    def test_status(self, scheduler):
        """An approved reservation says so."""
        scheduler.allocate(hours(8, 10))
        token = take(scheduler, hours(8, 10))
        scheduler.commit()
        assert the_reservation(scheduler, token).status == "approved"

    def test_session_id_stays(self, scheduler):
        """Approval does not take a reservation out of its session."""
        scheduler.allocate(hours(8, 10))
        session_id = uuid4()
        token = take(scheduler, hours(8, 10), session_id=session_id)
        assert the_reservation(scheduler, token).session_id == session_id

    def test_manual_approval(self, scheduler):
        """What had to be approved manually is approved by the same call."""
        scheduler.allocate(hours(8, 10), approve_manually=True)
        token = take(scheduler, hours(8, 10))
        assert scheduler.reserved_slots_by_reservation(token).count() == 1


class TestRefusals:
    @pytest.fixture
    def queue(self, scheduler):
        """One hour of three places for which two reservations of two queue."""
        scheduler.allocate(hours(8, 10), quota=3)
        tokens = [scheduler.reserve(GUEST, hours(8, 10), quota=2) for _ in range(2)]
        scheduler.approve_reservations(tokens[0])
        scheduler.commit()
        return tokens[1]

    def test_unknown_token(self, scheduler, approvals):
        """A token nobody has is refused, without event."""
        with pytest.raises(errors.InvalidReservationToken):
            scheduler.approve_reservations(uuid4())
        assert approvals == []

    def test_token_of_another_resource(self, scheduler, scheduler_factory):
        """A token of another scheduler is unknown to this one."""
        elsewhere = scheduler_factory("elsewhere")
        elsewhere.allocate(hours(8, 10))
        token = elsewhere.reserve(GUEST, hours(8, 10))
        with pytest.raises(errors.InvalidReservationToken):
            scheduler.approve_reservations(token)

    def test_too_few_places(self, scheduler, queue):
        """If fewer places than the quota are left, approval is refused."""
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.approve_reservations(queue)

    def test_error_names_the_reservation(self, scheduler, queue):
        """The error carries the reservation that it happened with."""
        with pytest.raises(errors.AlreadyReservedError) as raised:
            scheduler.approve_reservations(queue)
        assert raised.value.reservation is the_reservation(scheduler, queue)

    def test_other_errors_carry_none(self, scheduler):
        """An error that does not come from an approval has no reservation."""
        with pytest.raises(errors.InvalidReservationError) as raised:
            scheduler.reserve(GUEST, hours(8, 10))
        assert not hasattr(raised.value, "reservation")

    def test_refused_stays_pending(self, scheduler, queue):
        """After a refusal and a rollback everything is as it was."""
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.approve_reservations(queue)
        scheduler.rollback()
        assert the_reservation(scheduler, queue).status == "pending"
        assert scheduler.managed_reserved_slots().count() == 2

    def test_no_event(self, scheduler, queue, approvals):
        """A refused approval is not told."""
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.approve_reservations(queue)
        assert approvals == []

    def test_second_of_two_dates(self, scheduler):
        """If the second date of a token is taken, the error names that one."""
        dates = [hours(8, 9), hours(10, 11)]
        scheduler.allocate(dates)
        token = scheduler.reserve(GUEST, dates)
        take(scheduler, dates[1])
        with pytest.raises(errors.AlreadyReservedError) as raised:
            scheduler.approve_reservations(token)
        culprit = raised.value.reservation
        assert culprit.display_start().replace(tzinfo=None) == dates[1][0]

    def test_same_range_twice(self, scheduler):
        """Two reservations of one token cannot share a place."""
        scheduler.allocate(hours(8, 10))
        token = scheduler.reserve(GUEST, [hours(8, 10), hours(8, 10)])
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.approve_reservations(token)

    def test_member_taken(self, scheduler):
        """A group of which one member has been taken meanwhile is refused."""
        first, _ = scheduler.allocate([hours(8, 9), hours(10, 11)], grouped=True)
        waiting = scheduler.reserve(GUEST, group=first.group)
        take(scheduler, group=first.group)
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.approve_reservations(waiting)

    def test_part_taken(self, scheduler):
        """A range of which one step has been taken meanwhile is refused."""
        scheduler.allocate(hours(8, 10), partly_available=True)
        waiting = scheduler.reserve(GUEST, hours(8, 9))
        take(scheduler, (hours(8, 9)[0] + timedelta(minutes=55), hours(9, 10)[1]))
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.approve_reservations(waiting)

    def test_blocked(self, scheduler):
        """What has been blocked meanwhile is refused."""
        scheduler.allocate(hours(8, 10), quota=2)
        waiting = scheduler.reserve(GUEST, hours(8, 10))
        scheduler.add_blocker(hours(8, 10))
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.approve_reservations(waiting)

    def test_manual_but_taken(self, scheduler):
        """The waiting list is approved only as far as there are places."""
        scheduler.allocate(hours(8, 10), approve_manually=True)
        take(scheduler, hours(8, 10))
        waiting = scheduler.reserve(GUEST, hours(8, 10))
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.approve_reservations(waiting)

    @pytest.mark.damaged("deletes an allocation that is waited for")
    def test_allocation_gone(self, scheduler):
        """If nothing is allocated there any more, no slot can be made."""
        scheduler.allocate(hours(8, 10))
        token = scheduler.reserve(GUEST, hours(8, 10))
        scheduler.managed_allocations().delete("fetch")
        with pytest.raises(errors.NotReservableError) as raised:
            scheduler.approve_reservations(token)
        assert raised.value.reservation.token == token


class TestApprovedAlready:
    def test_existing_slots(self, scheduler, approvals):
        """Approving again returns the slots there are, without event."""
        scheduler.allocate(hours(8, 10), quota=2)
        token = scheduler.reserve(GUEST, hours(8, 10))
        (slot,) = scheduler.approve_reservations(token)
        assert scheduler.approve_reservations(token) == [slot]
        assert len(approvals) == 1

    def test_no_second_place(self, scheduler):
        """Approving again takes no other place, though one is free."""
        scheduler.allocate(hours(8, 10), quota=2)
        token = take(scheduler, hours(8, 10))
        scheduler.approve_reservations(token)
        scheduler.commit()
        assert scheduler.managed_reserved_slots().count() == 1

    def test_mixed_token(self, scheduler):
        """Of a token that is approved in part, only the pending rest is approved."""
        scheduler.allocate([hours(8, 9), hours(10, 11)], quota=2)
        cart = {"session_id": uuid4(), "single_token_per_session": True}
        token = take(scheduler, hours(8, 9), **cart)
        assert scheduler.reserve(GUEST, hours(10, 11), **cart) == token
        slots = scheduler.approve_reservations(token)
        assert taken(slots) == [hours(8, 9), hours(10, 11)]
        assert scheduler.managed_reserved_slots().count() == 2


class TestSingleRecord:
    @pytest.fixture
    def pair(self, scheduler):
        """Two pending reservations that share a token."""
        scheduler.allocate([hours(8, 9), hours(10, 11)])
        scheduler.reserve(GUEST, [hours(8, 9), hours(10, 11)])
        return scheduler.managed_reservations().order_by(Reservation.start).all()

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("approve_reservation", id="by its name"),
            pytest.param("_approve_reservation_record", id="the alias of 1.x"),
        ],
    )
    def test_only_this_one(self, scheduler, pair, name):
        """One record is approved and gets its slots; its sibling waits."""
        slots = getattr(scheduler, name)(pair[1])
        assert taken(slots) == [hours(10, 11)]
        assert [r.status for r in pair] == ["pending", "approved"]

    def test_rest_later(self, scheduler, pair):
        """The siblings of a record that was approved alone can follow."""
        scheduler.approve_reservation(pair[1])
        scheduler.approve_reservations(pair[0].token)
        assert scheduler.managed_reserved_slots().count() == 2

    def test_foreign(self, scheduler_factory, pair):
        """A record of another resource is refused, and stays as it is."""
        with pytest.raises(errors.InvalidReservationToken):
            scheduler_factory("elsewhere").approve_reservation(pair[0])
        assert pair[0].status == "pending"

    def test_taken(self, scheduler, pair):
        """A record whose time has been taken meanwhile is refused."""
        take(scheduler, hours(10, 11))
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.approve_reservation(pair[1])
        assert pair[1].status == "pending"
