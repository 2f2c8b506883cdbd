"""Hosts whose transactions zope.sqlalchemy commits: they retry, we hand over."""

from __future__ import annotations

import warnings
from datetime import datetime
from importlib import import_module

import pytest
import transaction
import zope.sqlalchemy
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import scoped_session, sessionmaker
from transaction.interfaces import TransientError

from libres import new_scheduler
from libres.context.registry import create_default_registry
from libres.context.transactions import classify
from libres.modules import errors, events

HOUR = (
    datetime.fromisoformat("2030-06-03T08:00"),
    datetime.fromisoformat("2030-06-03T09:00"),
)
GUEST = "guest@example.org"


class Sessions:
    """A session per thread that takes part in Zope's transactions."""

    def __init__(self, dsn):
        self.engine = create_engine(dsn, isolation_level="SERIALIZABLE")
        self.session = scoped_session(sessionmaker(bind=self.engine))
        zope.sqlalchemy.register(self.session)


@pytest.fixture
def host_dsn(dsn):
    """The database, with the driver to be tested."""
    return dsn


@pytest.fixture
def sessions(host_dsn):
    """The sessions of the host."""
    sessions = Sessions(host_dsn)
    yield sessions
    transaction.abort()
    sessions.session.remove()
    sessions.engine.dispose()


@pytest.fixture
def room(sessions):
    """A room with one allocation, committed."""
    context = create_default_registry().register_context("zope")
    context.set_service("session_provider", lambda _: sessions)
    room = new_scheduler(context, "room", "Europe/Zurich")
    with transaction.manager:
        room.allocate(HOUR)
    return room


@pytest.fixture
def interfere(dsn):
    """A function that changes the allocation in a transaction of its own."""
    engine = create_engine(dsn)

    def change():
        with engine.begin() as connection:
            connection.execute(text("UPDATE allocations SET quota_limit = 1"))

    yield change
    engine.dispose()


class Booking:
    """Books the room; others get in the way of the first attempts."""

    def __init__(self, room, interfere, conflicts=1):
        self.room = room
        self.interfere = interfere
        self.conflicts = conflicts
        self.calls = 0

    def act(self):
        """Book in a transaction of the library."""
        return self.room.transaction(self.book)

    def book(self):
        """Read, be interfered with, write."""
        self.calls += 1
        allocation = self.room.managed_allocations().one()
        if self.calls <= self.conflicts:
            self.interfere()
        allocation.data = {"calls": self.calls}
        return self.room.book(f"attempt{self.calls}@example.org", HOUR)


def booked(room):
    """Who has booked, as others see it."""
    transaction.abort()
    with transaction.manager:
        return [each.email for each in room.managed_reservations()]


class TestHandedOver:
    """``transaction`` runs the function, the manager does the rest."""

    def test_not_committed(self, room):
        """What was done waits for the manager's commit."""
        assert len(room.transaction(lambda: room.book(GUEST, HOUR))) == 1
        assert booked(room) == []

    def test_committed_by_the_manager(self, room):
        """That commits it."""
        with transaction.manager:
            room.transaction(lambda: room.book(GUEST, HOUR))
        assert booked(room) == [GUEST]

    def test_decorated_and_nested(self, room):
        """Also as a decorator, on the context, within each other."""

        @room.context.transaction(attempts=2)
        def book():
            return room.transaction(lambda: room.book(GUEST, HOUR))

        with transaction.manager:
            book()
        assert booked(room) == [GUEST]

    def test_subclass(self, room, sessions):
        """A host may have registered hooks of its own making."""

        class Hooks(zope.sqlalchemy.ZopeTransactionEvents):
            pass

        factory = sessionmaker(bind=sessions.engine)
        event.listen(factory, "before_commit", Hooks().before_commit)
        session = factory()
        room.context.set_service("session_provider", lambda _: Provider(session))
        room.transaction(lambda: room.book(GUEST, HOUR))
        assert session.in_transaction()
        session.close()

    def test_told_after_the_commit(self, room, monkeypatch):
        """Listeners of ``committed`` are called once, by the attempt that succeeds."""
        told = []
        listener = [lambda _, made: told.extend(each.email for each in made)]
        monkeypatch.setattr(events.on_reservations_made, "committed", listener)
        booking = Booking(room, lambda: None)
        failures = iter([TransientError])

        def fn():
            booking.act()
            for failure in failures:
                raise failure

        transaction.manager.run(fn)
        assert told == booked(room) == ["attempt2@example.org"]


