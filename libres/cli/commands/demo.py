"""``libres demo``: a community centre in the terminal and on pages, or a schedule."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from libres.cli import serving
from libres.cli.centre import open_centre
from libres.cli.centre.house import House, furnish
from libres.cli.centre.week import Week
from libres.cli.database import connected
from libres.cli.options import dsn_option, timezone_option
from libres.cli.schedule import load_schedule, read_schedule
from libres.cli.serving import MISSING, Bind, listening, set_up

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from libres.context.core import Context

CENTRE = "libres-demo"
SCHEDULE = "libres-demo-schedule"
"""The contexts: every run clears the first and keeps the second."""

HOST = "127.0.0.1"


@click.command()
@dsn_option
@click.option(
    "--schedule",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    metavar="FILE",
    help="Load a CSV file (room,start,end,title,...; ISO times with offset) instead: "
    "a resource per room, a reservation per row.",
)
@timezone_option
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    help="Where the pages are served, on this machine only; by default a free one.",
)
@click.option("--no-serve", is_flag=True, help="Draw in the terminal, and end.")
def demo(
    dsn: str | None,
    schedule: Path | None,
    timezone: ZoneInfo,
    port: int,
    no_serve: bool,
) -> None:
    """Show what libres does, on a real database.

    Builds a small community centre, reserves and refuses, draws the week of every
    resource, and serves the pages of it until Ctrl-C. Without --dsn it starts a
    private PostgreSQL in your data folder. Run it as often as you like: it clears the
    centre's records first, and no others. A schedule is drawn only, and stays; loaded
    again, what is already reserved is refused.
    """
    if schedule is None:
        _show_centre(dsn, timezone, None if no_serve else port)
        return
    rows = read_schedule(schedule, timezone)
    with connected(dsn, SCHEDULE) as database:
        load_schedule(database.context, timezone, rows)


def _show_centre(dsn: str | None, timezone: ZoneInfo, port: int | None) -> None:
    """Draw the centre, and serve its pages; None: draw it only."""
    with connected(dsn, CENTRE) as database:
        now = datetime.now(timezone)
        open_centre(database, timezone, now.date())
        if port is None:
            return
        click.echo()
        if not serving.is_installed():
            click.echo(MISSING)
            return
        set_up(database.context)
        house = House(database.context, Week.of(now.date(), timezone), now)
        _serve(database.context, furnish(house), port)


def _serve(context: Context, key: str, port: int) -> None:
    from libres.web import WebSettings, create_app  # noqa: PLC0415 - an extra

    app = create_app(context, WebSettings(title="Centre"), secure_cookies=False)
    with listening(app, Bind(HOST, port)) as server:
        (url,) = server.urls
        click.echo(f"The centre is at {url} until you press Ctrl-C.")
        click.echo(f"To manage it, sign in at {url}sign-in with this key:")
        click.echo(key)
        server.run()
    click.echo("Ended.")
