"""Works through PgBouncer in transaction mode, and leaves nothing behind there."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from libres.context.session import SessionProvider
from libres.db import new_scheduler
from libres.modules.errors import AlreadyReservedError
from tests.fixtures.races import race_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from libres.context.core import Context
    from libres.db.scheduler import Scheduler
    from tests.fixtures.pooler import Pooler

EIGHT = datetime(2030, 1, 7, 8, tzinfo=UTC)
HOURS = [
    (EIGHT + timedelta(hours=hour), EIGHT + timedelta(hours=hour + 1))
    for hour in range(8)
]

UNPREPARED: dict[str, dict[str, Any]] = {
    "psycopg2": {},
    "psycopg": {"connect_args": {"prepare_threshold": None}},
}
"""What ``engine_config`` needs behind a pooler that knows no prepared statements."""

TRACKED = (
    "application_name",
    "client_encoding",
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
)
"""What PgBouncer itself sets for each client."""


Connect: TypeAlias = "Callable[..., Scheduler]"


@pytest.fixture
def connect(pooler_of: object, context: Context) -> Iterator[Connect]:
    """Give a function that connects the context anew, and gives its room.

    What it has connected is closed before the pooler ends.
    """
    assert pooler_of

    def connect(dsn: str, **engine_config: Any) -> Scheduler:
        context.set_service(
            "session_provider",
            lambda _: SessionProvider(dsn, engine_config=engine_config),
            cache=True,
        )
        return new_scheduler(context, "room", "UTC")

    yield connect
    context.get_service("session_provider").stop_service()


def work(room: Scheduler, email: str) -> list[int]:
    """Reserve, approve, book and search, hour by hour, and say which hours we got."""
    got = []
    for number, hour in enumerate(HOURS):
        take = book if number % 2 else reserve_and_approve
        with suppress(AlreadyReservedError):
            room.transaction(partial(take, room, email, hour))
            got.append(number)
        with room.read_only():
            assert len(room.search_allocations(HOURS[0][0], HOURS[-1][1])) == 8
    room.close()
    return got


def book(room: Scheduler, email: str, hour: tuple[datetime, datetime]) -> None:
    """Take an hour in one step."""
    room.book(email, hour)


def reserve_and_approve(
    room: Scheduler, email: str, hour: tuple[datetime, datetime]
) -> None:
    """Take an hour in two steps."""
    room.approve_reservations(room.reserve(email, hour))


@pytest.mark.parametrize("driver", UNPREPARED)
@pytest.mark.parametrize("size", [1, 2])
def test_two_threads(
    connect: Connect,
    dsn: str,
    pooler_of: Callable[[int], Pooler],
    driver: str,
    size: int,
) -> None:
    """Two threads share one connection, or two, and nothing is booked twice."""
    through = pooler_of(size).dsn(dsn, driver)
    room = connect(through, **UNPREPARED[driver])
    room.transaction(lambda: room.allocate(HOURS))
    ada, ben = race_threads(
        [lambda: work(room, "ada@example.org"), lambda: work(room, "ben@example.org")]
    )
    assert ada.ok, ada
    assert ben.ok, ben
    assert sorted(ada.value + ben.value) == list(range(8))
    assert room.managed_reserved_slots().count() == 8


LEFT = {
    "prepared statements": "SELECT name FROM pg_prepared_statements",
    "settings": "SELECT name, setting FROM pg_settings WHERE source = 'session'",
    "locks": "SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() "
    "AND locktype = 'advisory'",
    "channels": "SELECT pg_listening_channels()",
    "tables": "SELECT relname FROM pg_class WHERE relpersistence = 't'",
}


def left(dsn: str) -> dict[str, list[Any]]:
    """Look for what was left in the one connection of a pooler."""
    engine = create_engine(dsn)
    with engine.connect() as connection:
        found = {
            name: connection.execute(text(sql)).all() for name, sql in LEFT.items()
        }
        found["process"] = [connection.scalar(text("SELECT pg_backend_pid()"))]
    engine.dispose()
    found["settings"] = [row for row in found["settings"] if row[0] not in TRACKED]
    return found


@pytest.mark.parametrize("driver", UNPREPARED)
def test_nothing_is_left(
    connect: Connect, dsn: str, pooler_of: Callable[[int], Pooler], driver: str
) -> None:
    """The connection that all share is at the end what it was at the beginning."""
    through = pooler_of(1).dsn(dsn, driver)
    before = left(through)
    room = connect(through, **UNPREPARED[driver])
    room.transaction(lambda: room.allocate(HOURS))
    assert work(room, "ada@example.org") == list(range(8))
    assert left(through) == before
    assert before.pop("process") != []
    assert not any(before.values())


def test_prepared_statements(
    connect: Connect, dsn: str, pooler_of: Callable[[int], Pooler]
) -> None:
    """By default psycopg 3 prepares what it repeats: not every PgBouncer can do that.

    Two clients share the connection, and each calls its first statement the same.
    """
    pooler = pooler_of(1)
    repeat(connect(pooler.dsn(dsn, "psycopg")))
    other = connect(pooler.dsn(dsn, "psycopg"))
    if pooler.version >= (1, 22) and psycopg.capabilities.has_send_close_prepared():
        repeat(other)
    else:
        with pytest.raises(DBAPIError, match=r"prepared statement .+ already"):
            repeat(other)
        repeat(connect(pooler.dsn(dsn, "psycopg"), **UNPREPARED["psycopg"]))


def repeat(room: Scheduler) -> None:
    """Ask the same more often than psycopg 3 does without preparing it."""
    for _ in range(7):
        room.transaction(lambda: room.managed_allocations().count())
