"""Measures timetables: who is free, from live rows and from the cache, beside others.

The database is made for it and dropped; everything that is compared is done in turn,
and has to give the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from time import perf_counter
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from benchmarks.claims.measuring import Times, alternated
from benchmarks.databases import Databases, bound, databases
from benchmarks.timetable import designs, filling
from benchmarks.timetable.checking import brute_force
from benchmarks.timetable.writers import Booked, writing
from libres import timetable
from libres.db import new_scheduler
from libres.timetable import Timetable

SIZES = (1000, 10_000)
LARGE = 100_000

WINDOWS = {
    "15 minutes": timedelta(minutes=15),
    "1 hour": timedelta(hours=1),
    "3 hours": timedelta(hours=3),
    "8 hours": timedelta(hours=8),
}

NAME = "timetable"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sizes", multiple=True, type=click.IntRange(10), default=SIZES)
@click.option("--large", is_flag=True, help=f"Measure {LARGE:,} subjects as well.")
@click.option("--days", default=31, show_default=True, type=click.IntRange(7, 366))
@click.option("--busy", default=33, show_default=True, type=click.IntRange(0, 99))
@click.option("--rounds", default=40, show_default=True, type=click.IntRange(5))
@click.option("--writers", default=0, type=click.IntRange(0, 64), help="Who book too.")
@click.option("--load", is_flag=True, help="Open a year of 10,000 subjects.")
@click.option("--dsn", help="A server to use; else one is started and deleted.")
def main(
    sizes: tuple[int, ...],
    large: bool,
    days: int,
    busy: int,
    rounds: int,
    writers: int,
    load: bool,
    dsn: str | None,
) -> None:
    """Measure timetables; the larger sizes take minutes to be filled."""
    said = Console()
    with databases(dsn) as made:
        for size in [*sizes, *([LARGE] if large else [])]:
            with _database(made) as (table, engine):
                _measured(said, table, engine, size, days, busy, rounds, writers)
        if load:
            with _database(made) as (table, engine):
                _loaded(said, table)


@contextmanager
def _database(made: Databases) -> Iterator[tuple[Timetable, Engine]]:
    with bound(made, NAME) as (context, engine):
        new_scheduler(context, "first", "UTC").setup_database()
        table = timetable.setup(context)
        table.commit()
        yield table, engine
        table.close()


def _measured(
    said: Console,
    table: Timetable,
    engine: Engine,
    size: int,
    days: int,
    busy: int,
    rounds: int,
    writers: int,
) -> None:
    title = f"{size:,} subjects, {days} days, {busy} % reserved"
    with said.status(f"{title}: filling"):
        names, took = _filled(table, engine, size, days, busy)
    with said.status(f"{title}: brute force"):
        _checked(table, days)
    with said.status(f"{title}: live rows"):
        live = _asked(table, rounds, days)
        one = _one(table, names, rounds, days)
        beside = {"live": _beside(table, names, days, rounds, writers)}
    with said.status(f"{title}: the cache"):
        took["cached"] = _seconds(lambda: _cached(table, engine))
        took["verified"] = _seconds(lambda: _verified(table))
        _checked(table, days)
        one_cached = _one(table, names, rounds, days)
        beside["cache"] = _beside(table, names, days, rounds, writers)
        table.rebuild_cache()
        table.commit()
    with said.status(f"{title}: other designs"), engine.connect() as connection:
        designs.build(connection)
        connection.commit()
        _settle(engine)
        others = _others(table, connection, rounds, days)
    rows = Table(
        *("window", "found", "live p50", "p95", "cache p50", "p95"),
        *("quarters p50", "texts p50", "live : texts", "cache : texts"),
        title=title,
    )
    for name, (found, first) in live.items():
        second, quarters, texts = others[name]
        rows.add_row(
            *(name, f"{found:,}", f"{first.p50:.1f}", f"{first.p95:.1f}"),
            *(f"{second.p50:.1f}", f"{second.p95:.1f}", f"{quarters.p50:.1f}"),
            *(f"{texts.p50:.1f}", f"{texts.p50 / first.p50:.1f}"),
            f"{texts.p50 / second.p50:.1f}",
        )
    for name, each in one.items():
        other = one_cached[name]
        rows.add_row(
            *(name, "", f"{each.p50:.1f}", f"{each.p95:.1f}"),
            *(f"{other.p50:.1f}", f"{other.p95:.1f}"),
        )
    said.print(rows)
    for source, measured in beside.items():
        if measured is not None:
            times, booked = measured
            said.print(
                f"1 hour, {source}, while {writers} book ({booked.rate:.0f} a second): "
                f"p50 {times.p50:.1f}, p95 {times.p95:.1f} ms"
            )
    said.print(", ".join(f"{name} in {each:.1f} s" for name, each in took.items()))


def _filled(
    table: Timetable, engine: Engine, size: int, days: int, busy: int
) -> tuple[list[str], dict[str, float]]:
    took = {}
    began = perf_counter()
    names = filling.subjects(table, size)
    took["added"] = perf_counter() - began
    took["opened"] = _seconds(lambda: filling.open_days(table, names, days))
    took["reserved"] = _seconds(lambda: filling.reserve(table, busy))
    table.commit()
    _settle(engine)
    return names, took


def _settle(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _seconds(act: Callable[[], object]) -> float:
    began = perf_counter()
    act()
    return perf_counter() - began


def _cached(table: Timetable, engine: Engine) -> None:
    table.cache()
    table.commit()
    _settle(engine)


def _verified(table: Timetable) -> None:
    found = table.verify_cache()
    if found:
        message = f"The cache differs: {found[:3]}"
        raise click.ClickException(message)
    table.rollback()


def _checked(table: Timetable, days: int) -> None:
    """Compare some answers with those of brute force."""
    for window in _windows(WINDOWS["3 hours"], 3, days)[:3]:
        found = {each.name for each in table.who_is_free(window)}
        if found != brute_force(table.session, window):
            message = f"The answer for {window} is not that of brute force."
            raise click.ClickException(message)
        table.rollback()


def _windows(length: timedelta, rounds: int, days: int) -> list[tuple[Any, Any]]:
    choose = Random(1)  # noqa: S311 - nothing is secret
    found: list[tuple[datetime, datetime]] = []
    for _ in range(rounds + max(rounds // 10, 1)):
        day = choose.choice(filling.working_days(days))
        start = day + timedelta(minutes=15 * choose.randrange(28, 64))
        found.append((start, min(start + length, day + timedelta(hours=24))))
    return found


def _asked(table: Timetable, rounds: int, days: int) -> dict[str, tuple[int, Times]]:
    found = {}
    for name, length in WINDOWS.items():
        windows = _windows(length, rounds, days)
        numbers: list[int] = []

        def ask(turn: int, windows: Any = windows, numbers: Any = numbers) -> None:
            numbers.append(table.count_free(windows[turn]))
            table.rollback()

        times = alternated({name: ask}, rounds)
        found[name] = (sum(numbers) // len(numbers), times[name])
    return found


def _beside(
    table: Timetable, names: list[str], days: int, rounds: int, writers: int
) -> tuple[Times, Booked] | None:
    """Ask for an hour while others book; None without others."""
    if not writers:
        return None
    dsn = table.context.get_setting("dsn")
    windows = _windows(timedelta(hours=1), rounds, days)

    def ask(turn: int) -> None:
        with table.context.read_only():
            table.count_free(windows[turn])

    with writing(dsn, names, days, writers) as booked:
        times = alternated({"asked": ask}, rounds)
    return times["asked"], booked


def _one(
    table: Timetable, names: list[str], rounds: int, days: int
) -> dict[str, Times]:
    choose = Random(2)  # noqa: S311 - nothing is secret
    end = filling.START + timedelta(days=days)

    def ask(until: datetime) -> Callable[[int], None]:
        def act(_turn: int) -> None:
            table.free(choose.choice(names), filling.START, until)
            table.rollback()

        return act

    week = filling.START + timedelta(days=7)

    def draw(_turn: int) -> None:
        table.heatmap(filling.START, week)
        table.rollback()

    heat = {"heatmap of a week": draw}
    return {
        **alternated({"one, a week": ask(week), "one, all of it": ask(end)}, rounds),
        **alternated(heat, 3),
    }


def _others(
    table: Timetable, connection: Any, rounds: int, days: int
) -> dict[str, tuple[Times, Times, Times]]:
    """Ask the cache and the other designs in turn."""
    found = {}
    for name, length in WINDOWS.items():
        windows = _windows(length, rounds, days)
        quarters = designs.by_quarters(connection, windows)
        texts = designs.by_texts(connection, windows)
        for turn, window in enumerate(windows[:5]):
            answers = {quarters(turn), texts(turn), table.count_free(window)}
            if len(answers) > 1:
                message = f"The answers for {window} differ: {answers}"
                raise click.ClickException(message)

        def ask(turn: int, windows: Any = windows) -> None:
            table.count_free(windows[turn])
            table.rollback()

        asked: dict[str, Callable[[int], object]] = {
            "cache": ask,
            "quarters": quarters,
            "texts": texts,
        }
        times = alternated(asked, rounds)
        found[name] = (times["cache"], times["quarters"], times["texts"])
    return found


def _loaded(said: Console, table: Timetable) -> None:
    names = filling.subjects(table, 10_000)
    with said.status("a year of 10,000 subjects"):
        began = perf_counter()
        written = filling.open_days(table, names, 365)
        table.commit()
        took = perf_counter() - began
    said.print(
        f"{written:,} allocations in {took:.0f} s: {written / took:,.0f} a second"
    )


if __name__ == "__main__":
    main()
