"""Reads what a request touches, as plain values, in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias
from uuid import UUID as PlainUUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    DateTime,
    Integer,
    Interval,
    LargeBinary,
    and_,
    any_,
    bindparam,
    case,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased, lazyload

from libres.db import criteria
from libres.db.models import Allocation, Reservation, ReservedSlot
from libres.db.models.types import UUID, UTCDateTime
from libres.db.passing import WINDOWS, PassedRows, fetch, passed_array
from libres.domain.availability import Taken, average, percent_left
from libres.domain.days import UTC
from libres.domain.judging import Match
from libres.domain.places import Master
from libres.domain.slots import slots_of
from libres.domain.spans import Range, Span, reach
from libres.modules.rasterizer import MAX_RASTER, TICK, Raster

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Executable
    from sqlalchemy.orm import Session
    from sqlalchemy.types import TypeEngine

    from libres.db.scope import Scope

WishKey: TypeAlias = Literal["token", "id"]

UUID_BYTES: Final = 16
LONGEST_SLOT: Final = timedelta(minutes=MAX_RASTER)
"""Of an allocation with a raster."""

WITHOUT_SLOTS = lazyload(Allocation.reserved_slots)
"""For allocations that callers get: their slots come when they are asked for."""

MASTER_COLUMNS = (
    Allocation.id,
    Allocation.resource,
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

    One statement, which asks for what the ranges reach once per resource.
    """
    windows = ((resource, *reach(asked)) for asked in ranges for resource in resources)
    rows = fetch(scope.session, _matches_statement(), WINDOWS.of(windows))
    found: list[list[Match]] = [[] for _ in ranges]
    for row in rows:
        position = (row.position - 1) // len(resources)
        match = _match(ranges[position], master_from(row, in_group=row.in_group), row)
        if match.is_overlap:
            found[position].append(match)
    return found


def group_matches(scope: Scope, groups: Collection[object]) -> list[list[Match]]:
    """Find, for each of our masters in these groups, itself and what it blocks.

    By start. One statement; one more with blocking resources.
    """
    members = _members(scope, groups)
    ranges = [member.asked for member in members]
    blocking = [each for each in scope.visible_resources if each != scope.resource]
    found = matches(scope, ranges, blocking) if blocking else repeat([])
    return [[member, *others] for member, others in zip(members, found, strict=False)]


def _members(scope: Scope, groups: Collection[object]) -> list[Match]:
    values = {"groups": list(groups), "resource": scope.resource}
    rows = fetch(scope.session, _members_statement(), values)
    masters = (master_from(row, in_group=True) for row in rows)
    return [
        _match(master.span.stored, master, row)
        for master, row in zip(masters, rows, strict=True)
    ]


def _match(asked: Range, master: Master, row: Any) -> Match:
    busy = () if row.busy is None else _keys_from(bytes(row.busy))
    return Match(asked, master, frozenset(busy))


def _keys_from(packed: bytes) -> Iterator[bytes]:
    for at in range(0, len(packed), UUID_BYTES):
        yield packed[at : at + UUID_BYTES]


@cache
def _matches_statement() -> Executable:
    windows = WINDOWS.table
    busy = _busy_places(windows.c.start, windows.c.end)
    in_group = criteria.shares_group().label("in_group")
    found = _masters_in_windows(*MASTER_COLUMNS, in_group, busy)
    query = select(windows.c.position, found).join_from(windows, found, true())
    return query.order_by(windows.c.position, found.c.stored_start)


def _masters_in_windows(*columns: Any) -> Any:
    return _in_windows(Allocation.resource, criteria.is_master(), *columns)


def _places_in_windows(*columns: Any) -> Any:
    return _in_windows(Allocation.mirror_of, true(), *columns)


def _in_windows(owner: Any, condition: ColumnElement[bool], *columns: Any) -> Any:
    """Look up the allocations of one window after the other.

    The offset keeps PostgreSQL from reading all allocations at once instead, which
    under SERIALIZABLE would get in the way of everybody.
    """
    windows = WINDOWS.table
    found = select(*columns).where(criteria.in_window(windows, owner), condition)
    return found.correlate(windows).offset(0).lateral("found")


