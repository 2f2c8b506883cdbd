"""Opens the synchronisation of a context for a command, and writes for it, or not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click
from rich.table import Table
from sqlalchemy import inspect

from libres.cli.database import connected
from libres.cli.options import told_dsn_option, web_context_option
from libres.cli.syncing import models_option, register_models
from libres.cli.terminal import console, printable
from libres.domain.days import UTC
from libres.modules.errors import LibresError, Misuse
from libres.sync import Sync
from libres.sync.errors import AlreadyThere, UnknownEntity
from libres.sync.models import SyncOrganization

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.sync.values import Organization, Role

T = TypeVar("T")
Command = Callable[..., None]

FOUND: Final = 1
"""The exit status if something is wrong that was looked for."""

MISSING: Final = (
    "The tables of synchronisation are missing in this database: create them with "
    "'libres sync setup'."
)

DRY: Final = "Dry run, nothing is written: "

KINDS: Final = {"organization": "organisation", "membership": "membership of"}
"""What people call what the tables call otherwise."""


class _Undone(Exception):
    """Leaves a transaction that is not to be committed, with what it has found."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


@dataclass(frozen=True, slots=True)
class House:
    """The synchronisation of a context, and whether something may be written."""

    sync: Sync
    dry_run: bool = False

    @property
    def context(self) -> Context:
        """The context of the command."""
        return self.sync.context

    def write(self, act: Callable[[], T]) -> T:
        """Do something in a transaction, and undo it all if this is a dry run."""

        def acted() -> T:
            result = act()
            if self.dry_run:
                raise _Undone(result)
            return result

        try:
            return self.context.transaction(acted)
        except _Undone as undone:
            result: T = undone.result
            return result

    def say(self, text: str) -> None:
        """Tell what was done, or would have been."""
        click.echo(printable(f"{DRY if self.dry_run else ''}{text}"))

    def role(self, slug: str, code: str) -> tuple[Organization, Role]:
        """Return an organisation and the role that has a code there."""
        organization = self.sync.organizations.named(slug)
        return organization, self.sync.roles.named(code, organization)

    def organization(self, slug: str | None) -> Organization | None:
        """Return an organisation; None: that is not asked for."""
        return None if slug is None else self.sync.organizations.named(slug)

    def slugs(self) -> dict[Any, str]:
        """Return the slugs of all organisations by their ids."""
        return {each.id: each.slug for each in self.sync.organizations.all()}


# Commands -----------------------------------------------------------------------------


def reads(command: Command) -> Command:
    """Give a command the options of a database, and its house."""
    return _opening(command, needs_tables=True)


def writes(command: Command) -> Command:
    """Do so for one that writes: it has ``--dry-run`` as well."""
    return dry_run_option(reads(command))


def writes_anywhere(command: Command) -> Command:
    """Do so for one that also works where the tables are missing."""
    return dry_run_option(_opening(command, needs_tables=False))


dry_run_option: Callable[[Command], Command] = click.option(
    "--dry-run", is_flag=True, help="Tell what would be done, and write nothing."
)


def _opening(command: Command, *, needs_tables: bool) -> Command:
    @told_dsn_option
    @web_context_option
    @models_option("--models")
    @wraps(command)
    def opened(
        dsn: str | None,
        context_name: str,
        registering: Callable[[Sync], object] | None,
        dry_run: bool = False,
        **arguments: Any,
    ) -> None:
        with connected(dsn, context_name, create=False) as database, told():
            register_models(database.context, registering)
            house = House(Sync(database.context), dry_run)
            if needs_tables:
                check_tables(house)
            command(house, **arguments)

    return opened


def check_tables(house: House) -> None:
    """Refuse a database in which nothing is set up. Raises ClickException."""
    connection = house.sync.session.connection()
    if not inspect(connection).has_table(SyncOrganization.__tablename__):
        raise click.ClickException(MISSING)


@contextmanager
def told() -> Iterator[None]:
    """Say in a sentence what the library refuses."""
    try:
        yield
    except UnknownEntity as error:
        refuse(f"There is no {_kind(error)} {error.name!r} here.", error)
    except AlreadyThere as error:
        refuse(f"The {_kind(error)} {error.name!r} is there already.", error)
    except (LibresError, Misuse) as error:
        refuse(str(error), error)


def _kind(error: UnknownEntity | AlreadyThere) -> str:
    return KINDS.get(error.kind, error.kind)


def refuse(message: str, cause: Exception | None = None) -> NoReturn:
    """End a command with what is wrong."""
    raise click.ClickException(printable(message)) from cause


# Telling ------------------------------------------------------------------------------


def show(names: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    """Print a table of what may come from anybody."""
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name == "id")
    for row in rows:
        table.add_row(*map(cell, row))
    console().print(table)


def cell(value: Any) -> str:
    """Write a value so that it can be read, and does nothing else."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}Z"
    return "" if value is None else printable(str(value))


def counted(number: int, what: str) -> str:
    """Say how many there are, as in ``2 changes``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


# Secrets ------------------------------------------------------------------------------

stdin_option = click.option(
    "--password-stdin",
    "from_stdin",
    is_flag=True,
    help="Read the password from the first line of the standard input.",
)


def secret(what: str, *, from_stdin: bool, confirmed: bool = False) -> str:
    """Ask for a secret without showing it, or read it from the standard input."""
    if not from_stdin:
        found: str = click.prompt(
            what, hide_input=True, confirmation_prompt=confirmed, err=True
        )
        return found
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        refuse(f"The standard input holds no {what.lower()}: write it on a line.")
    return line
