"""``libres serve``: the API, the pages and the feeds, served by waitress."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import click

from libres.cli import serving
from libres.cli.database import connected
from libres.cli.options import told_dsn_option, web_context_option
from libres.cli.serving import MISSING, Bind, listening, set_up
from libres.cli.syncing import NO_SYNC, is_sync_on, models_option, register_models

if TYPE_CHECKING:
    from collections.abc import Callable

    from libres.cli.database import Database
    from libres.sync import Sync

SECRET: Final = "LIBRES_SECRET_KEY"  # noqa: S105 - the name of a variable

HIGHEST_PORT: Final = 65_535


class Binding(click.ParamType):  # type: ignore[type-arg]  # generic for newer stubs
    """Where to listen: HOST:PORT, or [HOST]:PORT if the host has colons."""

    name = "address"

    def convert(
        self,
        value: str | Bind,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Bind:
        """Read it. Fails for anything else."""
        if isinstance(value, Bind):
            return value
        host, _colon, port = value.rpartition(":")
        is_port = port.isascii() and port.isdigit() and int(port[:9]) <= HIGHEST_PORT
        is_bare = ":" in host and not (host[0] == "[" and host[-1] == "]")
        if not host or not is_port or is_bare:
            self.fail(f"{value!r} is not HOST:PORT, as 127.0.0.1:8080.", param, ctx)
        return Bind(host.strip("[]"), int(port))


def _address(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> str | None:
    """Check the address of a proxy. Raises BadParameter."""
    try:
        return value if value in (None, "*") else str(ip_address(value))
    except ValueError as error:
        message = f"{value!r} is not an IP address, nor * for any."
        raise click.BadParameter(message) from error


@click.command()
@told_dsn_option
@web_context_option
@click.option(
    "--bind",
    type=Binding(),
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to listen; port 0 is a free one.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=serving.THREADS,
    show_default=True,
    help="Requests that are answered at once.",
)
@click.option(
    "--insecure-cookies",
    is_flag=True,
    help="Send cookies without HTTPS, too: to try things out.",
)
@models_option("--sync")
@click.option(
    "--trusted-proxy",
    callback=_address,
    metavar="ADDRESS",
    help="The proxy whose X-Forwarded-For and X-Forwarded-Proto are believed.",
)
def serve(
    dsn: str | None,
    context_name: str,
    bind: Bind,
    threads: int,
    insecure_cookies: bool,
    registering: Callable[[Sync], object] | None,
    trusted_proxy: str | None,
) -> None:
    """Serve the API, the pages and the feeds until SIGINT or SIGTERM.

    Tables that are missing are created first. LIBRES_SECRET_KEY is the secret that
    signs cookies; without it people sign in again after each start. With
    LIBRES_SYNC_SECRET, 32 random bytes or more, devices can synchronise. Put a proxy
    that speaks HTTPS in front of it.
    """
    if not serving.is_installed():
        raise click.ClickException(MISSING)
    with connected(dsn, context_name) as database:
        if is_sync_on(database.context):
            register_models(database.context, registering)
        set_up(database.context)
        _serve(database, bind, threads, insecure_cookies, trusted_proxy)


def _serve(
    database: Database, bind: Bind, threads: int, insecure: bool, proxy: str | None
) -> None:
    from libres.web import create_app  # noqa: PLC0415 - an extra

    app = create_app(database.context, secure_cookies=not insecure)
    if not os.environ.get(SECRET):
        click.echo(f"{SECRET} is not set: people sign in again after each start.")
    if not is_sync_on(database.context):
        click.echo(NO_SYNC)
    with listening(app, bind, threads, proxy) as server:
        for url in server.urls:
            click.echo(f"Serving {database.place} at {url}")
        server.run()
    click.echo("Ended.")
