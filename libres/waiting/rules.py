"""Decides what can be waited for, and whether it could be reserved now; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from libres.domain.days import LONGEST_DAY, UTC
from libres.domain.judging import Match, check_reservable
from libres.domain.spans import Range, Span
from libres.modules.errors import (
    InvalidReservationError,
    LibresError,
    QuotaImpossible,
)
from libres.modules.rasterizer import TICK
from libres.waiting.errors import InvalidEntry

LONGEST: Final = LONGEST_DAY
"""Of a reservation, and so of an entry."""


def span_of(asked: Range) -> Span:
    """Read a time, whose end may be displayed or stored. Raises InvalidEntry."""
    start, end = asked
    shown = end + TICK if end.microsecond == 999_999 else end
    if shown <= start:
        reason = f"The end {shown} does not lie after the start {start}."
        raise InvalidEntry(reason)
    return Span(start, shown)


def until_of(value: object, span: Span, now: datetime) -> datetime:
    """Tell when somebody stops waiting; None: when the time is over.

    Raises InvalidEntry for what is no aware moment, or past already.
    """
    if value is not None and not (isinstance(value, datetime) and value.tzinfo):
        reason = f"until is a datetime with a timezone, not {value!r:.60}."
        raise InvalidEntry(reason)
    until = span.end if value is None else min(value.astimezone(UTC), span.end)
    if until <= now:
        reason = f"It is over: nobody waits until {until}."
        raise InvalidEntry(reason)
    return until


def check_waitable(matches: Iterable[Match], places: int, resource: UUID) -> None:
    """Refuse a time that could not be reserved, were everything free.

    Raises InvalidReservationError if nothing of the resource is allocated there, and
    TimerangeTooLong, QuotaOverLimit, QuotaImpossible or InvalidQuota as `reserve` does.
    """
    found = list(matches)
    if all(each.master.resource != resource for each in found):
        raise InvalidReservationError
    for match in found:
        available = match.master.quota
        if available < places:
            raise QuotaImpossible(quota=places, available=available)
        is_own = match.master.resource == resource
        check_reservable(replace(match, busy=frozenset()), places, own=is_own)


def is_free(matches: Iterable[Match], places: int) -> bool:
    """Tell whether so many places are free in all that a time touches."""
    return all(match.free >= places for match in matches)


def could_be_reserved(matches: Sequence[Match], places: int, resource: UUID) -> bool:
    """Tell whether so many places could be reserved now."""
    if not is_free(matches, places):
        return False
    try:
        check_waitable(matches, places, resource)
    except LibresError:
        return False
    return True


def needs_approval(matches: Iterable[Match], resource: UUID) -> bool:
    """Tell whether what the resource has allocated there is approved manually."""
    own = [each.master for each in matches if each.master.resource == resource]
    return any(master.approve_manually for master in own)
