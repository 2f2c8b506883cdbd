"""May this be allocated, reserved, blocked or moved? Rules that return or raise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from libres.domain.days import align_to_day, is_valid_length, to_zone
from libres.domain.places import Master
from libres.domain.spans import Range, Span, first_overlap
from libres.modules.errors import (
    AlreadyReservedError,
    InvalidAllocationError,
    InvalidQuota,
    Misuse,
    QuotaImpossible,
    QuotaOverLimit,
    ReservationTooLong,
    ReservationTooShort,
    TimerangeTooLong,
    insist,
)
from libres.modules.rasterizer import TICK, Raster, checked_raster

SHORTEST_RESERVATION = timedelta(minutes=5)

LARGEST_QUOTA = 2**31 - 1
"""What an integer column holds."""


@dataclass(frozen=True, slots=True)
class Match:
    """A range somebody asked for, and one master it overlaps once rasterised."""

    asked: Range
    master: Master
    busy: frozenset[bytes] = frozenset()
    """The keys of the places that are taken in some wanted slot."""

    @property
    def is_overlap(self) -> bool:
        """Whether what was asked for, on the raster, lies on the master at all."""
        return self.master.span.overlaps(self.span)

    @property
    def free(self) -> int:
        """How many places are free in all wanted slots."""
        return max(0, self.master.quota - len(self.busy))

    @property
    def span(self) -> Span:
        """What was asked for, on the raster of the master."""
        return self.master.rasterized(self.asked)

    @property
    def told(self) -> dict[str, datetime]:
        """Start and end as people say them, in the zone of the allocation."""
        zone = self.master.timezone
        return {
            "start": to_zone(self.span.start, zone),
            "end": to_zone(self.span.end, zone),
        }

    @property
    def wanted_slots(self) -> Span:
        """From the first slot to the end of the last one that it occupies."""
        return self.master.slots(self.span).span


def allocatable_spans(
    ranges: Iterable[Range], raster: Raster, timezone: str, *, whole_day: bool
) -> list[Span]:
    """Turn the ranges of one call into the spans to allocate.

    Raises Misuse for an invalid raster, ValueError for reversed whole days, and
    InvalidAllocationError if a range is empty or two of them overlap.
    """
    checked_raster(raster)
    if whole_day:
        ranges = [align_to_day(*each, timezone) for each in ranges]
    spans = [Span.rasterized(*each, raster) for each in ranges]
    for span in spans:
        if span.is_empty:
            raise InvalidAllocationError(start=span.start, end=span.end)
    if overlap := first_overlap(spans):
        one, other = overlap
        raise InvalidAllocationError(start=other.start, end=one.end)
    return spans


def check_allocation_options(
    *, partly_available: bool, grouped: bool, skip_overlapping: bool
) -> None:
    """Refuse options that exclude each other. Raises InvalidAllocationError."""
    if grouped and partly_available:
        raise InvalidAllocationError(grouped=True, partly_available=True)
    if grouped and skip_overlapping:
        raise InvalidAllocationError(grouped=True, skip_overlapping=True)


def check_quota(quota: object, name: str = "quota", least: int = 1) -> None:
    """Raise Misuse if a number of places is not whole, or not what a column holds."""
    insist(
        isinstance(quota, int)
        and not isinstance(quota, bool)
        and least <= quota <= LARGEST_QUOTA,
        f"{name} must be a whole number from {least} to {LARGEST_QUOTA}, "
        f"not {quota!r}.",
    )


def check_length(asked: Range, timezone: str) -> None:
    """Refuse what no reservation may last.

    Raises ReservationTooLong beyond 24 hours or one whole day, ReservationTooShort
    below 5 minutes (a stored end counts as the displayed one).
    """
    start, end = (to_zone(date, timezone) for date in asked)
    if not is_valid_length(start, end, timezone):
        raise ReservationTooLong(start=start, end=end)
    if asked[1] - asked[0] + TICK < SHORTEST_RESERVATION:
        raise ReservationTooShort(start=start, end=end)


def check_reservable(match: Match, quota: int, *, own: bool) -> None:
    """Refuse a reservation of *quota* places.

    Raises AlreadyReservedError, TimerangeTooLong, QuotaOverLimit, QuotaImpossible or
    InvalidQuota, looked at in this order.
    """
    master = match.master
    if not master.approve_manually:
        check_free(match, quota)
    if own:
        check_contained(match)
    if 0 < master.quota_limit < quota:
        raise QuotaOverLimit(quota=quota, quota_limit=master.quota_limit)
    if master.quota < quota:
        raise QuotaImpossible(quota=quota, available=master.quota)
    if quota < 1:
        raise InvalidQuota(quota=quota)


def check_blockable(match: Match, *, own: bool) -> None:
    """Refuse a blocker unless every place is free.

    Raises AlreadyReservedError or TimerangeTooLong, looked at in this order.
    """
    check_free(match, match.master.quota)
    if own:
        check_contained(match)


def check_free(match: Match, quota: int) -> None:
    """Raise AlreadyReservedError if fewer than *quota* places (or none) are free."""
    if match.free < max(1, quota):
        raise AlreadyReservedError(**match.told, quota=quota, free=match.free)


def check_contained(match: Match) -> None:
    """Raise TimerangeTooLong if what is asked for leaves the allocation."""
    if not match.master.span.contains(match.span):
        zone, span = match.master.timezone, match.master.span
        raise TimerangeTooLong(
            **match.told,
            allocated_from=to_zone(span.start, zone),
            allocated_until=to_zone(span.end, zone),
        )


def moved_span(
    start: datetime, end: datetime, raster: Raster, timezone: str, *, whole_day: bool
) -> Span:
    """Tell where an allocation comes to lie.

    Raises InvalidAllocationError if it would not end after it starts, ValueError for
    reversed whole days.
    """
    if whole_day:
        start, end = align_to_day(start, end, timezone)
    if end < start:
        raise InvalidAllocationError(start=start, end=end)
    span = Span.rasterized(start, end, raster)
    if span.is_empty:
        raise InvalidAllocationError(start=span.start, end=span.end)
    return span


def check_dates_or_group(dates: object, group: object) -> None:
    """Raise Misuse unless exactly one of both is given."""
    if bool(dates) == bool(group):
        message = "Pass either dates or a group, and not both."
        raise Misuse(message)
