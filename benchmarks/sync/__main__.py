"""Measures synchronisation: pushing, pulling, polling, noting changes, and the feed.

The database is made for it and dropped. The feed is proved as well: eight write for a
minute, and nothing may be lost.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.databases import Databases, bound, databases
from benchmarks.sync import asking
from benchmarks.sync.asking import Rate, Spread
from benchmarks.sync.proof import Proof, prove
from benchmarks.sync.tables import TENANT, Customer, prepare
from libres.context.core import Context
from libres.db import new_scheduler
from libres.sync import Sync, configure
from libres.sync.values import Member

NAME = "sync"

PARTS = ("feed", "push", "pull", "poll", "noting", "lag", "login")

SIZES = (1, 100, 1000, 10_000)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, type=click.Choice(PARTS), default=PARTS)
@click.option("--transactions", default=2000, show_default=True, type=click.IntRange(5))
@click.option("--rows", default=100_000, show_default=True, type=click.IntRange(1000))
@click.option("--devices", default=1000, show_default=True, type=click.IntRange(20))
@click.option("--sizes", multiple=True, type=click.IntRange(1, 10_000), default=SIZES)
@click.option("--rounds", default=400, show_default=True, type=click.IntRange(20))
@click.option("--dsn", help="A server to use; else one is started and deleted.")
def main(
    only: tuple[str, ...],
    transactions: int,
    rows: int,
    devices: int,
    sizes: tuple[int, ...],
    rounds: int,
    dsn: str | None,
) -> None:
    """Measure synchronisation; --transactions are those of each of eight writers."""
    said = Console()
    with databases(dsn) as made:
        if "feed" in only:
            _prove(said, made, transactions)
        if {*PARTS[1:]} & {*only}:
            with _house(made) as (context, member):
                much = rows, devices, sizes, rounds
                _measure(said, Measuring(made, context, member, *much), only)


@contextmanager
def _house(made: Databases) -> Iterator[tuple[Context, Member]]:
    with bound(made, NAME) as (context, _engine):
        new_scheduler(context, "first", "UTC").setup_database()
        context.get_service("session_provider").session().commit()
        configure(context, {"one": secrets.token_urlsafe(48)})
        sync = Sync(context)
        prepare(sync)
        member = asking.people(context)
        for name in ("requests_per_minute", "requests_per_hour"):
            sync.settings.set(name, 1_000_000)
        sync.commit()
        yield context, member


# The proof ----------------------------------------------------------------------------


def _prove(said: Console, made: Databases, transactions: int) -> None:
    with _house(made) as (context, _member), Progress(console=said) as shown:
        task = shown.add_task("eight write", total=8 * transactions)
        began = perf_counter()
        found = prove(
            context,
            transactions=transactions,
            told=lambda done: shown.advance(task, done),
        )
        seconds = perf_counter() - began
    _show_proof(said, found, seconds)
    if found.lost or found.gaps or found.disorder or found.torn or found.invented:
        message = "The feed is not what it has to be."
        raise click.ClickException(message)


def _show_proof(said: Console, found: Proof, seconds: float) -> None:
    events = len(found.committed)
    said.print(
        f"{seconds:.0f} s: {events:,} transactions committed, {found.rolled_back:,} "
        f"rolled back, {len(found.changes):,} changes"
    )
    table = Table("reader", "lost", "of the events")
    for name, missed in (
        ("time of saving", events - len(found.by_time)),
        ("ascending number", events - len(found.by_number)),
        ("feed", found.lost),
    ):
        table.add_row(name, f"{missed:,}", f"{missed / events:.1%}")
    said.print(table)
    said.print(
        f"feed: {found.gaps} gaps, {found.disorder} out of order, {found.torn} torn "
        f"transactions; lag {_ms(Spread.of('', found.lags))}"
    )


# Figures ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measuring:
    """What is measured, and how much of it."""

    made: Databases
    context: Context
    member: Member
    rows: int
    devices: int
    sizes: tuple[int, ...]
    rounds: int


def _measure(said: Console, asked: Measuring, only: tuple[str, ...]) -> None:
    context, rounds = asked.context, asked.rounds
    if "noting" in only:
        _show_noting(said, asking.noting(context.get_setting("dsn"), rounds))
    if "push" in only:
        _show_rates(said, "pushed", _pushes(asked))
    if "pull" in only:
        _show_rates(said, "pulled", _pulls(asked))
    spreads = []
    if "poll" in only:
        spreads += asking.poll(context, asked.member, asked.devices)
    if "login" in only:
        spreads.append(asking.sign_in(context, 20))
    if "lag" in only:
        spreads += [asking.lag(context, 1, rounds), asking.lag(context, 32, 4 * rounds)]
    for each in spreads:
        said.print(f"{each.name}: {_ms(each)}")


def _pushes(asked: Measuring) -> list[Rate]:
    context, member, found = asked.context, asked.member, []
    asking.push(context, member, "warm", asking.new(max(asked.sizes)), 2)
    for size in asked.sizes:
        rounds = 20 if size < 1000 else 5 if size == 1000 else 2
        for name, items in (
            ("create", asking.new(size)),
            ("update", asking.changed(context, size)),
            ("mixed", asking.mixed(context, size)),
            ("1 % bad", asking.partly_bad(size)),
        ):
            if items:
                told = f"{name}, {size:,}"
                found.append(asking.push(context, member, told, items, rounds))
        asked.made.settle(NAME)
    return found


def _pulls(asked: Measuring) -> list[Rate]:
    context, member, rows = asked.context, asked.member, asked.rows
    sync = Sync(context)
    place = asking.end_of(context, member)
    values = [
        {"tenant": TENANT, "name": f"c{each}", "age": each % 90} for each in range(rows)
    ]
    sync.session.execute(Customer.__table__.insert(), values)  # type: ignore[attr-defined]
    sync.commit()
    began = perf_counter()
    count = sync.number()
    numbered = Rate("numbered", count, perf_counter() - began)
    asked.made.settle(NAME)
    return [
        numbered,
        asking.pull(context, member, "changes, by the feed", place),
        asking.pull(context, member, "rows, from the beginning", None),
    ]


def _show_rates(said: Console, what: str, rates: list[Rate]) -> None:
    table = Table(what, "items/s", "statements, at most")
    for each in rates:
        count = "" if each.statements is None else str(each.statements)
        table.add_row(each.name, f"{each.per_second:,.0f}", count)
    said.print(table)


def _show_noting(said: Console, found: dict[str, Spread]) -> None:
    base = found["none"].half
    table = Table("a single write, noted by", "half, 95 of 100", "more")
    for name, each in found.items():
        table.add_row(name, _ms(each), f"{each.half / base - 1:+.0%}")
    said.print(table)


def _ms(spread: Spread) -> str:
    return f"{spread.half * 1000:.2f}, {spread.late * 1000:.2f} ms"


if __name__ == "__main__":
    main()
