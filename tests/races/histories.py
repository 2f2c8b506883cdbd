"""Explains a history: finds an order in which its calls could have come one by one.

A call takes effect at some moment between its invocation and its answer. So it comes
after every call that was answered before it was invoked; of calls at the same time any
may be the first. The search tries them all, and remembers where it has been.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal, TypeAlias

Verb: TypeAlias = Literal["book", "block", "remove", "read"]

Name: TypeAlias = tuple[int, int]
"""Of a call: the number of its process, and its number there."""

Seen: TypeAlias = frozenset[tuple[int, int]]
"""How many places are taken, by slot; free slots are left out."""


@dataclass(frozen=True, slots=True)
class Call:
    """What one process asked of one resource, when, and what it was told.

    Times are of one clock for all processes. *ok* is None if nobody knows, as after a
    kill; *returned* is None then.
    """

    name: Name
    verb: Verb
    invoked: float
    returned: float | None = None
    ok: bool | None = None
    first: int = 0
    last: int = 0
    """The slots asked for, the last one included."""
    places: int = 1
    target: Name | None = None
    """The call whose slots are removed."""
    seen: Seen | None = None


# The model --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """A run of slots of one place, and the call that took it."""

    by: Name
    place: int
    first: int
    last: int


State: TypeAlias = frozenset[Taken]


def after(state: State, call: Call, quota: int) -> State | None:
    """Return what a resource holds after a call; None if it would answer otherwise."""
    if call.verb == "remove":
        return frozenset(each for each in state if each.by != call.target)
    if call.verb == "read":
        return state if call.seen == seen(state) else None
    places = _free(state, call, quota)
    wanted = quota if call.verb == "block" else call.places
    if len(places) < wanted:
        return state if call.ok is False else None
    if call.ok is False:
        return None
    taken = (Taken(call.name, p, call.first, call.last) for p in places[:wanted])
    return state.union(taken)


def _free(state: State, call: Call, quota: int) -> list[int]:
    """Places are filled in their order."""
    busy = {
        each.place
        for each in state
        if each.first <= call.last and call.first <= each.last
    }
    return [place for place in range(quota) if place not in busy]


def seen(state: State) -> Seen:
    """Return what one sees who looks at all slots."""
    slots = Counter(slot for each in state for slot in range(each.first, each.last + 1))
    return frozenset(slots.items())


# The search -------------------------------------------------------------------------


def explanation(calls: Sequence[Call], quota: int) -> list[Call] | None:
    """Find an order of calls of one resource that explains all answers, else None.

    A call that nobody has answered may be anywhere after its invocation, or nowhere.
    """
    path: list[Call] = []
    tried: set[tuple[frozenset[Name], State]] = set()

    def search(left: frozenset[Call], state: State) -> bool:
        if all(call.ok is None for call in left):
            return True
        key = frozenset(call.name for call in left), state
        if key in tried:
            return False
        tried.add(key)
        for call in _next(left):
            changed = after(state, call, quota)
            if changed is not None:
                path.append(call)
                if search(left - {call}, changed):
                    return True
                path.pop()
        return False

    return path if search(frozenset(calls), frozenset()) else None


def _next(left: frozenset[Call]) -> Iterator[Call]:
    """Yield the calls that may come first: nothing was answered before they began."""
    earliest = min(inf if c.returned is None else c.returned for c in left)
    for call in sorted(left, key=lambda each: (each.invoked, each.name)):
        if call.invoked > earliest:
            return
        yield call
