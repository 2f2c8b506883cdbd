"""Reads times from the command line, and draws days of free and taken time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

import click

from libres.cli.drawing import Chart, Line, Mark, Stretch
from libres.cli.terminal import day_of, printable
from libres.domain.days import to_utc, to_zone

if TYPE_CHECKING:
    from datetime import date

    from libres.domain.spans import Span

DAY = timedelta(days=1)


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic for newer stubs
    """A time in ISO 8601 with its offset, as 2030-01-07T09:00+01:00."""

    name = "time"

    def convert(
        self,
        value: str | datetime,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> datetime:
        """Read it. Fails for anything else."""
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is None or found.utcoffset() is None:
            message = (
                f"{value!r} is not a time with an offset, as 2030-01-07T09:00+01:00."
            )
            self.fail(message, param, ctx)
        return found


MOMENT = Moment()


def chart(
    title: str,
    days: Sequence[date],
    free: Sequence[Span],
    busy: Sequence[Span],
    timezone: str,
) -> Chart:
    """Return what to draw of some local days of a subject."""
    lines = [
        Line(day_of(day), tuple(_stretches(day, free, busy, timezone))) for day in days
    ]
    return Chart(printable(title), "", tuple(lines))


def _stretches(
    day: date, free: Sequence[Span], busy: Sequence[Span], timezone: str
) -> list[Stretch]:
    midnight = datetime.combine(day, time())
    begin, end = to_utc(midnight, timezone), to_utc(midnight + DAY, timezone)
    marked = [(span, Mark.FREE) for span in free]
    marked += [(span, Mark.RESERVED) for span in busy]
    return [
        Stretch(
            _on_the_clock(max(span.start, begin), midnight, timezone),
            _on_the_clock(min(span.end, end), midnight, timezone),
            mark,
        )
        for span, mark in marked
        if span.start < end and span.end > begin
    ]


def _on_the_clock(moment: datetime, midnight: datetime, timezone: str) -> timedelta:
    return to_zone(moment, timezone).replace(tzinfo=None) - midnight


def local_days(start: datetime, end: datetime, timezone: str) -> list[date]:
    """Return the days of a zone that a time touches."""
    first = to_zone(start, timezone).date()
    last = to_zone(end - timedelta(microseconds=1), timezone).date()
    return [first + number * DAY for number in range((last - first).days + 1)]
