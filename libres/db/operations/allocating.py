"""Allocates spans of time to a resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import select

from libres.context.telling import tell
from libres.db import criteria
from libres.db.loading import WITHOUT_SLOTS
from libres.db.models import Allocation
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
    """Return the id of an own master in the way of each span that has one.

    Looks up one span after the other, however many there are: a join would read all
    allocations, and under SERIALIZABLE get in the way of everybody.
    """
    windows = criteria.windows_table((scope.resource, *span.stored) for span in spans)
    in_the_way = (
        select(Allocation.id, windows.c.position)
        .where(criteria.in_window(windows))
        .order_by(Allocation._start)
        .limit(1)
        .correlate(windows)
        .lateral("in_the_way")
    )
    same = windows.c.position == in_the_way.c.position
    query = select(windows.c.position, in_the_way.c.id).join(in_the_way, same)
    return {position - 1: id_ for position, id_ in scope.session.execute(query)}


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
    written = [
        _allocation(scope, span, group if terms.grouped else uuid4(), terms)
        for span in spans
    ]
    scope.session.add_all(written)
    scope.session.flush()
    return written


def _allocation(scope: Scope, span: Span, group: UUID, terms: Terms) -> Allocation:
    allocation = scope.allocation_cls()
    allocation.resource = allocation.mirror_of = scope.resource
    allocation.group = group
    allocation.timezone = scope.timezone
    allocation._start, allocation._end = span.stored
    allocation._raster = terms.raster
    allocation.quota, allocation.quota_limit = terms.quota, terms.quota_limit
    allocation.partly_available = terms.partly_available
    allocation.approve_manually = terms.approve_manually
    allocation.data = terms.data
    return allocation
