"""What becomes of the world if somebody allocates, moves or removes allocations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from sqlalchemy.exc import NoResultFound

from libres.modules.errors import (
    AffectedPendingReservationError,
    AffectedReservationError,
    InvalidAllocationError,
    Misuse,
    OverlappingAllocationError,
)
from tests.model.calendar import Asked, rasterized
from tests.model.world import Allocation, Refused, World

RASTERS = (5, 10, 15, 30, 60)


@dataclass(frozen=True)
class Terms:
    """The options of ``allocate``."""

    partly: bool = False
    raster: int = 5
    whole_day: bool = False
    quota: int | None = None
    limit: int = 0
    grouped: bool = False
    manual: bool = False
    skip: bool = False
    data: tuple[tuple[str, int], ...] = ()


def allocate(
    world: World, room: str, dates: Sequence[Asked], terms: Terms
) -> list[int]:
    """Allocate ranges; return the names."""
    if terms.grouped and (terms.partly or terms.skip):
        raise Refused(InvalidAllocationError)
    spans = _spans(world, dates, terms)
    if any(span.end <= span.start for span in spans):
        raise Refused(InvalidAllocationError)
    if any(_overlap(one, other) for one, other in combinations(spans, 2)):
        raise Refused(InvalidAllocationError)
    taken = [bool(_in_the_way(world, room, span)) for span in spans]
    if any(taken) and not terms.skip:
        raise Refused(OverlappingAllocationError)
    common = world.names.text("group")
    made = [
        _allocation(world, room, span, terms, common)
        for span, is_taken in zip(spans, taken, strict=True)
        if not is_taken
    ]
    for each in made:
        world.put(each)
    return [each.key for each in made]


def _spans(world: World, dates: Sequence[Asked], terms: Terms) -> list[Asked]:
    if terms.raster not in RASTERS:
        raise Refused(Misuse)
    if terms.whole_day:
        dates = [_whole_days(world, each) for each in dates]
    return [rasterized(each, terms.raster) for each in dates]


def _whole_days(world: World, asked: Asked) -> Asked:
    if asked.end - asked.short < asked.start:
        raise Refused(ValueError)
    return world.season.whole_days(asked)


def _overlap(one: Asked, other: Asked) -> bool:
    return one.start < other.end and other.start < one.end


def _in_the_way(world: World, room: str, span: Asked) -> list[Allocation]:
    return [
        each
        for each in world.masters(room)
        if _overlap(Asked(each.start, each.end), span)
    ]


def _allocation(
    world: World, room: str, span: Asked, terms: Terms, common: str
) -> Allocation:
    return Allocation(
        key=world.names.number(),
        room=room,
        group=common if terms.grouped else world.names.text("group"),
        start=span.start,
        end=span.end,
        raster=terms.raster,
        partly=terms.partly,
        quota=terms.quota or 1,
        limit=terms.limit,
        manual=terms.manual,
        data=terms.data,
    )


def owned(world: World, room: str, key: int) -> Allocation:
    """The allocation of a room with this name."""
    found = world.allocations.get(key)
    if found is None or found.room != room:
        raise Refused(NoResultFound)
    return found


@dataclass(frozen=True)
class Move:
    """The options of ``move_allocation``; None leaves a thing alone."""

    start: int | None = None
    end: int | None = None
    group: str | None = None
    quota: int | None = None
    manual: bool | None = None
    limit: int | None = None
    whole_day: bool = False
    data: tuple[tuple[str, int], ...] | None = None


def move(world: World, room: str, key: int, wanted: Move) -> None:
    """Move an allocation, or change its terms and those of its group."""
    times = wanted.start is not None and wanted.end is not None
    if not (times or wanted.group or wanted.quota):
        raise Refused(Misuse)
    moving = owned(world, room, key)
    span = _new_span(world, moving, wanted)
    if any(each.key != key for each in _in_the_way(world, room, span)):
        raise Refused(OverlappingAllocationError)
    if (span.start, span.end) != (moving.start, moving.end):
        _check_affected(world, moving, span)
    group = wanted.group or moving.group
    keys = {key, *(each.key for each in world.members(room, group))}
    for each in sorted(keys):
        _change_terms(world, world.allocations[each], wanted)
    moved = world.allocations[key]
    data = moved.data if wanted.data is None else wanted.data
    world.put(moved, start=span.start, end=span.end, group=group, data=data)
    if group != moved.group:
        _follow(world, world.allocations[key], moved.group)


def _follow(world: World, moved: Allocation, left: str) -> None:
    """What is about it is now about its new group.

    So is what is about the group that it has left, if nobody else is in that.
    """
    is_empty = not world.members(moved.room, left)
    for each in [*world.reservations.values(), *world.blockers.values()]:
        is_about = each.times and _overlap(each.times, moved.own)
        if (each.room, each.target) != (moved.room, left):
            continue
        if is_empty or is_about:
            world.retarget(each, moved.group)


def _new_span(world: World, moving: Allocation, wanted: Move) -> Asked:
    given = Asked(
        moving.start if wanted.start is None else wanted.start,
        moving.end if wanted.end is None else wanted.end,
        short=wanted.end is None,
    )
    if wanted.whole_day:
        given = _whole_days(world, given)
    span = rasterized(given, moving.raster)
    if given.end < given.start or span.end <= span.start:
        raise Refused(InvalidAllocationError)
    return span


def _check_affected(world: World, moving: Allocation, span: Asked) -> None:
    """Nobody may lose a place, nor what he waits for."""
    slots = world.slots_of(moving)
    waiting = world.pending_on(moving.group)
    if moving.partly:
        slots = [each for each in slots if not _within(each.start, each.end, span)]
        waiting = [
            each
            for each in waiting
            if not (each.times and _within(each.times.start, each.times.end, span))
        ]
    if slots:
        raise Refused(AffectedReservationError)
    if waiting:
        raise Refused(AffectedPendingReservationError)


def _within(start: int, end: int, span: Asked) -> bool:
    return span.start <= start and end <= span.end


def _change_terms(world: World, member: Allocation, wanted: Move) -> None:
    manual = member.manual if wanted.manual is None else wanted.manual
    limit = member.limit if wanted.limit is None else wanted.limit
    world.put(member, manual=manual, limit=limit)
    if wanted.quota:
        change_quota(world, member.room, member.key, wanted.quota)


def change_quota(world: World, room: str, key: int, quota: int) -> None:
    """Set the number of places; the occupied ones move together if it is lowered."""
    allocation = owned(world, room, key)
    if quota < 1:
        raise Refused(Misuse)
    if quota < allocation.quota:
        occupied = sorted({each.place for each in world.slots_of(allocation)})
        if len(occupied) > quota:
            raise Refused(AffectedReservationError)
        _close_gaps(world, allocation, occupied)
    world.put(world.allocations[key], quota=quota)
    _block_more(world, world.allocations[key], range(allocation.quota, quota))


def _block_more(world: World, allocation: Allocation, added: Iterable[int]) -> None:
    """Whatever is blocked is blocked on the places that are added as well."""
    blocked = [each for each in world.slots_of(allocation) if each.blocked]
    world.slots |= {replace(each, place=place) for each in blocked for place in added}
    if blocked:
        world.put(allocation, mirrors=allocation.mirrors | frozenset(added))


def _close_gaps(world: World, allocation: Allocation, occupied: list[int]) -> None:
    slots = world.slots_of(allocation)
    moved = {replace(each, place=occupied.index(each.place)) for each in slots}
    world.slots = (world.slots - frozenset(slots)) | moved
    world.put(allocation, mirrors=frozenset(range(1, len(occupied))))


def remove(world: World, room: str, key: int | None, groups: Iterable[str]) -> None:
    """Remove an allocation, or all of some groups."""
    if key is None and not groups:
        raise Refused(NotImplementedError)
    chosen = [each for each in world.masters(room) if each.group in groups]
    if key is not None:
        chosen = [owned(world, room, key)]
    if any(world.slots_of(each) for each in chosen):
        raise Refused(AffectedReservationError)
    if any(world.pending_on(each.group) for each in chosen):
        raise Refused(AffectedPendingReservationError)
    for each in chosen:
        del world.allocations[each.key]


def remove_unused(
    world: World,
    room: str,
    asked: Asked,
    days: frozenset[int] = frozenset(),
    *,
    exclude_groups: bool = False,
) -> int:
    """Remove what nobody reserved or blocked; count the records."""
    chosen = [
        each
        for each in world.masters(room)
        if _is_unused(world, each, asked)
        and not ((days or exclude_groups) and _has_company(world, each))
        and (not days or world.season.weekday(each.start) in days)
    ]
    for each in chosen:
        del world.allocations[each.key]
    return sum(1 + len(each.mirrors) for each in chosen)


def _has_company(world: World, allocation: Allocation) -> bool:
    """Is it not the only record of its group?"""
    return bool(allocation.mirrors) or world.in_group(allocation)


def _is_unused(world: World, allocation: Allocation, asked: Asked) -> bool:
    members = world.members(allocation.room, allocation.group)
    records = [*world.reservations.values(), *world.blockers.values()]
    return (
        not world.slots_of(allocation)
        and not any(each.target == allocation.group for each in records)
        and all(_within(each.start, each.end, asked) for each in members)
    )


def extinguish(world: World, room: str) -> None:
    """Remove everything of a room."""
    keys = {each.key for each in world.masters(room)}
    world.slots = frozenset(each for each in world.slots if each.allocation not in keys)
    for kind in (world.allocations, world.reservations, world.blockers):
        for key in [key for key, each in kind.items() if each.room == room]:  # type: ignore[attr-defined] # all have one
            del kind[key]  # type: ignore[attr-defined] # a dict, whichever
