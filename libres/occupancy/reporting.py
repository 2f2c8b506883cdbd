"""Reports when a space was too full, or used by somebody who had not reserved."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import Range

from libres.context.telling import tell
from libres.db.passing import fetch
from libres.domain.spans import Span
from libres.occupancy import finding_statements as statements
from libres.occupancy import judging
from libres.occupancy.findings import (
    Finding,
    finding_of,
    on_finding,
    span_of_range,
    write,
)
from libres.occupancy.judging import Judged, Kind, longest
from libres.occupancy.models import OccFinding
from libres.occupancy.observing import linked, reserved_within, seen
from libres.occupancy.places import spaces

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context


def over_capacity(context: Context, session: Session, span: Span) -> list[Finding]:
    """Report when more were inside than there is room for."""
    found = [
        each
        for space in spaces(context, session)
        if space.capacity is not None
        for each in judging.over_capacity(
            seen(session, space, span), span, space.capacity
        )
    ]
    return _report(context, session, "over_capacity", span, found)


def unbooked(
    context: Context, session: Session, span: Span, least: timedelta
) -> list[Finding]:
    """Report when somebody was inside what can be reserved, and had not reserved."""
    known = linked(spaces(context, session))
    booked: dict[UUID, list[Span]] = {resource: [] for resource in known}
    for each in reserved_within(context, session, known, span):
        booked[each.resource].append(each.span)
    found = [
        each
        for resource, some in known.items()
        for space in some
        for each in judging.unbooked(
            seen(session, space, span), span, booked[resource], least
        )
    ]
    return _report(context, session, "unbooked", span, found)


def _report(
    context: Context, session: Session, kind: Kind, span: Span, found: Iterable[Judged]
) -> list[Finding]:
    """Store what is new, or lasts longer than was known; tell of what is new."""
    known = _known(context, session, kind, span)
    judged = longest(
        judging.continued(each, known.get(each.space, ())) for each in found
    )
    stored = {(each.space, each.during.start): each for each in judged}
    rows = write(context, session, statements.storing_periods(), judged)
    told = []
    for row in rows:
        each = stored[row.space, row.start.astimezone(UTC)]
        finding = finding_of(each, row.id)
        told.append(finding)
        if row.is_new:
            tell(context, session, on_finding, finding)
    return sorted(told, key=lambda each: each.during)


def _known(
    context: Context, session: Session, kind: Kind, span: Span
) -> dict[UUID, list[Span]]:
    """Read what is stored of each space and touches a time, by start."""
    window, during = Range(span.start, span.end), OccFinding.during
    query = (
        select(OccFinding.space, OccFinding.during)
        .where(OccFinding.context == context.name, OccFinding.kind == kind)
        .where(or_(during.overlaps(window), during.adjacent_to(window)))
        .order_by(during)
    )
    found: dict[UUID, list[Span]] = {}
    for row in fetch(session, query, {}):
        found.setdefault(row.space, []).append(span_of_range(row.during))
    return found
