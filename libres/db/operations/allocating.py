"""Allocates spans of time to a resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from sqlalchemy import Text, bindparam, insert, literal, select, true
from sqlalchemy.orm.attributes import set_committed_value

from libres.context.telling import tell
from libres.db import criteria
from libres.db.loading import WITHOUT_SLOTS
from libres.db.models import Allocation
from libres.db.models.timestamp import TimestampMixin
from libres.db.models.types import UUID as UUIDType
from libres.db.models.types import UTCDateTime
from libres.db.operations.writing import is_watched, loaded_columns
from libres.db.passing import WINDOWS, PassedRows, fetch
from libres.domain.judging import (
    allocatable_spans,
    check_allocation_options,
    check_quota,
)
from libres.domain.spans import Span
from libres.modules import events
from libres.modules.errors import OverlappingAllocationError
from libres.modules.rasterizer import Raster

if TYPE_CHECKING:
    from sqlalchemy import Executable

    from libres.db.scope import Scope


@dataclass(frozen=True, slots=True)
class Terms:
    """What all allocations of one call have in common; *raster* in minutes."""

    partly_available: bool
    raster: Raster
    whole_day: bool
    quota: int
    quota_limit: int
    grouped: bool
    data: dict[str, Any] | None
    approve_manually: bool
    skip_overlapping: bool


def allocate(scope: Scope, dates: object, terms: Terms) -> list[Allocation]:
    """Allocate the ranges and tell ``on_allocations_added``."""
    spans = _judged(scope, dates, terms)
    if not spans:
        return []
    scope.session.flush()  # the caller may have switched autoflush off
    overlapping = _overlapping(scope, spans)
    if overlapping and not terms.skip_overlapping:
        raise _refusal(scope, spans, overlapping)
    free = [span for at, span in enumerate(spans) if at not in overlapping]
    written = _write(scope, free, terms)
    tell(scope.context, scope.session, events.on_allocations_added, written)
    return written


def _judged(scope: Scope, dates: object, terms: Terms) -> list[Span]:
    check_allocation_options(
        partly_available=terms.partly_available,
        grouped=terms.grouped,
        skip_overlapping=terms.skip_overlapping,
    )
    check_quota(terms.quota)
    check_quota(terms.quota_limit, "quota_limit", least=0)
    return allocatable_spans(
        scope.prepare(dates), terms.raster, scope.timezone, whole_day=terms.whole_day
    )


def _overlapping(scope: Scope, spans: Sequence[Span]) -> dict[int, int]:
    """Return the id of the first own master in the way of each span that has one.

    Looks up one span after the other, however many there are: a join would read all
    allocations, and under SERIALIZABLE get in the way of everybody.
    """
    windows = WINDOWS.of((scope.resource, *span.stored) for span in spans)
    rows = fetch(scope.session, _in_the_way_statement(), windows)
    return {row.position - 1: row.id for row in rows}


@cache
def _in_the_way_statement() -> Executable:
    windows = WINDOWS.table
    first = (
        select(Allocation.id)
        .where(criteria.in_window(windows), criteria.is_master())
        .order_by(Allocation.resource, Allocation._start)
        .limit(1)
        .correlate(windows)
        .lateral("first")
    )
    return select(windows.c.position, first.c.id).join_from(windows, first, true())


def _refusal(
    scope: Scope, spans: Sequence[Span], overlapping: Mapping[int, int]
) -> OverlappingAllocationError:
    """Name the first span that overlaps something, and what it overlaps."""
    position = min(overlapping)
    query = scope.session.query(Allocation).options(WITHOUT_SLOTS)
    existing = query.filter(Allocation.id == overlapping[position]).one()
    return OverlappingAllocationError(*spans[position].stored, existing)


def _write(scope: Scope, spans: Sequence[Span], terms: Terms) -> list[Allocation]:
    group = uuid4()
    groups = [group if terms.grouped else uuid4() for _ in spans]
    if scope.allocation_cls is Allocation and not is_watched(scope.session, Allocation):
        return _insert(scope, spans, groups, terms)
    return _add(scope, spans, groups, terms)


def _insert(
    scope: Scope, spans: Sequence[Span], groups: Sequence[UUID], terms: Terms
) -> list[Allocation]:
    """Write the rows in one statement, and load them as objects."""
    rows = zip(groups, *zip(*(span.stored for span in spans), strict=True), strict=True)
    values = {
        **ADDED.of(rows),
        **_common(scope, terms),
        "created": TimestampMixin.timestamp(),
    }
    has_data = terms.data is not None
    written = scope.session.scalars(_insert_statement(has_data=has_data), values)
    by_start = {allocation._start: allocation for allocation in written}
    if not has_data:
        for allocation in by_start.values():
            set_committed_value(allocation, "data", None)
    return [by_start[span.start] for span in spans]


ADDED: Final = PassedRows(
    "added", {"group": UUIDType(), "start": UTCDateTime(), "end": UTCDateTime()}
)
"""Which spans are allocated, in which groups?"""


@cache
def _insert_statement(*, has_data: bool) -> Executable:
    """Insert in the order of the key and return what objects are made of.

    Data that is None stays so until it is reloaded, although ``{}`` is stored.
    """
    added, model = ADDED.table, Allocation.__mapper__
    table: Any = Allocation.__table__
    special: dict[str, Any] = {
        "type": literal(model.polymorphic_identity, Text()),
        "mirror_of": bindparam("resource", type_=UUIDType()),
        "group": added.c.group,
        "_start": added.c.start,
        "_end": added.c.end,
    }
    values = {
        column.name: special.get(column.name, bindparam(column.name, type_=column.type))
        for column in table.c
        if column.name not in ("id", "modified")
    }
    rows = select(*values.values()).select_from(added).order_by(added.c.start)
    written = insert(table).from_select([*values], rows, include_defaults=False)
    columns = loaded_columns(Allocation)
    returned = written.returning(
        *(column for column in columns if has_data or column.name != "data")
    )
    return select(Allocation).from_statement(returned).options(WITHOUT_SLOTS)


def _add(
    scope: Scope, spans: Sequence[Span], groups: Sequence[UUID], terms: Terms
) -> list[Allocation]:
    """Write by way of the session, for subclasses and for hosts that watch it."""
    written = [
        _allocation(scope, span, group, terms)
        for span, group in zip(spans, groups, strict=True)
    ]
    scope.session.add_all(written)
    scope.session.flush()
    return written


def _allocation(scope: Scope, span: Span, group: UUID, terms: Terms) -> Allocation:
    allocation = scope.allocation_cls()
    allocation.mirror_of, allocation.group = scope.resource, group
    allocation._start, allocation._end = span.stored
    for name, value in _common(scope, terms).items():
        setattr(allocation, name, value)
    return allocation


def _common(scope: Scope, terms: Terms) -> dict[str, Any]:
    """What all allocations of one call have in common, by column."""
    return {
        "resource": scope.resource,
        "timezone": scope.timezone,
        "quota": terms.quota,
        "quota_limit": terms.quota_limit,
        "partly_available": terms.partly_available,
        "approve_manually": terms.approve_manually,
        "data": terms.data,
        "_raster": terms.raster,
    }
