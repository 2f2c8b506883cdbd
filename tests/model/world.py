"""What there is in the model, and which places are free.

Everything is known by a short name of its own: allocations, reservations and blockers
by a number, groups, tokens and sessions by a text. Records never change: they are
replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from tests.model.calendar import Asked, Season, cells, rasterized


class Refused(Exception):
    """Whatever was asked for is refused, and nothing has changed.

    Says by an error of which class. Several classes: it depends on the order in which
    the rooms are looked at, which nobody promised.
    """

    def __init__(self, *classes: type[Exception]) -> None:
        super().__init__(*classes)
        self.classes = set(classes)


@dataclass(frozen=True)
class Allocation:
    """A master; *mirrors* are the numbers of those that are records."""

    key: int
    room: str
    group: str
    start: int
    end: int
    raster: int
    partly: bool
    quota: int
    limit: int
    manual: bool
    data: tuple[tuple[str, int], ...] = ()
    mirrors: frozenset[int] = frozenset()

    def overlaps(self, asked: Asked) -> bool:
        """Does a range, on the raster, have a minute in common with it?"""
        start, end, _ = rasterized(asked, self.raster)
        return self.start < end and start < self.end

    def contains(self, asked: Asked) -> bool:
        """Does a range, on the raster, lie within?"""
        start, end, _ = rasterized(asked, self.raster)
        return self.start <= start and end <= self.end

    def touches(self, asked: Asked) -> bool:
        """Does it have a moment in common with a range, the last one included?"""
        last_start = asked.end - asked.short
        return self.start <= asked.start < self.end or (
            asked.start <= self.start <= last_start
        )

    def wanted(self, asked: Asked) -> frozenset[int]:
        """The cells that a range occupies of a place: all, unless partly available."""
        if not self.partly:
            return self.cells
        start, end, _ = rasterized(asked, self.raster)
        return self.cells & cells(start, end)

    @property
    def cells(self) -> frozenset[int]:
        """All of its cells."""
        return cells(self.start, self.end)

    @property
    def own(self) -> Asked:
        """Its own times, as stored."""
        return Asked(self.start, self.end, short=True)

    @property
    def places(self) -> range:
        """The numbers of its places; the master is 0."""
        return range(self.quota)


@dataclass(frozen=True)
class Reservation:
    """What somebody wants; without times if it is about a group."""

    key: int
    room: str
    token: str
    target: str
    times: Asked | None
    status: str
    email: str
    data: tuple[tuple[str, int], ...]
    quota: int
    session: str | None
    created: int
    modified: int

    @property
    def owner(self) -> tuple[str, int]:
        """What its slots say."""
        return "reservation", self.key


@dataclass(frozen=True)
class Blocker:
    """What is out of service; without times if it is about a group."""

    key: int
    room: str
    token: str
    target: str
    times: Asked | None
    reason: str | None

    @property
    def owner(self) -> tuple[str, int]:
        """What its slots say."""
        return "blocker", self.key


@dataclass(frozen=True)
class Slot:
    """One taken step of a place, or all of it."""

    allocation: int
    place: int
    start: int
    end: int
    owner: tuple[str, int]

    @property
    def blocked(self) -> bool:
        """Does it belong to a blocker?"""
        return self.owner[0] == "blocker"

    @property
    def cells(self) -> frozenset[int]:
        """What it takes."""
        return cells(self.start, self.end)


@dataclass
class Names:
    """Gives names that were never given before, also not before a rollback."""

    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def number(self) -> int:
        """Name an allocation, a reservation or a blocker."""
        return next(self.numbers)

    def text(self, kind: str) -> str:
        """Name a group or a token."""
        return f"{kind}{next(self.numbers)}"


@dataclass
class World:
    """Everything; a copy costs little."""

    season: Season
    blocking: dict[str, tuple[str, ...]]
    """By room: the rooms whose reservations make it unavailable."""
    names: Names = field(default_factory=Names)
    now: int = 0
    allocations: dict[int, Allocation] = field(default_factory=dict)
    reservations: dict[int, Reservation] = field(default_factory=dict)
    blockers: dict[int, Blocker] = field(default_factory=dict)
    slots: frozenset[Slot] = frozenset()

    def copy(self) -> World:
        """One that may change without this one."""
        return replace(
            self,
            allocations=dict(self.allocations),
            reservations=dict(self.reservations),
            blockers=dict(self.blockers),
        )

    # Allocations ----------------------------------------------------------------

    def visible(self, room: str) -> list[str]:
        """The room and what blocks it."""
        return [room, *self.blocking[room]]

    def masters(self, *rooms: str) -> list[Allocation]:
        """The masters of rooms, by start."""
        found = (each for each in self.allocations.values() if each.room in rooms)
        return sorted(found, key=lambda each: each.start)

    def touched(self, asked: Asked, *rooms: str) -> list[Allocation]:
        """The masters that a range overlaps on their raster."""
        return [each for each in self.masters(*rooms) if each.overlaps(asked)]

    def members(self, room: str, group: str) -> list[Allocation]:
        """The masters of a group."""
        return [each for each in self.masters(room) if each.group == group]

    def in_group(self, allocation: Allocation) -> bool:
        """Do others share its group?"""
        return len(self.members(allocation.room, allocation.group)) > 1

    def put(self, allocation: Allocation, **changed: object) -> None:
        """Add an allocation, or replace it by a changed one."""
        self.allocations[allocation.key] = replace(allocation, **changed)  # type: ignore[arg-type] # as the fields

    # Slots ----------------------------------------------------------------------

    def slots_of(self, allocation: Allocation) -> list[Slot]:
        """What is taken of an allocation."""
        return [each for each in self.slots if each.allocation == allocation.key]

    def busy(self, allocation: Allocation, wanted: frozenset[int]) -> set[int]:
        """The places with a slot in some of these cells."""
        slots = self.slots_of(allocation)
        return {each.place for each in slots if not each.cells.isdisjoint(wanted)}

    def free(self, allocation: Allocation, asked: Asked) -> list[int]:
        """The places that are free all through a range, in their order."""
        busy = self.busy(allocation, allocation.wanted(asked))
        return [each for each in allocation.places if each not in busy]

    def take(
        self,
        allocation: Allocation,
        places: Iterable[int],
        asked: Asked,
        owner: tuple[str, int],
    ) -> None:
        """Occupy places; mirrors become records."""
        chosen = frozenset(places)
        wanted = sorted(allocation.wanted(asked))
        step = allocation.raster
        if not allocation.partly:
            wanted, step = [allocation.start], allocation.end - allocation.start
        self.slots |= {
            Slot(allocation.key, place, start, start + step, owner)
            for place in chosen
            for start in wanted
            if not allocation.partly or (start - allocation.start) % step == 0
        }
        known = self.allocations[allocation.key]
        self.put(known, mirrors=known.mirrors | (chosen - {0}))

    def give_back(self, owners: Iterable[tuple[str, int]]) -> None:
        """Delete the slots of reservations or blockers."""
        gone = set(owners)
        self.slots = frozenset(each for each in self.slots if each.owner not in gone)

    # Reservations and blockers --------------------------------------------------

    def of_token(
        self, room: str, token: str, key: int | None = None
    ) -> list[Reservation]:
        """The reservations of a room with a token, oldest first."""
        return [
            each
            for _, each in sorted(self.reservations.items())
            if each.room == room and each.token == token and key in (None, each.key)
        ]

    def blockers_of(
        self, room: str, token: str, key: int | None = None
    ) -> list[Blocker]:
        """The blockers of a room with a token."""
        return [
            each
            for _, each in sorted(self.blockers.items())
            if each.room == room and each.token == token and key in (None, each.key)
        ]

    def retarget(self, record: Reservation | Blocker, group: str) -> None:
        """Let a record be about another group."""
        if isinstance(record, Blocker):
            self.blockers[record.key] = replace(record, target=group)
            return
        changed = replace(record, target=group, modified=self.now)
        self.reservations[record.key] = changed

    def pending_on(self, group: str) -> list[Reservation]:
        """Who waits for a group."""
        return [
            each
            for each in self.reservations.values()
            if each.target == group and each.status == "pending"
        ]
