"""Judges what calendars are told of reservations: plain values in and out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from libres.domain.days import UTC, shifts, to_zone
from libres.domain.spans import Span
from libres.modules.rasterizer import TICK
from libres.timetable.rules import clipped, merged, without
from libres.version import __version__

if TYPE_CHECKING:
    from libres.web.directory import Place
    from libres.web.feeds.values import Feed

Status = Literal["TENTATIVE", "CONFIRMED", "CANCELLED"]

STATUSES: Final[Mapping[str, Status]] = {
    "pending": "TENTATIVE",
    "approved": "CONFIRMED",
    "cancelled": "CANCELLED",
}

SAID: Final = {"pending": "Requested", "approved": "Reserved", "cancelled": "Reserved"}
"""All that is told of whose it is, and what for, to who may know the times only."""

UNSAFE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of characters that are not allowed, or end a line for some readers."""

DAY: Final = timedelta(days=1)

GRACE: Final = timedelta(minutes=1)
"""So long after a change nobody writes any more who began before it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A reservation, or one time of a group; removed ones are "cancelled"."""

    id: int
    token: UUID
    resource: UUID
    span: Span
    timezone: str | None
    status: str
    sequence: int
    modified: datetime
    email: str
    title: str | None
    quota: int
    is_group: bool = False

    @property
    def uid(self) -> str:
        """Its id for calendars; each time of a group has one of its own."""
        return uid_of(self.token, self.id, self.span.start if self.is_group else None)


@dataclass(frozen=True, slots=True)
class Event:
    """A VEVENT: two dates if it takes whole days, the last one excluded."""

    uid: str
    start: datetime | Date
    end: datetime | Date
    timezone: str
    """"UTC" also where the clock of the zone shows the same time twice."""

    status: Status
    sequence: int
    modified: datetime
    summary: str
    location: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """What a feed tells."""

    name: str
    window: Span
    modified: datetime
    """When it has become what it is."""

    events: tuple[Event, ...]

    @property
    def etag(self) -> str:
        """Another one for whatever is told otherwise."""
        return _digest(__version__, repr(self))

    def settled(self, now: datetime) -> datetime | None:
        """Return the second in which it has become what it is; None: it may be yet to
        change again by what is written at this moment."""
        second = self.modified.replace(microsecond=0)
        return second if now - second > GRACE else None


@dataclass(frozen=True, slots=True)
class FreeBusy:
    """When somebody or something is busy."""

    uid: str
    window: Span
    modified: datetime
    busy: tuple[Span, ...]
    tentative: tuple[Span, ...]

    @property
    def etag(self) -> str:
        """Another one for whatever is told otherwise."""
        return _digest(__version__, repr(self))


def _digest(*parts: object) -> str:
    return sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def uid_of(token: UUID, id: int, start: datetime | None = None) -> str:  # noqa: A002
    """Return the id of a reservation for calendars; of a group, with the start.

    It tells nothing of the token, which would open more.
    """
    when = "" if start is None else start.astimezone(UTC).isoformat()
    return f"{_digest(token, id, when)}@libres"


# Calendars ----------------------------------------------------------------------------


def calendar(
    name: str,
    wishes: Sequence[Wish],
    places: Mapping[UUID, Place],
    feed: Feed,
    *,
    since: datetime,
    window: Span,
) -> Calendar:
    """Return what a feed tells of wishes; its window has been the same *since*."""
    changed = max([since, feed.created, *(each.modified for each in wishes)])
    told = (event(each, places[each.resource], feed) for each in wishes)
    return Calendar(plain(name), window, changed, tuple(told))


def event(wish: Wish, place: Place, feed: Feed) -> Event:
    """Return what is told of a wish."""
    zone = wish.timezone or place.timezone
    start, end, shown_in = times(wish.span, zone)
    return Event(
        uid=wish.uid,
        start=start,
        end=end,
        timezone=shown_in,
        status=STATUSES[wish.status],
        sequence=wish.sequence,
        modified=wish.modified,
        **_words(wish, place, feed),
    )


def _words(wish: Wish, place: Place, feed: Feed) -> dict[str, str]:
    if feed.level == "busy":
        return {"summary": SAID[wish.status]}
    called = place.title if feed.kind == "person" else wish.email
    places = "" if wish.quota == 1 else f"\n{wish.quota} places"
    return {
        "summary": plain(wish.title or "") or plain(called),
        "location": plain(place.title),
        "description": plain(wish.email) + places,
    }


def times(
    span: Span, timezone: str
) -> tuple[datetime, datetime, str] | tuple[Date, Date, str]:
    """Return a start and an end as a calendar shows them, and in which zone.

    Whole days are dates. Where clocks are set back a time of day stands for two
    moments; only UTC tells which.
    """
    start, end = to_zone(span.start, timezone), to_zone(span.end, timezone)
    if are_whole_days(span, timezone):
        return start.date(), end.date(), timezone
    if any(is_ambiguous(each, timezone) for each in (span.start, span.end)):
        return span.start.astimezone(UTC), span.end.astimezone(UTC), "UTC"
    return start, end, timezone


def are_whole_days(span: Span, timezone: str) -> bool:
    """Tell whether a span is made of whole days, from the first moment to the last."""
    ends = (span.start, span.end)
    return not span.is_empty and all(_begins_day(each, timezone) for each in ends)


def _begins_day(moment: datetime, timezone: str) -> bool:
    """Tell whether the day before was shown until this very moment."""
    before = to_zone(moment - TICK, timezone)
    return before.date() < to_zone(moment, timezone).date()


def is_ambiguous(moment: datetime, timezone: str) -> bool:
    """Tell whether the clock of a zone shows the same time at another moment."""
    near = shifts(Span(moment - DAY, moment + DAY), timezone)
    return any(
        abs(moment - each.at) < -each.amount or moment == each.at + each.amount
        for each in near
        if not each.is_gap
    )


def plain(text: str) -> str:
    """Put a text on one line, without what no calendar may hold."""
    return " ".join("".join(map(_harmless, text)).split())


def _harmless(character: str) -> str:
    return " " if unicodedata.category(character) in UNSAFE else character


# Free and busy ------------------------------------------------------------------------


def freebusy(
    feed: Feed,
    busy: Iterable[Span],
    asked: Iterable[Span],
    *,
    since: datetime,
    window: Span,
) -> FreeBusy:
    """Return when somebody is busy within a window; and is perhaps, where *asked*."""
    taken = merged(clipped(busy, window))
    perhaps = without(merged(clipped(asked, window)), taken)
    uid = f"{_digest(feed.id)}@libres"
    modified = max(since, feed.created)
    return FreeBusy(uid, window, modified, tuple(taken), tuple(perhaps))
