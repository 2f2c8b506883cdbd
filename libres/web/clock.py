"""What time is it where a resource is?"""

from __future__ import annotations

from datetime import date as Date
from datetime import datetime, time, timedelta
from typing import Final

from libres.db.models.timestamp import TimestampMixin
from libres.domain.days import to_zone
from libres.domain.spans import Span
from libres.timetable.asking import local_day

DAY: Final = timedelta(days=1)


def now_in(timezone: str) -> datetime:
    """Return the time on the wall clock of a zone."""
    return to_zone(TimestampMixin.timestamp(), timezone)


def today_in(timezone: str) -> Date:
    """Return the day that it is in a zone."""
    return now_in(timezone).date()


def day_of(day: Date, timezone: str) -> Span:
    """Return a day of a zone, 23 to 25 hours long, in UTC."""
    return local_day(day, timezone)


def in_words(start: datetime, end: datetime) -> str:
    """Say from when to when: ``Mon 30 Nov 2026, 08:00 to 18:00``."""
    last = "" if _same_day(start, end) else f"{_day(end)}, "
    return f"{_day(start)}, {start:%H:%M} to {last}{end:%H:%M}"


def _same_day(start: datetime, end: datetime) -> bool:
    """Tell whether an end belongs to the day of the start; midnight does."""
    is_midnight = end.time() == time() and end.date() - start.date() == DAY
    return is_midnight or start.date() == end.date()


def _day(moment: datetime) -> str:
    return f"{moment:%a} {moment.day} {moment:%b %Y}"
