"""Writes and reads iCalendar files (RFC 5545): plain values in and out, no database."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, time, timedelta
from functools import cached_property
from itertools import islice, takewhile
from typing import Any, Final, Literal, NamedTuple

from dateutil.rrule import rrulestr

from libres.domain.days import UTC, align_to_day, check_timezone, to_utc, to_zone
from libres.domain.spans import Span
from libres.modules.errors import LibresError
from libres.timetable import rules

MOST: Final = 10_000
"""Occurrences that are read of one file."""

MOST_PASSED: Final = 200_000
"""Occurrences of one rule before the window."""

LARGEST: Final = 10_000_000
"""Bytes of a file."""

DAY: Final = timedelta(days=1)

NOON: Final = time(12)

BUSY: Final = {"BUSY", "BUSY-UNAVAILABLE"}

FOR_EVER: Final = datetime(9999, 12, 30, tzinfo=UTC)
"""Later than this is meant to have no end; what is earlier can be shown anywhere."""

UNSAFE: Final = {"Cc", "Cs", "Zl", "Zp"}
"""Categories of characters that are not allowed, or end a line for some readers."""

UNREADABLE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
)
"""What the libraries raise for files that are broken; OSError is for TZID=Europe/."""

PRODUCT: Final = "-//libres//timetable//EN"


class InvalidCalendar(LibresError, ValueError):
    """This cannot be read as an iCalendar: export it again as a file of RFC 5545, from
    BEGIN:VCALENDAR to END:VCALENDAR."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A time, and what it is for; None: nobody is told."""

    span: Span
    label: str | None = None


def _icalendar() -> Any:
    try:
        import icalendar  # noqa: PLC0415 - an extra
    except ImportError:
        message = (
            "Reading and writing calendars needs icalendar: "
            "pip install 'libres[timetable]'"
        )
        raise ImportError(message) from None
    return icalendar


# Writing ------------------------------------------------------------------------------


def export(
    name: str,
    busy: Sequence[Labelled],
    free: Sequence[Span],
    *,
    kind: Literal["freebusy", "events"],
    window: Span,
    now: datetime,
) -> str:
    """Return a calendar: one VFREEBUSY, or a VEVENT for each busy time; in UTC."""
    icalendar = _icalendar()
    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    if kind == "freebusy":
        calendar.add_component(_freebusy(name, busy, free, window, now))
    else:
        for each in busy:
            calendar.add_component(_event(name, each, now))
    text: str = calendar.to_ical().decode()
    return text


def _freebusy(
    name: str,
    busy: Sequence[Labelled],
    free: Sequence[Span],
    window: Span,
    now: datetime,
) -> Any:
    component = _icalendar().FreeBusy()
    component.add("uid", _uid(name, window))
    component.add("dtstamp", _utc(now))
    component.add("dtstart", _utc(window.start))
    component.add("dtend", _utc(window.end))
    component.add("comment", _clean(name))
    for span in (each.span for each in busy):
        _add_period(component, span, "BUSY")
    for span in free:
        _add_period(component, span, "FREE")
    return component


def _add_period(component: Any, span: Span, kind: str) -> None:
    parameters = {"FBTYPE": kind}
    period = (_utc(span.start), _utc(span.end))
    component.add("freebusy", period, parameters=parameters)


def _event(name: str, each: Labelled, now: datetime) -> Any:
    component = _icalendar().Event()
    component.add("uid", _uid(name, each.span))
    component.add("dtstamp", _utc(now))
    component.add("dtstart", _utc(each.span.start))
    component.add("dtend", _utc(each.span.end))
    component.add("summary", _clean(each.label or "Busy"))
    component.add("transp", "OPAQUE")
    return component


def _uid(name: str, span: Span) -> str:
    """Return the same id for the same time of the same subject, in whatever zone."""
    start, end = _utc(span.start), _utc(span.end)
    text = f"{name}\n{start.isoformat()}\n{end.isoformat()}"
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{digest[:32]}@libres"


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _clean(text: str) -> str:
    """Replace what no text may hold; line breaks are escaped by the library."""
    return "".join(" " if _is_unsafe(each) else each for each in text)


def _is_unsafe(character: str) -> bool:
    return character not in "\r\n\t" and unicodedata.category(character) in UNSAFE


# Reading ------------------------------------------------------------------------------


