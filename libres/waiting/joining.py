"""Lets people wait, and leave again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from libres.db.models.timestamp import TimestampMixin
from libres.db.operations.reserving import checked_email
from libres.db.passing import fetch
from libres.domain.judging import check_length, check_quota
from libres.modules.errors import insist
from libres.waiting import statements
from libres.waiting.entries import Entry, entry_of
from libres.waiting.errors import AlreadyWaiting, TimeIsFree
from libres.waiting.matching import scope_of, touched
from libres.waiting.rules import check_waitable, is_free, span_of, until_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.db.scheduler import Scheduler
    from libres.db.scope import Scope
    from libres.domain.spans import Span


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody waits for, as they say it."""

    email: object
    start: datetime
    end: datetime
    places: int
    data: Mapping[str, Any] | None
    until: datetime | None


def join(context: Context, scheduler: Scheduler, wish: Wish, *, again: bool) -> Entry:
    """Let somebody wait. Three statements, more if groups are touched.

    Raises what `libres.waiting.WaitingList.join` says.
    """
    check_quota(wish.places, "places")
    insist(wish.data is None or isinstance(wish.data, Mapping), "data is a dict.")
    scope = scope_of(scheduler)
    span = span_of((scope.utc(wish.start), scope.utc(wish.end)))
    values = _values(scope, wish, span)
    _judge(scope, span, wish.places)
    known = {**values, "name": str(scheduler.name), "context": context.name}
    rows = fetch(
        scope.session,
        statements.joining(),
        {**known, "now": known["created"], "again": again},
    )
    if not rows:
        raise AlreadyWaiting
    return entry_of(context, scope.session, rows[0].id)


def _values(scope: Scope, wish: Wish, span: Span) -> dict[str, Any]:
    now = TimestampMixin.timestamp()
    return {
        "resource": scope.resource,
        "timezone": scope.timezone,
        "email": checked_email(scope, wish.email),
        "start": span.start,
        "end": span.end,
        "places": wish.places,
        "data": dict(wish.data or {}),
        "until": until_of(wish.until, span, now),
        "created": now,
    }


def _judge(scope: Scope, span: Span, places: int) -> None:
    """Refuse what can never be reserved, or already can."""
    check_length((span.start, span.end), scope.timezone)
    (found,) = touched(scope, [(span.start, span.end)])
    check_waitable(found, places, scope.resource)
    if is_free(found, places):
        raise TimeIsFree(start=span.start, end=span.end)


def leave(context: Context, session: Session, id: object) -> bool:  # noqa: A002 - as in the table
    """Delete an entry that has not been served; tell whether it was there."""
    if not isinstance(id, UUID):
        return False
    values = {"context": context.name, "entry": id}
    return bool(fetch(session, statements.leaving(), values))


def drop_expired(context: Context, session: Session) -> int:
    """Delete what is over; return how many there were."""
    values = {"context": context.name, "now": TimestampMixin.timestamp()}
    return len(fetch(session, statements.dropping(), values))
