"""What racing processes do: claim, move, give back and roll back, at random."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from zoneinfo import ZoneInfo

from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from libres.conflicts import Claims, ConflictError, Proposal
from libres.conflicts.models import ConflictClaim
from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from libres.db.models import ReservedSlot

MIDNIGHT = datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC"))
RESOURCES = [f"truck-{number}" for number in range(5)]
HOURS = 24
LEVELS = ("READ COMMITTED", "SERIALIZABLE")


@dataclass(frozen=True)
class Task:
    """What one process does."""

    dsn: str
    number: int
    rounds: int
    capacity: int | None = None
    act: Callable[..., None] | None = None
    """What to do; None: anything."""

    @property
    def level(self):
        """Every other one is READ COMMITTED."""
        return LEVELS[self.number % 2]


class Undone(Exception):
    """Rolls a transaction back on purpose."""


def race(dsn, processes, rounds, capacity=None, act=None):
    """Let processes run at the same time; return what happened to all of them."""
    tasks = [Task(dsn, number, rounds, capacity, act) for number in range(processes)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        return sum(pool.map(run, tasks), Counter())


def run(task):
    """Work in a process; count what happened, by the name of the error."""
    engine = create_engine(task.dsn, isolation_level=task.level)
    context = create_default_registry().register_context("race")
    with Session(engine) as session:
        provider = type("Provider", (), {"session": lambda _self: session})()
        context.set_service("session_provider", lambda _context: provider)
        happened = _rounds(task, Claims(context))
    engine.dispose()
    return happened


def _rounds(task, claims):
    happened = Counter()
    for number in range(task.rounds):
        try:
            claims.context.transaction(partial(_round, task, claims, number))
            happened["done"] += 1
        except Exception as error:
            happened[type(error).__name__] += 1
    return happened


def _round(task, claims, number):
    """Do one thing; the same one if it has to be done again."""
    choose = Random(f"{task.number} {number}")  # noqa: S311 - nothing is secret
    anything = [claim, claim, claim, move, both, undo, drop]
    act = task.act or choose.choice(anything)
    act(claims, choose, task, number)


def some_time(choose):
    """One to three hours of a day."""
    start = MIDNIGHT + timedelta(minutes=30 * choose.randrange(2 * HOURS))
    return start, start + timedelta(minutes=30 * choose.randint(1, 6))


def record(choose, task):
    """One of the records of a process."""
    return f"app.Booking{task.number}", choose.randrange(20)


def claim(claims, choose, task, _number):
    """Claim a resource for a new record."""
    resource, during = choose.choice(RESOURCES), some_time(choose)
    claims.claim(Proposal(resource=resource, during=during, capacity=task.capacity))


def move(claims, choose, task, _number):
    """Claim for a record that may have a claim already."""
    source, number = record(choose, task)
    resource, during = choose.choice(RESOURCES), some_time(choose)
    claims.put(source, number, resource, during, capacity=task.capacity)


def both(claims, choose, task, _number):
    """Claim two resources one after the other, in any order."""
    during = some_time(choose)
    source, number = record(choose, task)
    for part, resource in enumerate(choose.sample(RESOURCES, 2)):
        claims.put(source, number, resource, during, part=part, capacity=task.capacity)


def undo(claims, choose, task, number):
    """Claim, then take it back to a savepoint."""
    try:
        with claims.session.begin_nested():
            claim(claims, choose, task, number)
            raise Undone
    except (Undone, ConflictError):
        move(claims, choose, task, number)


def drop(claims, choose, task, _number):
    """Give back what a record has."""
    claims.drop(*record(choose, task))


def both_worlds(claims, choose, _task, _number):
    """Book a room by the scheduler, or claim it as a host does."""
    start = MIDNIGHT + timedelta(minutes=30 * choose.randrange(2 * HOURS - 4))
    during = start, start + timedelta(minutes=30 * choose.randint(1, 4))
    room = new_scheduler(claims.context, "room", "UTC")
    if choose.random() < 0.5:
        claims.claim(Proposal(resource=room.resource, during=during))
        return
    with claims.guarded():
        room.book("ada@example.org", during)


def shared(dsn):
    """How many slots of the scheduler lie within the claims of hosts."""
    engine = create_engine(dsn)
    with Session(engine) as session:
        slots = session.scalars(select(ReservedSlot.start)).all()
        hosts = session.scalars(
            select(ConflictClaim.during).where(ConflictClaim.source == "libres.Claim")
        ).all()
    engine.dispose()
    assert slots
    assert hosts
    return sum(
        during.lower <= slot < during.upper for slot in slots for during in hosts
    )


def stored(dsn):
    """All claims that were committed: resource, start, end."""
    engine = create_engine(dsn)
    with Session(engine) as session:
        rows = session.execute(
            select(ConflictClaim.resource, ConflictClaim.during)
        ).all()
    engine.dispose()
    return [(resource, during.lower, during.upper) for resource, during in rows]


def fullest(dsn):
    """The largest number of claims that one resource has at once, by brute force."""
    rows = stored(dsn)
    return max(
        sum(
            resource == other and start <= moment < end for resource, start, end in rows
        )
        for other, moment, _ in rows
    )
