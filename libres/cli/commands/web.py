"""``libres web``: the keys of the API, the resources that are shown, and feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import click
from rich.table import Table

from libres import web as edge
from libres.cli.database import connected
from libres.cli.options import (
    blocking_option,
    dsn_option,
    plain_text,
    timezone_option,
    web_context_option,
)
from libres.cli.terminal import console, printable
from libres.domain.days import UTC
from libres.modules.errors import Misuse
from libres.web.directory import Directory, Place
from libres.web.errors import NotFound
from libres.web.feeds import Feeds, feed_url
from libres.web.feeds.values import KINDS, LEVELS
from libres.web.identity import SCOPES
from libres.web.keys import Keys

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from libres.context.core import Context
    from libres.web.feeds.values import Kind, Level

T = TypeVar("T")


@click.group()
def web() -> None:
    """Keep the keys, the resources and the feeds of the web edge."""


@contextmanager
def _house(dsn: str | None, name: str) -> Iterator[Context]:
    """Open a context with the tables of the web edge."""
    with connected(dsn, name) as database:
        _write(database.context, lambda: edge.setup(database.context))
        yield database.context


def _write(context: Context, act: Callable[[], T], missing: str = "") -> T:
    """Do something in a transaction. Raises ClickException for what is refused."""
    try:
        return context.transaction(act)
    except Misuse as error:
        raise click.ClickException(str(error)) from error
    except NotFound as error:
        raise click.ClickException(missing) from error


def _table(*names: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name == "id")
    return table


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}Z"


# Keys ---------------------------------------------------------------------------------


@web.group()
def key() -> None:
    """Keep keys: who has one may do what its scopes say."""


@key.command("create")
@dsn_option
@web_context_option
@click.argument("name", callback=plain_text)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="What it opens; repeatable. To manage includes to read and to book.",
)
@click.option(
    "--email", callback=plain_text, help="Whose reservations are theirs who have it."
)
def create_key(
    dsn: str | None,
    context_name: str,
    name: str,
    scopes: tuple[str, ...],
    email: str | None,
) -> None:
    """Make a key for NAME and print it, this once: it is not stored."""
    if email is not None and "@" not in email:
        message = f"{email!r} is not an e-mail address."
        raise click.BadParameter(message, param_hint="--email")
    with _house(dsn, context_name) as context:
        made = _write(context, lambda: Keys(context).create(name, scopes, email))
    click.echo("Keep it: it cannot be shown again.", err=True)
    click.echo(made)


@key.command("list")
@dsn_option
@web_context_option
def list_keys(dsn: str | None, context_name: str) -> None:
    """List keys, the oldest first: who has them, not what they are."""
    with _house(dsn, context_name) as context:
        found = Keys(context).all()
    table = _table("id", "name", "scopes", "e-mail", "created", "revoked")
    for each in found:
        table.add_row(
            str(each.id),
            printable(each.name),
            ", ".join(each.scopes),
            printable(each.email or ""),
            _moment(each.created),
            _moment(each.revoked),
        )
    console().print(table)


@key.command("revoke")
@dsn_option
@web_context_option
@click.argument("id", type=click.UUID)
def revoke_key(dsn: str | None, context_name: str, id: UUID) -> None:  # noqa: A002 - as in the table
    """Let the key of this ID open nothing from now on."""
    missing = f"There is no key {id} in the context {context_name!r}."
    with _house(dsn, context_name) as context:
        _write(context, lambda: Keys(context).revoke(id), missing)
    click.echo("Revoked.")


# Resources ----------------------------------------------------------------------------


@web.group()
def resource() -> None:
    """Keep the list of resources that are shown."""


@resource.command("add")
@dsn_option
@web_context_option
@timezone_option
@click.argument("name", callback=plain_text)
@click.option(
    "--title", callback=plain_text, help="What it is called; by default NAME."
)
@blocking_option
@click.option(
    "--position",
    type=click.IntRange(-10_000, 10_000),
    default=0,
    show_default=True,
    help="Where it stands among the others.",
)
def add_resource(
    dsn: str | None,
    context_name: str,
    timezone: ZoneInfo,
    name: str,
    title: str | None,
    blocking: tuple[str, ...],
    position: int,
) -> None:
    """Show the resource NAME, that of a scheduler; or change how it is shown.

    The timezone of what is allocated already must not change.
    """
    place = Place(name, title or name, timezone.key, blocking, position)
    with _house(dsn, context_name) as context:
        _write(context, lambda: Directory(context).put(place))
    click.echo(f"{printable(place.title)} is shown.")


@resource.command("list")
@dsn_option
@web_context_option
def list_resources(dsn: str | None, context_name: str) -> None:
    """List resources, as they are shown."""
    with _house(dsn, context_name) as context:
        found = Directory(context).all()
    table = _table("name", "title", "timezone", "blocked by")
    for place in found:
        blocking = ", ".join(map(printable, place.blocking_names))
        names = printable(place.name), printable(place.title)
        table.add_row(*names, place.timezone, blocking)
    console().print(table)


@resource.command("remove")
@dsn_option
@web_context_option
@click.argument("name", callback=plain_text)
def remove_resource(dsn: str | None, context_name: str, name: str) -> None:
    """Show the resource NAME no more; what is reserved of it remains."""
    missing = f"There is no resource {name!r} in the context {context_name!r}."
    with _house(dsn, context_name) as context:
        _write(context, lambda: Directory(context).remove(name), missing)
    click.echo(f"{printable(name)} is not shown any more.")


# Feeds --------------------------------------------------------------------------------


@web.group()
def feed() -> None:
    """Keep feeds: who has the address of one may read it, until it is revoked."""


@feed.command("create")
@dsn_option
@web_context_option
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name", callback=plain_text)
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    default=LEVELS[0],
    show_default=True,
    help="What is told of a reservation: that there is one, or whose it is.",
)
@click.option(
    "--base",
    callback=plain_text,
    default="",
    metavar="URL",
    help="Where the application is, as in https://example.org.",
)
def create_feed(
    dsn: str | None, context_name: str, kind: Kind, name: str, level: Level, base: str
) -> None:
    """Make a feed and print its address, this once: it is not stored.

    NAME is that of a resource or of a subject, or the e-mail address of a person.
    """
    missing = f"There is no {kind} {name!r} in the context {context_name!r}."
    with _house(dsn, context_name) as context:
        made = _write(
            context, lambda: Feeds(context).create(kind, name, level), missing
        )
    click.echo("Keep it: it cannot be shown again.", err=True)
    click.echo(feed_url(made, base.rstrip("/")))


@feed.command("list")
@dsn_option
@web_context_option
def list_feeds(dsn: str | None, context_name: str) -> None:
    """List feeds, the oldest first: what they are of, not where they are."""
    with _house(dsn, context_name) as context:
        found = Feeds(context).all()
    table = _table("id", "kind", "name", "level", "created", "revoked")
    for each in found:
        table.add_row(
            str(each.id),
            each.kind,
            printable(each.name),
            each.level,
            _moment(each.created),
            _moment(each.revoked),
        )
    console().print(table)


@feed.command("revoke")
@dsn_option
@web_context_option
@click.argument("id", type=click.UUID)
def revoke_feed(dsn: str | None, context_name: str, id: UUID) -> None:  # noqa: A002 - as in the table
    """Let the feed of this ID be found no more."""
    missing = f"There is no feed {id} in the context {context_name!r}."
    with _house(dsn, context_name) as context:
        _write(context, lambda: Feeds(context).revoke(id), missing)
    click.echo("Revoked.")
