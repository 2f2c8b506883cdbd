"""Reads what a request touches, as plain values, in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import repeat
from typing import TYPE_CHECKING, Any
from uuid import UUID as PlainUUID

from sqlalchemy import (
    ARRAY,
    LargeBinary,
    and_,
    func,
    select,
    type_coerce,
)
from sqlalchemy.orm import lazyload

from libres.db import criteria
from libres.db.models import Allocation, Reservation, ReservedSlot
from libres.db.models.types import UUID, UTCDateTime
from libres.domain.availability import Taken, average, percent_left
from libres.domain.judging import Match, matches_of
from libres.domain.places import Master
from libres.domain.slots import slots_of
from libres.domain.spans import Range, Span
from libres.modules.rasterizer import Raster

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from libres.db.scope import Scope

UUID_BYTES = 16

WITHOUT_SLOTS = lazyload(Allocation.reserved_slots)
"""For allocations that callers get: their slots come when they are asked for."""

MASTER_COLUMNS = (
    Allocation.id,
    Allocation.resource,
    Allocation.mirror_of,
    Allocation.group,
    Allocation._start.label("stored_start"),
    Allocation._end.label("stored_end"),
    Allocation._raster.label("raster"),
    Allocation.timezone,
    Allocation.quota,
    Allocation.quota_limit,
    Allocation.partly_available,
    Allocation.approve_manually,
)


def master_from(row: Any, *, in_group: bool = False) -> Master:
    """Read a row of MASTER_COLUMNS."""
    span = Span.from_stored(row.stored_start, row.stored_end)
    return _master(row, span, row.raster, in_group=in_group)


def master_of(record: Allocation, *, in_group: bool = False) -> Master:
    """Read an allocation."""
    return _master(record, record.span, record.checked_raster, in_group=in_group)


def _master(source: Any, span: Span, raster: Raster, *, in_group: bool) -> Master:
    return Master(
        id=source.id,
        resource=source.resource,
        group=source.group,
        span=span,
        raster=raster,
        timezone=source.timezone or "UTC",
        quota=source.quota,
        quota_limit=source.quota_limit,
        partly_available=source.partly_available,
        approve_manually=source.approve_manually,
        in_group=in_group,
    )


# What a reservation touches ---------------------------------------------------------


def matches(
    scope: Scope, ranges: Sequence[Range], resources: Sequence[PlainUUID]
) -> list[list[Match]]:
    """Find, for each range, the masters it overlaps and their busy places.

    Two statements; one if nothing is overlapped.
    """
    found = _masters_per_range(scope, ranges, resources)
    pairs = zip(ranges, found, strict=True)
    return with_busy(scope, [matches_of(asked, masters) for asked, masters in pairs])


def group_matches(scope: Scope, groups: Collection[object]) -> list[list[Match]]:
    """Find, for each of our masters in these groups, itself and what it blocks.

    By start. Two statements, one more with blocking resources.
    """
    members = _masters_of_groups(scope, groups)
    ranges = [master.span.stored for master in members]
    blocking = [each for each in scope.visible_resources if each != scope.resource]
    found = _masters_per_range(scope, ranges, blocking) if blocking else repeat(())
    return with_busy(
        scope,
        [
            [Match(asked, member), *matches_of(asked, others)]
            for asked, member, others in zip(ranges, members, found, strict=False)
        ],
    )


def with_busy(scope: Scope, found: list[list[Match]]) -> list[list[Match]]:
    """Fill in which places are busy, in one statement."""
    busy = iter(
        _busy_places(scope.session, [match for some in found for match in some])
    )
    return [[replace(match, busy=next(busy)) for match in some] for some in found]


def _masters_of_groups(scope: Scope, groups: Collection[object]) -> list[Master]:
    query = (
        select(*MASTER_COLUMNS)
        .where(
            Allocation.group.in_(list(groups)),
            Allocation.mirror_of == scope.resource,
            criteria.is_master(),
        )
        .order_by(Allocation._start)
    )
    rows = scope.session.execute(query)
    return [master_from(row, in_group=True) for row in rows]


def _masters_per_range(
    scope: Scope, ranges: Sequence[Range], resources: Sequence[PlainUUID]
) -> list[list[Master]]:
    windows = criteria.windows_table(
        (resource, min(asked), max(asked)) for asked in ranges for resource in resources
    )
    query = _each_window(windows, criteria.shares_group().label("in_group"))
    found: list[list[Master]] = [[] for _ in ranges]
    for row in scope.session.execute(query):
        position = (row.position - 1) // len(resources)
        found[position].append(master_from(row, in_group=row.in_group))
    return found


def _each_window(windows: Any, in_group: ColumnElement[bool]) -> Any:
    """Look up the masters of one window after the other.

    The offset keeps PostgreSQL from reading all allocations at once instead, which
    under SERIALIZABLE would get in the way of everybody.
    """
    found = (
        select(windows.c.position, in_group, *MASTER_COLUMNS)
        .where(criteria.in_window(windows))
        .correlate(windows)
        .offset(0)
        .lateral("found")
    )
    return (
        select(found)
        .select_from(windows)
        .join(found, found.c.position == windows.c.position)
        .order_by(found.c.position, found.c.stored_start)
    )


def _busy_places(
    session: Session, found: Sequence[Match]
) -> list[frozenset[PlainUUID]]:
    """Return, per match, the resources of the places with a slot in the way."""
    if not found:
        return []
    wanted = _wanted_table(found)
    query = (
        select(
            wanted.c.position,
            func.string_agg(_as_bytes(Allocation.resource), b"").label("resources"),
        )
        .select_from(wanted)
        .join(Allocation, _is_place_of(wanted))
        .where(_has_slot_in(wanted))
        .group_by(wanted.c.position)
    )
    busy = [frozenset[PlainUUID]()] * len(found)
    for position, resources in session.execute(query):
        busy[position - 1] = _resources_from(bytes(resources))
    return busy


def _wanted_table(found: Sequence[Match]) -> Any:
    slots = [match.wanted_slots for match in found]
    masters = [match.master for match in found]
    return criteria.table_of(
        "wanted",
        {
            "mirror_of": (UUID(), [master.resource for master in masters]),
            "allocated": (UTCDateTime(), [master.span.start for master in masters]),
            "first": (UTCDateTime(), [span.stored[0] for span in slots]),
            "last": (UTCDateTime(), [span.stored[1] for span in slots]),
        },
    )


def _is_place_of(wanted: Any) -> ColumnElement[bool]:
    return and_(
        Allocation.mirror_of == wanted.c.mirror_of,
        Allocation._start == wanted.c.allocated,
    )


def _has_slot_in(wanted: Any) -> ColumnElement[bool]:
    """Does a slot start within the wanted ones? Walks the primary key of slots."""
    return (
        select(ReservedSlot.resource)
        .where(
            ReservedSlot.resource == Allocation.resource,
            ReservedSlot.start >= wanted.c.first,
            ReservedSlot.start <= wanted.c.last,
        )
        .correlate(Allocation, wanted)
        .exists()
    )


def _as_bytes(resource: Any) -> ColumnElement[bytes]:
    """Send a UUID as its 16 bytes, which is cheaper than as text."""
    return type_coerce(func.uuid_send(resource), LargeBinary)


def _resources_from(packed: bytes) -> frozenset[PlainUUID]:
    starts = range(0, len(packed), UUID_BYTES)
    return frozenset(PlainUUID(bytes=packed[at : at + UUID_BYTES]) for at in starts)


@dataclass(frozen=True, slots=True)
class Wish:
    """A reservation and the ranges it is about: its own, or its group's."""

    reservation: Reservation
    ranges: tuple[Range, ...]