@cache
def _members_statement() -> Executable:
    busy = _busy_places(Allocation._start, Allocation._end)
    return (
        select(*MASTER_COLUMNS, busy)
        .where(
            Allocation.group == any_(passed_array("groups", UUID())),
            Allocation.mirror_of == bindparam("resource", type_=UUID()),
            criteria.is_master(),
        )
        .order_by(Allocation._start)
    )


def _busy_places(start: Any, end: Any) -> Any:
    """Which places of a master have a slot in a range, as 16 bytes each?"""
    place = aliased(Allocation)
    resources = func.string_agg(func.uuid_send(place.resource), b"", type_=LargeBinary)
    query = select(resources).where(
        criteria.starts_at(place.mirror_of, Allocation.resource, Allocation._start),
        _has_slot(place.resource, start, end),
    )
    return query.correlate_except(place).scalar_subquery().label("busy")


def _has_slot(resource: Any, start: Any, end: Any) -> ColumnElement[bool]:
    """Does a place of the allocation have a slot in a range?

    Walks the primary key of slots, between two bounds. A place without raster is
    occupied as a whole.
    """
    partly, slot = Allocation.partly_available, ReservedSlot
    reaching = func.greatest(
        Allocation._start, start - literal(LONGEST_SLOT, Interval())
    )
    first = case((partly, reaching), else_=Allocation._start)
    last = case((partly, func.least(Allocation._end, end)), else_=Allocation._end)
    touching = select(slot.start).where(
        slot.resource == resource,
        slot.start >= first,
        slot.start <= last,
        or_(not_(partly), slot.end >= start),
    )
    return touching.offset(0).correlate_except(slot).exists()


@dataclass(frozen=True, slots=True)
class Wish:
    """A reservation and the ranges it is about: its own, or its group's."""

    reservation: Reservation
    ranges: tuple[Range, ...]


def wishes(scope: Scope, key: WishKey, value: object) -> list[Wish]:
    """Read our reservations with their ranges, oldest first, in one statement.

    Those of a token, or the one with an id.
    """
    values = {"resource": scope.resource, key: value}
    ranges: dict[Reservation, list[Range]] = {}
    for reservation, start, end in scope.session.execute(
        _wishes_statement(key), values
    ):
        known = ranges.setdefault(reservation, [])
        if reservation.target_type == "allocation":
            known.append(reservation.stored_times)
        elif start is not None:
            known.append((start, end))
    return [Wish(each, tuple(known)) for each, known in ranges.items()]


@cache
def _wishes_statement(key: WishKey) -> Executable:
    resource = bindparam("resource", type_=UUID())
    column = getattr(Reservation, key)
    group = case((Reservation.target_type == "group", Reservation.target))
    member = and_(
        Allocation.group == group,
        Allocation.mirror_of == resource,
        criteria.is_master(),
    )
    return (
        select(Reservation, Allocation._start, Allocation._end)
        .outerjoin(Allocation, member)
        .where(
            Reservation.resource == resource,
            column == bindparam(key, type_=column.type),
        )
        .order_by(Reservation.id, Allocation._start)
    )


# How much is left -------------------------------------------------------------------


def masters(
    session: Session, resource: PlainUUID, start: datetime, end: datetime
) -> Sequence[Allocation]:
    """Read the masters of a resource in a range as objects, by start."""
    values = windows_of([resource], start, end)
    return session.scalars(_masters_statement(), values).all()


@cache
def _masters_statement() -> Executable:
    found = _masters_in_windows(Allocation)
    master = aliased(Allocation, found)
    return (
        select(master)
        .join_from(WINDOWS.table, found, true())
        .options(lazyload(master.reserved_slots))
        .order_by(master._start)
    )


def masters_to_judge(scope: Scope, start: datetime, end: datetime) -> list[Master]:
    """Read our masters in a range as values, by start."""
    values = windows_of([scope.resource], start, end)
    rows = fetch(scope.session, _masters_to_judge_statement(), values)
    return [master_from(row, in_group=row.in_group) for row in rows]


@cache
def _masters_to_judge_statement() -> Executable:
    in_group = criteria.shares_group().label("in_group")
    found = _masters_in_windows(*MASTER_COLUMNS, in_group)
    query = select(found).join_from(WINDOWS.table, found, true())
    return query.order_by(found.c.stored_start)