class Provider:
    """A session manager of a host."""

    def __init__(self, session):
        self._session = session

    def session(self):
        """The only session."""
        return self._session


class TestRetried:
    """The manager knows our conflicts, and repeats; once per driver."""

    @pytest.fixture(params=["psycopg2", "psycopg"])
    def host_dsn(self, request, dsn):
        return make_url(dsn).set(drivername=f"postgresql+{request.param}")

    def test_error_reaches_the_host(self, room, interfere):
        """The conflict propagates as it is, after one call, and counts as retryable."""
        booking = Booking(room, interfere)
        transaction.begin()
        with pytest.raises(OperationalError) as raised:
            booking.act()
        assert booking.calls == 1
        assert classify(raised.value) == "retryable"
        assert transaction.get().isRetryableError(raised.value)

    def test_run(self, room, interfere):
        """``run`` of the transaction manager succeeds."""
        booking = Booking(room, interfere, conflicts=2)
        transaction.manager.run(booking.act, tries=3)
        assert booking.calls == 3
        assert booked(room) == ["attempt3@example.org"]

    def test_attempts(self, room, interfere):
        """So does its loop of attempts."""
        booking = Booking(room, interfere)
        for attempt in transaction.manager.attempts(3):
            with attempt:
                booking.act()
        assert booked(room) == ["attempt2@example.org"]

    def test_refusals_are_not(self, room):
        """What is refused is refused at once."""
        with transaction.manager:
            room.book(GUEST, HOUR)
        booking = Booking(room, lambda: None)
        with pytest.raises(errors.AlreadyReservedError):
            transaction.manager.run(booking.act, tries=3)
        assert booking.calls == 1


def repeat_the_request(failed):
    """Do what the page about Pyramid says, so that conflicts of the COMMIT count."""
    committing = failed.statement is None
    error = failed.original_exception
    if classify(error, committing=committing) == "retryable":
        raise TransientError from error


@pytest.fixture
def pyramid():
    """Pyramid; its request class imports a module that Python deprecates."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'cgi' is deprecated", DeprecationWarning)
        return import_module("pyramid.config"), import_module("pyramid.request")


class TestPyramid:
    """pyramid_retry and pyramid_tm repeat a request."""

    @pytest.fixture
    def post(self, pyramid):
        """A function that sends a request to a view with three attempts."""
        config, request = pyramid

        def post(view):
            made = config.Configurator(settings={"retry.attempts": 3})
            made.include("pyramid_retry")
            made.include("pyramid_tm")
            made.add_view(lambda _: {"booked": len(view())}, renderer="json")
            return request.Request.blank("/").get_response(made.make_wsgi_app())

        return post

    def test_conflict(self, room, interfere, post):
        """A conflict in a view."""
        booking = Booking(room, interfere, conflicts=2)
        assert post(booking.act).json == {"booked": 1}
        assert booking.calls == 3
        assert booked(room) == ["attempt3@example.org"]

    def test_too_many(self, room, interfere, post):
        """After the last attempt the error reaches the server."""
        booking = Booking(room, interfere, conflicts=9)
        with pytest.raises(OperationalError):
            post(booking.act)
        assert booking.calls == 3
        assert booked(room) == []

    @pytest.mark.parametrize(
        "raised",
        [
            pytest.param("SQLSTATE '40001'", id="serialization failure"),
            pytest.param(
                "unique_violation USING CONSTRAINT = 'reserved_slots_pkey'",
                id="taken at the same moment",
            ),
        ],
    )
    def test_at_the_commit(self, room, sessions, post, raised):
        """Translated, a conflict that shows at the COMMIT counts as well."""
        event.listen(sessions.engine, "handle_error", repeat_the_request)
        with sessions.engine.begin() as connection:
            connection.execute(
                text(f"""
                CREATE FUNCTION on_commit() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN IF NEW.email LIKE 'attempt1%' THEN RAISE {raised}; END IF;
                RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER on_commit AFTER INSERT ON reservations
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION on_commit();
            """)
            )
        booking = Booking(room, lambda: None)
        assert post(booking.act).json == {"booked": 1}
        assert booking.calls == 2
        assert booked(room) == ["attempt2@example.org"]
