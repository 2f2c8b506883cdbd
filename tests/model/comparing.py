"""Are the tables and the answers of the library those of the model?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from libres.db.models import (
    Allocation,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
)
from tests.model import answers, reserving
from tests.model.calendar import DAY, HOUR, Asked

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from tests.model.house import House
    from tests.model.world import Slot, World

WEEKEND = Asked(DAY, 7 * DAY)
"""More than all there is."""

WANTED = (
    answers.Search(DAY, 8 * DAY - HOUR, available_only=True),
    answers.Search(DAY, 8 * DAY - HOUR, minspots=2),
)
"""What somebody may look for at any time of day."""

Row = tuple[Any, ...]


def same_tables(house: House, world: World) -> None:
    """Compare all rows of all tables."""
    house.session.flush()
    assert _allocation_rows(house) == _expected_allocations(world)
    assert _slot_rows(house) == {_slot_row(world, each) for each in world.slots}
    assert _reservation_rows(house) == _expected_reservations(world)
    assert _blocker_rows(house) == _expected_blockers(world)


def _rows(session: Session, *columns: Any) -> list[Any]:
    return list(session.execute(select(*columns)))


def _pairs(data: Any) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((data or {}).items()))


# Allocations and slots --------------------------------------------------------------


def _allocation_rows(house: House) -> dict[tuple[str, int, int], Row]:
    """The terms of masters and the times of all places, by room, place and start."""
    rows = _rows(house.session, *_ALLOCATION)
    places, minute = house.places(), house.season.minute
    found = {}
    for row in rows:
        room, place = places[row.resource]
        assert places[row.mirror_of] == (room, 0)
        group = house.texts.name.get(row.group, row.group)
        common = minute(row.end), group, row.raster, row.partly_available
        key = house.allocations.name[row.id] if place == 0 else None
        terms = (key, row.quota, row.quota_limit, row.approve_manually)
        own = terms if place == 0 else ()
        found[room, place, minute(row.start)] = (*common, _pairs(row.data), *own)
    return found


_ALLOCATION = (
    Allocation.id,
    Allocation.resource,
    Allocation.mirror_of,
    Allocation.group,
    Allocation._start.label("start"),
    Allocation._end.label("end"),
    Allocation._raster.label("raster"),
    Allocation.partly_available,
    Allocation.quota,
    Allocation.quota_limit,
    Allocation.approve_manually,
    Allocation.data,
)


def _expected_allocations(world: World) -> dict[tuple[str, int, int], Row]:
    found: dict[tuple[str, int, int], Row] = {}
    for each in world.allocations.values():
        common = each.end, each.group, each.raster, each.partly, each.data
        terms = each.key, each.quota, each.limit, each.manual
        found[each.room, 0, each.start] = (*common, *terms)
        for place in each.mirrors:
            found[each.room, place, each.start] = common
    return found


def _slot_rows(house: House) -> set[Row]:
    """Where each slot is, by its resource and by its allocation, and whose it is."""
    places, minute = house.places(), house.season.minute
    query = select(ReservedSlot, Allocation.resource, Allocation._start).join(
        Allocation, Allocation.id == ReservedSlot.allocation_id
    )
    names = {"reservation": house.reservations, "blocker": house.blockers}
    found = set()
    for slot, resource, start in house.session.execute(query):
        assert slot.resource == resource, "a slot is on the place of its allocation"
        owner = slot.source_type, names[slot.source_type].name[slot.source_id]
        token = house.texts.name[slot.reservation_token]
        times = minute(slot.start), minute(slot.end)
        found.add((*places[resource], minute(start), *times, owner, token))
    return found


def _slot_row(world: World, slot: Slot) -> Row:
    allocation = world.allocations[slot.allocation]
    records: dict[str, Any] = {
        "reservation": world.reservations,
        "blocker": world.blockers,
    }
    kind, key = slot.owner
    token = records[kind][key].token
    place = allocation.room, slot.place, allocation.start
    return (*place, slot.start, slot.end, slot.owner, token)


# Reservations and blockers ----------------------------------------------------------


def _reservation_rows(house: House) -> dict[int, Row]:
    rows = _rows(house.session, *_RESERVATION)
    texts = house.texts.name
    return {
        house.reservations.name[row.id]: (
            *_target(house, row),
            row.status,
            row.email,
            _pairs(row.data),
            row.quota,
            row.session_id and texts[row.session_id],
        )
        for row in rows
    }


def _target(house: House, row: Any) -> Row:
    """Room, token, group and times of a row."""
    room, _ = house.places()[row.resource]
    texts = house.texts.name
    return (
        room,
        texts[row.token],
        texts[row.target],
        row.target_type,
        *_times(house, row),
    )


def _times(house: House, row: Any) -> tuple[int | None, int | None]:
    def minute(moment: datetime | None) -> int | None:
        return None if moment is None else house.season.minute(moment)

    return minute(row.start), minute(row.end)


_RESERVATION = (
    Reservation.id,
    Reservation.resource,
    Reservation.token,
    Reservation.target,
    Reservation.target_type,
    Reservation.start,
    Reservation.end,
    Reservation.status,
    Reservation.email,
    Reservation.data,
    Reservation.quota,
    Reservation.session_id,
)


def _expected_reservations(world: World) -> dict[int, Row]:
    return {
        each.key: (
            *_expected_target(each),
            each.status,
            each.email,
            each.data,
            each.quota,
            each.session,
        )
        for each in world.reservations.values()
    }


def _expected_target(each: Any) -> Row:
    kind = "allocation" if each.times else "group"
    start, end = each.times[:2] if each.times else (None, None)
    return each.room, each.token, each.target, kind, start, end


def _blocker_rows(house: House) -> dict[int, Row]:
    rows = _rows(house.session, *_BLOCKER)
    names = house.blockers.name
    return {names[row.id]: (*_target(house, row), row.reason) for row in rows}


_BLOCKER = (
    ReservationBlocker.id,
    ReservationBlocker.resource,
    ReservationBlocker.token,
    ReservationBlocker.target,
    ReservationBlocker.target_type,
    ReservationBlocker.start,
    ReservationBlocker.end,
    ReservationBlocker.reason,
)


def _expected_blockers(world: World) -> dict[int, Row]:
    return {
        each.key: (*_expected_target(each), each.reason)
        for each in world.blockers.values()
    }


# Answers ----------------------------------------------------------------------------


def same_answers(house: House, world: World) -> None:
    """Compare what both say of all there is."""
    for room in house.rooms:
        same_figures(house, world, room, WEEKEND)
        same_shown(house, world, room, WEEKEND, normalize=True)
        same_reservations(house, world, room)
        for wanted in WANTED:
            same_found(house, world, room, wanted)
    same_days(house, world, WEEKEND)
    expired = house.queries.find_expired_reservation_sessions(None)

    assert {house.texts.name[each] for each in expired} == reserving.expired(world)


def same_figures(house: House, world: World, room: str, asked: Asked) -> None:
    """Compare the availability of a range, and what is taken by five minutes."""
    scheduler, season = house.rooms[room], house.season
    dates = season.dates(asked)
    assert scheduler.availability(*dates) == _about(
        answers.availability(world, room, asked)
    )
    reserved, blocked = scheduler.reserved_slots_by_range(*dates)
    counted = {season.minute(start): number for start, number in reserved.items()}
    found = counted, {season.minute(start) for start in blocked}
    assert found == answers.taken_by_cell(world, room, asked)


def same_shown(
    house: House, world: World, room: str, asked: Asked, *, normalize: bool
) -> None:
    """Compare the allocations of a range, their availability and their partitions."""
    shown = house.rooms[room].allocations_with_availability_by_range(
        *house.season.dates(asked), normalize_dst=normalize
    )
    found = [
        (house.allocations.name[each.id], _about(availability), _rounded(parts))
        for each, availability, parts in shown
    ]
    expected = answers.shown(world, room, asked, normalize=normalize)
    assert found == [(key, left, _rounded(parts)) for key, left, parts in expected]


def _about(number: float) -> Any:
    return pytest.approx(number, abs=1e-6)


def _rounded(partitions: answers.Partitions) -> answers.Partitions:
    return [(round(percent, 6), is_taken) for percent, is_taken in partitions]


def same_found(house: House, world: World, room: str, wanted: answers.Search) -> None:
    """Compare what a search finds, and which of it are extras."""
    options = asdict(wanted)
    dates = [house.season.naive(options.pop(name)) for name in ("start", "end")]
    found = house.rooms[room].search_allocations(*dates, **options)
    known = house.allocations.name
    assert [
        (known[each.id], hasattr(each, "is_extra_result")) for each in found
    ] == answers.search(world, room, wanted)


def same_allocation(house: House, world: World, key: int) -> None:
    """Compare what a master says of itself."""
    known = world.allocations[key]
    scheduler = house.rooms[known.room]
    allocation = scheduler.allocation_by_id(house.allocations.real[key])
    assert allocation.quota == known.quota
    assert allocation.quota_left == len(world.free(known, known.own))
    assert allocation.in_group == world.in_group(known)
    assert allocation.waitinglist_length == len(world.pending_on(known.group))
    left, parts = answers.normalized(world, known)
    assert allocation.normalized_availability == _about(left)
    assert _rounded(allocation.availability_partitions()) == _rounded(parts)
    left = answers.record_availability(world, known, 0)
    assert allocation.availability == _about(left)


def same_reservations(house: House, world: World, room: str) -> None:
    """Compare what is found by token, as objects of the session."""
    tokens = {each.token for each in world.reservations.values() if each.room == room}
    for token in tokens:
        query = house.rooms[room].reservations_by_token(house.uuid(token))
        found = {
            house.reservations.name[each.id]: (
                *_target(house, each),
                each.status,
                each.quota,
                each.email,
                each.session_id and house.texts.name[each.session_id],
            )
            for each in query
        }
        assert found == {
            each.key: (
                *_expected_target(each),
                each.status,
                each.quota,
                each.email,
                each.session,
            )
            for each in world.of_token(room, token)
        }


def same_days(house: House, world: World, asked: Asked) -> None:
    """Compare the availability of all rooms by day."""
    resources = {each.resource: name for name, each in house.rooms.items()}
    found = house.queries.availability_by_day(*house.season.dates(asked), [*resources])
    epoch = house.season.epoch.date()
    assert {
        (day - epoch).days: (_about(left), {resources[each] for each in owners})
        for day, (left, owners) in found.items()
    } == answers.by_day(world, [*house.rooms], asked)
