"""Gathers what is known of a time of a space, to be drawn: counts and reservations."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Executable, and_, func, select

from libres.db import criteria
from libres.db.models import Allocation, Reservation
from libres.db.passing import fetch
from libres.domain.spans import Span
from libres.occupancy.drawing import Booked, Day

if TYPE_CHECKING:
    from uuid import UUID

    from libres.occupancy import Occupancy, Space

TOKEN_LETTERS = 8
"""Of a token; enough to find the reservation, and nobody's name."""


def day_of(
    house: Occupancy,
    space: Space,
    start: datetime,
    end: datetime,
    step: timedelta,
    *,
    emails: bool,
) -> Day:
    """Read a time of a space. Without *emails* nobody is named.

    Raises InvalidMoment.
    """
    return Day(
        space=space.name,
        timezone=space.timezone,
        steps=tuple(house.history(space, start, end, step)),
        capacity=space.capacity,
        booked=tuple(_booked(house, space, start, end, emails)),
        silent=tuple(house.silences(space, start, end)),
    )


def _booked(
    house: Occupancy, space: Space, start: datetime, end: datetime, emails: bool
) -> list[Booked]:
    """Read what is reserved and approved; nothing of what cannot be reserved."""
    if space.resource is None:
        return []
    rows = fetch(house.session, _reservations(space.resource, start, end), {})
    return [
        Booked(Span.from_stored(row.begin, row.finish), _label(row, emails))
        for row in rows
    ]


def _reservations(resource: UUID, start: datetime, end: datetime) -> Executable:
    """Which approved reservations of a resource touch a time?

    That of a group has no times of its own, but those of its allocations.
    """
    member = and_(
        Reservation.target_type == "group",
        Allocation.group == Reservation.target,
        Allocation.resource == Reservation.resource,
        criteria.is_master(),
    )
    begin = func.coalesce(Allocation._start, Reservation.start)
    finish = func.coalesce(Allocation._end, Reservation.end)
    return (
        select(
            Reservation.token,
            Reservation.email,
            Reservation.quota,
            begin.label("begin"),
            finish.label("finish"),
        )
        .outerjoin(Allocation, member)
        .where(
            Reservation.resource == resource,
            Reservation.status == "approved",
            begin < criteria.moment(end),
            finish >= criteria.moment(start),
        )
        .order_by(begin, Reservation.id)
    )


def _label(row: Any, emails: bool) -> str:
    name = row.email if emails else str(row.token)[:TOKEN_LETTERS]
    return name if row.quota == 1 else f"{name}, {row.quota} places"
