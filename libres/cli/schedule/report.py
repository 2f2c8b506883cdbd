"""Tells what became of a schedule: what is booked and refused, how full every day is.

The first half asks the database, the second half only writes.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from typing import TYPE_CHECKING

from rich.text import Text

from libres.cli.drawing import Chart, Line
from libres.cli.schedule.booking import Loaded, Refusal, scheduler_of
from libres.cli.schedule.days import Day, Span, day_at
from libres.cli.terminal import day_of, printable, rounded, shortened, times_of
from libres.cli.weeks import Open, opening_hours, stretches, taken_by_partitions
from libres.modules.errors import (
    AlreadyReservedError,
    InvalidReservationError,
    TimerangeTooLong,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

    from libres.context.core import Context

REASONS: dict[type[Exception], str] = {
    AlreadyReservedError: "already reserved",
    InvalidReservationError: "outside of what is allocated",
    TimerangeTooLong: "outside of what is allocated",
}

LISTED = 10
"""How many refused rows are listed."""

TITLE_LENGTH = 32


def charts_of(context: Context, zone: ZoneInfo, loaded: Loaded) -> tuple[Chart, ...]:
    """Ask how full every room and day of a schedule is."""
    return tuple(
        _chart(context, zone, room, days) for room, days in loaded.days.items()
    )


def _chart(context: Context, zone: ZoneInfo, room: str, days: Sequence[Day]) -> Chart:
    scheduler = scheduler_of(context, room, zone)
    found = opening_hours(scheduler, days[0].span.start, days[-1].span.end)
    openings = [opening for opening in found if _is_in(opening, days)]
    lines = tuple(_line(opening, zone) for opening in openings)
    return Chart(printable(room), f"{rounded(_taken(openings))} % taken", lines)


def _is_in(opening: Open, days: Sequence[Day]) -> bool:
    span = Span(opening.start.astimezone(UTC), opening.end.astimezone(UTC))
    return any(day.span.overlaps(span) for day in days)


def _line(opening: Open, zone: ZoneInfo) -> Line:
    day = day_at(opening.start, zone)
    taken = taken_by_partitions(opening)
    return Line(
        day_of(day),
        tuple(stretches(day, opening, taken, zone)),
        f"{rounded(_taken([opening]))} % taken",
    )


def _taken(openings: Sequence[Open]) -> float:
    """Say how much of the time in *openings* is taken, in percent."""
    taken = sum(each.length * (100 - each.availability) for each in openings)
    length = sum(each.length for each in openings)
    return taken / length if length else 0.0


def summary(loaded: Loaded) -> Text:
    """Count what was booked and what was refused, by reason."""
    refused = Counter(reason_of(refusal) for refusal in loaded.refused)
    reasons = [f"{count} refused as {reason}" for reason, count in refused.items()]
    text = Text.assemble((f"{len(loaded.booked) or 'none'} booked", "bold green"))
    return text.append(f", {', '.join(reasons) or 'none refused'}", style="bold")


def reason_of(refusal: Refusal) -> str:
    """Say in a few words why a row was refused."""
    return REASONS.get(type(refusal.error), str(refusal.error))


def refusals(loaded: Loaded, zone: ZoneInfo) -> Iterator[Text]:
    """List the rows that were refused, except for those that are there already."""
    known = sum(refusal.loaded_before for refusal in loaded.refused)
    if known:
        yield Text(f"{known} of them were loaded before, with the same times and title")
    others = [refusal for refusal in loaded.refused if not refusal.loaded_before]
    yield from (_refusal(refusal, zone) for refusal in others[:LISTED])
    if len(others) > LISTED:
        yield Text(f"… and {len(others) - LISTED} more")


def _refusal(refusal: Refusal, zone: ZoneInfo) -> Text:
    row = refusal.row
    start, end = (time.astimezone(zone) for time in (row.start, row.end))
    return Text(
        f"line {row.line}: {printable(row.room)}, {times_of(start, end)}, "
        f"{shortened(printable(row.title), TITLE_LENGTH)}: {reason_of(refusal)}"
    )
