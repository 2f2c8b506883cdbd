"""What comes of a transaction that a time limit of PostgreSQL ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError

from libres.db import new_scheduler

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.db.scheduler import Scheduler

LONGEST_WAIT = 60.0
"""Seconds after which a limit that has not struck is taken for broken."""


@pytest.fixture(params=["psycopg2", "psycopg"])
def room(context: Context, dsn: str, request: pytest.FixtureRequest) -> Scheduler:
    """Make a scheduler, once per driver."""
    url = make_url(dsn).set(drivername=f"postgresql+{request.param}")
    context.set_setting("dsn", url.render_as_string(hide_password=False))
    return new_scheduler(context, "room", "UTC")


@pytest.mark.parametrize(
    ("limit", "statement", "said"),
    [
        pytest.param(
            "statement_timeout",
            "SELECT pg_sleep(60)",
            "canceling statement due to statement timeout",
            id="statement",
        ),
        pytest.param(
            "lock_timeout",
            "LOCK TABLE allocations",
            "canceling statement due to lock timeout",
            id="lock",
        ),
    ],
)
def test_passed_on(room: Scheduler, limit: str, statement: str, said: str) -> None:
    """A statement that was ended is not repeated: it would take as long again."""
    attempts = []

    def work() -> None:
        attempts.append(statement)
        room.session.execute(text(f"SET LOCAL {limit} = '50ms'"))
        room.session.execute(text(statement))

    with room.session_provider.engine.begin() as other:
        other.execute(text("LOCK TABLE allocations"))
        with pytest.raises(OperationalError, match=said):
            room.transaction(work)
    assert attempts == [statement]
    assert room.session.scalar(text(f"SHOW {limit}")) == "0"


def test_idle(room: Scheduler) -> None:
    """A transaction that was ended for idling runs again, in another connection."""
    attempts = []

    def work() -> int:
        attempts.append(pid := room.session.scalar(text("SELECT pg_backend_pid()")))
        if len(attempts) == 1:
            limit = "idle_in_transaction_session_timeout"
            room.session.execute(text(f"SET LOCAL {limit} = '20ms'"))
            wait_for_end(room, pid)
        room.session.execute(text("SELECT 1"))
        return pid

    assert room.transaction(work) == attempts[1] != attempts[0]


def wait_for_end(room: Scheduler, pid: int) -> None:
    """Do nothing until a process of the server has ended."""
    alive = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
    deadline = time.monotonic() + LONGEST_WAIT
    engine = room.session_provider.read_only_engine
    counted = 1
    while counted:
        assert time.monotonic() < deadline, "the limit does not strike"
        time.sleep(0.01)
        with engine.connect() as connection:
            counted = connection.scalar(alive, {"pid": pid})
