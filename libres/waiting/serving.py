"""Reserves for those who wait, through their scheduler."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from libres.db.passing import fetch
from libres.domain.judging import check_free
from libres.modules.errors import LibresError, ModifiedReadOnlySession
from libres.waiting import statements
from libres.waiting.entries import Entry, entry_of
from libres.waiting.errors import NotWaiting, UnknownEntry
from libres.waiting.matching import scope_of, touched
from libres.waiting.rules import needs_approval

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.db.scheduler import Scheduler


def serve(context: Context, scheduler: Scheduler, id: object) -> UUID:  # noqa: A002 - as in the table
    """Reserve for an entry and note it. Raises UnknownEntry, NotWaiting, and what
    `book` and `reserve` raise; then nothing has been written."""
    session = scheduler.session
    entry = entry_of(context, session, id, lock=True)
    if entry.resource != scheduler.resource:
        raise UnknownEntry(id=id)
    if entry.status != "waiting":
        raise NotWaiting(id=entry.id, status=entry.status)
    token = _reserve(scheduler, entry)
    fetch(session, statements.marking(), {"entry": entry.id, "reserved": token})
    return token


def _reserve(scheduler: Scheduler, entry: Entry) -> UUID:
    """Leave it pending if somebody has to approve it, else book."""
    (found,) = touched(scope_of(scheduler), [(entry.start, entry.end)])
    dates, data = (entry.start, entry.end), dict(entry.data)
    if not needs_approval(found, scheduler.resource):
        booked = scheduler.book(entry.email, dates, data=data, quota=entry.places)
        return booked[0].token
    for match in found:
        check_free(match, entry.places)
    return scheduler.reserve(entry.email, dates, data=data, quota=entry.places)


def serve_first(
    context: Context, scheduler: Scheduler, entries: Iterable[Entry]
) -> Entry | None:
    """Serve the first that is not refused; None: there is none."""
    for entry in entries:
        token = _tried(context, scheduler, entry)
        if token is not None:
            return replace(entry, token=token, position=None)
    return None


def _tried(context: Context, scheduler: Scheduler, entry: Entry) -> UUID | None:
    try:
        with scheduler.session.begin_nested():
            return serve(context, scheduler, entry.id)
    except ModifiedReadOnlySession:
        raise
    except LibresError:
        return None