def busy_times(text: str | bytes, window: Span, timezone: str) -> list[Labelled]:
    """Return the busy times of a calendar within a window, by start.

    Recurrences are expanded; what is cancelled, transparent or only tentative is left
    out. Whole days and times without a zone are those of *timezone*.

    Raises InvalidCalendar, also for more than 10,000 times; Misuse if *timezone* is no
    zone.
    """
    check_timezone(timezone)
    with _in_words():
        times = _all_times(_parsed(text), window, timezone)
        found = list(islice(times, MOST + 1))
    if len(found) > MOST:
        message = f"There are more than {MOST:,} times: take a shorter window."
        raise InvalidCalendar(message)
    return sorted(found, key=lambda each: (each.span, each.label or ""))


@contextmanager
def _in_words() -> Iterator[None]:
    """Raise InvalidCalendar for whatever the libraries cannot read."""
    try:
        yield
    except InvalidCalendar:
        raise
    except UNREADABLE as error:
        raise InvalidCalendar(reason=str(error)[:200]) from error


def _parsed(text: object) -> Any:
    if not isinstance(text, str | bytes) or len(text) > LARGEST:
        message = f"A calendar is a text of {LARGEST:,} characters at most."
        raise InvalidCalendar(message)
    written = text.removeprefix("\ufeff") if isinstance(text, str) else text
    calendar = _icalendar().Calendar.from_ical(written)
    if calendar.name != "VCALENDAR":
        raise InvalidCalendar(reason="it does not begin with BEGIN:VCALENDAR")
    return calendar


def _all_times(calendar: Any, window: Span, timezone: str) -> Iterator[Labelled]:
    events = [_Event(each, timezone) for each in calendar.walk("VEVENT")]
    changed = {(each.uid, each.replaces) for each in events if each.replaces}
    for event in events:
        if event.is_busy:
            yield from _of_event(event, changed, window)
    for component in calendar.walk("VFREEBUSY"):
        yield from _of_freebusy(component, window, timezone)


def _of_event(
    event: _Event, changed: set[tuple[str, Any]], window: Span
) -> Iterator[Labelled]:
    for span in event.times(window):
        if event.replaces or (event.uid, span.start) not in changed:
            yield from _clipped(span, window, event.label)


def _clipped(span: Span, window: Span, label: str | None) -> Iterator[Labelled]:
    for part in rules.clipped([span], window):
        yield Labelled(part, label)


class _Length(NamedTuple):
    """Days on the calendar, and then real time."""

    days: timedelta
    rest: timedelta


