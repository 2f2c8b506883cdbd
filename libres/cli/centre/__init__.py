"""A small community centre: opens it, lets a week happen, and draws it.

``acts`` says what happens, ``telling`` writes it down as it happens; nothing here is
part of the library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.text import Text

from libres.cli.centre.acts import ACTS, RESOURCES, Stage
from libres.cli.centre.telling import Teller, listening
from libres.cli.centre.week import Week
from libres.cli.drawing import Drawing
from libres.cli.terminal import console, day_of
from libres.cli.weeks import week_chart
from libres.modules.errors import LibresError

if TYPE_CHECKING:
    from datetime import date
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from libres.cli.database import Database

__all__ = ("open_centre",)

INTRODUCTION = (
    "Every verb is a method of Scheduler, in a transaction of its own; every event a "
    "list of libres.modules.events, told as it fires."
)


def open_centre(database: Database, zone: ZoneInfo, today: date) -> None:
    """Clear the centre, let the acts happen in the week of *today*, and draw it."""
    out = console()
    week = Week.of(today, zone)
    stage = Stage(Teller(database.context, out), week)
    out.print(Text(f"A small community centre on {database.place}", "bold"))
    out.print(INTRODUCTION)
    database.context.transaction(lambda: _clear(stage))
    _perform(stage)
    _draw(stage, out)


def _clear(stage: Stage) -> None:
    for resource in RESOURCES:
        stage.scheduler(resource).extinguish_managed_records()


def _perform(stage: Stage) -> None:
    try:
        with listening(stage.tell):
            for act in ACTS:
                act(stage)
    except LibresError as error:
        message = f"{error}\nPerhaps another demo runs on this database: try again."
        raise click.ClickException(message) from error


def _draw(stage: Stage, out: Console) -> None:
    days = stage.week.days
    charts = tuple(
        week_chart(stage.scheduler(resource), days, resource.about)
        for resource in RESOURCES
    )
    period = f"{day_of(days[0])} to {day_of(days[-1])} {days[-1].year}"
    out.print()
    out.print(Text(f"The week, {period}, {stage.week.zone}", "bold underline"))
    out.print()
    out.print(Drawing(charts))
