"""A small community centre: opens it, lets a week happen, and draws it.

``acts`` says what happens, ``telling`` writes it down as it happens; nothing here is
part of the library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from libres.cli.centre.acts import ACTS, RESOURCES, Stage
from libres.cli.centre.telling import Teller, listening
from libres.cli.centre.week import Week
from libres.cli.drawing import Drawing
from libres.cli.terminal import console, day_of
from libres.cli.weeks import week_chart

if TYPE_CHECKING:
    from datetime import date
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from libres.cli.database import Database

__all__ = ("open_centre",)


def open_centre(database: Database, zone: ZoneInfo, today: date) -> None:
    """Clear the centre, let the acts happen in the week of *today*, and draw it."""
    out = console()
    week = Week.of(today, zone)
    teller = Teller(database.context, out)
    stage = Stage(teller, week)
    out.print(Text(f"A small community centre on {database.place}", "bold"))
    database.context.transaction(lambda: _clear(stage))
    with listening(teller):
        for act in ACTS:
            act(stage)
    _draw(stage, out)


def _clear(stage: Stage) -> None:
    for resource in RESOURCES:
        stage.scheduler(resource).extinguish_managed_records()


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
