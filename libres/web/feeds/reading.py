"""Reads what feeds tell: from the rows of the core, and the entries of what is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from libres.db.models.timestamp import TimestampMixin
from libres.db.passing import fetch
from libres.domain.days import UTC
from libres.domain.spans import Span
from libres.timetable import Timetable
from libres.timetable.errors import UnknownSubject
from libres.web.directory import Place, place_named, resources_of
from libres.web.errors import NotFound
from libres.web.feeds import events, statements
from libres.web.feeds.values import KEPT, Feed, Kind
from libres.web.rooms import room

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.web.feeds.events import Calendar, FreeBusy

BACK: Final = timedelta(days=90)
AHEAD: Final = timedelta(days=400)
"""What is told lies within these, around the present day of UTC."""

MOST: Final = 2000
"""Events of a calendar: those nearest to now."""

LONGEST_EMAIL: Final = 254


@dataclass(frozen=True, slots=True)
class Whom:
    """Which reservations a feed tells of."""

    title: str
    places: Mapping[UUID, Place]
    email: str | None = None
    """None: those of everybody."""


def named(context: Context, kind: Kind, name: str) -> str:
    """Return the name that a feed is stored with.

    Raises NotFound for a resource, subject or e-mail that is none.
    """
    if kind != "person":
        return _place(context, kind, name).name
    email = name.strip().lower()
    if not 3 <= len(email) <= LONGEST_EMAIL or "@" not in email or "\0" in email:
        raise NotFound
    return email


def _place(context: Context, kind: Kind, name: str) -> Place:
    """Return the resource that a feed is of. Raises NotFound. One statement."""
    if kind == "resource":
        return place_named(context, name)
    try:
        with room("timetable"):
            subject = Timetable(context).subject(name)
    except UnknownSubject as error:
        raise NotFound from error
    return Place(subject.name, subject.name, subject.timezone)


def _whom(context: Context, feed: Feed) -> Whom:
    """Return what a feed tells of. Raises NotFound if that is gone. One statement."""
    if feed.kind == "person":
        places = resources_of(context).all()
        email, title = feed.name, feed.name
    else:
        place = _place(context, feed.kind, feed.name)
        places, email, title = [place], None, place.title
    known = {each.scheduler(context).resource: each for each in places}
    return Whom(title, known, email)


# Events -------------------------------------------------------------------------------


def calendar(context: Context, session: Session, feed: Feed) -> Calendar:
    """Return what a feed tells. Raises NotFound. Two statements."""
    whom = _whom(context, feed)
    now = TimestampMixin.timestamp()
    window = _window(now)
    wishes = _wishes(session, whom, window, now, details=feed.level == "details")
    return events.calendar(
        whom.title, wishes, whom.places, feed, since=_midnight(now), window=window
    )


def _midnight(now: datetime) -> datetime:
    """Return when the present day of UTC began: since then the window is the same."""
    return datetime.combine(now.astimezone(UTC).date(), time(), UTC)


def _window(now: datetime) -> Span:
    today = _midnight(now)
    return Span(today - BACK, today + AHEAD)


def _wishes(
    session: Session, whom: Whom, window: Span, now: datetime, *, details: bool
) -> list[events.Wish]:
    """Read reservations, each time of a group for itself, by start. One statement."""
    values = {
        "resources": list(whom.places),
        "since": window.start,
        "until": window.end,
        "now": now,
        "kept": now - KEPT,
        "details": details,
        "most": MOST,
    }
    if whom.email is None:
        rows = fetch(session, statements.OF_RESOURCES, values)
    else:
        more = {**values, "email": whom.email}
        rows = fetch(session, statements.OF_PERSON, more)
    return sorted(map(_wish, rows), key=lambda each: (each.span, each.id))


def _wish(row: Any) -> events.Wish:
    values = row._asdict()
    span = Span.from_stored(values.pop("start"), values.pop("end"))
    return events.Wish(**values, span=span)


# Free and busy ------------------------------------------------------------------------


def freebusy(context: Context, session: Session, feed: Feed) -> FreeBusy:
    """Return when what a feed is about is busy. Raises NotFound.

    A resource is if it has no place left; a person, while something is reserved.
    """
    whom = _whom(context, feed)
    now = TimestampMixin.timestamp()
    window = _window(now)
    wishes = _wishes(session, whom, window, now, details=False)
    if feed.kind == "person":
        busy = [each.span for each in wishes if each.status == "approved"]
    elif feed.kind == "subject":
        busy = Timetable(context).busy(feed.name, window.start, window.end)
    else:
        (place,) = whom.places.values()
        busy = _taken(context, session, place, window)
    asked = [each.span for each in wishes if each.status == "pending"]
    return events.freebusy(feed, busy, asked, since=_midnight(now), window=window)


def _taken(
    context: Context, session: Session, place: Place, window: Span
) -> list[Span]:
    scheduler = place.scheduler(context)
    values = {
        "resource": scheduler.resource,
        "blocking": list(scheduler.blocking_resources),
        "since": window.start,
        "until": window.end,
    }
    rows = fetch(session, statements.TAKEN, values)
    return [Span(row.start, row.end) for row in rows]


# Forgetting ---------------------------------------------------------------------------


def forget(session: Session, age: timedelta) -> int:
    """Forget what was removed so long ago; return how much that is."""
    before = TimestampMixin.timestamp() - age
    gone = session.execute(statements.FORGET, {"before": before})
    return int(gone.rowcount)  # type: ignore[attr-defined]
