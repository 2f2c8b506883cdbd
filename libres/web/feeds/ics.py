"""Writes calendars as iCalendar (RFC 5545); the only module that knows that library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from icalendar import Calendar as Component
from icalendar import Event as EventComponent
from icalendar import FreeBusy as FreeBusyComponent
from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, vDuration, vText

from libres.domain.days import UTC, Shift, shifts_of_year, to_zone

if TYPE_CHECKING:
    from libres.domain.spans import Span
    from libres.web.feeds.events import Calendar, Event, FreeBusy

PRODUCT: Final = "-//libres//feeds//EN"

AGAIN: Final = timedelta(minutes=15)
"""How often calendars are asked to look."""

END: Final = b"END:VCALENDAR\r\n"


def written(calendar: Calendar) -> bytes:
    """Return a calendar with its events, and the zones that they are in."""
    head = _head()
    for name in ("name", "x-wr-calname"):
        head.add(name, vText(calendar.name))
    head.add("refresh-interval", vDuration(AGAIN), {"VALUE": "DURATION"})
    for timezone in sorted(_zones(calendar.events)):
        head.add_component(_zone(timezone, calendar.window))
    parts = (_event(each) for each in calendar.events)
    return b"".join([head.to_ical().removesuffix(END), *parts, END])


def written_freebusy(freebusy: FreeBusy) -> bytes:
    """Return when somebody is busy; in UTC, as it has to be."""
    component = FreeBusyComponent()
    component.add("uid", freebusy.uid)
    component.add("dtstamp", _utc(freebusy.modified))
    component.add("dtstart", _utc(freebusy.window.start))
    component.add("dtend", _utc(freebusy.window.end))
    for kind, spans in (
        ("BUSY", freebusy.busy),
        ("BUSY-TENTATIVE", freebusy.tentative),
    ):
        for span in spans:
            period = (_utc(span.start), _utc(span.end))
            component.add("freebusy", period, parameters={"FBTYPE": kind})
    head = _head()
    head.add_component(component)
    return bytes(head.to_ical())


def _head() -> Any:
    head = Component()
    head.add("prodid", PRODUCT)
    head.add("version", "2.0")
    return head


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


@lru_cache(maxsize=2**13)
def _event(event: Event) -> bytes:
    """Write an event, once: most are what they were when they were last asked for."""
    component = EventComponent()
    component.add("uid", event.uid)
    component.add("dtstamp", _utc(event.modified))
    component.add("last-modified", _utc(event.modified))
    component.add("sequence", event.sequence)
    component.add("status", event.status)
    component.add("dtstart", event.start)
    component.add("dtend", event.end)
    component.add("transp", _transparency(event))
    for name in ("summary", "location", "description"):
        value = getattr(event, name)
        if value is not None:
            component.add(name, value)
    return bytes(component.to_ical())


def _transparency(event: Event) -> str:
    """Say whether it takes time: what was removed takes none."""
    return "TRANSPARENT" if event.status == "CANCELLED" else "OPAQUE"


# Zones --------------------------------------------------------------------------------


def _zones(events: Iterable[Event]) -> set[str]:
    """Return the zones of times; dates have none."""
    timed = (each for each in events if isinstance(each.start, datetime))
    return {each.timezone for each in timed} - {"UTC"}


def _zone(timezone: str, window: Span) -> Any:
    return _zone_of(timezone, window.start.year - 1, window.end.year + 1)


@lru_cache(maxsize=2**8)
def _zone_of(timezone: str, first: int, last: int) -> Any:
    """Describe a zone in some years: each clock change by itself, nothing guessed."""
    component = Timezone()
    component.add("tzid", timezone)
    component.add_component(_beginning(timezone, datetime(first, 1, 1, tzinfo=UTC)))
    years = range(first, last + 1)
    found = chain.from_iterable(shifts_of_year(timezone, year) for year in years)
    for part in _observances(timezone, found):
        component.add_component(part)
    return component


def _beginning(timezone: str, start: datetime) -> Any:
    shown = to_zone(start, timezone)
    return _observance([shown.replace(tzinfo=None)], shown, shown.utcoffset())


def _observances(timezone: str, shifts: Iterable[Shift]) -> Iterator[Any]:
    """Yield what holds after clock changes, those of the same kind together."""
    kinds: dict[Any, tuple[list[datetime], datetime]] = {}
    for shift in shifts:
        after = to_zone(shift.at, timezone)
        offset = after.utcoffset() or timedelta()
        onset = (shift.at + offset - shift.amount).replace(tzinfo=None)
        key = (after.tzname(), offset, shift.amount, bool(after.dst()))
        kinds.setdefault(key, ([], after))[0].append(onset)
    for (_name, offset, amount, _dst), (onsets, after) in kinds.items():
        yield _observance(onsets, after, offset - amount)


def _observance(onsets: list[datetime], after: datetime, before: Any) -> Any:
    """Describe what clocks show from some onsets on, which are in time as *before*."""
    part = TimezoneDaylight() if after.dst() else TimezoneStandard()
    part.add("dtstart", onsets[0])
    for onset in onsets[1:]:
        part.add("rdate", onset)
    part.add("tzoffsetfrom", before)
    part.add("tzoffsetto", after.utcoffset())
    part.add("tzname", after.tzname())
    return part
