"""What several processes are told at the same time is what one by one could be told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import chain

import pytest

from tests.fixtures.races import race
from tests.races import recording
from tests.races.histories import Call, explanation

PROCESSES, CALLS = 4, 30


def book(
    number: int, invoked: float, returned: float, ok: bool, **facts: object
) -> Call:
    """Book one slot, or as *facts* say."""
    return Call((number, 0), "book", invoked, returned, ok, **facts)  # type: ignore[arg-type]


def read(invoked: float, returned: float, *taken: tuple[int, int]) -> Call:
    """See that these slots are taken so many times."""
    seen = frozenset(taken)
    return Call((9, 0), "read", invoked, returned, ok=True, seen=seen)


def remove(invoked: float, returned: float | None, target: int) -> Call:
    """Remove what a process has booked."""
    answer = None if returned is None else True
    return Call((8, 0), "remove", invoked, returned, answer, target=(target, 0))


def block(invoked: float, returned: float, ok: bool) -> Call:
    """Block one slot."""
    return Call((7, 0), "block", invoked, returned, ok)


POSSIBLE = {
    "nothing": [],
    "one, and it is seen": [book(1, 0, 1, True), read(2, 3, (0, 1))],
    "the second is refused": [book(1, 0, 1, True), book(2, 2, 3, False)],
    "the one that asked later was first": [book(1, 0, 9, False), book(2, 1, 2, True)],
    "seen before, though asked after": [book(1, 0, 9, True), read(1, 2)],
    "another slot": [book(1, 0, 1, True), book(2, 2, 3, True, first=1, last=1)],
    "removed in between": [
        book(1, 0, 1, True),
        remove(2, 5, 1),
        book(2, 3, 4, True),
    ],
    "refused before it was removed": [
        book(1, 0, 1, True),
        remove(2, 5, 1),
        book(2, 3, 4, False),
    ],
    "removed, though nobody was told": [
        book(1, 0, 1, True),
        remove(2, None, 1),
        book(2, 3, 4, True),
    ],
    "not removed, though it was asked": [
        book(1, 0, 1, True),
        remove(2, None, 1),
        book(2, 3, 4, False),
    ],
    "blocked, then refused": [block(0, 1, True), book(1, 2, 3, False)],
}

IMPOSSIBLE = {
    "the only place twice": [book(1, 0, 9, True), book(2, 0, 9, True)],
    "refused, but it is free": [book(1, 0, 1, False)],
    "both refused": [book(1, 0, 9, False), book(2, 0, 9, False)],
    "told of, but not seen": [book(1, 0, 1, True), read(2, 3)],
    "seen, but not there": [read(0, 1, (0, 1)), book(1, 2, 3, True)],
    "refused for what comes later": [book(1, 0, 1, False), book(2, 2, 3, True)],
    "half of it": [book(1, 0, 1, True, last=1), read(2, 3, (0, 1))],
    "removed, but still in the way": [
        book(1, 0, 1, True),
        remove(2, 3, 1),
        book(2, 4, 5, False),
    ],
    "blocked although it was booked": [book(1, 0, 1, True), block(2, 3, True)],
}


@pytest.mark.parametrize("calls", POSSIBLE.values(), ids=POSSIBLE)
def test_possible(calls: list[Call]) -> None:
    """There is an order, and it holds every call that was answered."""
    found = explanation(calls, quota=1)
    assert found is not None
    assert {call for call in calls if call.ok is not None} <= set(found)


@pytest.mark.parametrize("calls", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible(calls: list[Call]) -> None:
    """There is none."""
    assert explanation(calls, quota=1) is None


@pytest.mark.parametrize(
    ("last", "ok"),
    [
        pytest.param(0, True, id="the second place is free in the first slot"),
        pytest.param(1, False, id="no place is free in both slots"),
    ],
)
def test_places(last: int, ok: bool) -> None:
    """A booking needs one place for all of its time."""
    calls = [
        book(1, 0, 1, True, last=1),
        book(2, 2, 3, True, first=1, last=1),
        remove(4, 5, 1),
        book(3, 6, 7, True),
        book(4, 8, 9, ok, last=last),
    ]
    assert explanation(calls, quota=2) is not None
    assert explanation([*calls[:-1], replace(calls[-1], ok=not ok)], quota=2) is None


def test_processes(dsn: str) -> None:
    """Processes that book, block, remove and look hear what can be explained."""
    recording.set_up(dsn)
    outcomes = race(
        [partial(recording.record, dsn, process, CALLS) for process in range(PROCESSES)]
    )
    assert [outcome.text for outcome in outcomes] == [""] * PROCESSES
    for name in recording.ROOMS:
        calls = list(chain(*(outcome.value[name] for outcome in outcomes)))
        calls.append(recording.read(dsn, name))
        assert explanation(calls, recording.QUOTA) is not None, calls
        assert Counter(call.ok for call in calls)[False] > 0
