"""Says when things happen: days of 2030, and naive hours of Europe/Zurich."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

Range = tuple[datetime, datetime]

ZONE = "Europe/Zurich"
FIRST = datetime.fromisoformat("2030-01-01")
YEAR = 365


def hours(day: int, start: float, end: float) -> Range:
    """Return a range of hours on a day, counted from the first of January."""
    midnight = FIRST + timedelta(days=day)
    return midnight + timedelta(hours=start), midnight + timedelta(hours=end)


def daily(days: range, start: float, end: float) -> list[Range]:
    """Return the same hours on several days."""
    return [hours(day, start, end) for day in days]


def aware(moment: datetime) -> datetime:
    """Read a time as one of UTC, for the calls that insist on a zone."""
    return moment.replace(tzinfo=UTC)
