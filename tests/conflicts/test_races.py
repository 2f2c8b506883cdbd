"""Many processes want the same: the guard holds, and says who was first."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from libres.conflicts import OPEN, Claims, ConflictError
from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from tests.conflicts.racing import (
    HOURS,
    MIDNIGHT,
    both_worlds,
    fullest,
    race,
    shared,
    stored,
)
from tests.conflicts.times import wish

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "guards.rst"

PROCESSES = 16
ROUNDS = 30


class TestProcesses:
    def test_never_twice(self, dsn, claims):
        """Sixteen processes at both levels leave no overlap and no foreign error."""
        happened = race(dsn, PROCESSES, ROUNDS)
        assert set(happened) == {"done", "ConflictError"}
        assert happened.total() == PROCESSES * ROUNDS
        assert fullest(dsn) == 1
        assert len(stored(dsn)) > 20

    def test_without_the_guard(self, dsn, claims):
        """Control: without the constraint the same processes book twice."""
        claims.session.execute(
            text("ALTER TABLE conflict_claims DROP CONSTRAINT conflict_claims_guard")
        )
        claims.commit()
        race(dsn, 2, ROUNDS)
        assert fullest(dsn) > 1

    def test_never_more_than_there_are_places(self, dsn, claims):
        """Processes at both levels never take more than three places."""
        happened = race(dsn, 8, ROUNDS, capacity=3)
        assert set(happened) <= {"done", "ConflictError"}
        assert happened["ConflictError"] > 0
        assert fullest(dsn) == 3

    def test_without_counting(self, dsn, claims):
        """Control: without the trigger they take more."""
        for event in ("insert", "update"):
            claims.session.execute(
                text(
                    f"DROP TRIGGER conflict_count_places_on_{event} ON conflict_claims"
                )
            )
        claims.commit()
        race(dsn, 4, ROUNDS, capacity=3)
        assert fullest(dsn) > 3


class TestBothWorlds:
    @pytest.fixture
    def opened(self, claims):
        """A room that is open all day, whose reservations are in no claims yet."""
        context = create_default_registry().register_context("race")
        context.set_service("session_provider", lambda _: claims.session_provider)
        day = MIDNIGHT, MIDNIGHT + timedelta(hours=HOURS)
        new_scheduler(context, "room", "UTC").allocate(day, partly_available=True)
        claims.commit()
        return Claims(context)

    def test_scheduler_and_host(self, dsn, opened):
        """With the mirror, no slot ever lies within the claim of a host."""
        opened.setup(mirror_reservations=True)
        opened.commit()
        happened = race(dsn, 8, ROUNDS, act=both_worlds)
        assert set(happened) == {"done", "ConflictError", "AlreadyReservedError"}
        assert shared(dsn) == 0
        assert opened.verify_mirror() == []

    def test_without_mirror(self, dsn, opened):
        """Control: without it they book the same time."""
        assert opened.query().during(OPEN, OPEN).count() == 0
        opened.rollback()
        race(dsn, 2, ROUNDS, act=both_worlds)
        assert shared(dsn) > 0


class TestThreads:
    @pytest.mark.parametrize("level", ["READ COMMITTED", "SERIALIZABLE"])
    def test_one_of_eight(self, dsn, claims, level):
        """Eight at once: one has it, seven are told who. (C12)"""
        barrier = Barrier(8)
        engine = create_engine(dsn, isolation_level=level, pool_size=8)

        def run(_number):
            context = create_default_registry().register_context("test")
            with Session(engine) as session:
                provider = type("Provider", (), {"session": lambda _self: session})()
                context.set_service("session_provider", lambda _context: provider)
                barrier.wait()
                try:
                    made = context.transaction(
                        lambda: Claims(context).claim(wish(13, 14))
                    )
                except ConflictError as error:
                    return [claim.id for claim in error.conflicts]
                return made.id

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(run, range(8)))
        engine.dispose()
        (winner,) = (each for each in results if isinstance(each, int))
        assert sorted(results, key=str) == [winner, *[[winner]] * 7]
        assert len(stored(dsn)) == 1


def test_list_of_guards():
    """The documentation names every guard of claims beside its control test."""
    rows = re.findall(
        r"- Claims: ``(test_\w+)``\s+- ``(test_without_\w+)``",
        PAGE.read_text(encoding="utf-8"),
    )
    tests = [name for each in (TestProcesses, TestBothWorlds) for name in vars(each)]
    controls = {name for name in tests if name.startswith("test_without_")}
    assert {control for _, control in rows} == controls
    assert all(name in tests for name, _ in rows)
