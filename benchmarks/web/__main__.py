"""Measures the web edge: calendars, searches and bookings by many clients at once.

The server is a process of its own on a database that is made for it and dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from random import Random

import click
from rich.console import Console
from rich.status import Status
from rich.table import Table

from benchmarks.databases import Databases, bound, databases
from benchmarks.web import asking
from benchmarks.web.asking import Kind
from benchmarks.web.driving import Client, Driven, drive, served
from benchmarks.web.filling import Filled, fill
from libres.cli.serving import THREADS

CLIENTS = (1, 8, 32)

NAME = "web"

Found = dict[str, list[Driven]]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rooms", default=20, show_default=True, type=click.IntRange(1))
@click.option("--days", default=60, show_default=True, type=click.IntRange(8))
@click.option("--clients", multiple=True, type=click.IntRange(1), default=CLIENTS)
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(0.1))
@click.option("--threads", default=THREADS, show_default=True, type=click.IntRange(1))
@click.option("--dsn", help="A server to use; else one is started and deleted.")
def main(
    rooms: int,
    days: int,
    clients: tuple[int, ...],
    seconds: float,
    threads: int,
    dsn: str | None,
) -> None:
    """Measure the web edge on waitress, which shares the cores with the clients."""
    said = Console()
    with databases(dsn) as made, said.status("filling") as status:
        found = _measured(status, made, rooms, days, clients, seconds, threads)
    said.print(
        f"{rooms} rooms, {days} days each; {threads} threads, {seconds:g} s each"
    )
    _show(said, found)
    if any(each.errors for many in found.values() for each in many):
        message = "Not every request was answered as expected."
        raise click.ClickException(message)


def _measured(
    status: Status,
    made: Databases,
    rooms: int,
    days: int,
    clients: tuple[int, ...],
    seconds: float,
    threads: int,
) -> Found:
    with bound(made, NAME) as (context, _engine):
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        filled = fill(context, rooms, days, tomorrow)
        made.settle(NAME)
        found: Found = {}
        with served(context.get_setting("dsn"), threads) as url:
            for kind in _kinds(filled, url):
                found[kind.name] = []
                for number in clients:
                    status.update(f"{kind.name}, {number} clients")
                    found[kind.name].append(drive(url, kind, number, seconds))
        return found


def _kinds(filled: Filled, url: str) -> Iterator[Kind]:
    """What is asked; the bookings last, since they change what the others find."""
    with closing(Client(url)) as client:
        known = list(asking.unchanged(filled, client.ask))
    free = filled.free(Random(5))  # noqa: S311 - nothing is secret
    bookings = asking.bookings(free, filled.key)
    yield Kind("a week of a room", 200, lambda: asking.calendars(filled))
    yield Kind("the same, unchanged", 304, lambda: asking.again(known))
    yield Kind("a search in all rooms", 200, lambda: asking.searches(filled))
    yield Kind("a booking", 201, lambda: bookings)


def _show(said: Console, found: Found) -> None:
    table = Table("", "clients", "requests/s", "p50 ms", "p95 ms", "errors")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, many in found.items():
        for each in many:
            errors = sum(each.errors.values())
            told = ", ".join(f"{what}: {how}" for what, how in each.errors.items())
            table.add_row(
                name if each is many[0] else "",
                str(each.clients),
                f"{each.rate:,.0f}",
                *each.slowness,
                f"{errors} ({told})" if errors else "0",
            )
    said.print(table)


if __name__ == "__main__":
    main()
