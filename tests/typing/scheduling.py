"""Scheduler and Queries: arguments and results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, assert_type
from uuid import UUID

from sqlalchemy.orm import Query, Session

import libres
from libres.context.core import Context
from libres.db import new_scheduler
from libres.db.models import (
    Allocation,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
)
from libres.db.queries import Queries
from libres.db.scheduler import Scheduler

START, END = datetime(2030, 6, 3, 8, tzinfo=UTC), datetime(2030, 6, 3, 10, tzinfo=UTC)


class Room(Allocation):
    """An allocation of an application."""


class Booking(Reservation):
    """A reservation of an application."""


def constructing(context: Context) -> None:
    """The function of that name is the class, wherever it is imported from."""
    assert_type(libres.new_scheduler(context, "room", "Europe/Zurich"), Scheduler)
    assert_type(new_scheduler(context, 5, "UTC", ["hall"], Room, Booking), Scheduler)
    assert_type(new_scheduler(context, "room", "UTC").clone(), Scheduler)
    new_scheduler(context, "room")  # type: ignore[call-arg]
    new_scheduler(context, "room", UTC)  # type: ignore[arg-type]
    new_scheduler(context, "room", "UTC", allocation_cls=Booking)  # type: ignore[arg-type]


def attributes(scheduler: Scheduler) -> None:
    """What a scheduler was made of, and what it works with."""
    assert_type(scheduler.context, Context)
    assert_type(scheduler.timezone, str)
    assert_type(scheduler.allocation_cls, type[Allocation])
    assert_type(scheduler.reservation_cls, type[Reservation])
    assert_type(scheduler.queries, Queries)
    assert_type(scheduler.resource, UUID)
    assert_type(scheduler.blocking_resources, frozenset[UUID])
    assert_type(scheduler.session, Session)
    assert_type(scheduler.generate_uuid, Callable[[Any], UUID])
    assert_type(scheduler.validate_email, Callable[[str], bool])
    assert_type(scheduler.is_allocation_exposed, Callable[[Any], bool])
    scheduler.resource = UUID(int=0)  # type: ignore[misc]


def allocating(scheduler: Scheduler) -> None:
    """Dates of any shape give masters."""
    assert_type(scheduler.allocate((START, END)), list[Allocation])
    assert_type(scheduler.allocate([(START, END)], raster=15), list[Allocation])
    assert_type(
        scheduler.allocate(((START, END) for _ in "ab"), quota=3), list[Allocation]
    )
    scheduler.allocate((START, END), raster=7)  # type: ignore[arg-type]
    scheduler.allocate((START, END), quota="3")  # type: ignore[arg-type]
    scheduler.allocate((START, END), raster_=5)  # type: ignore[call-arg]


def changing_allocations(scheduler: Scheduler, allocation: Allocation) -> None:
    """Moving and removing give nothing, or how many."""
    assert_type(scheduler.remove_unused_allocations(START, date(2030, 7, 1)), int)
    keys = scheduler.reordered_keylist([allocation], 2)
    assert_type(keys, dict[UUID, UUID | None])
    scheduler.move_allocation(allocation.id, START, END)
    scheduler.move_allocation(allocation.id, new_quota=2, data=None)
    scheduler.change_quota(allocation, 5)
    scheduler.remove_allocation(id=allocation.id)
    scheduler.change_quota(allocation.id, 5)  # type: ignore[arg-type]
    scheduler.move_allocation(allocation.id, "2030-06-03", END)  # type: ignore[arg-type]


def reserving(scheduler: Scheduler, token: UUID) -> None:
    """Reserving gives a token, approving slots, booking reservations."""
    assert_type(scheduler.reserve("a@example.org", (START, END)), UUID)
    assert_type(scheduler.reserve("a@example.org", group=token, quota=2), UUID)
    assert_type(scheduler.book("a@example.org", (START, END)), list[Reservation])
    assert_type(scheduler.approve_reservations(token), list[ReservedSlot])
    again = scheduler.book("a@example.org", (START, END), idempotency_key="k")
    assert_type(again, list[Reservation])
    scheduler.reserve("a@example.org", (START, END), idempotency_key=token)  # type: ignore[arg-type]
    scheduler.reserve(None, (START, END))  # type: ignore[arg-type]
    scheduler.reserve("a@example.org", (START, END), quota="2")  # type: ignore[arg-type]
    scheduler.reserve("a@example.org", (START, END), {}, [])  # type: ignore[arg-type]


def changing_reservations(scheduler: Scheduler, reservation: Reservation) -> None:
    """A change gives the new record, or None if there was nothing to change."""
    token, number = reservation.token, reservation.id
    changed = scheduler.change_reservation(token, number, START, END)
    assert_type(changed, Reservation | None)
    changed.email  # type: ignore[union-attr]  # noqa: B018 - it may be None
    assert_type(scheduler.approve_reservation(reservation), list[ReservedSlot])
    scheduler.deny_reservation(token)
    scheduler.remove_reservation(token, number)
    scheduler.change_email(token, "b@example.org")
    scheduler.change_reservation_data(token, {"a": 1})
    scheduler.change_reservation(token, number, START)  # type: ignore[call-arg]


def blocking(scheduler: Scheduler, token: UUID) -> None:
    """Blockers are records."""
    blockers = scheduler.add_blocker((START, END), reason="cleaning")
    assert_type(blockers, list[ReservationBlocker])
    changed = scheduler.change_blocker(token, 1, START, END)
    assert_type(changed, ReservationBlocker | None)
    scheduler.remove_blocker(token)
    scheduler.change_blocker_reason(token, None)


def asking(scheduler: Scheduler) -> None:
    """Percentages are floats, partitions pairs of float and bool."""
    assert_type(scheduler.availability(), float)
    assert_type(scheduler.availability(START, END), float)
    assert_type(
        scheduler.allocations_with_availability_by_range(START, END),
        Iterator[tuple[Allocation, float, list[tuple[float, bool]]]],
    )
    assert_type(
        scheduler.search_allocations(START, END, days=["mo"], whole_day="yes"),
        list[Allocation],
    )
    assert_type(
        scheduler.reserved_slots_by_range(START, END),
        tuple[dict[datetime, int], set[datetime]],
    )
    scheduler.search_allocations(START, END, whole_day="maybe")  # type: ignore[arg-type]
    scheduler.availability("2030-06-03", END)  # type: ignore[arg-type]


def querying_allocations(scheduler: Scheduler, token: UUID) -> None:
    """Queries know what they are about."""
    assert_type(scheduler.managed_allocations(), Query[Allocation])
    assert_type(scheduler.blocking_allocations(), Query[Allocation])
    assert_type(scheduler.visible_allocations(), Query[Allocation])
    assert_type(scheduler.allocations_by_ids([1, 2]), Query[Allocation])
    assert_type(scheduler.allocations_by_group(token), Query[Allocation])
    assert_type(scheduler.allocations_by_groups([token]), Query[Allocation])
    assert_type(scheduler.allocations_in_range(START, END), Query[Allocation])
    assert_type(scheduler.allocations_by_reservation(token), Query[Allocation])
    assert_type(scheduler.allocations_by_blocker(token), Query[Allocation])
    assert_type(scheduler.allocation_by_id(1), Allocation)
    assert_type(scheduler.allocation_by_date(START, END), Allocation)
    assert_type(scheduler.managed_allocations().first(), Allocation | None)
    assert_type(scheduler.managed_allocations().all(), list[Allocation])
    assert_type(scheduler.managed_allocations().count(), int)
    assert_type(scheduler.manual_approval_required([1]), bool)
    assert_type(scheduler.reservation_targets(START, END), list[Allocation])


def querying_dates(scheduler: Scheduler, allocation: Allocation) -> None:
    """Dates are pairs, mirrors allocations, free places a number."""
    ranges = scheduler.allocation_dates_by_ids([1], time(8), time(10))
    assert_type(ranges, Iterator[tuple[datetime, datetime]])
    assert_type(scheduler.allocation_dates_by_group(allocation.group), Sequence[Any])
    mirrors = scheduler.allocation_mirrors_by_master(allocation)
    assert_type(mirrors, list[Allocation])
    assert_type(scheduler.free_allocations_count(allocation, START, END), int)


def querying_reservations(scheduler: Scheduler, token: UUID) -> None:
    """So do those about reservations, slots and blockers."""
    assert_type(scheduler.managed_reservations(), Query[Reservation])
    assert_type(scheduler.visible_reservations(), Query[Reservation])
    assert_type(scheduler.reservations_by_token(token), Query[Reservation])
    assert_type(scheduler.reservations_by_group(token), Query[Reservation])
    assert_type(scheduler.reservations_by_allocation(1), Query[Reservation])
    assert_type(scheduler.change_reservation_time_candidates(), Query[Reservation])
    assert_type(scheduler.managed_reserved_slots(), Query[ReservedSlot])
    assert_type(scheduler.reserved_slots_by_type(token), Query[ReservedSlot])
    assert_type(scheduler.reserved_slots_by_reservation(token, 1), Query[ReservedSlot])
    assert_type(scheduler.reserved_slots_by_blocker(token), Query[ReservedSlot])
    assert_type(scheduler.managed_blockers(), Query[ReservationBlocker])
    assert_type(scheduler.visible_blockers(), Query[ReservationBlocker])
    assert_type(scheduler.blockers_by_token(token), Query[ReservationBlocker])


def count() -> int:
    """What is run in a transaction."""
    return 1


def transactions(scheduler: Scheduler) -> None:
    """A transaction returns what its function does."""
    assert_type(scheduler.transaction(count), int)


def queries(queries: Queries, session_id: UUID, resource: UUID) -> None:
    """Queries need no resource, or take it."""
    assert_type(queries.all_allocations_in_range(START, END), Query[Allocation])
    assert_type(queries.availability_by_range(START, END, [resource]), float)
    assert_type(
        queries.availability_by_day(START, END, [resource]),
        dict[date, tuple[float, set[UUID]]],
    )
    assert_type(
        queries.allocations_with_availability_by_range(START, END, resource, set()),
        Iterator[tuple[Allocation, float, list[tuple[float, bool]]]],
    )
    assert_type(queries.reservations_by_session(session_id), Query[Reservation])
    assert_type(queries.find_expired_reservation_sessions(None), list[UUID])
    assert_type(queries.remove_expired_reservation_sessions(), list[UUID])
    assert_type(queries.remove_expired_idempotency_keys(), int)
    assert_type(Queries.availability_by_allocations([]), float)
    queries.availability_by_range(START, END, resource)  # type: ignore[arg-type]
