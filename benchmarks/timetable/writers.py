"""Processes that book at random while somebody asks."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from multiprocessing.synchronize import Event
from random import Random
from typing import Any

from benchmarks.timetable.filling import working_days
from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from libres.modules.errors import LibresError

MAIL = "bench@example.org"

LEAST = 10
"""Seconds of booking, so that they count for more than their beginning."""


@dataclass
class Booked:
    """How many were booked, in how many seconds."""

    number: int = 0
    seconds: float = field(default=0.0)

    @property
    def rate(self) -> float:
        """How many a second."""
        return self.number / self.seconds if self.seconds else 0.0


@contextmanager
def writing(dsn: str, names: list[str], days: int, number: int) -> Iterator[Booked]:
    """Let so many processes book during a block, and for ten seconds at least."""
    spawn = multiprocessing.get_context("spawn")
    begin, over, counts = spawn.Event(), spawn.Event(), spawn.Queue()
    workers = [
        spawn.Process(target=_write, args=(dsn, names, days, each, begin, over, counts))
        for each in range(number)
    ]
    for worker in workers:
        worker.start()
    for _ in workers:
        counts.get()  # each is ready
    booked = Booked()
    begin.set()
    began = time.perf_counter()
    yield booked
    time.sleep(max(LEAST - (time.perf_counter() - began), 0))
    over.set()
    booked.seconds = time.perf_counter() - began
    booked.number = sum(counts.get() for _ in workers)
    for worker in workers:
        worker.join()


def _write(
    dsn: str,
    names: list[str],
    days: int,
    seed: int,
    begin: Event,
    over: Event,
    counts: Any,
) -> None:
    context = create_default_registry().register_context("bench")
    context.set_setting("dsn", dsn)
    choose = Random(seed)  # noqa: S311 - nothing is secret
    counts.put(0)
    begin.wait()
    booked = 0
    while not over.is_set():
        room = new_scheduler(context, choose.choice(names), "UTC")
        day = choose.choice(working_days(days))
        start = day + timedelta(minutes=15 * choose.randrange(28, 64))
        dates = start, start + timedelta(minutes=30)
        try:
            context.transaction(partial(room.book, MAIL, dates))
            booked += 1
        except LibresError:
            pass
    counts.put(booked)
    context.get_service("session_provider").stop_service()
