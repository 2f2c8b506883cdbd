"""Reads what was reserved and what the sensors told of it, as values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from libres.db.passing import fetch
from libres.domain.spans import Span
from libres.occupancy import finding_statements as statements
from libres.occupancy.counting import count_before, items_of, silences_of
from libres.occupancy.judging import Kind, Reserved, Seen
from libres.occupancy.places import Space
from libres.occupancy.steps import TICK
from libres.timetable.rules import merged

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

LONGEST_RESERVATION: Final = timedelta(hours=25)
"""A whole day on which the clocks are set back."""


# Reservations -------------------------------------------------------------------------


def linked(spaces: Iterable[Space]) -> dict[UUID, list[Space]]:
    """Return the spaces of each resource; one may have several."""
    found: dict[UUID, list[Space]] = defaultdict(list)
    for space in spaces:
        if space.resource is not None:
            found[space.resource].append(space)
    return found


def reserved_within(
    context: Context, session: Session, resources: Iterable[UUID], span: Span
) -> list[Reserved]:
    """Return what is approved of some resources in a part of a time. One statement."""
    starts = Span(span.start - LONGEST_RESERVATION, span.end)
    found = reserved_from(context, session, resources, starts, None)
    return [each for each in found if each.span.overlaps(span)]


def reserved_from(
    context: Context,
    session: Session,
    resources: Iterable[UUID],
    starts: Span,
    kind: Kind | None,
) -> list[Reserved]:
    """Return what is approved and starts in a time, its end included, by start.

    Reservations of which the *kind* has been found are left out. One statement.
    """
    values = {
        "context": context.name,
        "kind": kind,
        "resources": [str(each) for each in resources],
        "first": starts.start,
        "last": starts.end,
    }
    return [_reserved(row) for row in fetch(session, statements.reserved(), values)]


def _reserved(row: Any) -> Reserved:
    return Reserved(
        id=row.id,
        token=row.token,
        resource=row.resource,
        type=row.type,
        email=row.email,
        quota=row.quota,
        span=Span.from_stored(row.starts, row.ends),
        timezone=row.timezone,
        raster=row.raster,
        is_partly=row.is_partly,
        check_ins=[each.astimezone(UTC) for each in row.check_ins or ()],
    )


# Sensors ------------------------------------------------------------------------------


def seen_by_resource(
    session: Session,
    spaces: Mapping[UUID, Sequence[Space]],
    reserved: Iterable[Reserved],
    until: datetime,
) -> dict[UUID, list[Seen]]:
    """Read of each space once what all its reservations need, which are by start."""
    since: dict[UUID, datetime] = {}
    for each in reserved:
        since.setdefault(each.resource, each.span.start)
    return {
        resource: [
            seen(session, space, Span(start, until)) for space in spaces[resource]
        ]
        for resource, start in since.items()
    }


def seen(session: Session, space: Space, span: Span) -> Seen:
    """Read what the sensors of a space told of a time, its end included.

    A fixed number of statements, about seven.
    """
    known = Span(span.start, span.end + TICK)
    return Seen(
        space=space.id,
        before=count_before(session, space, span.start, space.policy),
        items=items_of(session, space, known.start, known.end),
        silences=merged(silences_of(session, space, known)),
        policy=space.policy,
    )
