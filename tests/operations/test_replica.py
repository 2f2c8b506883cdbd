"""Reads from a hot standby what was written on its primary, with unchanged code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from libres.context.registry import create_default_registry
from libres.context.session import SessionProvider
from libres.context.transactions import classify
from libres.db import new_scheduler
from libres.modules.errors import ModifiedReadOnlySession

if TYPE_CHECKING:
    from collections.abc import Iterator

    from libres.context.core import Context
    from libres.db.scheduler import Scheduler
    from tests.fixtures.standby import Pair

EIGHT, NINE, TEN = (datetime(2030, 1, 7, hour, tzinfo=UTC) for hour in (8, 9, 10))
DAY = EIGHT - timedelta(hours=6), TEN + timedelta(hours=6)

_numbers = count(1)


def with_driver(dsn: str, driver: str) -> str:
    """Name the driver in a URL of the embedded server."""
    url = make_url(dsn).set(drivername=f"postgresql+{driver}")
    return url.render_as_string(hide_password=False)


@pytest.fixture(params=["psycopg2", "psycopg"])
def context(pair: Pair, request: pytest.FixtureRequest) -> Iterator[Context]:
    """Make a context that reads from the standby, once per driver."""
    provider = SessionProvider(
        with_driver(pair.primary, request.param),
        replica_dsn=with_driver(pair.standby, request.param),
    )
    context = create_default_registry().register_context("test")
    context.set_service("session_provider", lambda _: provider, cache=True)
    yield context
    provider.stop_service()


@pytest.fixture
def room(context: Context, pair: Pair) -> Scheduler:
    """Allocate two hours of a new room, and wait until the standby has them."""
    room = new_scheduler(context, f"room {next(_numbers)}", "Europe/Zurich")
    room.setup_database()
    room.allocate((EIGHT, TEN), partly_available=True, quota=2)
    room.commit()
    pair.catch_up()
    return room


def answers(room: Scheduler) -> tuple[Any, ...]:
    """Ask what pages show."""
    calendar = room.allocations_with_availability_by_range(*DAY)
    return (
        [each.id for each in room.search_allocations(*DAY)],
        [each.id for each in room.search_allocations(*DAY, available_only=True)],
        room.availability(EIGHT, TEN),
        [each[1:] for each in calendar],
        room.queries.availability_by_day(*DAY, [room.resource]),
        room.managed_reservations().count(),
    )


def test_it_is_the_standby(room: Scheduler) -> None:
    """The block is answered by a server in recovery, what is outside is not."""
    in_recovery = text("SELECT pg_is_in_recovery()")
    with room.read_only():
        assert room.session.scalar(in_recovery) is True
    assert room.session.scalar(in_recovery) is False


def test_same_answers(room: Scheduler, pair: Pair) -> None:
    """What was written on the primary is read alike on both."""
    before = answers(room)
    room.rollback()
    room.book("ada@example.org", (EIGHT, NINE), quota=2)
    room.commit()
    pair.catch_up()
    expected = answers(room)
    room.rollback()
    with room.read_only():
        assert answers(room) == expected
    assert before != expected


def test_unwritten(room: Scheduler, pair: Pair) -> None:
    """What the primary has not committed is on no replica."""
    room.book("ada@example.org", (EIGHT, NINE), quota=2)
    room.session.flush()
    room.rollback()
    pair.catch_up()
    with room.read_only():
        assert room.availability(EIGHT, TEN) == 100.0


def test_snapshot(room: Scheduler, pair: Pair) -> None:
    """A block keeps to its snapshot while the replica goes on."""
    with room.read_only():
        assert room.availability(EIGHT, TEN) == 100.0
        book_elsewhere(room, pair)
        assert room.availability(EIGHT, TEN) == 100.0
    with room.read_only():
        assert room.availability(EIGHT, TEN) == 75.0


def book_elsewhere(room: Scheduler, pair: Pair) -> None:
    """Book and commit one hour of one place, as another application."""
    elsewhere = create_default_registry().register_context("test")
    provider = SessionProvider(room.session_provider.dsn)
    elsewhere.set_service("session_provider", lambda _: provider, cache=True)
    other = new_scheduler(elsewhere, room.name, "Europe/Zurich")
    other.book("ben@example.org", (EIGHT, NINE))
    other.commit()
    provider.stop_service()
    pair.catch_up()


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda room: room.book("a@b.ch", (EIGHT, NINE)), id="book"),
        pytest.param(lambda room: room.managed_allocations().delete(), id="bulk"),
        pytest.param(
            lambda room: room.session.execute(text("CREATE TABLE hosts (id int)")),
            id="tables",
        ),
    ],
)
def test_writing(room: Scheduler, write: Any) -> None:
    """Writing is refused there as it is on a primary that is only read."""
    with pytest.raises(ModifiedReadOnlySession), room.read_only():
        write(room)
    assert room.managed_allocations().count() == 1


def test_serializable_is_refused(context: Context, pair: Pair) -> None:
    """The session of the primary could not be one of the standby: why there are two."""
    driver = make_url(context.get_service("session_provider").dsn).get_driver_name()
    provider = SessionProvider(with_driver(pair.standby, driver))
    with pytest.raises(Exception, match="serializable mode in a hot standby"):
        provider.session().execute(text("SELECT 1"))
    provider.stop_service()


def test_makes_way(room: Scheduler, pair: Pair) -> None:
    """A replica that makes way for what it replays ends the block: read again."""
    configure(pair.standby, "SET max_standby_streaming_delay = 0")
    with room.read_only():
        room.availability(EIGHT, TEN)
        with psycopg.connect(pair.primary) as other:
            other.execute("LOCK TABLE allocations")
        pair.catch_up()
        with pytest.raises(DBAPIError) as raised:
            room.availability(EIGHT, TEN)
    assert classify(raised.value) == "retryable"
    configure(pair.standby, "RESET max_standby_streaming_delay")
    with room.read_only():
        assert room.availability(EIGHT, TEN) == 100.0


def configure(dsn: str, change: str) -> None:
    """Change a setting of a whole server."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM {change}")
        connection.execute("SELECT pg_reload_conf()")


def test_stopped(room: Scheduler, pair: Pair) -> None:
    """A replica that has stopped is named; the primary works, and so does a restart."""
    with room.read_only():
        room.availability(EIGHT, TEN)
    pair.stop()
    for _ in ("in the pool", "to be made"):  # what becomes of a connection
        with pytest.raises(OperationalError) as raised, room.read_only():
            room.availability(EIGHT, TEN)
        assert "connection is the one to the replica" in str(raised.value)
        assert classify(raised.value) == "retryable"
    assert room.availability(EIGHT, TEN) == 100.0
    room.rollback()
    pair.start()
    with room.read_only():
        assert room.availability(EIGHT, TEN) == 100.0
