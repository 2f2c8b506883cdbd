"""Searches allocations: by day, by size, by what is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from sqlalchemy import and_

from libres.db import criteria, loading, selections
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


@dataclass(frozen=True, slots=True)
class Candidate:
    """An allocation that fits by its times, and what the domain knows of it."""

    allocation: Allocation
    master: Master


def search(scope: Scope, wanted: Wanted) -> list[Allocation]:
    """Return what matches, by start; and the rest of the groups that were met."""
    rules = wanted.search
    candidates = _candidates(scope, wanted, rules)
    if candidates and (wanted.minspots or wanted.available_only):
        candidates = _with_enough_left(scope, wanted, rules, candidates)
    found = [each for each in candidates if rules.matches_group(each.master)]
    return _with_group_members(scope, wanted, found)


def _candidates(scope: Scope, wanted: Wanted, rules: Search) -> list[Candidate]:
    within = criteria.managed_within(
        [scope.resource], scope.utc(wanted.start), scope.utc(wanted.end)
    )
    rows = (
        scope.session.query(Allocation, criteria.shares_group())
        .filter(and_(within, criteria.is_master()))
        .options(loading.WITHOUT_SLOTS)
        .order_by(Allocation._start)
    )
    found = [
        Candidate(allocation, loading.master_of(allocation, in_group=in_group))
        for allocation, in_group in rows
        if scope.is_exposed(allocation)
    ]
    return [each for each in found if rules.matches(each.master)]


def _with_enough_left(
    scope: Scope, wanted: Wanted, rules: Search, candidates: Sequence[Candidate]
) -> list[Candidate]:
    left = _Left(scope, [each.master for each in candidates])
    return [
        each
        for each in candidates
        if (not wanted.available_only or left.has_spot(each.master, rules))
        and (
            not wanted.minspots
            or rules.has_enough(each.master, _measured(wanted, left, each.master))
        )
    ]


def _measured(wanted: Wanted, left: _Left, master: Master) -> float:
    if wanted.measure is not None:
        return wanted.measure(*master.span.stored)
    return left.availability(master)


class _Left:
    """What is left of some masters, and of what blocks them; one statement."""

    def __init__(self, scope: Scope, masters: Sequence[Master]) -> None:
        self._scope = scope
        self._places: defaultdict[UUID, defaultdict[datetime, list[loading.Place]]]
        self._places = defaultdict(lambda: defaultdict(list))
        start = min(master.span.start for master in masters)
        end = max(master.span.stored[1] for master in masters)
        within = criteria.managed_within(scope.visible_resources, start, end)
        for place in loading.places(scope.session, within):
            self._places[place.mirror_of][place.master.span.start].append(place)

    def has_spot(self, master: Master, rules: Search) -> bool:
        """Tell whether a place is free in the daily window, and everything that
        blocks it has one, too."""
        window = master.slots(master.rasterized(rules.window(master))).span
        return self._has_free_place(master, window) and all(
            self._has_free_place(other, other.rasterized((window.start, window.end)))
            for other in self._blocking(window)
        )

    def availability(self, master: Master) -> float:
        """Return what Scheduler.availability says of this allocation."""
        places = self._places[master.resource][master.span.start]
        if not self._scope.blocking_resources:
            return loading.availability_of(places)
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
                    is_master = place.resource == place.mirror_of
                    if is_master and place.master.span.overlaps(window):
                        yield place.master


def _with_group_members(
    scope: Scope, wanted: Wanted, found: Sequence[Candidate]
) -> list[Allocation]:
    result = [each.allocation for each in found]
    groups = {each.master.group for each in found if each.master.in_group}
    for allocation in result:
        allocation.__dict__.pop("is_extra_result", None)
    if not groups or wanted.strict or wanted.groups == "no":
        return result
    result.extend(_extras(scope, groups, {each.master.id for each in found}))
    return sorted(result, key=lambda allocation: allocation._start)


def _extras(
    scope: Scope, groups: Collection[UUID], known: Collection[int]
) -> list[Allocation]:
    query = selections.allocations_by_groups(scope, groups, masters_only=True)
    query = query.options(loading.WITHOUT_SLOTS).filter(Allocation.id.not_in(known))
    extras = [each for each in query if scope.is_exposed(each)]
    for allocation in extras:
        allocation.is_extra_result = True  # type: ignore[attr-defined]
    return extras
