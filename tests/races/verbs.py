"""Every operation that writes, one of each, and what a database holds afterwards."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from libres.db.models import ReservationBlocker
from libres.modules import events
from tests.races import deeds
from tests.races.deeds import do
from tests.races.edges import booked, changed, morning, pending, removed
from tests.races.stage import hours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.races.racers import Deed
    from tests.races.stage import Stage

EVENTS = (
    "on_allocations_added",
    "on_reservations_made",
    "on_reservations_confirmed",
    "on_reservations_approved",
    "on_reservations_denied",
    "on_reservations_removed",
    "on_reservation_time_changed",
)


@dataclass(frozen=True, slots=True)
class Verb:
    """An operation, and what it finds."""

    name: str
    prepare: Callable[[Stage], Deed]


def _reserve(stage: Stage) -> Deed:
    morning(stage)
    return do(deeds.reserve, (9, 10), (11, 12), session_id=uuid4())


def _approve(stage: Stage) -> Deed:
    morning(stage, quota=2)
    booked(stage)
    return do(deeds.approve, pending(stage))


def _book(stage: Stage) -> Deed:
    morning(stage, quota=4)
    return do(deeds.book, (9, 10), (10, 12), quota=2)


def _change(stage: Stage) -> Deed:
    morning(stage)
    return changed(booked(stage), 11, 12)


def _remove(stage: Stage) -> Deed:
    morning(stage)
    return removed(booked(stage))


def _deny(stage: Stage) -> Deed:
    morning(stage)
    return do(deeds.deny, pending(stage))


def _confirm(stage: Stage) -> Deed:
    morning(stage)
    session_id = uuid4()
    pending(stage, session_id=session_id)
    return do(deeds.confirm, session_id)


def _expire(stage: Stage) -> Deed:
    morning(stage)
    pending(stage, session_id=uuid4())
    return do(deeds.expire)


def _block(stage: Stage) -> Deed:
    morning(stage, quota=2)
    return do(deeds.block, 9, 10)


def _unblock(stage: Stage) -> Deed:
    morning(stage)
    [blocker] = stage.room.add_blocker(hours(9, 10))
    return do(deeds.unblock, str(blocker.token))


def _allocate(_stage: Stage) -> Deed:
    return do(deeds.allocate, 9, 12)


def _move(stage: Stage) -> Deed:
    number = morning(stage, quota=2).id
    stage.room.book(deeds.GUEST, hours(11, 12), quota=2)
    return do(deeds.move, number, 11, 14)


def _change_quota(stage: Stage) -> Deed:
    number = morning(stage, quota=3).id
    first, _ = booked(stage), booked(stage)
    stage.room.remove_reservation(first.token)
    return do(deeds.change_quota, number, 1)


def _remove_allocation(stage: Stage) -> Deed:
    return do(deeds.remove_allocation, morning(stage).id)


VERBS = [
    Verb("reserve", _reserve),
    Verb("approve", _approve),
    Verb("book", _book),
    Verb("change", _change),
    Verb("remove", _remove),
    Verb("deny", _deny),
    Verb("confirm", _confirm),
    Verb("expire", _expire),
    Verb("block", _block),
    Verb("unblock", _unblock),
    Verb("allocate", _allocate),
    Verb("move", _move),
    Verb("change the quota", _change_quota),
    Verb("remove an allocation", _remove_allocation),
]


def contents(stage: Stage) -> list[tuple[Any, ...]]:
    """Say what the room has, without what is different each time."""
    room = stage.room
    found = [
        *((a.is_master, a._start, a._end, a.quota) for a in room.managed_allocations()),
        *(
            (r.status, r.start, r.end, r.quota, r.session_id is None)
            for r in room.managed_reservations()
        ),
        *((s.start, s.end, s.source_type) for s in room.managed_reserved_slots()),
        *(
            (b.start, b.end)
            for b in room.session.query(ReservationBlocker).filter_by(
                resource=room.resource
            )
        ),
    ]
    room.rollback()
    return sorted(found, key=str)


@contextmanager
def told() -> Iterator[list[str]]:
    """Collect the names of the events whose ``committed`` listeners are called."""
    names: list[str] = []
    listeners = {name: _listener(name, names) for name in EVENTS}
    for name, listener in listeners.items():
        getattr(events, name).committed.append(listener)
    try:
        yield names
    finally:
        for name, listener in listeners.items():
            getattr(events, name).committed.remove(listener)


def _listener(name: str, names: list[str]) -> Callable[..., None]:
    return lambda *_, **__: names.append(name)
