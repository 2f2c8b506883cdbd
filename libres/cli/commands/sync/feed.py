"""``libres sync feed``: how far the numbering is, and what has changed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from libres.cli.commands.sync.opening import House, counted, reads, show, writes
from libres.cli.terminal import console
from libres.sync.feed import worker
from libres.sync.feed.latest import latest


@click.group()
def feed() -> None:
    """Look at the feed of changes, and number it."""


@feed.command("lag")
@reads
def lag(house: House) -> None:
    """Tell how many changes wait for a number, and for how long."""
    found = house.sync.lag()
    since = "" if found.age is None else f", the oldest for {found.age}"
    house.say(f"{counted(found.pending, 'change')} without a number{since}.")
    house.say(f"The last number is {found.position:,}.")


@feed.command("number")
@writes
def number(house: House) -> None:
    """Number what waits, once. Readers do so by themselves."""
    count = house.sync.lag().pending if house.dry_run else house.sync.number()
    house.say(f"{counted(count, 'change')} numbered.")


@feed.command("work")
@reads
@click.option(
    "--interval",
    type=click.FloatRange(0.001, 60),
    default=worker.INTERVAL,
    show_default=True,
    help="Seconds between two looks.",
)
def work(house: House, interval: float) -> None:
    """Number changes as they come, until SIGINT or SIGTERM.

    Several workers do no harm: they take turns.
    """
    stop = threading.Event()
    click.echo(f"Numbering the changes of {house.context.name}.")
    with _ended_by_signals(stop), console(stderr=True).status("waits") as shown:
        counts: list[int] = []

        def told(count: int) -> None:
            counts[:] = [sum(counts) + count]
            shown.update(f"{counted(counts[0], 'change')} numbered")

        total = house.sync.work(stop, interval=interval, told=told)
    click.echo(f"Ended: {counted(total, 'change')} numbered.")


@contextmanager
def _ended_by_signals(stop: threading.Event) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {each: signal.signal(each, lambda *_: stop.set()) for each in numbers}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@feed.command("show")
@reads
@click.option(
    "--last",
    "most",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    metavar="NUMBER",
    help="So many.",
)
def show_feed(house: House, most: int) -> None:
    """Show the last changes that are numbered, the newest first."""
    names = ["position", "at", "model", "row", "what", "organisation", "who", "request"]
    show(names, _rows(house, most))


def _rows(house: House, most: int) -> Iterator[tuple[Any, ...]]:
    models = {key: each.name for key, each in house.sync.registry.by_relation.items()}
    slugs = {each.reference: each.slug for each in house.sync.organizations.all()}
    for each in latest(house.sync.session, house.context.name, most):
        model = models.get(each.relation, each.relation)
        tenant = slugs.get(each.tenant or "", each.tenant)
        what = (each.position, each.at, model, each.key, each.operation)
        yield *what, tenant, each.actor, each.request
