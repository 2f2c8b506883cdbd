"""Tells how well a space is used: what was reserved, and what was needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from libres.domain.spans import Span
from libres.occupancy.calibrating import opening_of
from libres.occupancy.judging import common, most_places, total
from libres.occupancy.observing import reserved_within, seen
from libres.occupancy.places import Space

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context


@dataclass(frozen=True, slots=True)
class Utilisation:
    """How a space was used in a time."""

    space: UUID
    span: Span
    reserved: timedelta
    """Of approved reservations; what several have reserved counts once."""

    used: timedelta
    """Somebody was inside. Of the time in which that is known, as are all counts."""

    reserved_and_used: timedelta
    open: timedelta
    """By the opening hours."""

    unknown: timedelta
    """A sensor was silent, or there was none, or it is not over yet."""

    peak: int
    """The highest count."""

    quota: int
    """The highest number of places that were reserved at a time."""


def utilisation(
    context: Context, session: Session, space: Space, span: Span
) -> Utilisation:
    """Compare what was reserved of a space with who was inside.

    A fixed number of statements, about eight.
    """
    resources = [] if space.resource is None else [space.resource]
    booked = reserved_within(context, session, resources, span)
    known = seen(session, space, span)
    levels = known.known_levels(span)
    reserved = [each.span.clip(span) for each in booked]
    used = [each.span for each in levels if each.count > 0]
    return Utilisation(
        space=space.id,
        span=span,
        reserved=total(reserved),
        used=total(used),
        reserved_and_used=total(common(reserved, used)),
        open=total(opening_of(space, span)),
        unknown=total(known.silences_in(span)),
        peak=max((each.count for each in levels), default=0),
        quota=most_places(booked, span),
    )
