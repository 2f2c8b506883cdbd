"""Booking: reserve and approve in one step, all or nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from libres.db.models import Reservation, ReservedSlot
from libres.modules import errors, events

MONDAY = datetime.fromisoformat("2030-06-03")
GUEST = "guest@example.org"


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def stored(scheduler):
    """How many reservations and slots there are."""
    session = scheduler.session
    return session.query(Reservation).count(), session.query(ReservedSlot).count()


class TestBooked:
    def test_approved_at_once(self, scheduler):
        """What is booked comes back approved and holds its slots."""
        scheduler.allocate(hours(8, 10))
        (booked,) = scheduler.book(GUEST, hours(8, 10))
        scheduler.commit()
        assert (booked.status, booked.email) == ("approved", GUEST)
        slots = scheduler.reserved_slots_by_reservation(booked.token, booked.id)
        assert slots.count() == 1

    def test_dates(self, scheduler):
        """Several dates give one record each, of one token, all approved."""
        dates = [hours(n, n + 1) for n in (8, 10, 12)]
        scheduler.allocate(dates)
        booked = scheduler.book(GUEST, dates)
        assert [r.display_start().replace(tzinfo=None) for r in booked] == [
            start for start, _ in dates
        ]
        assert len({r.token for r in booked}) == 1
        assert stored(scheduler) == (3, 3)

    def test_generator(self, scheduler):
        """Dates may come from a generator."""
        dates = [hours(8, 9), hours(9, 10)]
        scheduler.allocate(dates)
        assert len(scheduler.book(GUEST, (d for d in dates))) == 2

    def test_group(self, scheduler):
        """A group is booked as one record with slots on each member."""
        first, _ = scheduler.allocate([hours(8, 9), hours(9, 10)], grouped=True)
        (booked,) = scheduler.book(GUEST, group=first.group)
        assert (booked.target_type, booked.status) == ("group", "approved")
        assert stored(scheduler) == (1, 2)

    def test_keywords_of_reserve(self, scheduler):
        """Data, session and quota are stored as with reserve."""
        scheduler.allocate(hours(8, 10), quota=2)
        session_id = uuid4()
        more = {"data": {"n": 1}, "session_id": session_id, "quota": 2}
        scheduler.book(GUEST, dates=hours(8, 10), **more)
        scheduler.commit()
        record = scheduler.managed_reservations().one()
        assert (record.data, record.session_id, record.quota) == (
            {"n": 1},
            session_id,
            2,
        )
        assert stored(scheduler) == (1, 2)

    def test_single_token_per_session(self, scheduler):
        """Bookings of one session share a token if asked to."""
        scheduler.allocate([hours(8, 9), hours(9, 10)])
        cart = {"session_id": uuid4(), "single_token_per_session": True}
        (first,) = scheduler.book(GUEST, hours(8, 9), **cart)
        (second,) = scheduler.book(GUEST, hours(9, 10), **cart)
        assert first.token == second.token
        assert first.id != second.id

    def test_manual_approval(self, scheduler):
        """Who books approves: manual approval does not keep it pending."""
        scheduler.allocate(hours(8, 10), approve_manually=True)
        (booked,) = scheduler.book(GUEST, hours(8, 10))
        assert booked.status == "approved"

    def test_waiting_ones_stay(self, scheduler):
        """Pending reservations of others stay as they are."""
        scheduler.allocate(hours(8, 10))
        token = scheduler.reserve(GUEST, hours(8, 10))
        scheduler.book(GUEST, hours(8, 10))
        assert scheduler.reservations_by_token(token).one().status == "pending"

    def test_flushed(self, scheduler):
        """Records and slots have reached the database, also without autoflush."""
        scheduler.allocate(hours(8, 10))
        with scheduler.session.no_autoflush:
            (booked,) = scheduler.book(GUEST, hours(8, 10))
            assert booked.id is not None
            assert stored(scheduler) == (1, 1)

    def test_removed_like_any(self, scheduler):
        """What was booked is removed by its token and free again."""
        scheduler.allocate(hours(8, 10))
        (booked,) = scheduler.book(GUEST, hours(8, 10))
        scheduler.remove_reservation(booked.token)
        assert stored(scheduler) == (0, 0)
        assert scheduler.book(GUEST, hours(8, 10))


class TestAllOrNothing:
    @pytest.fixture
    def half_taken(self, scheduler):
        """One free hour, one taken, and one taken that has a waiting list."""
        scheduler.allocate([hours(8, 9), hours(9, 10)])
        scheduler.allocate(hours(10, 11), approve_manually=True)
        scheduler.book(GUEST, [hours(9, 10), hours(10, 11)])
        return scheduler

    @pytest.mark.parametrize(
        "dates",
        [
            pytest.param([hours(8, 9), hours(9, 10)], id="the second is taken"),
            pytest.param([hours(9, 10), hours(8, 9)], id="the first is taken"),
            pytest.param([hours(8, 9), hours(10, 11)], id="reservable, not approvable"),
            pytest.param([hours(8, 9), hours(8, 9)], id="one place, booked twice"),
        ],
    )
    def test_taken(self, half_taken, dates):
        """If one of the dates is taken, none is booked and nothing left pending."""
        with pytest.raises(errors.AlreadyReservedError):
            half_taken.book(GUEST, dates)
        assert stored(half_taken) == (2, 2)

    def test_second_range_beyond(self, half_taken):
        """If one of the dates does not fit, none is booked."""
        with pytest.raises(errors.InvalidReservationError):
            half_taken.book(GUEST, hours(20, 21))
        with pytest.raises(errors.TimerangeTooLong):
            half_taken.book(GUEST, [hours(8, 9), hours(7, 9)])
        assert stored(half_taken) == (2, 2)

    def test_quota(self, scheduler):
        """If fewer places than asked for are free, none is taken."""
        scheduler.allocate(hours(8, 10), quota=3, approve_manually=True)
        scheduler.book(GUEST, hours(8, 10), quota=2)
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.book(GUEST, hours(8, 10), quota=2)
        assert stored(scheduler) == (1, 2)

    def test_group(self, scheduler):
        """If one member is taken, the group is not booked."""
        dates = [hours(8, 9), hours(9, 10)]
        first, _ = scheduler.allocate(dates, grouped=True, approve_manually=True)
        scheduler.book(GUEST, group=first.group)
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.book(GUEST, group=first.group)
        assert stored(scheduler) == (1, 2)

    def test_session_goes_on(self, half_taken):
        """After a refusal the transaction is usable and keeps what it had."""
        with pytest.raises(errors.AlreadyReservedError):
            half_taken.book(GUEST, [hours(8, 9), hours(10, 11)])
        half_taken.book(GUEST, hours(8, 9))
        half_taken.commit()
        assert stored(half_taken) == (3, 3)

    def test_other_work_survives(self, half_taken):
        """A refusal does not undo what the transaction did before."""
        half_taken.allocate(hours(14, 15))
        with pytest.raises(errors.AlreadyReservedError):
            half_taken.book(GUEST, [hours(8, 9), hours(10, 11)])
        half_taken.commit()
        assert half_taken.managed_allocations().count() == 4


class TestRefusals:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            pytest.param({"email": "me"}, errors.InvalidEmailAddress, id="address"),
            pytest.param(
                {"dates": hours(0, 48)}, errors.ReservationTooLong, id="too long"
            ),
            pytest.param(
                {"dates": hours(8, 8)}, errors.ReservationTooShort, id="too short"
            ),
            pytest.param(
                {"dates": hours(7, 9)}, errors.TimerangeTooLong, id="reaching beyond"
            ),
            pytest.param(
                {"dates": hours(7, 8)}, errors.InvalidReservationError, id="nothing"
            ),
            pytest.param(
                {"dates": None, "group": uuid4()},
                errors.InvalidReservationError,
                id="unknown group",
            ),
            pytest.param({"quota": 2}, errors.QuotaOverLimit, id="over the limit"),
            pytest.param({"quota": 4}, errors.AlreadyReservedError, id="no places"),
            pytest.param({"quota": 0}, errors.InvalidQuota, id="no quota"),
        ],
    )
    def test_as_with_reserve(self, scheduler, given, expected):
        """The errors of booking are those of reserving."""
        scheduler.allocate(hours(8, 10), quota=3, quota_limit=1)
        with pytest.raises(errors.LibresError) as raised:
            scheduler.book(**{"email": GUEST, "dates": hours(8, 10), **given})
        assert raised.type is expected

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
            scheduler.book(GUEST, **given)

    def test_double_in_one_session(self, scheduler):
        """The same target and start twice in one session is refused."""
        scheduler.allocate(hours(8, 10), quota=2)
        session_id = uuid4()
        scheduler.book(GUEST, hours(8, 10), session_id=session_id)
        with pytest.raises(errors.OverlappingReservationError):
            scheduler.book(GUEST, hours(8, 10), session_id=session_id)
        assert stored(scheduler) == (1, 1)


class TestEvents:
    @pytest.fixture
    def told(self):
        """The names of the events about reservations, as they come."""
        heard = []
        made, approved = events.on_reservations_made, events.on_reservations_approved

        def on_made(*_):
            heard.append("made")

        def on_approved(*_):
            heard.append("approved")

        made.append(on_made)
        approved.append(on_approved)
        yield heard
        made.remove(on_made)
        approved.remove(on_approved)

    def test_made_then_approved(self, scheduler, told):
        """A booking is told as made and approved, once each, in this order."""
        dates = [hours(8, 9), hours(9, 10)]
        scheduler.allocate(dates)
        scheduler.book(GUEST, dates)
        assert told == ["made", "approved"]

    def test_refused(self, scheduler, told):
        """A booking that is refused is not told as approved."""
        scheduler.allocate(hours(8, 10), approve_manually=True)
        scheduler.book(GUEST, hours(8, 10))
        told.clear()
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.book(GUEST, hours(8, 10))
        assert "approved" not in told
