"""Books the rows of a schedule: all that is free, or nothing at all after an error.

One transaction around the whole file: what another user does at the same time makes
it start again from the beginning, and what fails leaves no room half loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, TypeAlias

import click

from libres.cli.schedule.days import (
    RASTER,
    TICK,
    Day,
    Span,
    days_by_room,
    plan,
    span_of,
)
from libres.db.models import Allocation, Reservation
from libres.db.scheduler import Scheduler
from libres.modules.errors import LibresError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from libres.cli.schedule.reading import Row
    from libres.context.core import Context

SPEAKER = "speaker@example.org"

Progress: TypeAlias = Callable[[int], None]
"""Is told how many rows are done; fewer than before, if the work is repeated."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was not booked, why, and whether this very row is there already."""

    row: Row
    error: LibresError
    loaded_before: bool


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a schedule."""

    booked: tuple[Row, ...]
    refused: tuple[Refusal, ...]
    days: Mapping[str, tuple[Day, ...]]


class OtherZoneError(click.ClickException):
    """This room was loaded before with another --timezone, which it keeps:"""

    def __init__(self, room: str, timezone: str | None) -> None:
        super().__init__(f"{self.__doc__} {room} is in {timezone}.")


@dataclass(frozen=True, slots=True)
class Room:
    """A room while it is being booked, and what it held before, by span and title."""

    scheduler: Scheduler
    days: tuple[Day, ...]
    held: frozenset[tuple[Span, str]]


def book_schedule(
    context: Context, zone: ZoneInfo, rows: Sequence[Row], progress: Progress
) -> Loaded:
    """Allocate the days of every room and book the rows, in one transaction.

    Raises OtherZoneError if a room has been loaded before in another zone.
    """
    return context.transaction(lambda: _book(context, zone, rows, progress))


def scheduler_of(context: Context, room: str, zone: ZoneInfo) -> Scheduler:
    """Return the scheduler of a room."""
    return Scheduler(context, room, str(zone))


def _book(
    context: Context, zone: ZoneInfo, rows: Sequence[Row], progress: Progress
) -> Loaded:
    days = days_by_room(rows, zone)
    rooms = {name: _room(context, name, zone, days[name]) for name in days}
    for name, room in rooms.items():
        _allocate(name, room)
    refused = {refusal.row: refusal for refusal in _refusals(rooms, rows, progress)}
    booked = tuple(row for row in rows if row not in refused)
    return Loaded(booked, tuple(refused.values()), days)


def _room(context: Context, name: str, zone: ZoneInfo, days: tuple[Day, ...]) -> Room:
    scheduler = scheduler_of(context, name, zone)
    reserved = scheduler.managed_reservations().with_entities(
        Reservation.start, Reservation.end, Reservation.data
    )
    held = (
        (Span(start, end + TICK), data["title"])
        for start, end, data in reserved
        if start and end and data
    )
    return Room(scheduler, days, frozenset(held))


def _allocate(name: str, room: Room) -> None:
    """Allocate the days, and let those grow that have been allocated before."""
    existing = _existing(room)
    for allocation in existing:
        if allocation.timezone != room.scheduler.timezone:
            raise OtherZoneError(name, allocation.timezone)
    todo = plan(room.days, {each.id: _span(each) for each in existing})
    for key, span in todo.grown.items():
        room.scheduler.move_allocation(key, span.start, span.end)
    room.scheduler.allocate(
        [(span.start, span.end) for span in todo.new],
        partly_available=True,
        raster=RASTER,
        skip_overlapping=True,
    )


def _existing(room: Room) -> list[Allocation]:
    start, end = room.days[0].span.start, room.days[-1].span.end
    return room.scheduler.allocations_in_range(start, end).all()


def _span(allocation: Allocation) -> Span:
    return Span(
        allocation.display_start().astimezone(UTC),
        allocation.display_end().astimezone(UTC),
    )


def _refusals(
    rooms: Mapping[str, Room], rows: Sequence[Row], progress: Progress
) -> Iterator[Refusal]:
    for done, row in enumerate(rows, start=1):
        room = rooms[row.room]
        dates = (row.start, row.end)
        try:
            room.scheduler.book(SPEAKER, dates, data=dict(row.data))
        except LibresError as error:
            yield Refusal(row, error, (span_of(row), row.title) in room.held)
        progress(done)
