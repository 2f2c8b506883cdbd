"""Tells which spans weekly hours, special days, rules and holidays give; what becomes
of them is decided elsewhere.

Hours are read on the clock of a zone: eight o'clock stays eight o'clock when clocks are
moved. Where they are moved, a time that does not exist is the next moment that does;
of a time that exists twice, the first is a start and the second an end. Midnight is
where a day ends and the next one begins.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, time, timedelta
from itertools import islice, pairwise, takewhile
from typing import Any, Final, Literal, TypeAlias

from dateutil.rrule import rrulebase, rrulestr

from libres.domain.days import UTC, check_timezone, shifts, to_utc, to_zone
from libres.domain.spans import Span
from libres.modules.errors import Misuse
from libres.timetable.rules import clipped, merged, without

__all__ = (
    "HolidaysMissingError",
    "InvalidHours",
    "Kind",
    "SpecialDay",
    "Weekly",
    "opening_spans",
    "public_holidays",
    "ruled_spans",
)

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 9990
"""What can be shown in every zone, with room for a period."""

DAY: Final = timedelta(days=1)
NO_TIME: Final = timedelta()
MIDNIGHT: Final = time()

LONGEST_PERIOD: Final = timedelta(days=7305)
"""Twenty years."""

LONGEST_DURATION: Final = timedelta(days=366)
"""Of one time of a rule."""

LONGEST_RULE: Final = 1000
"""Characters."""

MOST_TIMES: Final = 10_000
"""Of a rule, within the days that are asked about."""

MOST_PASSED: Final = 200_000
"""Times of a rule before those days; a rule of hours may be twenty years old."""

STANDSTILL: Final = re.compile(r"(COUNT|INTERVAL)=(?!0*[1-9])")

Kind: TypeAlias = Literal["off", "extra"]
Reading: TypeAlias = Literal["first", "second"]
"""Which moment a time is that exists twice."""


class InvalidHours(Misuse):
    """These are no hours: days are dates, times are naive, the last day does not lie
    before the first, and at most 20 years are looked at."""

    def __str__(self) -> str:
        return super().__str__() or " ".join(str(self.__doc__).split())


class HolidaysMissingError(ImportError):
    """The package of holidays is not installed: pip install 'libres[timetable]'"""

    def __str__(self) -> str:
        return str(self.__doc__)


@dataclass(frozen=True, slots=True)
class Weekly:
    """Hours of a weekday, Monday is 0, on the local clock.

    An end that is not after the start is the next day's, midnight is 00:00, and from
    00:00 to 00:00 is the whole day. They hold for what starts from *valid_from* until
    *valid_until*, both days included; None is without end. Raises InvalidHours.
    """

    weekday: int
    start: time
    end: time
    valid_from: Date | None = None
    valid_until: Date | None = None

    def __post_init__(self) -> None:
        _check_weekday(self.weekday)
        _check_times(self.start, self.end)
        _check_order(
            *(_optional_day(day) for day in (self.valid_from, self.valid_until))
        )

    def is_valid(self, day: Date) -> bool:
        """Tell whether these hours start on a *day*."""
        return (
            day.weekday() == self.weekday
            and (self.valid_from is None or self.valid_from <= day)
            and (self.valid_until is None or day <= self.valid_until)
        )


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """Days, *first* to *last* inclusive, that are not as every week.

    ``off``: closed, all day or at these times. ``extra``: open at these times, whatever
    else is said. Times are those of `Weekly`, on each of the days. Raises InvalidHours.
    """

    first: Date
    last: Date
    kind: Kind
    start: time | None = None
    end: time | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        _check_order(_day(self.first), _day(self.last))
        if self.kind not in ("off", "extra"):
            message = f"A special day is 'off' or 'extra', not {self.kind!r}."
            raise InvalidHours(message)
        _check_reason(self.reason)
        if self.times is not None:
            _check_times(*self.times)
        elif self.kind == "extra":
            message = "An extra day needs times: give start and end."
            raise InvalidHours(message)

    @property
    def times(self) -> tuple[time, time] | None:
        """Start and end; None for whole days. Raises InvalidHours for one of them."""
        if self.start is None and self.end is None:
            return None
        if self.start is None or self.end is None:
            message = "A special day has both start and end, or neither of them."
            raise InvalidHours(message)
        return self.start, self.end


# Checks -------------------------------------------------------------------------------


def _check_weekday(value: object) -> None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number or value not in range(7):
        message = f"A weekday is a number from 0 to 6, not {value!r}."
        raise InvalidHours(message)


def _check_reason(value: object) -> None:
    if value is not None and not isinstance(value, str):
        message = f"A reason is a text or None, not {value!r}."
        raise InvalidHours(message)


def _check_times(start: object, end: object) -> None:
    for each in (start, end):
        if not isinstance(each, time) or each.tzinfo is not None:
            message = f"Hours have times without a zone, not {each!r}."
            raise InvalidHours(message)
    if start == end != MIDNIGHT:
        message = (
            f"Hours must not end when they start, at {start}: from 00:00 to 00:00 is "
            f"the whole day."
        )
        raise InvalidHours(message)


def _day(day: object) -> Date:
    if isinstance(day, datetime) or not isinstance(day, Date):
        message = f"A day is a date, not {day!r}."
        raise InvalidHours(message)
    return day


def _optional_day(day: object) -> Date | None:
    return None if day is None else _day(day)


def _check_order(first: Date | None, last: Date | None) -> None:
    if first is not None and last is not None and last < first:
        message = f"The last day, {last}, lies before the first, {first}."
        raise InvalidHours(message)


def _check_period(first: object, last: object) -> None:
    start, end = _day(first), _day(last)
    _check_order(start, end)
    _check_year(start)
    _check_year(end)
    if end - start >= LONGEST_PERIOD:
        message = f"{start} to {end} is longer than 20 years: ask about parts of it."
        raise InvalidHours(message)


def _check_year(day: Date) -> None:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        message = f"{day} lies outside of the years {FIRST_YEAR} to {LAST_YEAR}."
        raise InvalidHours(message)


def _all_of(values: object, kind: type, names: str) -> list[Any]:
    if not isinstance(values, Iterable) or isinstance(values, str):
        message = f"Pass a list of {names}, not {values!r}."
        raise InvalidHours(message)
    found = list(values)
    for each in found:
        if not isinstance(each, kind):
            message = f"Each of the {names} is a {kind.__name__}, not {each!r}."
            raise InvalidHours(message)
    return found


def _check_holidays(holidays: object) -> None:
    if not isinstance(holidays, Container) or isinstance(holidays, str | bytes):
        message = f"Holidays are a set of dates, not {holidays!r}: see public_holidays."
        raise InvalidHours(message)


# Hours --------------------------------------------------------------------------------


def opening_spans(
    weekly: Iterable[Weekly],
    special: Iterable[SpecialDay],
    first: Date,
    last: Date,
    timezone: str,
    holidays: Container[Date] = frozenset(),
) -> list[Span]:
    """Return when it is open on the local days from *first* to *last* inclusive.

    In UTC, sorted, joined where they touch; what reaches into these days from the day
    before belongs to them, what reaches out of them does not. Extra hours beat what is
    off, which beats holidays, which beat weekly hours. Holidays and days that are off
    are closed from midnight to midnight: so is the end of the night before.

    Raises InvalidHours for wrong values, Misuse for an unknown timezone.
    """
    _check_period(first, last)
    _check_holidays(holidays)
    plan = _Plan(
        _all_of(weekly, Weekly, "weekly hours"),
        _by_day(_all_of(special, SpecialDay, "special days"), first - DAY, last),
        check_timezone(timezone),
        holidays,
    )
    days = pairwise(_begun(plan, first, last))
    found = (_open_on(before, today, plan) for before, today in days)
    return merged(span for spans in found for span in spans)


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that is said about the hours of one place."""

    weekly: Sequence[Weekly]
    special: dict[Date, list[SpecialDay]]
    timezone: str
    holidays: Container[Date]

    def is_closed(self, day: Date) -> bool:
        """Tell whether nothing but extra hours is open all day."""
        special = self.special.get(day, ())
        return day in self.holidays or any(each.times is None for each in special)


