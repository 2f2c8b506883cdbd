"""Gives races their processes, and a database that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.database import cloned
from tests.races.arena import Arena, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_postgresql.executors import NoopExecutor

    from tests.fixtures.database import Server


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """Keep the racers of this process of the test run."""
    pool = Pool()
    yield pool
    pool.end()


@pytest.fixture(scope="session")
def arena(server: Server, template: NoopExecutor, pool: Pool) -> Iterator[Arena]:
    """Make a database for all races that break nothing."""
    with cloned(server, template) as dsn:
        arena = Arena(pool, dsn)
        yield arena
        arena.close()


@pytest.fixture
def arena_with(dsn: str, pool: Pool) -> Iterator[Callable[..., Arena]]:
    """Give a function that makes an arena on a database of this test alone."""
    arenas: list[Arena] = []

    def make(**options: Any) -> Arena:
        arenas.append(Arena(pool, dsn, **options))
        return arenas[-1]

    yield make
    for arena in arenas:
        arena.close()
