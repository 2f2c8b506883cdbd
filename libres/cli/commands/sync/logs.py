"""``libres sync logs``: what was asked and answered, and what jobs have done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click
from rich.progress import TextColumn

from libres.cli.commands.sync.opening import House, counted, reads, show, writes
from libres.cli.options import plain_text
from libres.cli.terminal import bar
from libres.jobs.dropping import LOG, LONGEST
from libres.sync.logbook import Logbook, Sought

COLUMNS: Final = (
    *("at", "user", "organisation", "operation", "models", "status"),
    *("ok", "failed", "seconds", "error"),
)


@click.group()
def logs() -> None:
    """Look at the log of requests and jobs, and keep it short."""


@logs.command("show")
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
@click.option("--user", callback=plain_text, help="Of this one only: a name or an id.")
@click.option(
    "--operation", callback=plain_text, help="These only: push, pull, login, job."
)
def show_logs(house: House, most: int, user: str | None, operation: str | None) -> None:
    """Show what was asked last, and what jobs have done, the newest first."""
    show(COLUMNS, _rows(house, Sought(user=user, operation=operation), most))


def _rows(house: House, sought: Sought, most: int) -> Iterator[tuple[Any, ...]]:
    slugs = house.slugs()
    for each in Logbook(house.context).latest(sought, limit=most):
        of = each.organization
        slug = "" if of is None else slugs.get(of, str(of))
        who = each.at, each.username, slug, each.operation
        became = each.status, each.succeeded, each.failed, f"{each.seconds:.3f}"
        yield *who, ", ".join(each.models), *became, each.error


@logs.command("clean")
@writes
@click.option(
    "--days",
    type=click.IntRange(0, LONGEST),
    metavar="NUMBER",
    help="What is older; by default as the setting log_kept says.",
)
def clean(house: House, days: int | None) -> None:
    """Drop what is old, in pieces, so that nobody has to wait."""
    if house.dry_run:
        house.say(f"{counted(LOG.count(house.context, days), 'record')} dropped.")
        return
    with bar(TextColumn("{task.completed:,} records dropped")) as shown:
        task = shown.add_task("", total=None)
        count = LOG.drop(
            house.context, days, lambda done: shown.update(task, completed=done)
        )
    house.say(f"{counted(count, 'record')} dropped.")
