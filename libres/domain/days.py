"""Zones, days and clock changes; the only module that imports sedate and pytz.

What the zones' own transitions say decides, never a fixed hour: a :class:`Shift` is
a moment at which the clocks of a zone were moved.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import pytz
import sedate
from sedate import NotTimezoneAware

from libres.domain.spans import Range, Span
from libres.modules.errors import insist
from libres.modules.rasterizer import TICK

__all__ = (
    "DISTANT_FUTURE",
    "DISTANT_PAST",
    "UTC",
    "NotTimezoneAware",
    "Shift",
    "align_to_day",
    "as_datetime",
    "check_timezone",
    "is_valid_length",
    "is_whole_day",
    "local_weekday",
    "shifts",
    "shifts_within",
    "times_of_day",
    "to_utc",
    "to_zone",
    "utcnow",
    "weekday_numbers",
)

UTC: Final = pytz.UTC
DISTANT_PAST: Final[datetime] = sedate.mindatetime
DISTANT_FUTURE: Final[datetime] = sedate.maxdatetime

LONGEST_PART_OF_A_DAY: Final = timedelta(hours=24)
LONGEST_DAY: Final = timedelta(hours=25)
HOUR: Final = timedelta(hours=1)
FIRST_STANDARD_TIME: Final = 1800
"""Before this year no clock followed a zone."""
LAST_YEAR: Final = 9999
DAY: Final = timedelta(days=1)

WEEKDAYS: Final = {
    name: number
    for number, name in enumerate(("mo", "tu", "we", "th", "fr", "sa", "su"))
}
"""Names of weekdays and their numbers, as datetime counts them."""


def utcnow() -> datetime:
    """Tell the time, aware, in UTC."""
    return sedate.utcnow()


def check_timezone(timezone: object) -> str:
    """Return the name of a zone itself. Raises Misuse if it is none."""
    insist(
        isinstance(timezone, str) and _is_zone(timezone),
        f"{timezone!r} is not a timezone: use a name such as 'Europe/Zurich'.",
    )
    return str(timezone)


def _is_zone(name: str) -> bool:
    try:
        pytz.timezone(name)
    except (pytz.UnknownTimeZoneError, ValueError):
        return False
    return True


def to_utc(date: datetime, timezone: str) -> datetime:
    """Convert to UTC; a naive *date* is a wall-clock time in *timezone*.

    A time that exists twice is the second one (standard time); one that does not
    exist is read as standard time. Raises TypeError if *date* is not a datetime.
    """
    if checked_datetime(date).tzinfo is not None:
        return date.astimezone(UTC)
    steady = _steady(timezone, date.date())
    if steady is None:
        return sedate.standardize_date(date, timezone)
    return date.replace(tzinfo=UTC) - steady.offset


class Steady(NamedTuple):
    """What holds in a zone while no clock is moved."""

    offset: timedelta
    tzinfo: tzinfo | None


@lru_cache(maxsize=2**14)
def _steady(timezone: str, day: Date) -> Steady | None:
    """Tell what holds all day, in UTC or local; None if clocks are moved within two
    days, so that it depends on the hour."""
    if not FIRST_STANDARD_TIME < day.year < LAST_YEAR:
        return None
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    if shifts(Span(noon - 2 * DAY, noon + 2 * DAY), timezone):
        return None
    shown = noon.astimezone(_zone(timezone))
    return Steady(shown.utcoffset() or timedelta(), shown.tzinfo)


@lru_cache
def _zone(timezone: str) -> Any:
    return sedate.ensure_timezone(timezone)


def checked_datetime(date: object) -> datetime:
    """Return a datetime itself. Raises TypeError for anything else."""
    if isinstance(date, datetime):
        return date
    message = f"A datetime is needed, not the {type(date).__name__} {date!r}."
    raise TypeError(message)


def to_zone(date: datetime, timezone: str) -> datetime:
    """Show an aware *date* in *timezone*. Raises NotTimezoneAware for a naive one."""
    steady = _steady(timezone, date.date()) if date.tzinfo is UTC else None
    if steady is None:
        return sedate.to_timezone(date, timezone)
    return (date + steady.offset).replace(tzinfo=steady.tzinfo)


def as_datetime(date: Any) -> datetime:
    """Return a datetime as it is, a date as its first moment, naive.

    Raises TypeError for anything else.
    """
    if not isinstance(date, Date):
        message = f"A date or a datetime is needed, not {date!r}."
        raise TypeError(message)
    return sedate.as_datetime(date)


def is_whole_day(start: datetime, end: datetime, timezone: str) -> bool:
    """Tell whether a range is one or several whole days of *timezone*.

    A day whose midnight does not exist begins with its first moment. Raises ValueError
    if the end lies before the start.
    """
    if sedate.is_whole_day(start, end, timezone):
        return True
    return start < end and all(_begins_day(each, timezone) for each in (start, end))


def _begins_day(date: datetime, timezone: str) -> bool:
    """Tell whether the moment before *date* was another day."""
    return to_zone(date, timezone).date() != to_zone(date - TICK, timezone).date()


def align_to_day(start: datetime, end: datetime, timezone: str) -> Range:
    """Extend a range to the whole local days it touches, as stored.

    An end at 0:00 is extended to the end of *that* day; a day with two midnights
    begins with the first. Raises ValueError if the end lies before the start.
    """
    first, last = sedate.align_range_to_day(start, end, timezone)
    twice = shifts(Span(first - TICK, first), timezone)
    earlier = (shift.amount for shift in twice if not shift.is_gap)
    return first + sum(earlier, timedelta()), last


def is_valid_length(start: datetime, end: datetime, timezone: str) -> bool:
    """Tell whether a range is short enough to be reserved at once.

    That is: less than 24 hours (full hours count), or one whole day of *timezone*,
    25 hours at most.
    """
    start, end = to_utc(start, timezone), to_utc(end, timezone)
    full_hours = (end - start) // HOUR
    if full_hours * HOUR < LONGEST_PART_OF_A_DAY:
        return True
    return full_hours * HOUR <= LONGEST_DAY and is_whole_day(start, end, timezone)


def times_of_day(
    day: datetime, start: time, end: time, **flags: bool
) -> tuple[datetime, datetime]:
    """Combine the local date of *day* with two times; an end before the start is the
    next day's. *flags* are those of ``sedate.get_date_range``."""
    combine: Callable[..., Any] = sedate.get_date_range
    found: tuple[datetime, datetime] = combine(day, start, end, **flags)
    return found


