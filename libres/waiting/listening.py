"""Tells those who wait when the time they wait for is given back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID
from weakref import WeakSet

from sqlalchemy import event as hooks

from libres.context.core import Context, ContextServicesMixin
from libres.context.telling import tell
from libres.context.transactions import plain_session
from libres.db import loading
from libres.domain.spans import Span
from libres.modules import events
from libres.modules.events import Event
from libres.waiting.entries import waiting_for
from libres.waiting.matching import scope_on, that_fit

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, SessionTransaction

    from libres.db.models import Reservation

Freed: TypeAlias = tuple[UUID, Span]
"""The resource and the time of what was given back."""

on_free = Event()
"""``(context, entries)``: a time was given back; *entries* wait for a part of it, by
turn, and each of them could be reserved now. Told if the host calls ``listen``."""

_listening: Final[WeakSet[Context]] = WeakSet()


def listen(context: Context) -> None:
    """Tell ``on_free`` from now on when reservations of *context* are removed, denied
    or changed, and somebody waits for their time. May be called at each start."""
    _listening.add(context)
    for event, listener in _LISTENERS:
        if listener not in event:
            event.append(listener)


def unlisten(context: Context) -> None:
    """Tell nothing more of *context*."""
    _listening.discard(context)


class _Services(ContextServicesMixin):
    """The session of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context


def _gone(context: Context, reservations: Iterable[Reservation]) -> None:
    """Hear of what was removed or denied."""
    if context not in _listening:
        return
    services = _Services(context)
    session = plain_session(services.session)
    freed = list(_freed(services, reservations))
    savepoint = session.get_nested_transaction()
    if savepoint is None:
        _tell(services, freed)
    else:
        ids = frozenset(each.id for each in reservations)
        _hold(session, Held(savepoint, services, ids, freed))


def _changed(
    context: Context,
    reservation: Reservation,
    old_time: tuple[datetime, datetime],
    **_more: Any,
) -> None:
    """Hear of what was given another time; until now its removal was held back."""
    if context not in _listening:
        return
    services = _Services(context)
    held = plain_session(services.session).info.get(_HELD, [])
    held[:] = [each for each in held if reservation.id not in each.reservations]
    _tell(services, [(reservation.resource, Span(*old_time))])


_LISTENERS: Final = (
    (events.on_reservations_removed, _gone),
    (events.on_reservations_denied, _gone),
    (events.on_reservation_time_changed, _changed),
)


# Savepoints ---------------------------------------------------------------------------

_HELD: Final = "libres.waiting"


@dataclass(frozen=True, slots=True)
class Held:
    """What was taken away within a savepoint, perhaps only to be written anew.

    A change does so: whoever was served meanwhile would get the time of its owner. So
    it is told when the savepoint is over, and not if it is rolled back.
    """

    savepoint: SessionTransaction
    services: ContextServicesMixin
    reservations: frozenset[int]
    freed: Sequence[Freed]


def _hold(session: Session, news: Held) -> None:
    if _HELD not in session.info:
        session.info[_HELD] = []
        hooks.listen(session, "before_commit", _release)
    session.info[_HELD].append(news)


def _release(session: Session) -> None:
    """Tell what belongs to a savepoint, as it ends; forget what was rolled back.

    SQLAlchemy calls this for savepoints and for the whole transaction.
    """
    savepoint = session.get_nested_transaction()
    held: list[Held] = session.info[_HELD]
    due = [each for each in held if each.savepoint is savepoint]
    held[:] = [each for each in held if each.savepoint.is_active and each not in due]
    for each in due:
        _tell(each.services, each.freed)


# Telling ------------------------------------------------------------------------------


def _freed(
    services: ContextServicesMixin, reservations: Iterable[Reservation]
) -> Iterator[Freed]:
    """Yield the times of reservations. One statement if there are groups, else none."""
    groups: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for each in reservations:
        if each.start is not None and each.end is not None:
            yield each.resource, Span.from_stored(each.start, each.end)
        else:
            groups[each.resource].add(each.target)
    for resource, targets in groups.items():
        scope = scope_on(services, resource)
        for member, *_ in loading.group_matches(scope, sorted(targets)):
            yield resource, member.master.span


def _tell(services: ContextServicesMixin, freed: Sequence[Freed]) -> None:
    """Tell who fits, resource by resource."""
    context, session = services.context, services.session
    entries = waiting_for(context, session, freed) if freed else []
    for resource in sorted({each.resource for each in entries}):
        some = [each for each in entries if each.resource == resource]
        fitting = that_fit(scope_on(services, resource), some)
        if fitting:
            tell(context, session, on_free, fitting)
