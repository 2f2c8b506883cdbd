"""Measures claims: checks, batches, guarded and tracked writes; prints tables.

The databases are made for it and dropped; everything that is compared is done in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from benchmarks.claims import asking, writing
from benchmarks.claims.filling import fill
from benchmarks.databases import Databases, bound, databases
from libres.conflicts import Claims

BUSY = (1, 50, 95)
"""Percent of the time."""

SIZES = (10_000, 1_000_000)
LARGE = 10_000_000

NAME = "claims"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sizes", multiple=True, type=click.IntRange(1000), default=SIZES)
@click.option("--large", is_flag=True, help=f"Measure {LARGE:,} claims as well.")
@click.option("--rounds", default=1000, show_default=True, type=click.IntRange(20))
@click.option("--dsn", help="A server to use; else one is started and deleted.")
def main(sizes: tuple[int, ...], large: bool, rounds: int, dsn: str | None) -> None:
    """Measure claims; the larger sizes take minutes to be filled."""
    said = Console()
    with databases(dsn) as made:
        for size in [*sizes, *([LARGE] if large else [])]:
            for busy in BUSY:
                _asked(said, made, size, busy, rounds)
        _written(said, made, sizes[-1], rounds)


def _asked(said: Console, made: Databases, size: int, busy: int, rounds: int) -> None:
    title = f"{size:,} claims, resources {busy} % busy"
    with said.status(title), _filled(made, size, busy) as (claims, _engine):
        times = asking.checks(claims, size, busy, rounds)
        many = asking.batches(claims, size, busy, max(rounds // 50, 5))
    table = Table("question", "p50 ms", "p95 ms", "a second", title=title)
    for name, each in times.items():
        table.add_row(
            name, f"{each.p50:.2f}", f"{each.p95:.2f}", f"{1000 / each.p50:,.0f}"
        )
    for count, each in many.items():
        rate = f"{count * 1000 / each.p50:,.0f}"
        table.add_row(
            f"check_many({count:,})", f"{each.p50:.2f}", f"{each.p95:.2f}", rate
        )
    said.print(table)


def _written(said: Console, made: Databases, size: int, rounds: int) -> None:
    with said.status("writes"), _filled(made, size, 50) as (claims, engine):
        guarded = writing.guarded(engine, rounds)
        tracked = writing.tracking(claims, engine, rounds)
        began = perf_counter()
        with engine.begin() as connection:
            connection.execute(text(_MANY), {"rows": size})
        inserted = perf_counter() - began
        kept = _kept(claims)
    table = Table("write", "without ms", "with ms", "ratio", title=f"{size:,} claims")
    rows = {"insert, guard": (guarded["unguarded"], guarded["guarded"])}
    rows |= {
        f"{name}, tracking": (each["not tracked"], each["tracked"])
        for name, each in tracked.items()
    }
    for name, (without, with_it) in rows.items():
        ratio = with_it.p50 / without.p50
        table.add_row(name, f"{without.p50:.2f}", f"{with_it.p50:.2f}", f"{ratio:.2f}")
    said.print(table)
    said.print(f"{size:,} tracked rows: inserted {inserted:.0f} s, {kept}")


_MANY = """\
INSERT INTO tracked_bookings (room, starts, ends)
SELECT 'hall ' || number % 2000,
    timestamptz '2025-01-01 00:00+00' + (number / 2000) * interval '1 hour',
    timestamptz '2025-01-01 00:00+00' + (number / 2000 + 1) * interval '1 hour'
FROM generate_series(0, :rows - 1) AS number"""


def _kept(claims: Claims) -> str:
    (source,) = claims.tracked()
    began = perf_counter()
    found = claims.verify(source)
    verified = perf_counter()
    claims.rebuild(source)
    rebuilt = perf_counter()
    claims.rollback()
    assert found == []  # noqa: S101 - else nothing else is worth measuring
    return f"verified {verified - began:.0f} s, rebuilt {rebuilt - verified:.0f} s"


@contextmanager
def _filled(made: Databases, size: int, busy: int) -> Iterator[tuple[Claims, Engine]]:
    with bound(made, NAME) as (context, engine):
        with engine.begin() as connection:
            fill(connection, size, busy)
        outside = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with outside as connection:
            connection.execute(text("VACUUM ANALYZE"))
        claims = Claims(context)
        yield claims, engine
        claims.close()


if __name__ == "__main__":
    main()
