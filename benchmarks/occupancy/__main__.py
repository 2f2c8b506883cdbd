"""Measures occupancy: counts, late events, batches, a file, and two who record.

The database is made for it and dropped; what is compared is done in turn, and has to
give the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import perf_counter

import click
from rich.console import Console
from rich.status import Status
from rich.table import Table
from sqlalchemy import Engine

from benchmarks.claims.measuring import Times
from benchmarks.databases import Databases, bound, databases
from benchmarks.occupancy import asking, filling, recording
from benchmarks.occupancy.recording import Together
from libres import occupancy
from libres.db import new_scheduler
from libres.occupancy import Occupancy

Tell = Callable[[object], None]

SIZES = (100_000, 1_000_000)
LARGE = 10_000_000

NAME = "occupancy"


@dataclass(slots=True)
class Measured:
    """What was found at one size."""

    size: int
    times: dict[str, Times] = field(default_factory=dict)
    batches: dict[tuple[str, int], Times] = field(default_factory=dict)
    file: float = 0.0
    together: Together | None = None
    filled: str = ""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sizes", multiple=True, type=click.IntRange(10_000), default=SIZES)
@click.option("--large", is_flag=True, help=f"Measure {LARGE:,} events as well.")
@click.option("--spaces", default=100, show_default=True, type=click.IntRange(50))
@click.option("--rounds", default=200, show_default=True, type=click.IntRange(20))
@click.option("--dsn", help="A server to use; else one is started and deleted.")
def main(
    sizes: tuple[int, ...], large: bool, spaces: int, rounds: int, dsn: str | None
) -> None:
    """Measure occupancy; the larger sizes take minutes to be filled."""
    said = Console()
    found = []
    with databases(dsn) as made:
        for size in [*sizes, *([LARGE] if large else [])]:
            with said.status("") as status, _database(made) as (asked, engine, url):
                one = _measured(status, asked, engine, url, size, spaces, rounds)
            said.print(one.filled)
            found.append(one)
    _show(said, found)


@contextmanager
def _database(made: Databases) -> Iterator[tuple[Occupancy, Engine, str]]:
    with bound(made, NAME) as (context, engine):
        new_scheduler(context, "first", "UTC").setup_database()
        asked = occupancy.setup(context)
        asked.commit()
        yield asked, engine, context.get_setting("dsn")
        asked.close()


def _measured(
    status: Status,
    made: Occupancy,
    engine: Engine,
    url: str,
    size: int,
    rooms: int,
    rounds: int,
) -> Measured:
    def tell(what: object) -> None:
        status.update(f"{size:,} events: {what}")

    found = Measured(size)
    tell("filling")
    found.filled = _filled(made, engine, size, rooms, tell)
    now = datetime.now(UTC)
    tell("checking")
    asking.check(made, engine, rooms, now)
    tell("counts")
    found.times |= asking.counts(made, engine, rooms, now, rounds)
    tell("histories")
    found.times |= asking.others(made, rooms, now, rounds)
    tell("late events")
    found.times |= recording.late(made, rooms, rounds)
    tell("batches")
    found.batches = recording.batches(made, rooms)
    found.file = recording.file(made, lambda rows: tell(f"{rows:,} rows of a file"))
    tell("two processes")
    found.together = recording.together(made, engine, url, rooms)
    tell("checking again")
    asking.check(made, engine, rooms, now)
    return found


def _filled(made: Occupancy, engine: Engine, size: int, rooms: int, tell: Tell) -> str:
    now = datetime.now(UTC)
    began = perf_counter()
    filling.furnish(made, rooms, now - timedelta(days=filling.DAYS + 2))
    filling.fill(engine, rooms, size, now)
    filled = perf_counter()

    def progress(done: int, spaces: int) -> None:
        tell(f"tallying, {done} of {spaces} spaces")

    hours = filling.tally(made, engine, progress)
    took = perf_counter() - filled
    return (
        f"{size:,} events filled in {filled - began:.0f} s; {hours:,} hours of "
        f"{len(made.spaces())} spaces tallied in {took:.0f} s"
    )


# Showing ------------------------------------------------------------------------------


def _show(said: Console, found: list[Measured]) -> None:
    table = Table("milliseconds: p50, p95", title="One at a time")
    for each in found:
        table.add_column(f"{each.size:,}", justify="right")
    for name in found[0].times:
        times = [each.times[name] for each in found]
        table.add_row(name, *(f"{_of(one.p50)}, {_of(one.p95)}" for one in times))
    said.print(table)
    said.print(_rates(found))


def _of(figure: float) -> str:
    return f"{figure:.2f}" if figure < 100 else f"{figure:,.0f}"


def _rates(found: list[Measured]) -> Table:
    table = Table("events a second", title="Many at a time")
    for each in found:
        table.add_column(f"{each.size:,}", justify="right")
    for kind, number in found[0].batches:
        rates = [number * 1000 / each.batches[kind, number].p50 for each in found]
        name = f"record of {number:,}, {kind}"
        table.add_row(name, *(f"{rate:,.0f}" for rate in rates))
    table.add_row(
        f"file of {recording.ROWS:,} rows",
        *(f"{recording.ROWS / each.file:,.0f} ({each.file:.1f} s)" for each in found),
    )
    shared = [each.together for each in found if each.together]
    table.add_row("two processes", *(f"{each.rate:,.0f}" for each in shared))
    rows = {
        "batches tried again": [f"{each.retried} of {each.batches}" for each in shared],
        "events lost, tallies wrong": [f"{each.lost}, {each.wrong}" for each in shared],
    }
    for name, cells in rows.items():
        table.add_row(f"  {name}", *cells)
    return table


if __name__ == "__main__":
    main()
