"""Events: who is told what at which moment, and what waits for the commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import inspect

from libres.modules import errors, events
from libres.modules.events import Event

MONDAY = datetime.fromisoformat("2030-06-03")
GUEST = "guest@example.org"
NAMES = (
    "on_allocations_added",
    "on_reservations_made",
    "on_reservations_confirmed",
    "on_reservations_approved",
    "on_reservations_denied",
    "on_reservations_removed",
    "on_reservation_time_changed",
)


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


@dataclass
class Told:
    """One call of a listener."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def listening():
    """A function that subscribes to a list and takes care of unsubscribing."""
    undo = []

    def listen(listeners, listener):
        listeners.append(listener)
        undo.append((listeners, listener))

    yield listen
    for listeners, listener in undo:
        listeners.remove(listener)


def recorder(heard, name):
    """A listener that writes down its calls."""

    def listener(*args, **kwargs):
        heard.append(Told(name, args, kwargs))

    return listener


@pytest.fixture
def told(listening):
    """All calls of listeners inside of the transaction."""
    heard = []
    for name in NAMES:
        listening(getattr(events, name), recorder(heard, name))
    return heard


@pytest.fixture
def committed(listening):
    """All calls of listeners after the commit."""
    heard = []
    for name in NAMES:
        listening(getattr(events, name).committed, recorder(heard, name))
    return heard


@pytest.fixture
def room(scheduler):
    """A room with two hours, allocated and committed."""
    scheduler.allocate([hours(8, 9), hours(9, 10)])
    scheduler.commit()
    return scheduler


def names(heard):
    """The names of the events heard."""
    return [one.name for one in heard]


class TestEvent:
    def test_is_a_list(self):
        """An event is an empty list, whatever its constructor is given."""
        assert isinstance(Event(), list)
        assert Event() == Event([print]) == []

    def test_calls_in_order(self):
        """Its items are called in order with the same arguments."""
        heard, event = [], Event()
        event.append(lambda *args, **kwargs: heard.append(("first", args, kwargs)))
        event.append(lambda *args, **kwargs: heard.append(("second", args, kwargs)))
        event(1, two=2)
        assert heard == [("first", (1,), {"two": 2}), ("second", (1,), {"two": 2})]

    def test_exception_stops_the_row(self):
        """An exception propagates and the rest is not called."""
        heard, event = [], Event()
        event.extend([lambda: 1 / 0, lambda: heard.append("second")])
        with pytest.raises(ZeroDivisionError):
            event()
        assert heard == []

    @pytest.mark.parametrize("name", NAMES)
    def test_seven_pairs(self, name):
        """Each of the seven is an Event of its own with a second list."""
        event = getattr(events, name)
        assert isinstance(event, Event)
        assert isinstance(event.committed, list)
        assert event.committed is not event
        others = [getattr(events, other) for other in NAMES if other != name]
        assert all(
            event is not e and event.committed is not e.committed for e in others
        )