def with_their_groups(
    scope: Scope, ids: Iterable[int], groups: Iterable[PlainUUID]
) -> Sequence[Allocation]:
    """Read masters by id, and all of ours in some groups, as objects, by start."""
    values = {"ids": list(ids), "groups": list(groups), "resource": scope.resource}
    return scope.session.scalars(_with_their_groups_statement(), values).all()


@cache
def _with_their_groups_statement() -> Executable:
    is_member = and_(
        Allocation.group == any_(passed_array("groups", UUID())),
        Allocation.mirror_of == bindparam("resource", type_=UUID()),
        criteria.is_master(),
    )
    return (
        select(Allocation)
        .where(or_(Allocation.id == any_(passed_array("ids", Integer())), is_member))
        .options(WITHOUT_SLOTS)
        .order_by(Allocation._start)
    )


class Record(NamedTuple):
    """One stored place and how much of it is left; cheap to make by the thousand."""

    id: int
    owner: PlainUUID
    """The resource of its master."""
    start: datetime
    quota: int
    is_master: bool
    availability: float


def records(
    session: Session,
    resources: Collection[PlainUUID],
    start: datetime,
    end: datetime,
) -> list[Record]:
    """Read the places of resources in a range and what is left of each, by start.

    One statement.
    """
    owners = sorted(resources)
    values = windows_of(owners, start, end)
    rows = fetch(session, _records_statement(), values)
    return [_record_from(owners[row.position - 1], row) for row in rows]


def windows_of(
    resources: Iterable[PlainUUID], start: datetime, end: datetime
) -> dict[str, list[Any]]:
    """Look for each of these resources in the same range."""
    return WINDOWS.of((each, start, max(start, end)) for each in resources)


@cache
def _records_statement() -> Executable:
    windows = WINDOWS.table
    place = _places_in_windows(
        Allocation.id,
        Allocation._start.label("stored_start"),
        Allocation._end.label("stored_end"),
        Allocation._raster.label("raster"),
        Allocation.quota,
        Allocation.partly_available,
        (Allocation.resource == Allocation.mirror_of).label("is_master"),
    )
    figures = _slot_figures(place.c.id)
    return (
        select(windows.c.position, place, figures)
        .join_from(windows, place, true())
        .join(figures, true())
        .order_by(place.c.stored_start)
    )


def _slot_figures(allocation: Any) -> Any:
    """How many slots of an allocation are reserved, and how many blocked?"""
    blocked = func.count().filter(ReservedSlot.source_type == "blocker")
    reserved = (func.count() - blocked).label("reserved")
    query = select(reserved, blocked.label("blocked"))
    return query.where(ReservedSlot.allocation_id == allocation).lateral("figures")


