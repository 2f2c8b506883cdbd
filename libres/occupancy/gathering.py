"""Gathers what is known of a time of a space, to be drawn: counts and reservations."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from libres.domain.spans import Span
from libres.occupancy.drawing import Booked, Day
from libres.occupancy.observing import reserved_within

if TYPE_CHECKING:
    from libres.occupancy import Occupancy, Space
    from libres.occupancy.judging import Reserved

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
    span = Span(start, end)
    rows = reserved_within(house.context, house.session, [space.resource], span)
    return [Booked(each.span, _label(each, emails)) for each in rows]


def _label(row: Reserved, emails: bool) -> str:
    name = row.email if emails else str(row.token)[:TOKEN_LETTERS]
    return name if row.quota == 1 else f"{name}, {row.quota} places"