class TestArguments:
    """The first argument is the context; the others depend."""

    def test_allocations_added(self, context, scheduler, told):
        """Allocations are told as a list, with their ids."""
        allocations = scheduler.allocate([hours(8, 9), hours(9, 10)])
        (one,) = told
        assert (one.name, one.kwargs) == ("on_allocations_added", {})
        assert one.args == (context, allocations)
        assert one.args[0] is context
        assert isinstance(one.args[1], list)

    def test_allocations_have_ids(self, scheduler, listening):
        """The ids of the allocations are known to the listener."""
        ids = []
        listening(
            events.on_allocations_added,
            lambda _, allocations: ids.extend(a.id for a in allocations),
        )
        scheduler.allocate([hours(8, 9), hours(9, 10)])
        assert len(ids) == 2
        assert None not in ids

    def test_all_skipped(self, room, told):
        """If every range was skipped, an empty list is told."""
        room.allocate([hours(8, 9)], skip_overlapping=True)
        assert [(one.name, one.args[1]) for one in told] == [
            ("on_allocations_added", [])
        ]

    def test_no_dates(self, scheduler, told):
        """Without dates nothing is told."""
        scheduler.allocate([])
        assert told == []

    def test_reservations_made(self, context, room, told):
        """Reservations made are told as a tuple."""
        token = room.reserve(GUEST, [hours(8, 9), hours(9, 10)])
        (one,) = told
        assert (one.name, one.kwargs) == ("on_reservations_made", {})
        assert one.args[0] is context
        assert isinstance(one.args[1], tuple)
        assert [r.token for r in one.args[1]] == [token, token]

    def test_made_have_ids(self, room, listening):
        """The ids of the reservations are known to the listener."""
        ids = []
        listening(
            events.on_reservations_made, lambda _, made: ids.extend(r.id for r in made)
        )
        room.reserve(GUEST, [hours(8, 9), hours(9, 10)])
        assert len(set(ids)) == 2
        assert None not in ids

    def test_reservations_confirmed(self, context, room, listening):
        """Reservations are told with their session, which they have left already."""
        heard = []
        listening(
            events.on_reservations_confirmed,
            lambda who, what, cart: heard.append(
                (who, type(what), [r.session_id for r in what], cart)
            ),
        )
        cart = uuid4()
        room.reserve(GUEST, hours(8, 9), session_id=cart)
        room.queries.confirm_reservations_for_session(cart)
        assert heard == [(context, list, [None], cart)]

    def test_reservations_approved(self, context, room, listening):
        """Reservations are told as a list, once all their slots are made."""
        heard = []

        def listener(who, what):
            slots = room.managed_reserved_slots().count()
            heard.append((who, type(what), [r.status for r in what], slots))

        listening(events.on_reservations_approved, listener)
        token = room.reserve(GUEST, [hours(8, 9), hours(9, 10)])
        room.approve_reservations(token)
        assert heard == [(context, list, ["approved", "approved"], 2)]

    @pytest.mark.parametrize(
        ("name", "verb"),
        [
            pytest.param("on_reservations_denied", "deny_reservation", id="denied"),
            pytest.param("on_reservations_removed", "remove_reservation", id="removed"),
        ],
    )
    def test_gone(self, context, room, told, name, verb):
        """What is gone is told as a list of detached objects that can be read."""
        session_id = uuid4()
        more = {"data": {"n": 1}, "session_id": session_id}
        token = room.reserve(GUEST, hours(8, 9), **more)
        told.clear()
        getattr(room, verb)(token)
        (one,) = told
        assert (one.name, one.kwargs) == (name, {})
        assert one.args[0] is context
        assert isinstance(one.args[1], list)
        (gone,) = one.args[1]
        assert inspect(gone).session is None
        assert (gone.token, gone.email, gone.session_id) == (token, GUEST, session_id)
        assert gone.data == {"n": 1}
        assert gone.display_start().replace(tzinfo=None) == hours(8, 9)[0]

    def test_gone_can_be_read_inside(self, room, listening):
        """A listener can read all of what is being removed."""
        heard = []
        listening(
            events.on_reservations_removed,
            lambda _, gone: heard.extend((r.email, r.data, r.created) for r in gone),
        )
        token = room.book(GUEST, hours(8, 9), data={"n": 1})[0].token
        room.commit()
        room.remove_reservation(token)
        ((email, data, created),) = heard
        assert (email, data, created is not None) == (GUEST, {"n": 1}, True)

    def test_time_changed(self, context, scheduler, told):
        """A changed time is told by keyword, in display times of the zone."""
        scheduler.allocate(hours(8, 12), partly_available=True)
        (booked,) = scheduler.book(GUEST, hours(8, 9))
        told.clear()
        dates = hours(9, 11)
        changed = scheduler.change_reservation(booked.token, booked.id, *dates)
        one = told[-1]
        assert (one.name, one.args) == (
            "on_reservation_time_changed",
            (context, changed),
        )
        assert set(one.kwargs) == {"old_time", "new_time"}
        shown = {
            name: tuple(date.replace(tzinfo=None) for date in dates)
            for name, dates in one.kwargs.items()
        }
        assert shown == {"old_time": hours(8, 9), "new_time": dates}
        assert {date.utcoffset() for date in one.kwargs["new_time"]} == {
            timedelta(hours=2)
        }


class TestSilence:
    """Much happens without an event."""

    @pytest.mark.parametrize(
        "act",
        [
            pytest.param(
                lambda s, a, _: s.move_allocation(a.id, *hours(12, 13)), id="move"
            ),
            pytest.param(lambda s, a, _: s.change_quota(a, 3), id="change quota"),
            pytest.param(lambda s, a, _: s.remove_allocation(a.id), id="remove"),
            pytest.param(lambda s, *_: s.add_blocker(hours(8, 9)), id="block"),
            pytest.param(
                lambda s, *_: s.remove_blocker(s.add_blocker(hours(8, 9))[0].token),
                id="unblock",
            ),
            pytest.param(lambda s, _, t: s.change_email(t, "x@y.z"), id="e-mail"),
            pytest.param(
                lambda s, _, t: s.change_reservation_data(t, {"n": 1}), id="data"
            ),
            pytest.param(lambda s, *_: s.extinguish_managed_records(), id="extinguish"),
        ],
    )
    def test_no_event(self, room, told, committed, act):
        """What the specification does not list is not told."""
        allocation = room.allocations_in_range(*hours(8, 9)).first()
        token = room.reserve(GUEST, hours(9, 10))
        room.commit()
        told.clear()
        committed.clear()
        act(room, allocation, token)
        room.commit()
        assert told == committed == []