@dataclass(frozen=True, slots=True)
class _Begun:
    """The hours that begin on one day; they may end on the next."""

    day: Date
    usual: list[Span]
    off: list[Span]
    extra: list[Span]


def _by_day(
    special: Iterable[SpecialDay], first: Date, last: Date
) -> dict[Date, list[SpecialDay]]:
    found: dict[Date, list[SpecialDay]] = {}
    for each in special:
        for day in _days(max(first, each.first), min(last, each.last)):
            found.setdefault(day, []).append(each)
    return found


def _days(first: Date, last: Date) -> Iterator[Date]:
    return (first + number * DAY for number in range((last - first).days + 1))


def _begun(plan: _Plan, first: Date, last: Date) -> Iterator[_Begun]:
    """Yield the hours of each day, and those of the day before the first."""
    for day in _days(first - DAY, last):
        usual = [(each.start, each.end) for each in plan.weekly if each.is_valid(day)]
        yield _Begun(
            day,
            _timed(day, usual, plan.timezone),
            _timed(day, _special_times(plan, day, "off"), plan.timezone),
            _timed(day, _special_times(plan, day, "extra"), plan.timezone),
        )


def _special_times(plan: _Plan, day: Date, kind: Kind) -> list[tuple[time, time]]:
    special = (each for each in plan.special.get(day, ()) if each.kind == kind)
    return [each.times for each in special if each.times is not None]


