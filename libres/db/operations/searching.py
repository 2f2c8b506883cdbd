"""Searches allocations: by day, by size, by what is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from uuid import UUID

from libres.db import loading
from libres.db.models import Allocation
from libres.db.operations.availability import laid_out
from libres.domain.days import checked_datetime, weekday_numbers
from libres.domain.places import Master
from libres.domain.search import Search, check_choice
from libres.domain.spans import Span
from libres.modules.errors import insist

if TYPE_CHECKING:
    from libres.db.scope import Scope

Measure: TypeAlias = Callable[[datetime, datetime], float]
"""Tells the availability of a range, as Scheduler.availability does."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller searches; *measure* None means our own figures."""

    start: Any
    end: Any
    days: Any
    minspots: int
    available_only: bool
    whole_day: Any
    groups: Any
    strict: bool
    measure: Measure | None = None

    @property
    def search(self) -> Search:
        """The same in the terms of the domain. Raises Misuse, ValueError."""
        insist(self.start and self.end, "A search needs both a start and an end.")
        return Search(
            day_begins=checked_datetime(self.start).time(),
            day_ends=checked_datetime(self.end).time(),
            days=weekday_numbers(self.days),
            minspots=self.minspots,
            whole_day=check_choice("whole_day", self.whole_day),
            groups=check_choice("groups", self.groups),
        )


def search(scope: Scope, wanted: Wanted) -> list[Allocation]:
    """Return what matches, by start; and the rest of the groups that were met."""
    rules = wanted.search
    start, end = scope.utc(wanted.start), scope.utc(wanted.end)
    masters = loading.masters_to_judge(scope, start, end)
    candidates = [master for master in masters if rules.matches(master)]
    if candidates and (wanted.minspots or wanted.available_only):
        candidates = _with_enough_left(scope, wanted, rules, candidates)
    found = [master for master in candidates if rules.matches_group(master)]
    return _as_objects(scope, wanted, found)


def _with_enough_left(
    scope: Scope, wanted: Wanted, rules: Search, candidates: Sequence[Master]
) -> list[Master]:
    left: _Left = (_UnderBlocking if scope.blocking_resources else _Alone)(
        scope, rules, candidates
    )
    return [
        master
        for master in candidates
        if (not wanted.available_only or left.has_spot(master))
        and (
            not wanted.minspots
            or rules.has_enough(master, _measured(wanted, left, master))
        )
    ]


def _measured(wanted: Wanted, left: _Left, master: Master) -> float:
    if wanted.measure is not None:
        return wanted.measure(*master.span.stored)
    return left.availability(master)


class _Left(Protocol):
    """Knows what is left of some masters."""

    def has_spot(self, master: Master) -> bool:
        """Tell whether a place is free in the daily window, and everything that
        blocks it has one, too."""

    def availability(self, master: Master) -> float:
        """Return what Scheduler.availability says of this allocation."""


class _Alone:
    """What is left where nothing blocks; one statement."""

    def __init__(self, scope: Scope, rules: Search, masters: Sequence[Master]) -> None:
        asked = [(master, rules.window(master)) for master in masters]
        self._left = loading.left_of(scope.session, asked)

    def has_spot(self, master: Master) -> bool:
        return self._left[master.id].busy < master.quota

    def availability(self, master: Master) -> float:
        return self._left[master.id].availability


class _UnderBlocking:
    """What is left of masters and of what blocks them; one statement."""

    def __init__(self, scope: Scope, rules: Search, masters: Sequence[Master]) -> None:
        self._scope = scope
        self._rules = rules
        self._places: defaultdict[UUID, defaultdict[datetime, list[loading.Place]]]
        self._places = defaultdict(lambda: defaultdict(list))
        start = min(master.span.start for master in masters)
        end = max(master.span.stored[1] for master in masters)
        visible = scope.visible_resources
        for place in loading.places(scope.session, visible, start, end):
            self._places[place.owner][place.master.span.start].append(place)

    def has_spot(self, master: Master) -> bool:
        window = master.slots(master.rasterized(self._rules.window(master))).span
        return self._has_free_place(master, window) and all(
            self._has_free_place(other, other.rasterized((window.start, window.end)))
            for other in self._blocking(window)
        )

    def availability(self, master: Master) -> float:
        taken = [
            taken
            for resource in self._scope.visible_resources
            for of_start in self._places[resource].values()
            for place in of_start
            for taken in place.taken
        ]
        line = laid_out(master, taken, quota=master.quota, normalize_dst=False)
        return line.availability

    def _has_free_place(self, master: Master, window: Span) -> bool:
        wanted = master.slots(window).span
        places = self._places[master.resource][master.span.start]
        busy = [
            place
            for place in places
            if any(taken.span.overlaps(wanted) for taken in place.taken)
        ]
        return len(busy) < master.quota

    def _blocking(self, window: Span) -> Iterable[Master]:
        for resource in self._scope.blocking_resources - {self._scope.resource}:
            for of_start in self._places[resource].values():
                for place in of_start:
                    if place.is_master and place.master.span.overlaps(window):
                        yield place.master


def _as_objects(
    scope: Scope, wanted: Wanted, found: Sequence[Master]
) -> list[Allocation]:
    """Return what was found and is exposed, with the rest of its groups."""
    known = {master.id: master for master in found}
    groups = {master.group for master in found if master.in_group}
    if wanted.strict or wanted.groups == "no":
        groups = set()
    loaded = [
        allocation
        for allocation in loading.with_their_groups(scope, known, groups)
        if scope.is_exposed(allocation)
    ]
    met = {allocation.group for allocation in loaded if allocation.id in known}
    return [
        _marked(allocation, is_extra=allocation.id not in known)
        for allocation in loaded
        if allocation.group in met
    ]


def _marked(allocation: Allocation, *, is_extra: bool) -> Allocation:
    allocation.__dict__.pop("is_extra_result", None)
    if is_extra:
        allocation.is_extra_result = True  # type: ignore[attr-defined]
    return allocation
