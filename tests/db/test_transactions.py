"""Transactions: two at once, one conflict; a constraint under every promise."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import IntegrityError, OperationalError

from libres import new_scheduler
from libres.context.registry import create_default_registry
from libres.db.models import ReservedSlot
from libres.modules import errors, events
from tests.fixtures.races import race_threads

MONDAY = datetime.fromisoformat("2030-06-03")
GUEST = "guest@example.org"
LIMIT = 20


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def sqlstate(error):
    """The SQLSTATE of an error, wherever the driver keeps it."""
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)


@pytest.fixture(params=["psycopg2", "psycopg"])
def room(request, dsn):
    """A room with one allocation, committed, once per driver."""
    url = make_url(dsn).set(drivername=f"postgresql+{request.param}")
    context = create_default_registry().register_context("transactions")
    context.set_setting("dsn", url.render_as_string(hide_password=False))
    scheduler = new_scheduler(context, "room", "Europe/Zurich")
    scheduler.allocate(hours(8, 10), data={"n": 0})
    scheduler.commit()
    yield scheduler
    scheduler.close()
    context.get_service("session_provider").stop_service()


@pytest.fixture
def interfere(dsn):
    """A function that changes the allocation in a transaction of its own."""
    engine = create_engine(dsn)

    def change():
        with engine.begin() as connection:
            connection.execute(text("UPDATE allocations SET quota = quota + 1"))

    yield change
    engine.dispose()


class TestTwoThreads:
    def test_own_sessions(self, room):
        """Each thread has a session of its own, and only one."""

        def session():
            try:
                return id(room.session), room.session is room.session
            finally:
                room.close()

        own = id(room.session)
        outcomes = race_threads([session, session], LIMIT)
        assert all(o.ok and o.value[1] and o.value[0] != own for o in outcomes)

    def test_one_conflict(self, room):
        """Of two that read and change the same, exactly one fails, with 40001."""
        barrier = threading.Barrier(2)
        failures = []

        def change():
            try:
                allocation = room.managed_allocations().one()
                barrier.wait(LIMIT)
                allocation.quota += 1
                room.commit()
            except OperationalError as error:
                failures.append(error)
                room.rollback()
            finally:
                room.close()

        outcomes = race_threads([change, change], LIMIT)
        assert all(outcome.ok for outcome in outcomes)
        assert [sqlstate(error) for error in failures] == ["40001"]
        room.rollback()
        assert room.managed_allocations().one().quota == 2

    def test_reader_and_writer(self, room):
        """A reader and a writer do not disturb each other."""
        barrier = threading.Barrier(2)

        def read():
            try:
                before = room.managed_allocations().one().quota
                barrier.wait(LIMIT)
                barrier.wait(LIMIT)
                room.session.expire_all()
                after = room.managed_allocations().one().quota
                room.commit()
                return before, after
            finally:
                room.close()

        def write():
            try:
                barrier.wait(LIMIT)
                room.managed_allocations().one().quota = 7
                room.commit()
                barrier.wait(LIMIT)
            finally:
                room.close()

        reading, writing = race_threads([read, write], LIMIT)
        assert writing.ok
        assert reading.value == (1, 1)

    def test_one_place(self, room):
        """Of two that approve the last place at once, exactly one succeeds."""
        tokens = [room.reserve(GUEST, hours(8, 10)) for _ in range(2)]
        room.commit()
        barrier = threading.Barrier(2)

        def approve(token):
            try:
                room.managed_allocations().one()
                barrier.wait(LIMIT)
                room.approve_reservations(token)
                room.commit()
            except (OperationalError, IntegrityError, errors.AlreadyReservedError):
                room.rollback()
                return False
            finally:
                room.close()
            return True

        outcomes = race_threads(
            [lambda: approve(tokens[0]), lambda: approve(tokens[1])], LIMIT
        )
        assert sorted(outcome.value for outcome in outcomes) == [False, True]
        room.rollback()
        assert room.managed_reserved_slots().count() == 1

    def test_retried(self, room):
        """With transaction, both get a clear answer: booked, or already reserved."""

        def book():
            try:
                return len(room.transaction(lambda: room.book(GUEST, hours(8, 10))))
            finally:
                room.close()

        outcomes = race_threads([book] * 4, LIMIT)
        assert [o.value for o in outcomes if o.ok] == [1]
        assert [o.error for o in outcomes if not o.ok] == ["AlreadyReservedError"] * 3
        assert room.managed_reserved_slots().count() == 1


class TestConstraints:
    """What the database refuses, whoever asks."""

    def test_double_slot(self, room):
        """No two slots of a resource start at the same time."""
        room.book(GUEST, hours(8, 10))
        slot = room.managed_reserved_slots().one()
        twin = ReservedSlot(
            resource=slot.resource,
            start=slot.start,
            end=slot.end,
            allocation_id=slot.allocation_id,
            source_type="reservation",
            source_id=slot.source_id + 1,
            reservation_token=uuid4(),
        )
        room.session.expunge(slot)
        room.session.add(twin)
        with pytest.raises(IntegrityError) as raised:
            room.session.flush()
        assert sqlstate(raised.value) == "23505"
        room.rollback()

    def test_double_allocation(self, room):
        """No two allocations of a resource start at the same time."""
        allocation = room.managed_allocations().one()
        room.session.add(allocation.copy())
        with pytest.raises(IntegrityError, match="resource_start_ix"):
            room.session.flush()
        room.rollback()


class TestTransaction:
    def test_commits(self, room):
        """What the function did is committed, and what it returns is returned."""

        def work():
            return len(room.allocate(hours(12, 13)))

        assert room.transaction(work) == 1
        room.rollback()
        assert room.managed_allocations().count() == 2

    def test_of_the_context(self, room):
        """The context runs transactions, too."""
        room.context.transaction(lambda: room.allocate(hours(12, 13)))
        room.rollback()
        assert room.managed_allocations().count() == 2

    def test_rolls_back(self, room):
        """An error undoes all of it, is not retried, and propagates."""
        calls = []

        def work():
            calls.append(room.book(GUEST, hours(8, 10)))
            room.book(GUEST, hours(8, 10))

        with pytest.raises(errors.AlreadyReservedError):
            room.transaction(work)
        assert len(calls) == 1
        assert room.managed_reservations().count() == 0

    def test_retries(self, room, interfere):
        """On a conflict the whole function is called again, in a fresh snapshot."""
        seen = []

        def work():
            allocation = room.managed_allocations().one()
            seen.append(allocation.quota)
            if len(seen) < 3:
                interfere()
            allocation.data = {"seen": len(seen)}
            room.session.flush()

        room.transaction(work)
        assert seen == [1, 2, 3]
        assert room.managed_allocations().one().data == {"seen": 3}

    def test_gives_up(self, room, interfere):
        """After the last attempt one error says how often it was tried, and why."""
        calls = []

        def work():
            allocation = room.managed_allocations().one()
            calls.append(allocation.quota)
            interfere()
            allocation.data = {}
            room.session.flush()

        with pytest.raises(errors.TooManyConflicts) as raised:
            room.transaction(work, attempts=2)
        assert len(calls) == raised.value.attempts == 2
        assert sqlstate(raised.value.__cause__) == "40001"

    def test_joins(self, room):
        """Within a transaction another one joins it: nothing is committed alone."""

        def inner():
            return room.allocate(hours(12, 13))

        def outer():
            room.transaction(inner)
            raise LookupError

        with pytest.raises(LookupError):
            room.transaction(outer)
        assert room.managed_allocations().count() == 1

    def test_usable_afterwards(self, room):
        """After an error the session goes on as if nothing had happened."""
        with pytest.raises(ZeroDivisionError):
            room.transaction(lambda: 1 / 0)
        room.transaction(lambda: room.book(GUEST, hours(8, 10)))
        assert room.managed_reserved_slots().count() == 1

    def test_failing_listener(self, room, monkeypatch, caplog):
        """A listener that fails after the commit undoes and repeats nothing."""
        told, calls = [], []

        def fail(*_):
            told.append("fails")
            raise psycopg.errors.SerializationFailure

        listeners = [fail, lambda *_: told.append("works")]
        monkeypatch.setattr(events.on_reservations_made, "committed", listeners)

        def work():
            room.book(GUEST, hours(8, 10))
            calls.append(1)
            if len(calls) == 1:
                raise psycopg.errors.SerializationFailure

        room.transaction(work)
        assert len(calls) == 2
        assert told == ["fails", "works"]
        assert "A listener failed after the commit" in caplog.text
        assert room.managed_reservations().count() == 1