def wishes(scope: Scope, criterion: ColumnElement[bool]) -> list[Wish]:
    """Read our reservations with their ranges, oldest first, in one statement."""
    member = and_(
        Reservation.target_type == "group",
        Allocation.group == Reservation.target,
        Allocation.mirror_of == scope.resource,
        criteria.is_master(),
    )
    query = (
        scope.session.query(Reservation, Allocation._start, Allocation._end)
        .outerjoin(Allocation, member)
        .filter(Reservation.resource == scope.resource, criterion)
        .order_by(Reservation.id, Allocation._start)
    )
    ranges: dict[Reservation, list[Range]] = {}
    for reservation, start, end in query:
        known = ranges.setdefault(reservation, [])
        if reservation.target_type == "allocation":
            known.append(reservation.stored_times)
        elif start is not None:
            known.append((start, end))
    return [Wish(each, tuple(known)) for each, known in ranges.items()]


# How much is left -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """One stored place and how many of its slots are taken.

    *taken* is filled for masters only.
    """

    id: int
    resource: PlainUUID
    mirror_of: PlainUUID
    span: Span
    quota: int
    availability: float
    taken: tuple[Taken, ...] = ()

    @property
    def is_master(self) -> bool:
        return self.resource == self.mirror_of


def records(
    session: Session, criterion: ColumnElement[bool], *, with_taken: bool = False
) -> list[Record]:
    """Read places and what is left of each, in one statement."""
    is_reserved = ReservedSlot.source_type == "reservation"
    is_blocked = ReservedSlot.source_type == "blocker"
    figures = [
        func.count(ReservedSlot.start).filter(is_reserved).label("reserved"),
        func.count(ReservedSlot.start).filter(is_blocked).label("blocked"),
    ]
    if with_taken:
        figures.append(_starts_of_masters(is_reserved).label("reserved_starts"))
        figures.append(_starts_of_masters(is_blocked).label("blocked_starts"))
    query = (
        select(*MASTER_COLUMNS, *figures)
        .outerjoin(ReservedSlot, ReservedSlot.allocation_id == Allocation.id)
        .where(criterion)
        .group_by(Allocation.id)
        .order_by(Allocation._start)
    )
    return [_record_from(row) for row in session.execute(query)]


def _starts_of_masters(criterion: ColumnElement[bool]) -> ColumnElement[Any]:
    starts = func.array_agg(ReservedSlot.start, type_=ARRAY(UTCDateTime()))
    return starts.filter(criterion, criteria.is_master())


def _record_from(row: Any) -> Record:
    span = Span.from_stored(row.stored_start, row.stored_end)
    slots = slots_of(span, row.raster, partly=row.partly_available)
    step = slots.step
    return Record(
        id=row.id,
        resource=row.resource,
        mirror_of=row.mirror_of,
        span=span,
        quota=row.quota,
        availability=percent_left(len(slots), row.reserved, row.blocked),
        taken=(
            *_taken(getattr(row, "reserved_starts", None), step, blocked=False),
            *_taken(getattr(row, "blocked_starts", None), step, blocked=True),
        ),
    )


def _taken(
    starts: Iterable[datetime] | None, step: timedelta, *, blocked: bool
) -> Iterator[Taken]:
    for start in starts or ():
        yield Taken(Span(start, start + step), blocked)


@dataclass(frozen=True, slots=True)
class Place:
    """One stored place of a resource and everything that takes it."""

    master: Master
    resource: PlainUUID
    mirror_of: PlainUUID
    taken: tuple[Taken, ...]


def places(session: Session, criterion: ColumnElement[bool]) -> list[Place]:
    """Read places and all their slots, in one statement, by start."""
    query = (
        select(
            *MASTER_COLUMNS,
            ReservedSlot.start.label("slot_start"),
            ReservedSlot.end.label("slot_end"),
            ReservedSlot.source_type,
        )
        .outerjoin(ReservedSlot, ReservedSlot.allocation_id == Allocation.id)
        .where(criterion)
        .order_by(Allocation._start, Allocation.id)
    )
    rows: dict[int, tuple[Any, list[Taken]]] = {}
    row: Any
    for row in session.execute(query):
        _, taken = rows.setdefault(row.id, (row, []))
        if row.slot_start is not None:
            span = Span.from_stored(row.slot_start, row.slot_end)
            taken.append(Taken(span, row.source_type == "blocker"))
    return [
        Place(master_from(row), row.resource, row.mirror_of, tuple(taken))
        for row, taken in rows.values()
    ]


def slot_spans(
    session: Session,
    start: datetime,
    end: datetime,
    resources: Collection[PlainUUID],
) -> Iterable[Taken]:
    """Read the slots of these resources, mirrors included, that touch a range."""
    query = (
        select(ReservedSlot.start, ReservedSlot.end, ReservedSlot.source_type)
        .join(Allocation, ReservedSlot.allocation_id == Allocation.id)
        .where(
            criteria.managed_within(resources, start, end),
            ReservedSlot.start <= end,
            ReservedSlot.end >= start,
        )
    )
    return [
        Taken(Span.from_stored(first, last), source == "blocker")
        for first, last, source in session.execute(query)
    ]


def availability_of(stored: Sequence[Place]) -> float:
    """Return the availability of all places of one master, stored or not."""
    if not stored:
        return 0.0
    master = stored[0].master
    total = len(master.slots())
    percents = []
    for place in stored:
        blocked = sum(taken.blocked for taken in place.taken)
        percents.append(percent_left(total, len(place.taken) - blocked, blocked))
    return average(percents, records=len(stored), quota=master.quota)