class _Event:
    """A VEVENT: its first time, and when it is repeated.

    What is "written" is a date, or a datetime on the clock of its zone.
    """

    def __init__(self, component: Any, timezone: str) -> None:
        self._component = component
        self._timezone = timezone
        self.uid = str(component.get("uid", ""))
        self.label = str(component["summary"]) if "summary" in component else None
        self._start = self._decoded("dtstart")
        if self._start is None:
            raise InvalidCalendar(reason=f"the event {self.uid!r} has no DTSTART")

    @property
    def is_busy(self) -> bool:
        """Whether it takes time."""
        status = str(self._component.get("status", "")).upper()
        transparent = str(self._component.get("transp", "")).upper() == "TRANSPARENT"
        return status not in ("CANCELLED", "TENTATIVE") and not transparent

    @cached_property
    def replaces(self) -> datetime | None:
        """Which occurrence of a series it stands for."""
        value = self._decoded("recurrence-id")
        if value is None:
            return None
        if "RANGE" in self._component["recurrence-id"].params:
            reason = f"RANGE of the event {self.uid!r} is not known: end the series"
            raise InvalidCalendar(reason=reason)
        return self._moment(value)

    def times(self, window: Span) -> Iterator[Span]:
        """Yield its times that overlap a window."""
        left_out = {self._moment(each) for each in self._listed("exdate")}
        for span in {*map(self._span, self._starts(window)), *self._further()}:
            if span.start not in left_out and span.overlaps(window):
                yield span

    def _decoded(self, name: str) -> Any:
        if name not in self._component:
            return None
        value = self._component.decoded(name)
        if not isinstance(value, Date | timedelta):
            raise InvalidCalendar(reason=f"{name.upper()} is {str(value)[:60]!r}")
        return self._in_known_zone(value, self._component[name])

    def _in_known_zone(self, value: Any, written: Any) -> Any:
        """Return a value itself; without its zone it would be read as another time."""
        zone = written.params.get("TZID")
        if zone and isinstance(value, datetime) and value.tzinfo is None:
            raise InvalidCalendar(reason=f"the zone {str(zone)[:60]!r} is not known")
        return value

    def _starts(self, window: Span) -> Iterator[Any]:
        """Yield starts as they are written: on the wall clock they are repeated on."""
        if "rrule" not in self._component:
            yield self._start
            return
        until = window.end.replace(tzinfo=None) + 2 * DAY
        since = window.start.replace(tzinfo=None) - 2 * DAY - sum(self._length, 0 * DAY)
        passed = takewhile(lambda each: each <= until, self._rule())
        for number, each in enumerate(passed):
            if number > MOST_PASSED:
                message = f"The event {self.uid!r} is repeated too often."
                raise InvalidCalendar(message)
            if each >= since:
                yield self._as_start(each)

    def _rule(self) -> Any:
        rule = self._component["rrule"]
        texts = map(self._rule_text, rule if isinstance(rule, list) else [rule])
        return rrulestr("\n".join(texts), dtstart=_wall(self._start))

    def _rule_text(self, rule: Any) -> str:
        """Return a rule whose end is on the wall clock, as its start is."""
        if any(interval < 1 for interval in rule.get("INTERVAL", [])):
            raise InvalidCalendar(reason="INTERVAL is 1 at least")
        parts = rule.to_ical().decode().split(";")
        kept = [part for part in parts if not part.upper().startswith("UNTIL=")]
        ends = map(self._on_the_clock, rule.get("UNTIL", [])[:1])
        kept.extend(f"UNTIL={until:%Y%m%dT%H%M%S}" for until in ends)
        return ";".join(kept)

    def _on_the_clock(self, until: Any) -> datetime:
        if not isinstance(until, datetime):
            return datetime.combine(until, time.max)
        if until.tzinfo is None:
            return until
        zone = getattr(self._start, "tzinfo", None)
        until = _utc(min(until, FOR_EVER))
        local = until.astimezone(zone) if zone else to_zone(until, self._timezone)
        return local.replace(tzinfo=None)

    def _as_start(self, wall: datetime) -> Any:
        """Return a time of the wall clock as the start is written."""
        if not isinstance(self._start, datetime):
            return wall.date()
        return wall.replace(tzinfo=self._start.tzinfo)

    def _further(self) -> Iterator[Span]:
        """Yield what is listed beside the rule; periods have a length of their own."""
        for each in self._listed("rdate"):
            yield self._period(*each) if isinstance(each, tuple) else self._span(each)

    def _listed(self, name: str) -> Iterator[Any]:
        values = self._component.get(name, [])
        for value in values if isinstance(values, list) else [values]:
            for each in value.dts:
                first = each.dt[0] if isinstance(each.dt, tuple) else each.dt
                self._in_known_zone(first, value)
                yield each.dt

    @cached_property
    def _length(self) -> _Length:
        """Tell how long each time is: days are days, hours are real hours.

        RFC 5545, 3.3.6 and 3.8.5.3: a DTEND with a time gives a real duration.
        """
        end, length = self._decoded("dtend"), self._decoded("duration")
        is_day = not isinstance(self._start, datetime)
        if end is not None and is_day and not isinstance(end, datetime):
            return _Length(end - self._start, timedelta())
        if end is not None:
            return _Length(timedelta(), self._moment(end) - self._moment(self._start))
        if length is None:
            length = DAY if is_day else timedelta()
        days = timedelta(days=length.days)
        return _Length(days, length - days)

    def _span(self, start: Any) -> Span:
        days, rest = self._length
        return Span(self._moment(start), self._moment(start + days) + rest)

    def _period(self, start: datetime, end: datetime | timedelta) -> Span:
        first = self._moment(start)
        if isinstance(end, timedelta):
            return Span(first, first + end)
        return Span(first, self._moment(end))

    def _moment(self, value: Any) -> datetime:
        return _moment(value, self._timezone)


def _moment(value: Any, timezone: str) -> datetime:
    if isinstance(value, datetime):
        return to_utc(value, timezone).astimezone(UTC)
    return _first_of_day(value, timezone)


def _first_of_day(day: Date, timezone: str) -> datetime:
    """Return the first moment of a local day, also if midnight is none, or two."""
    noon = to_utc(datetime.combine(day, NOON), timezone)
    return align_to_day(noon, noon, timezone)[0].astimezone(UTC)


def _wall(value: datetime | Date) -> datetime:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return datetime.combine(value, time())


def _of_freebusy(component: Any, window: Span, timezone: str) -> Iterator[Labelled]:
    periods = component.get("freebusy", [])
    for period in periods if isinstance(periods, list) else [periods]:
        kind = str(period.params.get("FBTYPE", "BUSY")).upper()
        if kind in BUSY:
            start, end = (
                _moment(each, timezone) for each in (period.start, period.end)
            )
            yield from _clipped(Span(start, end), window, None)
