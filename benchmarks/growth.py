"""Measures how this library's costs grow with tables, places, dates and threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from benchmarks import foreign
from benchmarks.campaign import OURS, PYTHON
from benchmarks.rounds import Contestant, Course, alternate, prepare
from benchmarks.workloads import workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.databases import Databases
    from benchmarks.workload import Workload

Family: TypeAlias = Literal["foreign slots", "quota", "dates per call", "threads"]
"""What grows."""

SLOTS_OF_A_ROOM = 500
"""As `foreign` fills it: so many rooms make so many slots."""


@dataclass(frozen=True, slots=True)
class Curve:
    """An operation whose cost is measured at several sizes."""

    family: Family
    title: str
    workload: str
    operations: Mapping[int, int]
    """How many operations a round makes, by size; fewer of those that take long."""

    @property
    def is_per_date(self) -> bool:
        """Whether the cost of a call is divided by its dates."""
        return self.family == "dates per call"

    @property
    def is_among_others(self) -> bool:
        """Whether the size is that of the tables, not of the operation."""
        return self.family == "foreign slots"

    def sized(self, size: int) -> Workload:
        """Return the workload of a size."""
        found = replace(workload(self.workload), operations=self.operations[size])
        return found if self.is_among_others else replace(found, size=size)


def _same(operations: int, *sizes: int) -> Mapping[int, int]:
    return MappingProxyType(dict.fromkeys(sizes, operations))


SLOTS = (10_000, 100_000, 1_000_000)
PLACES = MappingProxyType({1: 20, 10: 20, 100: 20, 1_000: 5, 10_000: 1})
DATES = MappingProxyType({1: 20, 10: 10, 100: 4, 1_000: 1})
THREADS = (1, 2, 4, 8, 16)

CURVES = (
    Curve("foreign slots", "reserve an hour", "reserve-hour", _same(20, *SLOTS)),
    Curve("foreign slots", "availability, year", "availability-year", _same(5, *SLOTS)),
    Curve("foreign slots", "calendar page, month", "calendar-month", _same(11, *SLOTS)),
    Curve("quota", "sell a place, half are sold", "sell-half-sold", PLACES),
    Curve("dates per call", "allocate, per date", "allocate-year", DATES),
    Curve("dates per call", "reserve, per date", "reserve-50-dates", DATES),
    Curve("threads", "reserve, each its resource", "threads-own", _same(96, *THREADS)),
)


@dataclass(frozen=True, slots=True)
class Point:
    """What came of a curve at one size."""

    curve: Curve
    size: int
    course: Course

    @property
    def milliseconds(self) -> float | None:
        """The median time of an operation, or of a date; None if there is none."""
        if not self.course.timed:
            return None
        dates = self.size if self.curve.is_per_date else 1
        operations = self.curve.operations[self.size]
        return self.course.median / operations / dates * 1000

    @property
    def aborts(self) -> float:
        """Transactions in vain, per success."""
        successes = len(self.course.timed) * self.curve.operations[self.size]
        return self.course.aborts / successes if successes else 0.0

    @property
    def holds(self) -> bool:
        """Whether all of it was done."""
        return not (self.course.failure or self.course.broken_off)


def steps(rounds: int) -> int:
    """Count how often `measure` will tell."""
    points = sum(len(curve.operations) for curve in CURVES)
    return len(SLOTS) + points * (rounds + 2)


def measure(
    databases: Databases, rounds: int, tell: Callable[[str], None]
) -> Iterator[Point]:
    """Measure all curves, those of a family beside each other.

    Raises WorkerFailedError or WorkerLateError if the rows cannot be prepared.
    """
    for _, curves in groupby(CURVES, key=lambda each: each.family):
        found = list(curves)
        for size in found[0].operations:
            yield from _measure_size(databases, found, size, rounds, tell)


def _measure_size(
    databases: Databases,
    curves: list[Curve],
    size: int,
    rounds: int,
    tell: Callable[[str], None],
) -> Iterator[Point]:
    if curves[0].is_among_others:
        tell(f"filling in {size:,} slots")
        foreign.create(databases, OURS, size // SLOTS_OF_A_ROOM)
    for curve in curves:
        if not curve.is_among_others:
            databases.create(OURS)
        yield _measured(databases, curve, size, rounds, tell)
        if not curve.is_among_others:
            databases.drop(OURS)
    databases.drop(OURS)


def _measured(
    databases: Databases,
    curve: Curve,
    size: int,
    rounds: int,
    tell: Callable[[str], None],
) -> Point:
    told = f"{curve.title}: {size:,} {curve.family}"
    tell(told)
    contestant = Contestant(OURS, PYTHON, databases.dsn(OURS))
    found = curve.sized(size)
    prepare(contestant, found, rounds)
    databases.settle(OURS)
    courses = alternate([contestant], found, rounds, lambda: tell(told))
    return Point(curve, size, courses[OURS])
