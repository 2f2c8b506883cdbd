"""What only reads, on the same server: levels, refusals, threads, nesting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import NoResultFound, OperationalError

from libres.context.session import REPEATABLE_READ, SessionProvider
from libres.db import new_scheduler
from libres.db.models import Allocation, Reservation
from libres.modules.errors import (
    DirtyReadOnlySession,
    Misuse,
    ModifiedReadOnlySession,
)
from tests.fixtures.races import race_threads
from tests.fixtures.statements import counted

EIGHT, NINE, TEN = (datetime(2030, 1, 7, hour, tzinfo=UTC) for hour in (8, 9, 10))
DAY = EIGHT - timedelta(hours=6), TEN + timedelta(hours=6)

SETTINGS = text(
    "SELECT current_setting('transaction_isolation'), "
    "current_setting('transaction_read_only'), "
    "current_setting('default_transaction_isolation'), "
    "current_setting('default_transaction_read_only')"
)


@pytest.fixture
def room(context):
    """A room with something to read."""
    return opened(context)


@pytest.fixture
def room_by_driver(context, driver_dsn):
    """The same room, through each of the drivers."""
    context.set_setting("dsn", driver_dsn)
    return opened(context)


def opened(context):
    """Allocate the two hours that the tests are about."""
    room = new_scheduler(context, "room", "Europe/Zurich")
    room.allocate((EIGHT, TEN), partly_available=True)
    room.commit()
    return room


def in_thread(function):
    """Run a function in a thread of its own and give what it returned."""
    [outcome] = race_threads([function])
    assert outcome.ok, outcome
    return outcome.value


def book_elsewhere(room):
    """Book and commit in another thread."""

    def book():
        with_own_session = room.clone()
        with_own_session.book("ada@example.org", (EIGHT, NINE))
        with_own_session.commit()
        with_own_session.close()

    in_thread(book)


class TestSession:
    def test_level(self, room_by_driver):
        """It is READ ONLY and REPEATABLE READ, without a setting of the connection."""
        with room_by_driver.read_only() as session:
            assert room_by_driver.session is session
            level = session.execute(SETTINGS).one()
        assert tuple(level) == ("repeatable read", "on", "read committed", "off")

    def test_afterwards(self, room):
        """After the block the session is the serialisable one again, and it writes."""
        before = room.session
        with room.read_only() as session:
            assert session is not before
        assert room.session is before
        level = room.session.execute(SETTINGS).one()
        assert tuple(level)[:2] == ("serializable", "off")
        book_elsewhere(room)

    def test_configs(self, dsn):
        """Both configurations hold for what only reads as well."""
        provider = SessionProvider(
            dsn,
            engine_config={"json_serializer": str},
            session_config={"expire_on_commit": False},
        )
        assert not provider.read_only_session().expire_on_commit
        assert provider.read_only_engine.dialect._json_serializer is str
        provider.stop_service()

    def test_unused(self, room):
        """Nothing is opened for it until it is used."""
        room.availability(EIGHT, TEN)
        assert room.session_provider.read_only_engine.pool.checkedin() == 0
        assert room.context.read_only_session is None

    def test_stop(self, room):
        """Stopping the provider closes its connections too."""
        with room.read_only() as session:
            session.execute(text("SELECT 1"))
        provider = room.session_provider
        assert provider.read_only_engine.pool.checkedin() == 1
        provider.stop_service()
        assert provider.read_only_engine.pool.checkedin() == 0

    def test_constant(self):
        """The isolation level is spelt as SQLAlchemy spells it."""
        assert REPEATABLE_READ == "REPEATABLE READ"


class TestReading:
    def test_answers(self, room):
        """Searches, availability and queries are answered by unchanged code."""
        expected = answers(room)
        room.rollback()
        with room.read_only() as session, counted(session) as statements:
            assert answers(room) == expected
        assert len(statements) >= 3
        assert not room.session.in_transaction()

    def test_statements(self, room):
        """The statements are those that the writing session would send."""
        with counted(room.session) as elsewhere:
            answers(room)
        room.rollback()
        with room.read_only() as session, counted(session) as statements:
            answers(room)
        assert statements == elsewhere

    def test_one_snapshot(self, room):
        """The answers of a block agree, whatever is committed meanwhile."""
        with room.read_only():
            before = room.availability(EIGHT, TEN)
            book_elsewhere(room)
            assert room.availability(EIGHT, TEN) == before == 100.0
        with room.read_only():
            assert room.availability(EIGHT, TEN) == 50.0

    def test_gets_in_nobodys_way(self, room):
        """What is read leaves no predicate locks, so that no writer is aborted."""
        locks = text(
            "SELECT count(*) FROM pg_locks WHERE mode = 'SIReadLock' "
            "AND pid = pg_backend_pid()"
        )
        room.search_allocations(*DAY)
        assert room.session.execute(locks).scalar_one() > 0
        room.rollback()
        with room.read_only() as session:
            room.search_allocations(*DAY)
            assert session.execute(locks).scalar_one() == 0

    def test_readable_afterwards(self, room):
        """What was loaded can be read when its session is closed."""
        with room.read_only():
            [allocation] = room.search_allocations(*DAY)
        assert allocation.display_start() == EIGHT

    def test_as_decorator(self, room):
        """A function is made one that only reads, on each of its calls."""

        @room.context.read_only()
        def level():
            return room.session.execute(SETTINGS).one()[1]

        assert [level(), level()] == ["on", "on"]
        assert room.context.read_only_session is None

    def test_queries(self, room):
        """Queries, without a resource, do so too; other contexts do not."""
        registry = room.context.registry
        other = new_scheduler(registry.register_context("b"), "room", "Europe/Zurich")
        other.context.set_setting("dsn", room.context.get_setting("dsn"))
        with room.read_only() as session:
            assert room.queries.session is session
            assert other.session is not session
            assert other.context.read_only_session is None
        other.context.get_service("session_provider").stop_service()

    def test_locked_context(self, room):
        """A locked context can be read from: nothing is set on it."""
        room.context.lock()
        with room.read_only():
            assert room.availability(EIGHT, TEN) == 100.0


def answers(room):
    """What pages show: a search, a number, and a calendar."""
    calendar = room.allocations_with_availability_by_range(*DAY)
    return (
        [each.id for each in room.search_allocations(*DAY)],
        room.availability(EIGHT, TEN),
        [each[1:] for each in calendar],
        room.managed_reservations().count(),
    )


WRITES = {
    "reserve": lambda room: room.reserve("ada@example.org", (EIGHT, NINE)),
    "book": lambda room: room.book("ada@example.org", (EIGHT, NINE)),
    "allocate": lambda room: room.allocate((TEN, TEN + timedelta(hours=1))),
    "add_blocker": lambda room: room.add_blocker((EIGHT, NINE)),
    "remove": lambda room: room.remove_allocation(
        id=room.managed_allocations().one().id
    ),
    "bulk": lambda room: room.managed_allocations().delete("fetch"),
    "sql": lambda room: room.session.execute(text("DELETE FROM allocations")),
    "lock": lambda room: room.session.execute(select(Allocation).with_for_update()),
    "transaction": lambda room: room.transaction(lambda: None),
}


class TestWriting:
    @pytest.mark.parametrize("name", WRITES)
    def test_refused(self, room, name):
        """Whatever writes is refused, and nothing is written."""
        refused = pytest.raises(ModifiedReadOnlySession, match="use a writable one")
        with refused, room.read_only():
            WRITES[name](room)
        assert room.managed_allocations().count() == 1
        assert room.managed_reservations().count() == 0

    def test_cause(self, room_by_driver):
        """What PostgreSQL said is the cause."""
        with (
            pytest.raises(ModifiedReadOnlySession) as raised,
            room_by_driver.read_only(),
        ):
            room_by_driver.session.execute(text("DELETE FROM allocations"))
        assert "read-only transaction" in str(raised.value.__cause__)

    def test_commit(self, room):
        """A commit is refused if there is something to commit, else it is harmless."""
        with room.read_only():
            room.commit()
            room.managed_allocations().one().data = {"lost": True}
            with pytest.raises(ModifiedReadOnlySession):
                room.commit()
            room.rollback()

    def test_never_flushed(self, room):
        """What was changed but never flushed is not dropped without a word."""
        with pytest.raises(ModifiedReadOnlySession), room.read_only():
            room.managed_allocations().one().data = {"lost": True}
        with pytest.raises(ModifiedReadOnlySession), room.read_only() as session:
            session.add(Reservation())
        with pytest.raises(ModifiedReadOnlySession), room.read_only() as session:
            session.delete(room.managed_allocations().one())
        assert room.managed_allocations().one().data == {}

    def test_same_value(self, room):
        """To set what is there already changes nothing."""
        with room.read_only():
            allocation = room.managed_allocations().one()
            allocation.quota = allocation.quota

    def test_after_refusal(self, room):
        """A refusal that was caught ends with a rollback, as other errors do."""
        with room.read_only():
            with pytest.raises(ModifiedReadOnlySession):
                room.reserve("ada@example.org", (EIGHT, NINE))
            room.rollback()
            assert room.availability(EIGHT, TEN) == 100.0

    def test_own_error(self, room):
        """Another error passes as it is, and ends the block."""
        with pytest.raises(NoResultFound), room.read_only():
            room.allocation_by_id(0)
        assert room.context.read_only_session is None
        room.book("ada@example.org", (EIGHT, NINE))

    def test_refusal_of_the_writable(self, room):
        """A session that may write keeps the errors of its driver."""
        session = room.session
        session.execute(text("SET TRANSACTION READ ONLY"))
        with pytest.raises(Exception, match="read-only transaction") as raised:
            session.execute(text("DELETE FROM allocations"))
        assert not isinstance(raised.value, ModifiedReadOnlySession)


class TestDirty:
    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda room: room.session.add(Reservation()), id="new"),
            pytest.param(
                lambda room: setattr(room.managed_allocations().one(), "quota", 2),
                id="changed",
            ),
            pytest.param(
                lambda room: room.session.delete(room.managed_allocations().one()),
                id="deleted",
            ),
            pytest.param(
                lambda room: room.reserve("ada@example.org", (EIGHT, NINE)),
                id="flushed",
            ),
            pytest.param(
                lambda room: room.session.execute(text("DELETE FROM allocations")),
                id="by SQL",
            ),
        ],
    )
    def test_refused(self, room, change):
        """Changes that are not committed could not be seen: the block is refused."""
        change(room)
        refused = pytest.raises(DirtyReadOnlySession, match="commit or roll them back")
        with refused, room.read_only():
            pytest.fail("the block has begun")
        assert room.context.read_only_session is None
        room.rollback()
        with room.read_only():
            assert room.availability(EIGHT, TEN) == 100.0

    def test_changes_survive(self, room):
        """The refusal leaves them where they are."""
        room.reserve("ada@example.org", (EIGHT, NINE))
        with pytest.raises(DirtyReadOnlySession), room.read_only():
            pytest.fail("the block has begun")
        room.commit()
        assert room.managed_reservations().count() == 1

    def test_reading_before(self, room):
        """A transaction that has only read goes on after the block."""
        allocation = room.managed_allocations().one()
        with room.read_only():
            assert room.managed_allocations().one() is not allocation
        assert allocation in room.session
        assert room.session.in_transaction()

    def test_within_transaction(self, room):
        """Inside of transaction() it reads before anything is written, not after."""

        def work():
            with room.read_only():
                assert room.availability(EIGHT, TEN) == 100.0
            room.book("ada@example.org", (EIGHT, NINE))
            with pytest.raises(DirtyReadOnlySession), room.read_only():
                pytest.fail("the block has begun")

        room.transaction(work)
        assert room.availability(EIGHT, TEN) == 50.0


class TestNesting:
    def test_joins(self, room):
        """An inner block shares the session; the outer one closes it."""
        with room.read_only() as outer:
            with room.context.read_only() as inner:
                assert inner is outer
                room.availability(EIGHT, TEN)
            assert room.session is outer
            assert outer.in_transaction()
        assert not outer.in_transaction()

    def test_inner_error(self, room):
        """An error that is caught between the two leaves the outer one as it was."""
        with room.read_only() as outer:
            with pytest.raises(NoResultFound), room.read_only():
                room.allocation_by_id(0)
            assert room.session is outer

    def test_threads(self, room):
        """A block is that of its thread: others write meanwhile, or read apart."""

        def read():
            with room.read_only() as session:
                return session, room.availability(EIGHT, TEN)

        with room.read_only() as mine:
            book_elsewhere(room)
            theirs, availability = in_thread(read)
            assert theirs is not mine
            assert availability == 50.0
            assert in_thread(lambda: room.context.read_only_session) is None


class OfHost:
    """A session provider in the style of hosts."""

    def __init__(self, own):
        self.session = lambda: own.session


class Both(OfHost):
    """One that can be read from as well; it hands out the proxies of its threads."""

    def __init__(self, own):
        super().__init__(own)
        self.read_only_session = lambda: own.read_only_session


@pytest.fixture
def own(dsn):
    """What a host makes its sessions with."""
    own = SessionProvider(dsn)
    yield own
    own.stop_service()


class TestHost:
    def test_without(self, room, own):
        """A provider that has only session() works, and says what it lacks."""
        room.context.set_service("session_provider", lambda _: OfHost(own))
        assert room.availability(EIGHT, TEN) == 100.0
        refused = pytest.raises(Misuse, match=r"OfHost.*read_only_session\(\)")
        with refused, room.read_only():
            pytest.fail("the block has begun")
        assert room.context.read_only_session is None

    def test_with(self, room, own):
        """A provider that has both is read from."""
        room.context.set_service("session_provider", lambda _: Both(own))
        with room.read_only() as session:
            assert session is own.read_only_session()
            assert room.session is session


class TestReplicaDsn:
    @pytest.mark.parametrize("replica", ["sqlite://", "mysql://u:secret@h/d", "", 1])
    def test_not_postgres(self, dsn, replica):
        """Another database is refused at once, without repeating its password."""
        with pytest.raises(Misuse, match="Not a postgres database") as raised:
            SessionProvider(dsn, replica_dsn=replica)
        assert "secret" not in str(raised.value)

    def test_not_there(self, context, driver_dsn, tmp_path):
        """A replica that does not run stops only what reads from it, and is named."""
        nowhere = f"{driver_dsn.partition(':')[0]}://postgres@/x?host={tmp_path}"
        context.set_service(
            "session_provider",
            lambda _: SessionProvider(driver_dsn, replica_dsn=nowhere),
            cache=True,
        )
        room = opened(context)
        failed = pytest.raises(OperationalError, match="to the replica")
        with failed as raised, room.read_only():
            room.availability(EIGHT, TEN)
        assert str(tmp_path) in str(raised.value)
        assert room.availability(EIGHT, TEN) == 100.0