class TestExceptions:
    def test_propagates(self, room, listening):
        """An exception of a listener reaches the caller, who decides."""

        def listener(*_):
            raise LookupError

        listening(events.on_reservations_made, listener)
        with pytest.raises(LookupError):
            room.reserve(GUEST, hours(8, 9))
        room.rollback()
        assert room.managed_reservations().count() == 0

    def test_after_the_commit(self, room, listening, committed):
        """After the commit it is too late: the rest is told, the caller goes on."""

        def listener(*_):
            raise LookupError

        listeners = events.on_reservations_made.committed
        listening(listeners, listener)
        listeners.insert(0, listeners.pop())
        room.reserve(GUEST, hours(8, 9))
        room.commit()
        assert names(committed) == ["on_reservations_made"]


class TestCommitted:
    def test_after_the_commit(self, room, committed):
        """The second list is called after the commit, not before, and once."""
        room.reserve(GUEST, hours(8, 9))
        assert committed == []
        room.commit()
        assert names(committed) == ["on_reservations_made"]
        room.commit()
        assert len(committed) == 1

    def test_same_arguments(self, room, told, committed):
        """The arguments are those of the first list, in the same order."""
        room.book(GUEST, hours(8, 9))
        room.commit()
        assert committed == told
        assert names(committed) == ["on_reservations_made", "on_reservations_approved"]

    @pytest.mark.parametrize("name", NAMES)
    def test_each(self, scheduler, committed, name):
        """Each of the seven has a second list that is called."""
        scheduler.allocate(hours(8, 12), partly_available=True)
        cart = uuid4()
        (booked,) = scheduler.book(GUEST, hours(8, 9), session_id=cart)
        scheduler.queries.confirm_reservations_for_session(cart)
        scheduler.change_reservation(booked.token, booked.id, *hours(9, 10))
        scheduler.deny_reservation(scheduler.reserve(GUEST, hours(10, 11)))
        scheduler.commit()
        assert name in names(committed)

    def test_readable(self, room, listening):
        """After the commit a listener can read what it is told about."""
        heard = []
        listening(
            events.on_reservations_made.committed,
            lambda _, made: heard.extend((r.email, r.token) for r in made),
        )
        token = room.reserve(GUEST, hours(8, 9))
        room.commit()
        assert heard == [(GUEST, token)]

    def test_gone_is_readable(self, room, listening):
        """After the commit what has been removed can still be read."""
        heard = []
        listening(
            events.on_reservations_removed.committed,
            lambda _, gone: heard.extend((r.email, r.data) for r in gone),
        )
        token = room.book(GUEST, hours(8, 9), data={"n": 1})[0].token
        room.remove_reservation(token)
        room.commit()
        assert heard == [(GUEST, {"n": 1})]

    def test_rollback(self, room, committed):
        """What is rolled back is never told, also not by the next commit."""
        room.reserve(GUEST, hours(8, 9))
        room.rollback()
        room.commit()
        room.reserve(GUEST, hours(9, 10))
        room.commit()
        assert len(committed) == 1

    def test_savepoint_rolled_back(self, room, committed):
        """What a savepoint undoes is not told, the rest is."""
        kept = room.reserve(GUEST, hours(8, 9))
        savepoint = room.begin_nested()
        room.reserve(GUEST, hours(9, 10))
        savepoint.rollback()
        room.commit()
        assert [[r.token for r in one.args[1]] for one in committed] == [[kept]]

    def test_savepoint_released(self, room, committed):
        """What a savepoint keeps waits for the commit of the transaction."""
        with room.begin_nested():
            room.reserve(GUEST, hours(8, 9))
        assert committed == []
        room.commit()
        assert names(committed) == ["on_reservations_made"]

    def test_released_and_rolled_back(self, room, committed):
        """A savepoint that was kept goes with the transaction around it."""
        with room.begin_nested():
            room.reserve(GUEST, hours(8, 9))
        room.rollback()
        room.commit()
        assert committed == []

    def test_inner_savepoint(self, room, committed):
        """An outer savepoint takes what an inner one kept with it."""
        outer = room.begin_nested()
        with room.begin_nested():
            room.reserve(GUEST, hours(8, 9))
        outer.rollback()
        room.reserve(GUEST, hours(9, 10))
        room.commit()
        assert len(committed) == 1

    def test_refused_change(self, scheduler, committed):
        """A change that was undone is not told as a removal."""
        scheduler.allocate(hours(8, 12), partly_available=True)
        first, _ = scheduler.book(GUEST, [hours(8, 9), hours(10, 11)])
        scheduler.commit()
        committed.clear()
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.change_reservation(first.token, first.id, *hours(10, 11))
        scheduler.commit()
        assert committed == []

    def test_closed_session(self, room, committed):
        """What was never committed before the session was closed is not told."""
        room.reserve(GUEST, hours(8, 9))
        room.close()
        room.commit()
        assert committed == []
