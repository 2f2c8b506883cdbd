"""``libres db``: brings the tables up to date, and tells how old they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from libres.cli.database import engine_of
from libres.cli.options import dsn_option
from libres.cli.terminal import console
from libres.db import migrations

if TYPE_CHECKING:
    from rich.console import Console

    from libres.db.migrations import State


@click.group()
def db() -> None:
    """Bring the tables of a database up to date.

    From whichever version: those of Libres 0.5 to 1.4 are recognised by their looks,
    and all data is kept. Needs the extra 'migrations'.
    """


@db.command()
@dsn_option
@click.option(
    "--concurrently",
    is_flag=True,
    help="Make indexes while others write. Takes longer, but stops nobody.",
)
def upgrade(dsn: str | None, concurrently: bool) -> None:
    """Bring the tables up to date; create those that are missing.

    May be interrupted and run again at any time.
    """
    said = console(stderr=True)
    with _with_alembic(), engine_of(dsn) as engine:
        before = migrations.current(engine)
        with said.status("looks at the tables") as status:

            def report(what: str) -> None:
                status.update(what)
                _keep(said, what)

            state = migrations.upgrade(engine, concurrently=concurrently, report=report)
    click.echo(_told(before, state))


@db.command()
@dsn_option
def current(dsn: str | None) -> None:
    """Tell which revision a database has. Changes nothing."""
    with _with_alembic(), engine_of(dsn) as engine:
        state = migrations.current(engine)
    click.echo(_revision(state))
    if not state.is_current:
        click.echo(f"The newest one is {state.head}: run libres db upgrade.")


@db.command()
@dsn_option
def check(dsn: str | None) -> None:
    """Compare a database with the models. Changes nothing.

    The exit status is 1 if there are differences.
    """
    with _with_alembic(), engine_of(dsn) as engine:
        found = migrations.check(engine)
    for each in found:
        click.echo(each)
    if found:
        message = "The tables differ: libres db upgrade brings what is missing."
        raise click.ClickException(message)
    click.echo("The tables are as they should be.")


@db.command()
def sql() -> None:
    """Print SQL that does the same as upgrade, to be run by hand.

    In one transaction. It fits every database, as its steps look at what is there.
    """
    with _with_alembic():
        click.echo(migrations.script())


@contextmanager
def _with_alembic() -> Iterator[None]:
    try:
        yield
    except migrations.MigrationsMissingError as error:
        raise click.ClickException(str(error)) from error


def _keep(said: Console, what: str) -> None:
    """Leave a line behind, but none for each percent of a long step."""
    if not what.endswith("%"):
        said.print(what)


def _told(before: State, now: State) -> str:
    if before.is_current:
        return f"Nothing to do: the revision is {now.revision}, the newest one."
    return f"From {before.shape} to revision {now.revision}, the newest one."


def _revision(state: State) -> str:
    if state.revision is None:
        return f"No revision is noted. There are: {state.shape}."
    return f"Revision {state.revision}."
