"""Several processes send one request under one key at the same moment."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

from libres.db.models import IdempotencyKey
from libres.db.models.idempotency import IDEMPOTENCY_KEY
from tests.fixtures.races import Outcome, race
from tests.races import actors

if TYPE_CHECKING:
    from collections.abc import Callable

    from libres.db.scheduler import Scheduler

RIVALS = 4


def reserve(dsn: str, key: str | None, quota: int = 1) -> str:
    """Reserve the first hour under a key and return the token."""
    return _token(
        dsn,
        lambda scheduler: scheduler.reserve(
            "a@example.org", _HOUR, quota=quota, idempotency_key=key
        ),
    )


def book(dsn: str, key: str | None, quota: int = 1) -> str:
    """Book the first hour under a key and return the token."""
    return _token(
        dsn,
        lambda scheduler: (
            scheduler.book("a@example.org", _HOUR, quota=quota, idempotency_key=key)[
                0
            ].token
        ),
    )


_HOUR = (actors.NINE, actors.TEN)


def _token(dsn: str, act: Callable[[Scheduler], object]) -> str:
    return str(actors.in_transaction(dsn, act))


def tokens(dsn: str) -> list[str]:
    """Return the token of each reservation there is."""
    found: list[str] = actors.in_transaction(
        dsn,
        lambda scheduler: [
            str(each.token) for each in scheduler.managed_reservations()
        ],
    )
    return found


def run(acts: list[Callable[[], str]]) -> list[Outcome]:
    """Let functions race, each in a process of its own."""
    outcomes: list[Outcome] = race(acts)
    return outcomes


@pytest.mark.parametrize(
    ("act", "quota"),
    [
        pytest.param(reserve, 9, id="there is room for all"),
        pytest.param(book, 1, id="there is room for one"),
    ],
)
def test_same_key(dsn: str, act: Callable[..., str], quota: int) -> None:
    """There is one reservation, and everybody gets its token."""
    actors.allocate(dsn, quota)
    outcomes = run([partial(act, dsn, "k")] * RIVALS)
    assert [outcome.error for outcome in outcomes] == [None] * RIVALS
    assert {outcome.value for outcome in outcomes} == set(tokens(dsn))
    assert len(tokens(dsn)) == 1


def test_other_arguments(dsn: str) -> None:
    """One key for two requests: one of them is made, the other one is told."""
    actors.allocate(dsn, 9)
    outcomes = run([partial(book, dsn, "k", 1), partial(book, dsn, "k", 2)])
    refused = [outcome.error for outcome in outcomes if not outcome.ok]
    assert refused == ["IdempotencyKeyReused"]
    assert len(tokens(dsn)) == 1


def test_control(dsn: str) -> None:
    """Without a key the same race makes as many reservations as there are processes."""
    actors.allocate(dsn, 9)
    outcomes = run([partial(reserve, dsn, None)] * RIVALS)
    assert {outcome.value for outcome in outcomes} == set(tokens(dsn))
    assert len(tokens(dsn)) == RIVALS


def test_without_the_constraint(dsn: str) -> None:
    """A database that cannot keep the promise refuses keys instead of breaking it."""
    actors.allocate(dsn, 9)
    engine = create_engine(dsn)
    with engine.begin() as connection:
        table = IdempotencyKey.__tablename__
        connection.execute(
            text(f"ALTER TABLE {table} DROP CONSTRAINT {IDEMPOTENCY_KEY}")
        )
    engine.dispose()
    with pytest.raises(ProgrammingError, match="ON CONFLICT"):
        reserve(dsn, "k")
    assert tokens(dsn) == []
