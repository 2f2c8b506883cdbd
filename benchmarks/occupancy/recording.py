"""Records events: late ones, batches, a file, and two processes at once."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final

import click
from sqlalchemy import Engine, text

from benchmarks.claims.measuring import Times, alternated
from benchmarks.occupancy.filling import room
from libres.context.registry import create_default_registry
from libres.occupancy import Occupancy, Reading
from libres.occupancy.ingesting import ATTEMPTS

LATE: Final = {
    "1 minute": timedelta(minutes=1),
    "1 day": timedelta(days=1),
    "60 days": timedelta(days=60),
}

BATCHES: Final = {1: 200, 100: 20, 1000: 6}
"""Events of a batch, and how many batches are recorded."""

LIVE: Final = timedelta(minutes=3)
DAY: Final = timedelta(days=1)

ROWS: Final = 100_000
OF: Final = 50
"""Sensors of a file."""

FILE: Final = timedelta(days=30)
"""How much time a file is about."""

EACH: Final = 20
"""Batches of each process."""

TOGETHER: Final = 100
"""Events of each of these."""


def readings(
    choose: Random, rooms: int, until: datetime, within: timedelta, number: int
) -> list[Reading]:
    """Make up events of a time."""
    return [
        Reading(
            f"sensor {choose.randrange(rooms)}",
            until - choose.random() * within,
            choose.choice((1, -1)),
        )
        for _ in range(number)
    ]


def late(made: Occupancy, rooms: int, rounds: int) -> dict[str, Times]:
    """Record and commit single events that are late."""
    choose = Random(4)  # noqa: S311 - nothing is secret
    acts = {
        f"one event, {name} late": partial(_one, made, choose, rooms, each)
        for name, each in LATE.items()
    }
    return alternated(acts, rounds)


def _one(
    made: Occupancy, choose: Random, rooms: int, lateness: timedelta, _turn: int
) -> None:
    until = datetime.now(UTC) - lateness
    made.record(readings(choose, rooms, until, timedelta(seconds=1), 1))
    made.commit()


def batches(made: Occupancy, rooms: int) -> dict[tuple[str, int], Times]:
    """Record and commit batches of events of just now, and of a day."""
    found: dict[tuple[str, int], Times] = {}
    for number, rounds in BATCHES.items():
        acts = {
            name: _batch(made, rooms, within, number)
            for name, within in (("live", LIVE), ("of a day", DAY))
        }
        for name, times in alternated(acts, rounds).items():
            found[name, number] = times
    return found


def _batch(
    made: Occupancy, rooms: int, within: timedelta, number: int
) -> Callable[[int], None]:
    choose = Random(f"{within} {number}")  # noqa: S311 - nothing is secret

    def act(_turn: int) -> None:
        made.record(readings(choose, rooms, datetime.now(UTC), within, number))
        made.commit()

    return act


def file(made: Occupancy, progress: Callable[[int], object]) -> float:
    """Load a file; return the seconds."""
    lines = list(_lines(datetime.now(UTC)))
    began = time.perf_counter()
    loaded = made.load_csv(lines, progress=progress)
    took = time.perf_counter() - began
    if loaded.inserted != loaded.read or loaded.read != ROWS:
        message = f"Of {loaded.read} rows {loaded.inserted} were inserted."
        raise click.ClickException(message)
    return took


def _lines(until: datetime) -> Iterator[str]:
    choose = Random(5)  # noqa: S311 - nothing is secret
    yield "timestamp,direction,dpu_id\n"
    passed = sorted(readings(choose, OF, until, FILE, ROWS), key=_moment)
    for each in passed:
        moment = each.moment.isoformat().replace("+00:00", "Z")
        yield f"{moment},{each.direction},{each.sensor}\n"


def _moment(reading: Reading) -> datetime:
    return reading.moment


# Two at once --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Together:
    """What two processes recorded on the same spaces."""

    events: int
    rate: float
    """Events a second, together."""

    retried: int
    """Batches that had to be tried again, every time counted."""

    batches: int
    lost: int
    wrong: int
    """Tallies of some spaces that are not what happened."""


def together(
    made: Occupancy, engine: Engine, dsn: str, rooms: int, processes: int = 2
) -> Together:
    """Let processes record on the same spaces; say whether all is there."""
    before = _stored(engine)
    spawn = multiprocessing.get_context("spawn")
    begin, said = spawn.Event(), spawn.Queue()
    workers = [
        spawn.Process(target=_work, args=(dsn, rooms, each, begin, said))
        for each in range(processes)
    ]
    for worker in workers:
        worker.start()
    for _ in workers:
        said.get()  # each is ready
    begin.set()
    began = time.perf_counter()
    retried = sum(said.get() for _ in workers)
    took = time.perf_counter() - began
    for worker in workers:
        worker.join()
    events = processes * EACH * TOGETHER
    wrong = [found for name in (room(0), room(9)) for found in made.verify(name)]
    made.rollback()
    return Together(
        events=events,
        rate=events / took,
        retried=retried,
        batches=processes * EACH,
        lost=before + events - _stored(engine),
        wrong=len(wrong),
    )


def _stored(engine: Engine) -> int:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT count(*) FROM occ_events"))
        return int(found.scalar_one())


def _work(dsn: str, rooms: int, seed: int, begin: Any, said: Any) -> None:
    context = create_default_registry().register_context("bench")
    context.set_setting("dsn", dsn)
    made = Occupancy(context)
    choose = Random(seed)  # noqa: S311 - nothing is secret
    tries = 0

    def act(events: list[Reading]) -> None:
        nonlocal tries
        tries += 1
        made.record(events)

    made.count(room(0))
    made.rollback()
    said.put(0)
    begin.wait()
    for _ in range(EACH):
        events = readings(choose, rooms, datetime.now(UTC), LIVE, TOGETHER)
        context.transaction(partial(act, events), attempts=ATTEMPTS)
    said.put(tries - EACH)
    context.get_service("session_provider").stop_service()