def _record_from(owner: PlainUUID, row: Any) -> Record:
    span = Span.from_stored(row.stored_start, row.stored_end)
    total = len(slots_of(span, row.raster, partly=row.partly_available))
    return Record(
        id=row.id,
        owner=owner,
        start=row.stored_start,
        quota=row.quota,
        is_master=row.is_master,
        availability=percent_left(total, row.reserved, row.blocked),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """One stored place of a resource and everything that takes it.

    What *taken* lists has been merged: adjacent slots are one.
    """

    master: Master
    owner: PlainUUID
    """The resource of its master."""
    is_master: bool
    taken: tuple[Taken, ...]

    @property
    def quota(self) -> int:
        return self.master.quota

    @property
    def availability(self) -> float:
        """Percent of this record that is left."""
        step = self.master.slots().step
        figures = [0.0, 0.0]
        for each in self.taken:
            figures[each.blocked] += each.span.duration / step
        return percent_left(len(self.master.slots()), *figures)


def places(
    session: Session,
    resources: Collection[PlainUUID],
    start: datetime,
    end: datetime,
) -> list[Place]:
    """Read the places of resources in a range and what takes them, by start.

    One statement.
    """
    values = windows_of(sorted(resources), start, end)
    rows: list[Any] = fetch(session, _places_statement(), values)
    return [
        Place(
            master_from(row),
            row.mirror_of,
            row.resource == row.mirror_of,
            tuple(_taken_from(row)) if row.firsts else (),
        )
        for row in rows
    ]


def _taken_from(row: Any) -> Iterator[Taken]:
    """Read the runs of slots of a row; what is in arrays is naive, in UTC."""
    runs = zip(row.firsts, row.lasts, row.blocked, strict=True)
    for first, last, blocked in runs:
        span = Span(first.replace(tzinfo=UTC), last.replace(tzinfo=UTC) + TICK)
        yield Taken(span, blocked)


@cache
def _places_statement() -> Executable:
    place = _places_in_windows(*MASTER_COLUMNS, Allocation.mirror_of)
    runs = _runs_of_slots(place)
    return (
        select(place, runs)
        .join_from(WINDOWS.table, place, true())
        .join(runs, true())
        .order_by(place.c.stored_start, place.c.id)
    )


def _runs_of_slots(place: Any) -> Any:
    """Which spans of a place are taken, adjacent slots of one kind as one?

    The n-th slot less n steps is the same for all slots of a run. All in one row, as
    its columns would be read anew with each run.
    """
    kind = ReservedSlot.source_type
    number = func.row_number().over(partition_by=kind, order_by=ReservedSlot.start)
    step = func.make_interval(0, 0, 0, 0, 0, place.c.raster)
    slots = (
        select(
            ReservedSlot.start,
            ReservedSlot.end,
            kind,
            (ReservedSlot.start - number * step).label("run"),
        )
        .where(ReservedSlot.allocation_id == place.c.id)
        .correlate(place)
        .subquery("slots")
    )
    run = (
        select(
            func.min(slots.c.start).label("first"),
            func.max(slots.c.end).label("last"),
            (slots.c.source_type == "blocker").label("blocked"),
        )
        .group_by(slots.c.source_type, slots.c.run)
        .subquery("run")
    )
    return select(
        _as_array(run.c.first, DateTime()).label("firsts"),
        _as_array(run.c.last, DateTime()).label("lasts"),
        _as_array(run.c.blocked, Boolean()).label("blocked"),
    ).lateral("runs")


def _as_array(values: Any, item: TypeEngine[Any]) -> ColumnElement[Any]:
    return func.array_agg(values, type_=ARRAY(item))


def taken_spans(
    session: Session,
    resources: Collection[PlainUUID],
    start: datetime,
    end: datetime,
) -> Iterator[Taken]:
    """Read what takes the places of resources in a range, in one statement."""
    for place in places(session, resources, start, end):
        yield from place.taken


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a master: how much of all of it, and places in one range."""

    availability: float
    """In percent, of all places, stored or not."""
    busy: int
    """How many places have a slot in the range."""


def left_of(session: Session, asked: Sequence[tuple[Master, Range]]) -> dict[int, Left]:
    """Tell what is left of masters, each with a range of its own, by their ids.

    One statement.
    """
    values = CANDIDATES.of((master.id, *reach(range_)) for master, range_ in asked)
    rows = {row.id: row for row in fetch(session, _left_statement(), values)}
    return {master.id: _left_from(master, rows[master.id]) for master, _ in asked}


CANDIDATES: Final = PassedRows(
    "candidates", {"id": Integer(), "start": UTCDateTime(), "end": UTCDateTime()}
)
"""Masters and the range of each in which a place should be free."""


@cache
def _left_statement() -> Executable:
    candidates, place = CANDIDATES.table, aliased(Allocation)
    figures = _slot_figures(place.id)
    per_place = (
        select(_collected(figures.c.reserved), _collected(figures.c.blocked))
        .join_from(place, figures, true())
        .where(
            criteria.starts_at(place.mirror_of, Allocation.resource, Allocation._start)
        )
        .correlate(Allocation)
        .lateral("per_place")
    )
    busy = _busy_places(candidates.c.start, candidates.c.end)
    return (
        select(Allocation.id, per_place.c.reserved, per_place.c.blocked, busy)
        .join_from(candidates, Allocation, Allocation.id == candidates.c.id)
        .join(per_place, true())
    )


def _collected(numbers: Any) -> Any:
    return func.array_agg(numbers, type_=ARRAY(Integer())).label(numbers.name)


def _left_from(master: Master, row: Any) -> Left:
    total = len(master.slots())
    figures = zip(row.reserved, row.blocked, strict=True)
    percents = [percent_left(total, *each) for each in figures]
    whole = average(percents, records=len(percents), quota=master.quota)
    return Left(whole, len(row.busy or b"") // UUID_BYTES)
