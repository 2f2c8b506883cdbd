"""The models: what an application reads from records, and what it may set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import Any, Literal, assert_type
from uuid import UUID

from sqlalchemy.orm import Query

from libres.db.models import (
    Allocation,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
    Timespan,
)
from libres.db.models.timestamp import TimestampMixin

START, END = datetime(2030, 6, 3, 8, tzinfo=UTC), datetime(2030, 6, 3, 10, tzinfo=UTC)


def allocations(allocation: Allocation) -> None:
    """The columns of an allocation."""
    assert_type(allocation.id, int)
    assert_type(allocation.resource, UUID)
    assert_type(allocation.mirror_of, UUID)
    assert_type(allocation.group, UUID)
    assert_type(allocation.quota, int)
    assert_type(allocation.quota_limit, int)
    assert_type(allocation.partly_available, bool)
    assert_type(allocation.approve_manually, bool)
    assert_type(allocation.timezone, str | None)
    assert_type(allocation.data, dict[str, Any] | None)
    assert_type(allocation.reserved_slots, list[ReservedSlot])
    assert_type(allocation.modified, datetime | None)


def times(allocation: Allocation) -> None:
    """Times are aware datetimes, ranges pairs of them."""
    assert_type(allocation.get_start(), datetime)
    assert_type(allocation.get_end(), datetime)
    assert_type(allocation.get_raster(), Literal[5, 10, 15, 30, 60])
    assert_type(allocation.display_start(), datetime)
    assert_type(allocation.display_end("UTC"), datetime)
    assert_type(allocation.whole_day, bool)
    assert_type(allocation.overlaps(START, END), bool)
    assert_type(allocation.contains(START, END), bool)
    assert_type(allocation.align_dates(START), tuple[datetime, datetime])
    limited = allocation.limit_timespan(time(8), time(10))
    assert_type(limited, tuple[datetime, datetime])
    allocation.limit_timespan("8:00", time(10))  # type: ignore[arg-type]


def properties(allocation: Allocation) -> None:
    """The properties over the stored columns."""
    assert_type(allocation.start, datetime)
    assert_type(allocation.end, datetime)
    raster = allocation.raster
    assert_type(raster, Literal[5, 10, 15, 30, 60])


def slots(allocation: Allocation) -> None:
    """Slots are ranges; a missing hour is a pair of None."""
    assert_type(allocation.all_slots(), Iterator[tuple[datetime, datetime]])
    assert_type(allocation.free_slots(START, END), list[tuple[datetime, datetime]])
    assert_type(allocation.count_slots(), int)
    assert_type(
        allocation.normalized_slots(),
        Iterator[tuple[datetime, datetime] | tuple[None, None]],
    )


def left(allocation: Allocation) -> None:
    """What is left is told in percent."""
    assert_type(allocation.availability, float)
    assert_type(allocation.normalized_availability, float)
    assert_type(allocation.availability_partitions(), list[tuple[float, bool]])
    assert_type(allocation.is_available(START, END), bool)
    assert_type(allocation.quota_left, int)
    assert_type(allocation.find_spot(START, END), Allocation | None)


def places(allocation: Allocation) -> None:
    """Masters, mirrors, groups, waiting lists."""
    assert_type(allocation.is_master, bool)
    assert_type(allocation.is_transient, bool)
    assert_type(allocation.in_group, bool)
    assert_type(allocation.is_separate, bool)
    assert_type(allocation.get_master(), Allocation)
    assert_type(allocation.siblings(), list[Allocation])
    assert_type(allocation.copy(), Allocation)
    assert_type(allocation.waitinglist_length, int)
    assert_type(allocation.pending_reservations, Query[Any])
    assert_type(Allocation(START), Allocation)  # type: ignore[arg-type]


def reservations(reservation: Reservation) -> None:
    """The columns of a reservation; a group has no times of its own."""
    assert_type(reservation.id, int)
    assert_type(reservation.token, UUID)
    assert_type(reservation.target, UUID)
    assert_type(reservation.resource, UUID)
    assert_type(reservation.start, datetime | None)
    assert_type(reservation.end, datetime | None)
    assert_type(reservation.timezone, str | None)
    assert_type(reservation.data, dict[str, Any] | None)
    assert_type(reservation.email, str)
    assert_type(reservation.session_id, UUID | None)
    assert_type(reservation.quota, int)
    assert_type(reservation.title, str)
    assert_type(reservation.autoapprovable, bool)
    assert_type(reservation.display_start(), datetime)
    assert_type(reservation.timespans(), list[Timespan])
    reservation.start + (END - START)  # type: ignore[operator]


def blockers(blocker: ReservationBlocker) -> None:
    """A blocker has a reason, or none."""
    assert_type(blocker.reason, str | None)
    assert_type(blocker.title, str | None)
    assert_type(blocker.timespans(), list[Timespan])
    assert_type(blocker.target_allocations(), Query[Allocation])
    blocker.email  # type: ignore[attr-defined]  # noqa: B018 - it has none


def reserved_slots(slot: ReservedSlot) -> None:
    """A slot knows its allocation and its source."""
    assert_type(slot.resource, UUID)
    assert_type(slot.start, datetime)
    assert_type(slot.end, datetime)
    assert_type(slot.allocation, Allocation)
    assert_type(slot.allocation_id, int)
    assert_type(slot.reservation_token, UUID)
    assert_type(slot.source_id, int)
    assert_type(slot.display_end(), datetime)


def timespans(timespan: Timespan) -> None:
    """A timespan is a pair with names."""
    start, end = timespan
    assert_type(start, datetime)
    assert_type(timespan.end, datetime)
    assert_type(end - start > end - end, bool)


def clock() -> None:
    """The clock tells the time."""
    assert_type(TimestampMixin.timestamp(), datetime)
