"""Many processes book at the same time: nobody twice, and the cache keeps up."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest

from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from libres.domain.spans import first_overlap
from libres.timetable import Timetable
from tests.timetable.conftest import at, opened

NAMES = ("ann", "bob", "cyd")
MAIL = "ada@example.org"
PROCESSES = 6
ROUNDS = 12


@dataclass(frozen=True)
class Task:
    """What one process does."""

    dsn: str
    number: int
    act: str


def work(task):
    """Work in a process; count what happened, by the name of the error."""
    context = create_default_registry().register_context("test")
    context.set_setting("dsn", task.dsn)
    table = Timetable(context)
    happened = Counter()
    for number in range(ROUNDS):
        choose = Random(f"{task.number} {number}")  # noqa: S311 - nothing is secret
        try:
            globals()[task.act](table, choose)
            happened["done"] += 1
        except Exception as error:
            table.rollback()
            happened[type(error).__name__] += 1
    table.close()
    context.get_service("session_provider").stop_service()
    return happened


def take_first(table, _choose):
    """Take the first hour of anybody."""
    table.book_first(NAMES, timedelta(hours=1), (at(8), at(18)), MAIL)


def change(table, choose):
    """Book or open or close something, at random."""
    name = choose.choice(NAMES)
    start = at(choose.randrange(8, 20))
    dates = start, start + timedelta(hours=1)

    def act():
        kind = choose.choice(["book", "open", "close"])
        if kind == "book":
            new_scheduler(table.context, name, "UTC").book(MAIL, dates)
        elif kind == "open":
            table.open([name], [dates], skip_overlapping=True)
        else:
            table.close([name], [dates])

    table.context.transaction(act, attempts=30)


def race(dsn, act):
    """Let processes run at the same time; return what happened to all of them."""
    tasks = [Task(dsn, number, act) for number in range(PROCESSES)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
        return sum(pool.map(work, tasks), Counter())


@pytest.mark.parametrize("cached", [False, True], ids=["live", "cached"])
def test_book_first(dsn, table, cached):
    """Thirty hours are free, and exactly thirty are given away."""
    for name in NAMES:
        opened(table, name, (8, 18))
    if cached:
        table.cache()
    table.commit()
    happened = race(dsn, "take_first")
    assert happened == {"done": 30, "AlreadyReservedError": PROCESSES * ROUNDS - 30}
    assert table.count_free((at(8), at(18)), duration=timedelta(minutes=15)) == 0
    assert table.verify_cache() == []


def test_cache_keeps_up(dsn, table):
    """Whatever happens at the same time, the cache is what is derived."""
    for name in NAMES:
        opened(table, name, (8, 18))
    table.cache()
    table.commit()
    happened = race(dsn, "change")
    known = {"done", "AlreadyReservedError", "InvalidReservationError"}
    assert set(happened) <= known | {"NotReservableError"}
    assert happened["done"] > 10
    assert table.verify_cache() == []
    for name in NAMES:
        room = new_scheduler(table.context, name, "UTC")
        spans = [slot.display_start() for slot in room.managed_reserved_slots()]
        assert len(spans) == len(set(spans))
        assert first_overlap(table.free(name, at(0), at(48))) is None
