"""Reads and adds what is out of service, for the desk: blockers, day by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from marshmallow import ValidationError
from sqlalchemy import or_, select

from libres.db.models import ReservationBlocker
from libres.db.models.timestamp import TimestampMixin
from libres.db.passing import fetch
from libres.db.queries import Queries
from libres.domain.days import to_zone
from libres.domain.spans import Span
from libres.web.clock import in_words
from libres.web.fields import FIRST, LAST, check_text
from libres.web.pending import Key, group_spans

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.web.directory import Place

DAY: Final = timedelta(days=1)

MOST_DAYS: Final = 62
"""Of one blocker."""

MOST: Final = 100
"""Blockers that are shown."""

LONGEST_REASON: Final = 1000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """What was taken out of service at once."""

    key: Key
    place: Place
    reason: str
    times: tuple[str, ...]


def blocked_of(context: Context, places: Sequence[Place]) -> list[Blocked]:
    """Return what is out of service from now on, by start. Two statements at most."""
    queries = Queries(context)
    by_resource = {each.scheduler(context).resource: each for each in places}
    rows = fetch(queries.session, _query(by_resource), {})
    groups = {row.target for row in rows if row.start is None}
    members = group_spans(queries, groups)
    found: dict[Key, list[Any]] = defaultdict(list)
    for row in rows:
        found[Key(row.resource, row.token)].append(row)
    return [
        _blocked(key, some, by_resource[key.resource], members)
        for key, some in found.items()
    ]


def _query(resources: Collection[UUID]) -> Any:
    columns = (
        ReservationBlocker.token,
        ReservationBlocker.resource,
        ReservationBlocker.target,
        ReservationBlocker.start,
        ReservationBlocker.end,
        ReservationBlocker.reason,
    )
    is_ahead = ReservationBlocker.end >= TimestampMixin.timestamp()
    return (
        select(*columns)
        .where(ReservationBlocker.resource.in_(sorted(resources)))
        .where(or_(is_ahead, ReservationBlocker.end.is_(None)))
        .order_by(ReservationBlocker.start, ReservationBlocker.id)
        .limit(MOST)
    )


def _blocked(
    key: Key, rows: Sequence[Any], place: Place, members: Mapping[UUID, list[Span]]
) -> Blocked:
    spans = [
        span
        for row in rows
        for span in (
            members.get(row.target, [])
            if row.start is None
            else [Span.from_stored(row.start, row.end)]
        )
    ]
    zone = place.timezone
    times = [
        in_words(to_zone(each.start, zone), to_zone(each.end, zone)) for each in spans
    ]
    return Blocked(key, place, rows[0].reason or "", tuple(times))


# What is to be blocked ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody typed, and what is wrong with it."""

    typed: Mapping[str, str]
    dates: tuple[tuple[datetime, datetime], ...] = ()
    """On the wall clock of the resource."""

    wrong: Mapping[str, str] = field(default_factory=dict)
    """What is wrong, by the name of the field."""


FIELDS: Final = ("resource", "day", "last", "start", "end", "reason")


def wish_of(form: Mapping[str, str]) -> Wish:
    """Read the form of a new blocker."""
    typed = {name: form.get(name, "").strip() for name in FIELDS}
    wrong: dict[str, str] = {}
    day = _read(Date, typed["day"], "day", wrong)
    last = _read(Date, typed["last"] or typed["day"], "last", wrong)
    start = _read(time, typed["start"], "start", wrong)
    end = _read(time, typed["end"], "end", wrong)
    if said := wrong_reason(typed["reason"]):
        wrong["reason"] = said
    if day is not None and last is not None:
        _check_days(day, last, wrong)
    if wrong or day is None or last is None or start is None or end is None:
        return Wish(typed, wrong=wrong)
    return Wish(typed, tuple(_dates(day, last, start, end)))


def _read(kind: Any, text: str, name: str, wrong: dict[str, str]) -> Any:
    try:
        found = kind.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or getattr(found, "tzinfo", None) is not None:
        like = "2026-11-27" if kind is Date else "09:30"
        wrong[name] = f"Write it as {like}."
        return None
    return found


def _check_days(day: Date, last: Date, wrong: dict[str, str]) -> None:
    if not FIRST.date() <= day < LAST.date():
        wrong["day"] = "The year must be from 1970 to 2999."
    if last < day:
        wrong["last"] = "The last day lies before the first."
    elif (last - day).days >= MOST_DAYS:
        wrong["last"] = f"No more than {MOST_DAYS} days at once."


def wrong_reason(reason: str) -> str | None:
    """Say what is wrong with a reason; None: nothing."""
    if len(reason) > LONGEST_REASON:
        return f"No more than {LONGEST_REASON} characters."
    try:
        check_text(reason)
    except ValidationError as error:
        return str(error.messages[0])
    return None


def _dates(
    day: Date, last: Date, start: time, end: time
) -> Iterable[tuple[datetime, datetime]]:
    """Yield the time of each day; an end that is not later is the next day's."""
    for number in range((last - day).days + 1):
        first = datetime.combine(day + number * DAY, start)
        until = datetime.combine(first.date(), end)
        yield first, until if until > first else until + DAY
