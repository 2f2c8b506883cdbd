"""Statements are counted for who asks for it, and for nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import Context

import pytest
from sqlalchemy import text

from libres.sync import counting

ONE = text("SELECT 1")


@pytest.fixture
def session(sync):
    """The session of the context."""
    return sync.session


@pytest.fixture
def run(session):
    """Runs statements."""

    def run(times=1):
        for _ in range(times):
            session.execute(ONE)

    session.execute(ONE)
    return run


def test_counting(run):
    """The statements of the block are counted, and no others."""
    run()
    with counting.counting() as count:
        run(3)
    run()
    assert count.statements == 3


def test_part_of_a_request(run):
    """What is part of a request that counts is counted with it."""

    def request():
        count = counting.begin()
        run()
        with counting.counting() as inner:
            run(2)
        counting.end()
        return count, inner, counting.costs()["statements"]

    count, inner, after = Context().run(request)
    assert inner is count
    assert count.statements == 3
    assert after is None


def test_many_rows(session, run):
    """What the driver sends for many rows at once is one."""
    with counting.counting() as count:
        run()
        session.connection().execute(
            text("SELECT set_config('libres.x', :a, true)"), [{"a": "1"}, {"a": "2"}]
        )
    assert count.statements == 2


def test_other_threads(session, run):
    """Others are not counted who work at the same time."""
    engine = session.get_bind()

    def other():
        with engine.connect() as connection:
            connection.execute(ONE)

    with ThreadPoolExecutor(1) as pool, counting.counting() as count:
        run()
        pool.submit(other).result()
    assert count.statements == 1


@pytest.mark.parametrize("content", [None, "", "1", "1 x"])
def test_memory_unknown(tmp_path, monkeypatch, content):
    """Where it cannot be told how much memory there is, it is not."""
    path = tmp_path / "statm"
    if content is not None:
        path.write_text(content, encoding="ascii")
    monkeypatch.setattr(counting, "MEMORY", path)
    assert counting.memory() is None
    assert counting.costs() == {"statements": None, "memory": None}