def _timed(day: Date, times: Iterable[tuple[time, time]], timezone: str) -> list[Span]:
    return [
        _on_the_clock(
            datetime.combine(day, start),
            datetime.combine(day if start < end else day + DAY, end),
            timezone,
        )
        for start, end in times
    ]


def _open_on(before: _Begun, today: _Begun, plan: _Plan) -> list[Span]:
    """Return what is open within a day; some of it may have begun the day before."""
    usual: list[Span] = []
    if not plan.is_closed(today.day):
        usual = without(before.usual + today.usual, before.off + today.off)
    found = usual + before.extra + today.extra
    return clipped(found, _whole(today.day, today.day, plan.timezone)) if found else []


# The clock ----------------------------------------------------------------------------


def _whole(first: Date, last: Date, timezone: str) -> Span:
    """Return the time from the beginning of one day to the end of another."""
    start = datetime.combine(first, MIDNIGHT)
    return _on_the_clock(start, datetime.combine(last + DAY, MIDNIGHT), timezone)


def _on_the_clock(start: datetime, end: datetime, timezone: str) -> Span:
    """Read two times of the wall clock; empty if both lie in what is left out."""
    # A second midnight belongs to the next day, which has begun with the first.
    reading: Reading = "first" if end.time() == MIDNIGHT else "second"
    return Span(_moment(start, timezone, "first"), _moment(end, timezone, reading))


def _moment(wall: datetime, timezone: str, reading: Reading) -> datetime:
    read = wall.replace(tzinfo=UTC)
    for shift in shifts(Span(read - 2 * DAY, read + 2 * DAY), timezone):
        after = to_zone(shift.at, timezone).utcoffset() or NO_TIME
        before = after - shift.amount
        moved_from, moved_to = sorted((shift.at + before, shift.at + after))
        if moved_from <= read < moved_to:
            if shift.is_gap:
                return shift.at
            return read - (before if reading == "first" else after)
    return to_utc(wall, timezone)


# Rules --------------------------------------------------------------------------------


def ruled_spans(
    rule: str,
    start: datetime,
    duration: timedelta,
    first: Date,
    last: Date,
    timezone: str,
) -> list[Span]:
    """Return what a rule gives on the local days from *first* to *last* inclusive.

    *rule* is an RRULE of RFC 5545, without DTSTART: that is *start*, on the clock of
    *timezone* if it is naive. *duration* and UNTIL count on that clock, too: eight
    hours that begin at 22:00 end at 06:00. The result is as that of `opening_spans`.

    Raises InvalidHours for wrong values, a rule that is none, and one that has more
    than 10,000 times on these days; Misuse for an unknown timezone.
    """
    _check_period(first, last)
    _check_duration(duration)
    begin = _wall(start, check_timezone(timezone))
    window = Span(
        datetime.combine(first - DAY, MIDNIGHT) - duration,
        datetime.combine(last + DAY, MIDNIGHT),
    )
    found = (
        _on_the_clock(each, each + duration, timezone)
        for each in _times(_read(rule, begin), window)
    )
    return merged(clipped(found, _whole(first, last, timezone)))


