"""Four want what not all of them can have: as many get it as there are places."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.races import deeds
from tests.races.deeds import GUEST, do
from tests.races.edges import HOUR, OVERLAPS, TAKEN, booked, changed, morning, pending
from tests.races.stage import hours
from tests.races.state import slots_of
from tests.races.test_edges import assert_sound

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.races.arena import Arena
    from tests.races.racers import Deed, Stop
    from tests.races.stage import Stage

RIVALS = 4


@dataclass(frozen=True, slots=True)
class Crowd:
    """Rivals on one stage; so many succeed, the others get the error."""

    name: str
    prepare: Callable[[Stage], list[Deed]]
    successes: int
    error: str | None
    slots: int


def booking(quota: int, *, wanted: int = 1) -> Callable[[Stage], list[Deed]]:
    """Book some of the places of an hour."""

    def prepare(stage: Stage) -> list[Deed]:
        morning(stage, quota=quota)
        return [do(deeds.book, (9, 10), quota=wanted)] * RIVALS

    return prepare


def approving(stage: Stage) -> list[Deed]:
    """Approve one of several that wait for two places."""
    morning(stage, quota=2)
    return [do(deeds.approve, pending(stage)) for _ in range(RIVALS)]


def approving_one(stage: Stage) -> list[Deed]:
    """Approve the same reservation."""
    morning(stage, quota=RIVALS)
    return [do(deeds.approve, pending(stage))] * RIVALS


def changing(stage: Stage) -> list[Deed]:
    """Change to the last place of another hour."""
    morning(stage, quota=RIVALS)
    late = [changed(booked(stage), 11, 12) for _ in range(RIVALS)]
    stage.room.book(GUEST, hours(11, 12), quota=RIVALS - 1)
    return late


def blocking(stage: Stage) -> list[Deed]:
    """Block an hour."""
    morning(stage, quota=2)
    return [do(deeds.block, 9, 10)] * RIVALS


def allocating(_stage: Stage) -> list[Deed]:
    """Allocate times that all overlap, though each starts at its own."""
    return [do(deeds.allocate, 9 + number, 13 + number) for number in range(RIVALS)]


def in_one_session(stage: Stage) -> list[Deed]:
    """Put the same into one cart."""
    morning(stage)
    return [do(deeds.reserve, (9, 10), session_id=uuid4())] * RIVALS


def of_each_other(stage: Stage) -> list[Deed]:
    """Book resources of which each blocks all others."""
    names = [f"room {number}" for number in range(RIVALS)]
    for name in names:
        stage.scheduler(name).allocate(hours(9, 12), raster=15)
    others = {each: tuple(name for name in names if name != each) for each in names}
    return [do(deeds.book_whole, *each) for each in others.items()]


CROWDS = [
    Crowd("book the only place", booking(1), 1, TAKEN, HOUR),
    Crowd("book three places", booking(3), 3, TAKEN, 3 * HOUR),
    Crowd("book two of five", booking(5, wanted=2), 2, TAKEN, 4 * HOUR),
    Crowd("book as many as there are", booking(RIVALS), RIVALS, None, RIVALS * HOUR),
    Crowd("approve", approving, 2, TAKEN, 2 * HOUR),
    Crowd("approve the same", approving_one, RIVALS, None, HOUR),
    Crowd("change to the same", changing, 1, TAKEN, 7 * HOUR),
    Crowd("block", blocking, 1, TAKEN, 2 * HOUR),
    Crowd("allocate", allocating, 1, OVERLAPS, 0),
    Crowd("in one session", in_one_session, 1, "OverlappingReservationError", 0),
    Crowd("of each other", of_each_other, 1, TAKEN, 0),
]


@pytest.mark.parametrize("crowd", CROWDS, ids=lambda crowd: crowd.name)
@pytest.mark.parametrize("stop", [1, "write", "commit"])
def test_crowd(arena: Arena, crowd: Crowd, stop: Stop) -> None:
    """They read, write, or commit at the same moment."""
    stage = arena.new_stage()
    rivals = crowd.prepare(stage)
    stage.room.commit()
    meeting = arena.together(stage, rivals, stop)
    refused = RIVALS - crowd.successes
    expected = Counter({None: crowd.successes}) + Counter({crowd.error: refused})
    assert Counter(meeting.errors) == expected, meeting
    assert slots_of(stage) == crowd.slots
    stage.room.rollback()
    assert_sound(arena)
