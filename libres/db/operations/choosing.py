"""Answers what could be chosen: free places, targets, the dates of allocations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, time
from typing import TYPE_CHECKING

from libres.db import loading, selections
from libres.db.models import Allocation
from libres.domain.judging import Match, check_free
from libres.domain.places import free_places
from libres.domain.spans import Range, stored_end
from libres.modules.errors import insist

if TYPE_CHECKING:
    from libres.db.scope import Scope


def count_free(
    scope: Scope, master: Allocation, start: datetime | None, end: datetime | None
) -> int:
    """Count the places of a master that are free in a range. None: in all of it."""
    if not (start and end):
        start, end = master.span.stored
    insist(master.overlaps(start, end), "The range does not overlap the allocation.")
    asked = scope.utc(start), scope.utc(end)
    known = loading.master_of(master)
    left = loading.left_of(scope.session, [(known, asked)])[known.id]
    return max(0, known.quota - left.busy)


def targets(scope: Scope, start: datetime, end: datetime) -> list[Allocation]:
    """Return the first free place of each own master in a range, by start.

    Those that are no records yet are transient. Raises AlreadyReservedError.
    """
    asked = scope.utc(start), scope.utc(end)
    (found,) = loading.matches(scope, [asked], [scope.resource])
    for match in found:
        check_free(match, 1)
    ids = [match.master.id for match in found]
    query = selections.managed_allocations(scope).filter(Allocation.id.in_(ids))
    masters = {each.id: each for each in query}
    return [_first_free(masters[match.master.id], match) for match in found]


def _first_free(master: Allocation, match: Match) -> Allocation:
    place = next(free_places(match.master, match.busy))
    siblings = master.siblings()
    return next(each for each in siblings if each.resource == place.resource)


def dates_of(
    allocations: Iterable[Allocation],
    start_time: time | None,
    end_time: time | None,
) -> Iterator[Range]:
    """Yield (start, stored end) of allocations, cut to two times of day.

    None means the allocation's own time; a whole day lasts until 24:00.
    """
    for allocation in allocations:
        start, end = _limited(allocation, start_time, end_time)
        yield start, stored_end(end)


def _limited(
    allocation: Allocation, start_time: time | None, end_time: time | None
) -> Range:
    first, last = allocation.display_start(), allocation.display_end()
    start_time = first.time() if start_time is None else start_time
    if end_time is not None:
        return allocation.limit_timespan(start_time, end_time)
    start, _ = allocation.limit_timespan(start_time, start_time)
    return start, last
