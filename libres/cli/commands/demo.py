"""``libres demo``: a community centre in the terminal, or a schedule from a file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from libres.cli.centre import open_centre
from libres.cli.database import connected
from libres.cli.options import dsn_option, timezone_option
from libres.cli.schedule import load_schedule, read_schedule

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

CENTRE = "libres-demo"
SCHEDULE = "libres-demo-schedule"
"""The contexts: every run clears the first and keeps the second."""


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
def demo(dsn: str | None, schedule: Path | None, timezone: ZoneInfo) -> None:
    """Show what libres does, on a real database.

    Builds a small community centre, reserves and refuses, and draws the week of every
    resource. Without --dsn it starts a private PostgreSQL in your data folder. Run it
    as often as you like: it clears the centre's records first, and no others. A
    schedule stays; loaded again, what is already reserved is refused.
    """
    if schedule is None:
        with connected(dsn, CENTRE) as database:
            open_centre(database, timezone, datetime.now(timezone).date())
        return
    rows = read_schedule(schedule, timezone)
    with connected(dsn, SCHEDULE) as database:
        load_schedule(database.context, timezone, rows)
