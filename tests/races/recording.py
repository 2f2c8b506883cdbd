"""Lets a process make random calls, and records when it asked and what it heard."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from libres.modules.errors import AlreadyReservedError
from tests.races.deeds import GUEST
from tests.races.histories import Call, Seen, Verb
from tests.races.stage import hours, stage_on

if TYPE_CHECKING:
    from libres.db.scheduler import Scheduler

OPENS, SLOTS, QUOTA = 9, 8, 2
"""Two hours at a raster of 15 minutes, twice."""

ROOMS = ("room 1", "room 2", "room 3")

SLOT = timedelta(minutes=15)

VERBS: tuple[Verb, ...] = ("book", "book", "book", "remove", "remove", "block", "read")


def set_up(dsn: str) -> None:
    """Allocate all rooms."""
    stage = stage_on(dsn, "history")
    for name in ROOMS:
        stage.scheduler(name).allocate(
            hours(OPENS, OPENS + 2), partly_available=True, raster=15, quota=QUOTA
        )
    stage.room.commit()


def record(dsn: str, process: int, calls: int) -> dict[str, list[Call]]:
    """Make so many calls, and return them by room."""
    recorder = _Recorder(dsn, process)
    for number in range(calls):
        recorder.call(number)
    return recorder.calls


def read(dsn: str, name: str) -> Call:
    """Look at a room when everything is over."""
    room = stage_on(dsn, "history").scheduler(name)
    now = float(time.monotonic_ns())
    looked = room.transaction(lambda: _look(room))
    return Call((-1, 0), "read", now, now, ok=True, seen=looked)


class _Recorder:
    def __init__(self, dsn: str, process: int) -> None:
        self._stage = stage_on(dsn, "history")
        self._process = process
        self._random = Random(process)  # noqa: S311 - load, no secret
        self._held: dict[str, list[tuple[Call, str]]] = {name: [] for name in ROOMS}
        self.calls: dict[str, list[Call]] = {name: [] for name in ROOMS}

    def call(self, number: int) -> None:
        """Choose a room and a verb, and record the call."""
        name, verb = self._random.choice(ROOMS), self._random.choice(VERBS)
        held = self._held[name]
        if verb == "remove" and not held:
            verb = "book"
        first = self._random.randrange(SLOTS)
        facts: dict[str, Any] = {
            "first": first,
            "last": min(SLOTS - 1, first + self._random.randrange(3)),
            "places": self._random.choice((1, 1, 2)) if verb == "book" else 1,
        }
        target = held.pop() if verb == "remove" else None
        if target is not None:
            facts["target"] = target[0].name
        asked = Call((self._process, number), verb, 0.0, **facts)
        self._made(name, asked, target[1] if target else "")

    def _made(self, name: str, asked: Call, token: str) -> None:
        room = self._stage.scheduler(name)
        invoked = float(time.monotonic_ns())
        try:
            answer = room.transaction(lambda: _do(room, asked, token), attempts=100)
            ok = True
        except AlreadyReservedError:
            answer, ok = None, False
        returned = float(time.monotonic_ns())
        seen = answer if asked.verb == "read" else None
        call = replace(asked, invoked=invoked, returned=returned, ok=ok, seen=seen)
        self.calls[name].append(call)
        if ok and asked.verb in ("book", "block"):
            self._held[name].append((call, f"{asked.verb} {answer}"))


def _do(room: Scheduler, call: Call, token: str) -> Any:
    opens, _ = hours(OPENS, OPENS)
    dates = opens + call.first * SLOT, opens + (call.last + 1) * SLOT
    if call.verb == "book":
        return room.book(GUEST, dates, quota=call.places)[0].token
    if call.verb == "block":
        return room.add_blocker(dates)[0].token
    if call.verb == "read":
        return _look(room)
    verb, _, which = token.partition(" ")
    if verb == "book":
        return room.remove_reservation(which)
    return room.remove_blocker(which)


def _look(room: Scheduler) -> Seen:
    opens = hours(OPENS, OPENS)[0]
    starts = (
        each.start.astimezone(ZoneInfo(room.timezone)).replace(tzinfo=None)
        for each in room.managed_reserved_slots()
    )
    return frozenset(Counter((start - opens) // SLOT for start in starts).items())
