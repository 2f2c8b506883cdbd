"""Tells how much is left: in percent, by day, and as partitions to draw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date as Date
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from uuid import UUID

from libres.db import criteria, loading
from libres.db.loading import Place, Record
from libres.db.models import Allocation
from libres.db.scope import exposes_everything
from libres.domain.availability import (
    Partitions,
    Taken,
    Timeline,
    average,
    timeline,
)
from libres.domain.days import DISTANT_FUTURE, DISTANT_PAST, shifts_within
from libres.domain.places import Master, total_quota
from libres.domain.spans import Span
from libres.modules.rasterizer import MIN_RASTER, iterate_span

if TYPE_CHECKING:
    from libres.context.core import ContextServicesMixin
    from libres.db.scope import Scope

Shown: TypeAlias = tuple[Allocation, float, Partitions]
"""A master, what is left of it in percent, and its partitions."""


def of_scope(scope: Scope, start: datetime | None, end: datetime | None) -> float:
    """Return how much of a scheduler's allocations is left. None: for all time."""
    first = scope.utc(start) if start else DISTANT_PAST
    last = scope.utc(end) if end else DISTANT_FUTURE
    if not scope.blocking_resources:
        return of_range(scope.services, first, last, [scope.resource])
    return _of_blocked(scope, first, last)


def shown_in_scope(
    scope: Scope, start: datetime, end: datetime, *, normalize_dst: bool
) -> Iterator[Shown]:
    """Yield the masters of a scheduler with what is left of them, by start."""
    dates = scope.utc(start), scope.utc(end)
    if not scope.blocking_resources:
        return shown_alone(
            scope.services, *dates, scope.resource, normalize_dst=normalize_dst
        )
    return shown_in_range(
        scope.services,
        *dates,
        scope.resource,
        scope.blocking_resources,
        normalize_dst=normalize_dst,
    )


def _of_blocked(scope: Scope, start: datetime, end: datetime) -> float:
    """Weigh the availability of each exposed master with its quota."""
    resources = scope.visible_resources
    places = loading.places(scope.session, resources, start, end)
    masters = [
        place.master
        for place in places
        if place.owner == scope.resource and place.is_master
    ]
    if not exposes_everything(scope.services):
        exposed = _exposed_ids(scope.services, resources, start, end)
        masters = [master for master in masters if master.id in exposed]
    first = min((master.span.start for master in masters), default=start)
    last = max((master.span.stored[1] for master in masters), default=end)
    if first < start or last > end:
        places = loading.places(scope.session, resources, first, last)
    reaching = _Reaching(taken for place in places for taken in place.taken)
    percents = [
        laid_out(
            master,
            reaching.within(master.span),
            quota=master.quota,
            normalize_dst=False,
        ).availability
        * master.quota
        for master in masters
    ]
    quota = total_quota(masters)
    return average(percents, records=quota, quota=quota)


def of_records(records: Sequence[Record | Place]) -> float:
    """Return the availability of all places of these records together."""
    quota = sum(record.quota for record in records if record.is_master)
    percents = (record.availability for record in records)
    return average(percents, records=len(records), quota=quota)


def of_range(
    services: ContextServicesMixin,
    start: datetime,
    end: datetime,
    resources: Collection[UUID],
) -> float:
    """Return the availability of what is exposed in a range."""
    return of_records(_exposed_records(services, start, end, resources))


def by_day(
    services: ContextServicesMixin,
    start: datetime,
    end: datetime,
    resources: Collection[UUID],
) -> dict[Date, tuple[float, set[UUID]]]:
    """Return availability and resources per day of UTC; days without are missing."""
    days: defaultdict[Date, list[Record]] = defaultdict(list)
    for record in _exposed_records(services, start, end, resources):
        days[record.start.date()].append(record)
    return {
        day: (of_records(records), {record.owner for record in records})
        for day, records in days.items()
    }


def _exposed_records(
    services: ContextServicesMixin,
    start: datetime,
    end: datetime,
    resources: Collection[UUID],
) -> list[Record]:
    records = loading.records(services.session, resources, start, end)
    if exposes_everything(services):
        return records
    exposed = _exposed_ids(services, resources, start, end)
    return [record for record in records if record.id in exposed]


def _exposed_ids(
    services: ContextServicesMixin,
    resources: Collection[UUID],
    start: datetime,
    end: datetime,
) -> set[int]:
    query = services.session.query(Allocation).options(loading.WITHOUT_SLOTS)
    within = query.filter(criteria.managed_within(resources, start, end))
    is_exposed = services.is_allocation_exposed
    return {each.id for each in within.order_by(Allocation._start) if is_exposed(each)}


def shown_alone(
    services: ContextServicesMixin,
    start: datetime,
    end: datetime,
    resource: UUID,
    *,
    normalize_dst: bool,
) -> Iterator[Shown]:
    """Yield the masters of a range as they are by themselves, by start."""
    session = services.session
    masters = loading.masters(session, resource, start, end)
    places = _by_start(loading.places(session, [resource], start, end))
    for allocation in masters:
        stored = places[allocation._start]
        _, percent, partitions = _alone(stored, normalize_dst=normalize_dst)
        yield allocation, percent, partitions


