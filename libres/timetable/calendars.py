"""Writes and reads iCalendar files (RFC 5545): plain values in and out, no database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, time, timedelta
from itertools import takewhile
from typing import Any, Final, Literal

from dateutil.rrule import rrulestr

from libres.domain.days import UTC, to_utc, to_zone
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

BUSY: Final = {"BUSY", "BUSY-UNAVAILABLE"}

PRODUCT: Final = "-//libres//timetable//EN"


class InvalidCalendar(LibresError):
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
        message = "Calendars need icalendar: pip install 'libres[timetable]'"
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
    component.add("dtstamp", now)
    component.add("dtstart", window.start)
    component.add("dtend", window.end)
    component.add("comment", name)
    for span in (each.span for each in busy):
        _add_period(component, span, "BUSY")
    for span in free:
        _add_period(component, span, "FREE")
    return component


def _add_period(component: Any, span: Span, kind: str) -> None:
    parameters = {"FBTYPE": kind}
    component.add("freebusy", (span.start, span.end), parameters=parameters)


def _event(name: str, each: Labelled, now: datetime) -> Any:
    component = _icalendar().Event()
    component.add("uid", _uid(name, each.span))
    component.add("dtstamp", now)
    component.add("dtstart", each.span.start)
    component.add("dtend", each.span.end)
    component.add("summary", each.label or "Busy")
    component.add("transp", "OPAQUE")
    return component


def _uid(name: str, span: Span) -> str:
    """Return the same id for the same time of the same subject."""
    text = f"{name}\n{span.start.isoformat()}\n{span.end.isoformat()}"
    return f"{hashlib.sha256(text.encode()).hexdigest()[:32]}@libres"


# Reading ------------------------------------------------------------------------------


def busy_times(text: str | bytes, window: Span, timezone: str) -> list[Labelled]:
    """Return the busy times of a calendar within a window, by start.

    Recurrences are expanded; what is cancelled, transparent or only tentative is left
    out. Whole days and times without a zone are those of *timezone*.

    Raises InvalidCalendar, also for more than 10,000 times.
    """
    found: list[Labelled] = []
    for each in _all_times(_parsed(text), window, timezone):
        found.append(each)
        if len(found) > MOST:
            message = f"There are more than {MOST:,} times: take a shorter window."
            raise InvalidCalendar(message)
    return sorted(found, key=lambda each: (each.span, each.label or ""))


def _parsed(text: object) -> Any:
    if not isinstance(text, str | bytes) or len(text) > LARGEST:
        message = f"A calendar is a text of {LARGEST:,} characters at most."
        raise InvalidCalendar(message)
    try:
        calendar = _icalendar().Calendar.from_ical(text)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise InvalidCalendar(reason=str(error)[:200]) from error
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


class _Event:
    """A VEVENT: its first time, and when it is repeated."""

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

    @property
    def replaces(self) -> datetime | None:
        """Which occurrence of a series it stands for."""
        value = self._decoded("recurrence-id")
        return None if value is None else self._moment(value)

    def times(self, window: Span) -> Iterator[Span]:
        """Yield its times that may overlap a window."""
        for start in self._starts(window):
            span = self._span(start)
            if span.overlaps(window):
                yield span

    def _decoded(self, name: str) -> Any:
        if name not in self._component:
            return None
        try:
            value = self._component.decoded(name)
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidCalendar(reason=str(error)[:200]) from error
        if not isinstance(value, Date | timedelta):
            raise InvalidCalendar(reason=f"{name.upper()} is {str(value)[:60]!r}")
        return value

    def _starts(self, window: Span) -> Iterator[Any]:
        """Yield starts as they are written: on the wall clock they are repeated on."""
        if "rrule" not in self._component and "rdate" not in self._component:
            yield self._start
            return
        left_out = {self._moment(each) for each in self._listed("exdate")}
        for start in {*self._repeated(window), *self._listed("rdate")}:
            if self._moment(start) not in left_out:
                yield start

    def _repeated(self, window: Span) -> Iterator[Any]:
        if "rrule" not in self._component:
            yield self._start
            return
        wall = _wall(self._start)
        until = window.end.replace(tzinfo=None) + 2 * DAY
        since = window.start.replace(tzinfo=None) - 2 * DAY - self._length
        passed = takewhile(lambda each: each <= until, self._rule(wall))
        for number, each in enumerate(passed):
            if number > MOST_PASSED:
                message = f"The event {self.uid!r} is repeated too often."
                raise InvalidCalendar(message)
            if each >= since:
                yield self._like_start(each)

    def _rule(self, wall: datetime) -> Any:
        rule = self._component["rrule"]
        try:
            rules = rule if isinstance(rule, list) else [rule]
            return rrulestr("\n".join(map(self._rule_text, rules)), dtstart=wall)
        except (ValueError, TypeError, AttributeError) as error:
            raise InvalidCalendar(reason=str(error)[:200]) from error

    def _rule_text(self, rule: Any) -> str:
        """Return a rule whose end is on the wall clock, as its start is."""
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
        local = until.astimezone(zone) if zone else to_zone(until, self._timezone)
        return local.replace(tzinfo=None)

    def _like_start(self, wall: datetime) -> Any:
        """Return a time of the wall clock as the start is written."""
        if not isinstance(self._start, datetime):
            return wall.date()
        return wall.replace(tzinfo=self._start.tzinfo)

    def _listed(self, name: str) -> Iterator[Any]:
        values = self._component.get(name, [])
        for value in values if isinstance(values, list) else [values]:
            for each in getattr(value, "dts", []):
                moment = each.dt
                yield moment[0] if isinstance(moment, tuple) else moment

    @property
    def _length(self) -> timedelta:
        end = self._decoded("dtend")
        if end is not None:
            return max(_wall(end) - _wall(self._start), timedelta())
        length = self._decoded("duration")
        if isinstance(length, timedelta):
            return max(length, timedelta())
        return timedelta() if isinstance(self._start, datetime) else DAY

    def _span(self, start: Any) -> Span:
        """Return the time from a start; as long as the first one, on the wall clock."""
        length = self._length
        end = _wall(start) + length
        if not isinstance(start, datetime):
            return Span(self._moment(start), self._moment(end.date()))
        return Span(self._moment(start), self._moment(end.replace(tzinfo=start.tzinfo)))

    def _moment(self, value: Any) -> datetime:
        return _moment(value, self._timezone)


def _moment(value: Any, timezone: str) -> datetime:
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    try:
        return to_utc(value, timezone).astimezone(UTC)
    except OverflowError as error:
        raise InvalidCalendar(reason=f"{value} lies too far away") from error


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
