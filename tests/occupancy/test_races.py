"""Many processes record, move and calibrate at once: nothing is lost or doubled."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from random import Random

import pytest
from sqlalchemy import text

from libres.context.registry import create_default_registry
from libres.occupancy import Occupancy
from tests.occupancy.conftest import at

PROCESSES = 4
"""As many load a file each; one of them moves, calibrates and tells single events."""

ROWS = 3000
SINGLE = 20


@dataclass(frozen=True)
class Task:
    """What one process does."""

    dsn: str
    number: int
    act: str


def events_of(number):
    """What a process sends; every second one is sent by the next process, too."""
    choose = Random(number)  # noqa: S311 - nothing is secret
    return [
        (
            at("00:00") + timedelta(seconds=30 * row, milliseconds=number),
            choose.choice([1, -1]),
            choose.choice(["283", "423"]),
        )
        for row in range(ROWS)
    ]


def rows_of(number):
    """The rows of its file, shuffled."""
    found = events_of(number) + events_of((number + 1) % PROCESSES)[::2]
    Random(number).shuffle(found)  # noqa: S311 - nothing is secret
    return found


def work(task):
    """Work in a process; count what happened, by the name of the error."""
    context = create_default_registry().register_context("test")
    context.set_setting("dsn", task.dsn)
    happened = Counter()
    try:
        globals()[task.act](Occupancy(context), task.number, happened)
    except Exception as error:
        happened[f"{type(error).__name__}: {error}"] += 1
    context.get_service("session_provider").stop_service()
    return happened


def load(house, number, happened):
    """Load a file."""
    rows = "".join(
        f"{moment.isoformat()},{direction},{sensor}\n"
        for moment, direction, sensor in rows_of(number)
    )
    made = house.load_csv(StringIO(f"timestamp,direction,dpu_id\n{rows}"))
    happened.update(inserted=made.inserted, duplicates=made.duplicates)


def single(house, number, happened):
    """Tell events one by one, of the same hours, and that a sensor is alive."""
    for moment, direction, sensor in rows_of(number)[:SINGLE]:
        sent = {"timestamp": moment, "direction": direction, "dpu_id": sensor}
        made = house.context.transaction(lambda: house.record([sent]), attempts=30)  # noqa: B023 - it is called at once
        happened.update(made.outcomes)
        house.context.transaction(lambda: house.sign_alive("423", "283"), attempts=30)


def change(house, number, happened):
    """Move a sensor there and back, and calibrate."""
    choose = Random(number)  # noqa: S311 - nothing is secret
    for _ in range(6):
        moment = at("00:00") + timedelta(minutes=choose.randrange(25 * 60))
        acts = (
            lambda moment: house.assign("283", "Y", 1, moment),
            lambda moment: house.assign("283", "X", 1, moment),
            lambda moment: house.unassign("423", moment),
            lambda moment: house.assign("423", "Z", 1, moment),
            lambda moment: house.calibrate("A", 7, moment),
        )
        for act in acts:
            house.context.transaction(lambda: act(moment), attempts=60)  # noqa: B023 - it is called at once
            happened["changed"] += 1


@pytest.fixture(scope="module")
def pool():
    """The processes, which take longer to start than to work."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as made:
        yield made


def race(pool, dsn, *acts):
    """Let processes run at the same time; return what happened to all of them."""
    tasks = [Task(dsn, number, act) for number, act in enumerate(acts)]
    return sum(pool.map(work, tasks), Counter())


def deadlocks(house):
    """How many transactions PostgreSQL has ended, as they waited in a circle."""
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    house.session.rollback()
    return house.session.execute(text(query)).scalar()


def sums(house):
    """What the events say now, summed up plainly: of A, of B and of the building."""
    effect = "sum(event.direction * hanging.sign * border.factor)"
    query = f"""
        SELECT space.name, {effect} FROM occ_events AS event
        JOIN occ_assignments AS hanging ON hanging.sensor = event.sensor
        AND hanging.valid @> event.ts
        JOIN occ_borders AS border ON border.doorway = hanging.doorway
        JOIN occ_spaces AS space ON space.id = border.space
        GROUP BY space.name
    """  # noqa: S608 - it is put together here
    return dict(map(tuple, house.session.execute(text(query))))


def test_files(house, dsn, pool):
    """Files that have many rows in common: each event is there once, and counts."""
    house.session.commit()
    happened = race(pool, dsn, *["load"] * PROCESSES)
    total = PROCESSES * ROWS
    assert happened == {"inserted": total, "duplicates": total // 2}
    found = {name: house.count(name, at("04:00", 26)).count for name in sums(house)}
    assert found == sums(house)
    sent = sum(
        direction * (1 if sensor == "423" else 0)
        for number in range(PROCESSES)
        for _, direction, sensor in events_of(number)
    )
    assert found["B"] == -sent
    assert house.verify() == []
    assert deadlocks(house) == 0


def test_everything(house, dsn, pool):
    """Files, single events, and a sensor that is moved while it is counted."""
    house.add_doorway("Y", "B", None)
    house.session.commit()
    happened = race(pool, dsn, "load", "load", "single", "change")
    assert happened.pop("changed") == 30
    stored = house.session.execute(text("SELECT count(*) FROM occ_events")).scalar()
    new = happened["inserted"] + happened["counted"] + happened["unassigned"]
    assert new == stored
    sent = 2 * len(rows_of(0)) + SINGLE
    assert sum(happened.values()) == sent, happened
    assert set(happened) <= {
        *("inserted", "duplicates", "counted", "unassigned", "duplicate")
    }
    assert house.verify() == []
    assert house.count("B", at("04:00", 26)).count == sums(house)["B"]
    assert deadlocks(house) == 0
