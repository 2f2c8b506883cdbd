"""Asks how many there are and were, beside a sum over all that ever happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Final

import click
from sqlalchemy import Engine, text

from benchmarks.claims.measuring import Times, alternated
from benchmarks.occupancy.filling import DAYS, calibrated, room
from libres.occupancy import Occupancy

DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
MONTH: Final = 30
"""Days."""

CHECKED: Final = 20
"""Answers that are compared."""

SUM: Final = text("""\
SELECT coalesce(sum(direction * factor), 0)
FROM occ_spaces AS space JOIN occ_borders AS border ON border.space = space.id
JOIN occ_assignments AS hanging ON hanging.doorway = border.doorway
JOIN occ_events AS event ON event.sensor = hanging.sensor AND state = 'counted'
WHERE space.name = :name AND event.ts <= :at""")
"""What simple designs do: every event until then."""


def counts(
    made: Occupancy, engine: Engine, rooms: int, now: datetime, rounds: int
) -> dict[str, Times]:
    """Count spaces now and at random moments, and by a sum.

    Sums push out of memory what counts read, hence the same without them; and psycopg
    forgets its prepared statements in a ROLLBACK, so they are planned anew after it.
    """
    choose = Random(1)  # noqa: S311 - nothing is secret
    asked = [
        (choose.randrange(rooms), now - choose.random() * DAYS * DAY)
        for _ in range(rounds + max(rounds // 10, 1))
    ]

    def count(
        name: Callable[[int], str], past: bool, end: Callable[[], None] = made.commit
    ) -> Callable[[int], None]:
        def act(turn: int) -> None:
            number, moment = asked[turn]
            made.count(name(number), moment if past else now)
            end()

        return act

    with engine.connect() as connection:

        def add(name: Callable[[int], str], past: bool) -> Callable[[int], None]:
            def act(turn: int) -> None:
                number, moment = asked[turn]
                values = {"name": name(number), "at": moment if past else now}
                connection.execute(SUM, values).scalar_one()
                connection.commit()

            return act

        return alternated(
            {
                "count of a room, now": count(room, past=False),
                "count of the building, now": count(_building, past=False),
                "count of the building, then": count(_building, past=True),
                "sum of a room, now": add(room, past=False),
                "sum of a room, then": add(room, past=True),
                "sum of the building, then": add(_building, past=True),
                "count of a room, then": count(room, past=True),
            },
            rounds,
        ) | alternated(
            {
                "the same without sums beside it": count(room, True),
                "the same, rolled back": count(room, True, made.rollback),
            },
            rounds,
        )


def _building(_number: int) -> str:
    return "building"


def check(made: Occupancy, engine: Engine, rooms: int, now: datetime) -> None:
    """Compare counts of spaces that were never calibrated with sums."""
    choose = Random(3)  # noqa: S311 - nothing is secret
    plain = [room(number) for number in range(rooms) if not calibrated(number)]
    with engine.connect() as connection:
        for _ in range(CHECKED):
            name = choose.choice([*plain, "building", "floor 0"])
            moment = now - choose.random() * DAYS * DAY
            expected = connection.execute(SUM, {"name": name, "at": moment}).scalar()
            found = made.count(name, moment, policy="raw").count
            if found != expected:
                message = f"{name} at {moment}: {found}, but the sum is {expected}"
                raise click.ClickException(message)
    made.rollback()


def others(made: Occupancy, rooms: int, now: datetime, rounds: int) -> dict[str, Times]:
    """Draw a day by hours and a month by days, and count spaces anew."""
    choose = Random(2)  # noqa: S311 - nothing is secret
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)

    def draw(length: timedelta, step: timedelta) -> Callable[[int], None]:
        def act(_turn: int) -> None:
            start = today - choose.randrange(1 + length.days, DAYS) * DAY
            made.history(room(choose.randrange(rooms)), start, start + length, step)
            made.rollback()

        return act

    def rebuild(name: str) -> Callable[[int], None]:
        def act(_turn: int) -> None:
            made.rebuild(name)
            made.rollback()

        return act

    days = {
        "history of a day by hours": draw(DAY, HOUR),
        "history of 30 days by days": draw(MONTH * DAY, DAY),
    }
    spaces = {
        "rebuild of a room": rebuild(room(1)),
        "rebuild of the building": rebuild("building"),
    }
    return {**alternated(days, rounds), **alternated(spaces, 3)}
