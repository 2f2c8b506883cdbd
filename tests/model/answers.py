"""What the model answers: how much is left, where, and what a search finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from tests.domain import grid
from tests.model.calendar import CELL, DAY, ZONE, Asked, Season, rasterized
from tests.model.world import Allocation, Slot, World

Cell: TypeAlias = tuple[int, bool]
"""Of five minutes: how many places are left, and whether it is blocked."""

Partitions: TypeAlias = list[tuple[float, bool]]


# One record -------------------------------------------------------------------------


def record_availability(world: World, allocation: Allocation, place: int) -> float:
    """Percent of one place that is left; what is blocked shrinks the whole."""
    slots = [each for each in world.slots_of(allocation) if each.place == place]
    blocked = _length(each for each in slots if each.blocked)
    reserved = _length(each for each in slots if not each.blocked)
    total = len(allocation.cells) - blocked
    return 100 - 100 * reserved / total if total else 0.0


def _length(slots: Iterable[Slot]) -> int:
    return sum(len(each.cells) for each in slots)


def availability_of(world: World, allocations: Sequence[Allocation]) -> float:
    """Percent of all places together."""
    places = [(each, place) for each in allocations for place in each.places]
    if not places:
        return 0.0
    return sum(record_availability(world, *each) for each in places) / len(places)


# What is left, cell by cell ---------------------------------------------------------


def master_cells(world: World, allocation: Allocation) -> list[Cell]:
    """What is left of the master alone."""
    slots = [each for each in world.slots_of(allocation) if each.place == 0]
    return _cells(allocation, slots, quota=1)


def shared_cells(world: World, allocation: Allocation) -> list[Cell]:
    """What is left of all its places, if what blocks it counts as taken here."""
    visible = {each.key for each in world.masters(*world.visible(allocation.room))}
    slots = [each for each in world.slots if each.allocation in visible]
    return _cells(allocation, slots, allocation.quota)


def _cells(allocation: Allocation, slots: Iterable[Slot], quota: int) -> list[Cell]:
    """A step of the raster is as full as the fullest cell of it; so is the whole of
    what is not partly available."""
    taken = dict.fromkeys(sorted(allocation.cells), 0)
    blocked = set()
    for slot in slots:
        for cell in slot.cells & allocation.cells:
            taken[cell] += not slot.blocked
            if slot.blocked:
                blocked.add(cell)
    size = allocation.raster if allocation.partly else len(taken) * CELL
    found: list[Cell] = []
    for start in range(allocation.start, allocation.end, size):
        step = range(start, start + size, CELL)
        is_blocked = not blocked.isdisjoint(step)
        left = 0 if is_blocked else max(0, quota - max(taken[each] for each in step))
        found += [(left, is_blocked)] * len(step)
    return found


@dataclass(frozen=True)
class _Span:
    """As the grid wants it."""

    start: object
    end: object


def on_the_wall(
    season: Season, allocation: Allocation, found: list[Cell]
) -> list[Cell]:
    """The same cells as the clocks show them."""
    is_changed = season.wall(allocation.end) - season.wall(allocation.start)
    if not allocation.partly or is_changed == allocation.end - allocation.start:
        return found
    span = _Span(season.moment(allocation.start), season.moment(allocation.end))
    shown: list[Cell] = grid.on_the_wall(span, found, ZONE)
    return shown


def normalized(world: World, allocation: Allocation) -> tuple[float, Partitions]:
    """Availability and partitions of the master, on the wall."""
    shown = on_the_wall(world.season, allocation, master_cells(world, allocation))
    return grid.availability(shown, 1), partitions(shown)


def partitions(found: list[Cell]) -> Partitions:
    """Blocks of percent, and whether no place is left."""
    runs = groupby(left == 0 for left, _ in found)
    return [(100 * len(list(run)) / len(found), is_full) for is_full, run in runs]


# Ranges -----------------------------------------------------------------------------


def in_range(world: World, room: str, asked: Asked | None) -> list[Allocation]:
    """The masters that touch a range; None: all of them."""
    masters = world.masters(room)
    return [each for each in masters if asked is None or each.touches(asked)]


def availability(world: World, room: str, asked: Asked | None) -> float:
    """What ``Scheduler.availability`` says."""
    found = in_range(world, room, asked)
    if not world.blocking[room]:
        return availability_of(world, found)
    total = sum(each.quota for each in found)
    percents = (_shared_availability(world, each) * each.quota for each in found)
    return sum(percents) / total if total else 0.0


def _shared_availability(world: World, allocation: Allocation) -> float:
    found: float = grid.availability(shared_cells(world, allocation), allocation.quota)
    return found


def shown(
    world: World, room: str, asked: Asked, *, normalize: bool
) -> list[tuple[int, float, Partitions]]:
    """What ``allocations_with_availability_by_range`` yields."""
    tell = _shown_under_blocking if world.blocking[room] else _shown_alone
    return [
        (each.key, *tell(world, each, normalize=normalize))
        for each in in_range(world, room, asked)
    ]


def _shown_alone(
    world: World, each: Allocation, *, normalize: bool
) -> tuple[float, Partitions]:
    found = master_cells(world, each)
    cells = on_the_wall(world.season, each, found) if normalize else found
    if each.partly and not each.mirrors:
        return grid.availability(cells, 1), partitions(cells)
    return availability_of(world, [each]), partitions(cells)


def _shown_under_blocking(
    world: World, each: Allocation, *, normalize: bool
) -> tuple[float, Partitions]:
    found = shared_cells(world, each)
    cells = on_the_wall(world.season, each, found) if normalize else found
    return grid.availability(cells, each.quota), partitions(cells)


def by_day(
    world: World, rooms: Sequence[str], asked: Asked
) -> dict[int, tuple[float, set[str]]]:
    """What ``availability_by_day`` says; days are numbers, of UTC."""
    days: dict[int, list[Allocation]] = {}
    for each in world.masters(*rooms):
        if each.touches(asked):
            days.setdefault(each.start // DAY, []).append(each)
    return {
        day: (availability_of(world, some), {each.room for each in some})
        for day, some in days.items()
    }


def taken_by_cell(
    world: World, room: str, asked: Asked
) -> tuple[dict[int, int], set[int]]:
    """What ``reserved_slots_by_range`` says."""
    start, end, _ = rasterized(asked, CELL)
    visible = {each.key for each in world.masters(*world.visible(room))}
    reserved: dict[int, int] = {}
    blocked: set[int] = set()
    for slot in (each for each in world.slots if each.allocation in visible):
        for cell in slot.cells & frozenset(range(start, end, CELL)):
            if slot.blocked:
                blocked.add(cell)
            else:
                reserved[cell] = reserved.get(cell, 0) + 1
    return reserved, blocked


def find_spot(world: World, allocation: Allocation, asked: Asked) -> int | None:
    """The first place that is free in a range."""
    return next(iter(world.free(allocation, asked)), None)


# Searching --------------------------------------------------------------------------


@dataclass(frozen=True)
class Search:
    """What ``search_allocations`` takes; the range in what clocks show."""

    start: int
    end: int
    days: frozenset[int] = frozenset()
    minspots: int = 0
    available_only: bool = False
    whole_day: str = "any"
    groups: str = "any"
    strict: bool = False


def search(world: World, room: str, wanted: Search) -> list[tuple[int, bool]]:
    """The allocations that are found, by start, and whether they are extras."""
    season = world.season
    asked = Asked(season.read(wanted.start), season.read(wanted.end))
    found = [
        each.key
        for each in in_range(world, room, asked)
        if _fits(world, each, wanted) and _has_enough(world, each, wanted)
    ]
    groups = {
        world.allocations[key].group
        for key in found
        if world.in_group(world.allocations[key])
    }
    if wanted.strict or wanted.groups == "no":
        groups = set()
    return [
        (each.key, each.key not in found)
        for each in world.masters(room)
        if each.key in found or each.group in groups
    ]


def _fits(world: World, each: Allocation, wanted: Search) -> bool:
    """Do its times, its quota limit and its group fit?"""
    season = world.season
    is_whole = season.is_whole_day(each.start, each.end)
    return (
        _overlaps_window(each, _window(season, each, wanted))
        and (not wanted.days or season.weekday(each.start) in wanted.days)
        and not 0 < each.limit < wanted.minspots
        and (wanted.whole_day == "any" or is_whole == (wanted.whole_day == "yes"))
        and (wanted.groups == "any" or world.in_group(each) == (wanted.groups == "yes"))
    )


def _window(season: Season, each: Allocation, wanted: Search) -> Asked:
    """The times of day of the search, on its first and its last local day."""
    last = season.day(each.end - 1)
    start = season.day(each.start) * DAY + wanted.start % DAY
    return Asked(season.read(start), season.read(last * DAY + wanted.end % DAY))


def _overlaps_window(each: Allocation, window: Asked) -> bool:
    """Does one begin within the other? The window may end before it begins."""
    start, end, _ = rasterized(window, each.raster)
    return start <= each.start < end or each.start <= start < each.end


def _has_enough(world: World, each: Allocation, wanted: Search) -> bool:
    window = _forward(_window(world.season, each, wanted))
    left = availability(world, each.room, each.own)
    return not (
        (wanted.available_only and not _is_available(world, each, window))
        or (wanted.minspots and wanted.minspots * 100 > left * each.quota + 1e-6)
    )


def _forward(window: Asked) -> Asked:
    """A window that ends before it begins is the moment of its beginning."""
    return Asked(window.start, max(window.end, window.start + 1))


def _is_available(world: World, each: Allocation, window: Asked) -> bool:
    """Is a place free in the window, and one of everything that blocks it there?"""
    wanted = each.wanted(window)
    reach = Asked(min(wanted), max(wanted) + CELL)
    others = world.touched(reach, *world.blocking[each.room])
    return all(world.free(one, reach) for one in [each, *others])