class Drawn(NamedTuple):
    """A master, what is left of it in percent, and its partitions; plain values."""

    master: Master
    availability: float
    partitions: Partitions


def drawn(
    services: ContextServicesMixin,
    start: datetime,
    end: datetime,
    resource: UUID,
    blocking: Collection[UUID],
) -> Iterator[Drawn]:
    """Yield what is exposed of a resource in a range with what is left of it, by start.

    The figures are those of `shown_in_scope`, but no objects are made if nobody has to
    see them: one statement, or two with blocking resources or an exposure.
    """
    if blocking or not exposes_everything(services):
        yield from _drawn_objects(services, start, end, resource, blocking)
        return
    places = loading.places(services.session, [resource], start, end)
    for stored in _by_start(places).values():
        yield _alone(stored, normalize_dst=True)


def _drawn_objects(
    services: ContextServicesMixin,
    start: datetime,
    end: datetime,
    resource: UUID,
    blocking: Collection[UUID],
) -> Iterator[Drawn]:
    shown = (
        shown_in_range(services, start, end, resource, blocking, normalize_dst=True)
        if blocking
        else shown_alone(services, start, end, resource, normalize_dst=True)
    )
    for allocation, percent, partitions in shown:
        if services.is_allocation_exposed(allocation):
            yield Drawn(loading.master_of(allocation), percent, partitions)


def _by_start(places: Iterable[Place]) -> Mapping[datetime, list[Place]]:
    """Put the places of each allocation of a resource together."""
    found: dict[datetime, list[Place]] = {}
    for place in places:
        found.setdefault(place.master.span.start, []).append(place)
    return found


def _alone(places: Sequence[Place], *, normalize_dst: bool) -> Drawn:
    own = next(place for place in places if place.is_master)
    line = laid_out(own.master, own.taken, quota=1, normalize_dst=normalize_dst)
    if own.master.partly_available and len(places) == 1:
        return Drawn(own.master, line.availability, line.partitions)
    return Drawn(own.master, of_records(places), line.partitions)


def laid_out(
    master: Master, taken: Sequence[Taken], *, quota: int, normalize_dst: bool
) -> Timeline:
    """Lay out what is left of a master."""
    normalized = normalize_dst and master.partly_available
    return timeline(
        master.span,
        master.raster,
        taken,
        quota=quota,
        partly=master.partly_available,
        shifts=shifts_within(master.span, master.timezone) if normalized else (),
    )


def shown_blocked(
    services: ContextServicesMixin,
    allocations: Iterable[Allocation],
    resource: UUID,
    blocking: Collection[UUID],
    *,
    normalize_dst: bool,
) -> Iterator[Shown]:
    """Yield allocations as they are under what the blocking resources hold."""
    masters = [(each, loading.master_of(each)) for each in allocations]
    if not masters:
        return
    start = min(master.span.start for _, master in masters)
    end = max(master.span.stored[1] for _, master in masters)
    resources = {resource, *blocking}
    reaching = _Reaching(loading.taken_spans(services.session, resources, start, end))
    for allocation, master in masters:
        taken = reaching.within(master.span)
        line = laid_out(master, taken, quota=master.quota, normalize_dst=normalize_dst)
        yield allocation, line.availability, line.partitions


class _Reaching:
    """Slots by day, so that an allocation looks at those of its own days only."""

    def __init__(self, slots: Iterable[Taken]) -> None:
        self._days: defaultdict[int, list[Taken]] = defaultdict(list)
        for taken in slots:
            for day in _days_of(taken.span):
                self._days[day].append(taken)

    def within(self, span: Span) -> list[Taken]:
        """Return the slots that overlap a span, each once."""
        found = {
            id(taken): taken
            for day in _days_of(span)
            for taken in self._days.get(day, ())
        }
        return [taken for taken in found.values() if taken.span.overlaps(span)]


def _days_of(span: Span) -> range:
    start, end = span.start.toordinal(), span.stored[1].toordinal()
    return range(start, end + 1)


def shown_in_range(
    services: ContextServicesMixin,
    start: datetime,
    end: datetime,
    resource: UUID,
    blocking: Collection[UUID],
    *,
    normalize_dst: bool,
) -> Iterator[Shown]:
    """Yield the exposed masters of a range under what blocks them, by start."""
    masters = loading.masters(services.session, resource, start, end)
    exposed = [each for each in masters if services.is_allocation_exposed(each)]
    return shown_blocked(
        services, exposed, resource, blocking, normalize_dst=normalize_dst
    )


def steps_taken(
    slots: Iterable[Taken], asked: Span
) -> tuple[dict[datetime, int], set[datetime]]:
    """Count reserved places per 5 minutes of a range, and collect what is blocked."""
    reserved: defaultdict[datetime, int] = defaultdict(int)
    blocked: set[datetime] = set()
    for taken in slots:
        inside = taken.span.clip(asked)
        for start, _ in iterate_span(*inside.stored, MIN_RASTER):
            if taken.blocked:
                blocked.add(start)
            else:
                reserved[start] += 1
    return dict(reserved), blocked