def local_weekday(date: datetime, timezone: str) -> int:
    """Return the weekday of an aware *date* in *timezone*, Monday is 0."""
    return to_zone(date, timezone).weekday()


def weekday_numbers(days: Container[object] | None) -> frozenset[int]:
    """Translate names ('mo' to 'su') and numbers (0 to 6) to numbers.

    None and an empty collection give an empty set: any day. Raises ValueError for
    a single one and for anything else.
    """
    if isinstance(days, str | int):
        message = f"Weekdays are a collection such as ['mo', 'tu'], not {days!r}."
        raise ValueError(message)
    if not days:
        return frozenset()
    return frozenset(_weekday_number(day) for day in days)  # type: ignore[attr-defined]


def _weekday_number(day: object) -> int:
    number = WEEKDAYS.get(day) if isinstance(day, str) else day
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 6:
        return number
    message = f"{day!r} is not a weekday: use {', '.join(WEEKDAYS)} or 0 to 6."
    raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Shift:
    """The clocks were moved by *amount* at the moment *at* (UTC).

    Forward (positive: a gap in local time) or back (negative: a fold).
    """

    at: datetime
    amount: timedelta

    @property
    def is_gap(self) -> bool:
        """Whether a part of local time is missing, not repeated."""
        return self.amount > timedelta()


def shifts(span: Span, timezone: str) -> tuple[Shift, ...]:
    """Return the clock changes after the start of *span* and until its end.

    The duration on the wall clock is the real one plus the sum of these amounts.
    """
    return tuple(s for s in _shifts_around(span, timezone) if s.at > span.start)


def shifts_within(span: Span, timezone: str) -> tuple[Shift, ...]:
    """Return the clock changes that *span* shows: after its start, until its end.

    A gap that swallowed midnight belongs to the day that begins with it, if *span* is
    made of whole days, and never to the day before.
    """
    around = _shifts_around(span, timezone)
    return tuple(shift for shift in around if _is_shown(shift, span, timezone))


def _is_shown(shift: Shift, span: Span, timezone: str) -> bool:
    if shift.at == span.start:
        return shift.is_gap and is_whole_day(span.start, span.end, timezone)
    return not (
        shift.at == span.end and shift.is_gap and _begins_day(shift.at, timezone)
    )


def _shifts_around(span: Span, timezone: str) -> Iterator[Shift]:
    for year in range(span.start.year, span.end.year + 1):
        for shift in shifts_of_year(timezone, year):
            if span.start <= shift.at <= span.end:
                yield shift


@lru_cache(maxsize=4096)
def shifts_of_year(timezone: str, year: int) -> tuple[Shift, ...]:
    """Return the clock changes of a zone within a year of UTC."""
    if not FIRST_STANDARD_TIME <= year < LAST_YEAR:
        return ()
    zone = _zone(timezone)
    first, last = (datetime(each, 1, 1, tzinfo=UTC) for each in (year, year + 1))
    days = (first + number * DAY for number in range((last - first).days + 1))
    known = ((day, _offset(day, zone)) for day in days)
    return tuple(
        _shift_between(day, next_day, zone)
        for (day, offset), (next_day, next_offset) in pairwise(known)
        if offset != next_offset
    )


def _offset(moment: datetime, zone: Any) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _shift_between(before: datetime, after: datetime, zone: Any) -> Shift:
    """Find the moment by halving; a zone changes at most once a day."""
    was, becomes = _offset(before, zone), _offset(after, zone)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if _offset(middle, zone) == was:
            before = middle
        else:
            after = middle
    return Shift(after.replace(microsecond=0), becomes - was)
