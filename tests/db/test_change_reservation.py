"""Changing reservations: their time and quota, their e-mail, their data."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from libres.modules import errors, events

MONDAY = datetime.fromisoformat("2030-06-03")
TICK = timedelta(microseconds=1)
GUEST = "guest@example.org"


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def shown(reservation):
    """What a person reads on the ticket: naive local start and end."""
    return (
        reservation.display_start().replace(tzinfo=None),
        reservation.display_end().replace(tzinfo=None),
    )


def taken(scheduler):
    """What is taken on any place: naive local ranges, sorted."""
    return sorted(shown(slot) for slot in scheduler.managed_reserved_slots())


def change(scheduler, record, dates, **more):
    """Move *record* to *dates*."""
    return scheduler.change_reservation(record.token, record.id, *dates, **more)


@pytest.fixture
def room(scheduler):
    """A room that is open from 8 to 12 and reserved by the hour."""
    scheduler.allocate(hours(8, 12), partly_available=True, raster=60)
    return scheduler


@pytest.fixture
def booked(room):
    """An approved reservation from 8 to 9."""
    return room.book(GUEST, hours(8, 9), data={"n": 1}, session_id=uuid4())[0]


class TestTime:
    def test_approved(self, room, booked):
        """An approved reservation moves with its slots and stays approved."""
        changed = change(room, booked, hours(9, 11))
        assert shown(changed) == hours(9, 11)
        assert changed.status == "approved"
        assert taken(room) == [hours(9, 10), hours(10, 11)]

    def test_pending(self, room):
        """A pending reservation moves and stays pending, without slots."""
        token = room.reserve(GUEST, hours(8, 9))
        record = room.reservations_by_token(token).one()
        changed = change(room, record, hours(9, 11))
        assert (shown(changed), changed.status) == (hours(9, 11), "pending")
        assert taken(room) == []

    def test_stored(self, room, booked):
        """The change is there after a commit, and the old record is not."""
        token = booked.token
        change(room, booked, hours(9, 11))
        room.commit()
        (stored,) = room.managed_reservations()
        assert (stored.token, shown(stored)) == (token, hours(9, 11))

    def test_keeps_its_identity(self, room, booked):
        """Id, token, session, address and data are those of before."""
        before = (booked.id, booked.token, booked.session_id, booked.email)
        changed = change(room, booked, hours(9, 11))
        room.session.flush()
        assert (
            changed.id,
            changed.token,
            changed.session_id,
            changed.email,
        ) == before
        assert changed.data == {"n": 1}

    def test_slots_keep_its_identity(self, room, booked):
        """The new slots carry the token and id of the reservation."""
        before = booked.token, booked.id
        change(room, booked, hours(9, 10))
        (slot,) = room.reserved_slots_by_reservation(*before)
        assert (slot.reservation_token, slot.source_id) == before

    def test_found_by_its_token(self, room, booked):
        """Right after the change it is found by its token and id."""
        before = booked.token, booked.id
        changed = change(room, booked, hours(9, 10))
        assert room.reservations_by_token(*before).one() is changed

    def test_overlapping_itself(self, room):
        """The new time may overlap the old one."""
        (booked,) = room.book(GUEST, hours(8, 10))
        assert shown(change(room, booked, hours(9, 11))) == hours(9, 11)

    def test_same_start_in_its_session(self, room, booked):
        """Its own place in the session is not in its way."""
        assert shown(change(room, booked, hours(8, 10))) == hours(8, 10)

    def test_twice(self, room, booked):
        """What was changed can be changed again, and back."""
        once = change(room, booked, hours(9, 11))
        back = change(room, once, hours(8, 9))
        assert taken(room) == [shown(back)] == [hours(8, 9)]

    def test_aware(self, room, booked):
        """Aware dates mean the same instants."""
        changed = room.change_reservation(
            booked.token,
            booked.id,
            datetime.fromisoformat("2030-06-03 07:00+00:00"),
            datetime.fromisoformat("2030-06-03 09:00+00:00"),
        )
        assert shown(changed) == hours(9, 11)

    def test_old_object_is_readable(self, room, booked):
        """The object of before can be read after the change, before any commit."""
        before = booked.token, booked.session_id, booked.email
        change(room, booked, hours(9, 10))
        assert (booked.token, booked.session_id, booked.email) == before

    def test_seen_by_the_allocation(self, room, booked):
        """An allocation that was loaded before shows the slots of now."""
        allocation = room.managed_allocations().one()
        assert [slot.start for slot in allocation.reserved_slots] == [booked.start]
        changed = change(room, booked, hours(9, 10))
        assert [slot.start for slot in allocation.reserved_slots] == [changed.start]

    def test_siblings_stay(self, room):
        """Other reservations of the token keep their time and slots."""
        first, second = room.book(GUEST, [hours(8, 9), hours(9, 10)])
        change(room, first, hours(10, 11))
        assert taken(room) == [hours(9, 10), hours(10, 11)]
        assert shown(room.reservations_by_token(second.token, second.id).one()) == (
            hours(9, 10)
        )

    def test_deprecated_name(self, room, booked):
        """The name of older releases works and warns."""
        with pytest.warns(DeprecationWarning, match="change_reservation"):
            changed = room.change_reservation_time(
                booked.token, booked.id, *hours(9, 10)
            )
        assert shown(changed) == hours(9, 10)


class TestUnchanged:
    @pytest.mark.parametrize(
        ("end", "quota"),
        [
            pytest.param(hours(8, 9)[1], None, id="as displayed"),
            pytest.param(hours(8, 9)[1] - TICK, None, id="as stored"),
            pytest.param(hours(8, 9)[1], 1, id="with the quota it has"),
        ],
    )
    def test_nothing_to_do(self, room, booked, end, quota):
        """The times (and quota) it has change nothing and return None."""
        start = hours(8, 9)[0]
        token, id = booked.token, booked.id  # noqa: A001 - the name of the column
        assert room.change_reservation(token, id, start, end, quota) is None
        assert room.managed_reservations().one() is booked
        assert taken(room) == [hours(8, 9)]


class TestQuota:
    @pytest.fixture
    def nursery(self, scheduler):
        """An hour with four places."""
        scheduler.allocate(hours(8, 9), quota=4)
        return scheduler

    def test_more(self, nursery):
        """A higher quota takes more places at the same time."""
        (booked,) = nursery.book(GUEST, hours(8, 9))
        changed = change(nursery, booked, hours(8, 9), quota=3)
        assert changed.quota == 3
        assert len(taken(nursery)) == 3

    def test_kept(self, room):
        """Without a quota the reservation keeps the one it has."""
        room.managed_allocations().update({"quota": 2})
        token = room.reserve(GUEST, hours(8, 9), quota=2)
        record = room.reservations_by_token(token).one()
        assert change(room, record, hours(9, 10)).quota == 2

    def test_fewer_pending(self, nursery):
        """A pending reservation can lower its quota."""
        token = nursery.reserve(GUEST, hours(8, 9), quota=3)
        record = nursery.reservations_by_token(token).one()
        assert change(nursery, record, hours(8, 9), quota=1).quota == 1

    def test_no_places(self, nursery):
        """A quota beyond the free places is refused and changes nothing."""
        (booked,) = nursery.book(GUEST, hours(8, 9))
        token = booked.token
        nursery.book(GUEST, hours(8, 9), quota=2)
        with pytest.raises(errors.AlreadyReservedError):
            change(nursery, booked, hours(8, 9), quota=3)
        assert nursery.reservations_by_token(token).one().quota == 1
        assert len(taken(nursery)) == 3

    def test_several_places(self, nursery):
        """An approved reservation on several places cannot be changed."""
        (booked,) = nursery.book(GUEST, hours(8, 9), quota=2)
        with pytest.raises(MultipleResultsFound):
            change(nursery, booked, hours(8, 9), quota=3)


class TestRefusals:
    @pytest.mark.parametrize(
        "dates",
        [
            pytest.param((None, hours(8, 9)[1]), id="no start"),
            pytest.param((hours(8, 9)[0], None), id="no end"),
        ],
    )
    def test_both_dates(self, room, booked, dates):
        """Both dates are needed."""
        with pytest.raises(AssertionError):
            change(room, booked, dates)

    def test_unknown_token(self, room, booked):
        """A reservation that does not exist is not found."""
        with pytest.raises(NoResultFound):
            room.change_reservation(uuid4(), booked.id, *hours(9, 10))

    def test_unknown_id(self, room, booked):
        """An id that does not belong to the token is not found."""
        with pytest.raises(NoResultFound):
            room.change_reservation(booked.token, booked.id + 1, *hours(9, 10))

    @pytest.mark.parametrize(
        ("dates", "expected"),
        [
            pytest.param(hours(11, 13), errors.TimerangeTooLong, id="reaching beyond"),
            pytest.param(hours(14, 15), errors.TimerangeTooLong, id="elsewhere"),
            pytest.param(hours(9, 9), errors.ReservationTooShort, id="no time"),
            pytest.param(hours(10, 11), errors.AlreadyReservedError, id="taken"),
        ],
    )
    def test_undone(self, room, booked, dates, expected):
        """A refused change leaves the reservation and its slots as they were."""
        room.book(GUEST, hours(10, 11))
        before = booked.token, booked.id, booked.session_id
        with pytest.raises(errors.LibresError) as raised:
            change(room, booked, dates)
        assert raised.type is expected
        assert taken(room) == [hours(8, 9), hours(10, 11)]
        stored = room.reservations_by_token(*before[:2]).one()
        assert (stored.token, stored.id, stored.session_id) == before
        assert (shown(stored), stored.status) == (hours(8, 9), "approved")

    def test_other_work_survives(self, room, booked):
        """A refused change does not undo what the transaction did before."""
        room.book(GUEST, hours(10, 11))
        room.allocate(hours(20, 21))
        with pytest.raises(errors.AlreadyReservedError):
            change(room, booked, hours(10, 11))
        room.commit()
        assert room.managed_allocations().count() == 2
        assert taken(room) == [hours(8, 9), hours(10, 11)]

    def test_pending_may_queue(self, scheduler):
        """A pending one moves onto taken time if approval is manual."""
        scheduler.allocate(
            hours(8, 12), partly_available=True, raster=60, approve_manually=True
        )
        scheduler.book(GUEST, hours(10, 11))
        token = scheduler.reserve(GUEST, hours(8, 9))
        record = scheduler.reservations_by_token(token).one()
        assert shown(change(scheduler, record, hours(10, 11))) == hours(10, 11)

    @pytest.mark.parametrize(
        ("approved", "expected"),
        [
            pytest.param(True, MultipleResultsFound, id="approved: several members"),
            pytest.param(False, AssertionError, id="pending: it has no times"),
        ],
    )
    def test_group(self, scheduler, approved, expected):
        """The time of a group reservation cannot be changed."""
        first, _ = scheduler.allocate([hours(8, 9), hours(9, 10)], grouped=True)
        token = scheduler.reserve(GUEST, group=first.group)
        if approved:
            scheduler.approve_reservations(token)
        record = scheduler.reservations_by_token(token).one()
        with pytest.raises(expected):
            change(scheduler, record, hours(8.5, 9))


class TestEvents:
    @pytest.fixture
    def told(self):
        """The (name, tokens) of events in their order."""
        heard, undo = [], []

        def listen(name):
            def listener(_, reservations, **__):
                one = not isinstance(reservations, (list, tuple))
                records = [reservations] if one else reservations
                heard.append((name, [r.token for r in records]))

            event = getattr(events, name)
            event.append(listener)
            undo.append((event, listener))

        listen("on_reservations_removed")
        listen("on_reservations_made")
        listen("on_reservations_approved")
        listen("on_reservation_time_changed")
        yield heard
        for event, listener in undo:
            event.remove(listener)

    def test_order(self, room, booked, told):
        """A change is told as removed, made and changed, never as approved."""
        token = booked.token
        told.clear()
        change(room, booked, hours(9, 10))
        assert [name for name, _ in told] == [
            "on_reservations_removed",
            "on_reservations_made",
            "on_reservation_time_changed",
        ]
        assert told[0][1] == told[2][1] == [token]

    def test_unchanged(self, room, booked, told):
        """A change that changes nothing is not told."""
        told.clear()
        change(room, booked, hours(8, 9))
        assert told == []

    def test_refused(self, room, booked, told):
        """A refused change is never told as a changed time."""
        room.book(GUEST, hours(10, 11))
        told.clear()
        with pytest.raises(errors.AlreadyReservedError):
            change(room, booked, hours(10, 11))
        assert "on_reservation_time_changed" not in [name for name, _ in told]


class TestCandidates:
    def test_which(self, room):
        """Candidates are approved and lie on partly available allocations."""
        room.allocate([hours(14, 15), hours(15, 16)], grouped=True)
        room.allocate(hours(18, 19))
        (candidate,) = room.book(GUEST, hours(8, 9))
        room.book(GUEST, hours(14, 15))
        room.book(GUEST, hours(18, 19))
        room.reserve(GUEST, hours(9, 10))
        assert room.change_reservation_time_candidates().all() == [candidate]

    def test_tokens(self, room, booked):
        """Given tokens, only theirs are considered."""
        (other,) = room.book(GUEST, hours(9, 10))
        found = room.change_reservation_time_candidates([other.token])
        assert found.all() == [other] != [booked]
        assert room.change_reservation_time_candidates().count() == 2


class TestAttributes:
    def test_email(self, room):
        """The address is changed on all records of the token, unvalidated."""
        token = room.book(GUEST, [hours(8, 9), hours(9, 10)])[0].token
        room.change_email(token, " nobody ")
        room.commit()
        assert [r.email for r in room.managed_reservations()] == [" nobody "] * 2

    def test_data(self, room):
        """The data is replaced on all records of the token."""
        token = room.book(GUEST, [hours(8, 9), hours(9, 10)], data={"a": 1})[0].token
        room.change_reservation_data(token, {"b": 2})
        room.commit()
        assert [r.data for r in room.managed_reservations()] == [{"b": 2}] * 2

    def test_others_stay(self, room, booked):
        """Records of other tokens keep what they have."""
        (other,) = room.book(GUEST, hours(9, 10))
        room.change_email(other.token, "new@example.org")
        room.change_reservation_data(other.token, {"b": 2})
        room.commit()
        assert (booked.email, booked.data) == (GUEST, {"n": 1})