def _check_duration(duration: object) -> None:
    if isinstance(duration, timedelta) and NO_TIME < duration <= LONGEST_DURATION:
        return
    message = (
        f"A duration is a timedelta above zero, of {LONGEST_DURATION.days} days at "
        f"most, not {duration!r}."
    )
    raise InvalidHours(message)


def _wall(start: object, timezone: str) -> datetime:
    if not isinstance(start, datetime):
        message = f"The start of a rule is a datetime, not {start!r}."
        raise InvalidHours(message)
    _check_year(start.date())
    shown = start if start.utcoffset() is None else to_zone(start, timezone)
    return shown.replace(tzinfo=None, fold=0)


def _read(rule: object, start: datetime) -> rrulebase:
    if not isinstance(rule, str) or not rule.strip() or len(rule) > LONGEST_RULE:
        message = f"A rule is a text such as 'FREQ=WEEKLY;BYDAY=MO', not {rule!r:.60}."
        raise InvalidHours(message)
    if "DTSTART" in rule.upper():
        message = f"{rule!r:.60} says DTSTART: pass it as start."
        raise InvalidHours(message)
    # dateutil would look for the next time of such a rule for ever.
    if STANDSTILL.search(rule.upper()):
        message = f"{rule!r:.60} does not go on: COUNT and INTERVAL are 1 at least."
        raise InvalidHours(message)
    try:
        return rrulestr(rule, dtstart=start, ignoretz=True)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"{rule!r:.60} is no rule of RFC 5545 ({error}): see RRULE there."
        raise InvalidHours(message) from error


def _times(rule: rrulebase, window: Span) -> list[datetime]:
    known = takewhile(lambda each: each < window.end, _told(rule))
    recent = (each for each in _limited(known) if each >= window.start)
    found = list(islice(recent, MOST_TIMES + 1))
    if len(found) > MOST_TIMES:
        message = f"The rule has more than {MOST_TIMES} times: ask about fewer days."
        raise InvalidHours(message)
    return found


def _limited(times: Iterable[datetime]) -> Iterator[datetime]:
    for number, each in enumerate(times):
        if number > MOST_PASSED:
            message = f"The rule has more than {MOST_PASSED} times: let it start later."
            raise InvalidHours(message)
        yield each


def _told(rule: rrulebase) -> Iterator[datetime]:
    """Yield the times of a rule; some mistakes are noticed only then."""
    try:
        yield from rule
    except (ValueError, TypeError, OverflowError) as error:
        message = f"The times of the rule cannot be told ({error}): mend the rule."
        raise InvalidHours(message) from error


# Holidays -----------------------------------------------------------------------------


def public_holidays(
    country: str, first: Date, last: Date, subdivision: str | None = None
) -> frozenset[Date]:
    """Return the public holidays from *first* to *last* inclusive.

    *country* is a code of ISO 3166 such as ``CH``, *subdivision* the second part of
    one, such as ``ZH``; without it, only what is kept everywhere counts.

    Raises InvalidHours for an unknown country or subdivision, HolidaysMissingError
    unless the package ``holidays`` is installed, which knows them.
    """
    _check_period(first, last)
    try:
        import holidays  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise HolidaysMissingError from error
    _check_place(country, subdivision, holidays.list_supported_countries())
    years = range(first.year, last.year + 1)
    known = holidays.country_holidays(country, subdiv=subdivision, years=years)
    return frozenset(day for day in known if first <= day <= last)


def _check_place(
    country: object, subdivision: object, known: Mapping[str, Sequence[str]]
) -> None:
    if not isinstance(country, str) or country not in known:
        message = (
            f"No holidays are known of the country {country!r}: use a code as 'CH'."
        )
        raise InvalidHours(message)
    if subdivision is not None and subdivision not in known[country]:
        message = (
            f"{country} has no subdivision {subdivision!r} with holidays of its own: "
            f"it has {', '.join(known[country]) or 'none'}."
        )
        raise InvalidHours(message)
