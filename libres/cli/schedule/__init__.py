"""Loads a schedule from a file: read, book, report.

``reading`` and ``days`` decide without a database, ``booking`` writes, ``report``
tells. A file is loaded as a whole or, if one of its rows is bad, not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from libres.cli.drawing import Drawing
from libres.cli.schedule.booking import Loaded, book_schedule
from libres.cli.schedule.reading import BadScheduleError, Row, parse_schedule
from libres.cli.schedule.report import charts_of, refusals, summary
from libres.cli.terminal import console, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from libres.context.core import Context

__all__ = ("load_schedule", "read_schedule")


def read_schedule(path: Path, zone: ZoneInfo) -> tuple[Row, ...]:
    """Return the rows of a file.

    Raises ClickException with all that is wrong with it.
    """
    try:
        return parse_schedule(path.read_bytes(), zone)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}."
        raise click.ClickException(message) from error
    except BadScheduleError as error:
        raise click.ClickException(_all_bad_rows(path, error)) from error


def _all_bad_rows(path: Path, error: BadScheduleError) -> str:
    count = len(error.rows)
    rows = "1 row is bad" if count == 1 else f"{count} rows are bad"
    lines = (printable(f"line {row.line} {row.reason}") for row in error.rows)
    return "\n  ".join([f"{path.name}: {rows}, so nothing was stored.", *lines])


def load_schedule(context: Context, zone: ZoneInfo, rows: Sequence[Row]) -> None:
    """Book the rows of a schedule and tell how full the rooms are then."""
    out = console()
    if not rows:
        out.print("The schedule has no sessions.")
        return
    loaded = _booked(context, zone, rows)
    out.print(Drawing(charts_of(context, zone, loaded)))
    out.print()
    out.print(summary(loaded))
    for refusal in refusals(loaded, zone):
        out.print(refusal)


def _booked(context: Context, zone: ZoneInfo, rows: Sequence[Row]) -> Loaded:
    """Book the rows below a progress bar, which only a terminal gets to see."""
    err = console(stderr=True)
    if not err.is_terminal:
        return book_schedule(context, zone, rows, lambda _done: None)
    columns = TextColumn("Booking"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=len(rows))
        return book_schedule(
            context, zone, rows, lambda done: bar.update(task, completed=done)
        )
