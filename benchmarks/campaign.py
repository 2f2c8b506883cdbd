"""Measures workloads with every library, and gathers what came of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import foreign, processes
from benchmarks.floors import floor
from benchmarks.rounds import (
    Contestant,
    Course,
    alternate,
    differing,
    prepare,
    ratio,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.databases import Databases
    from benchmarks.workload import Workload

OURS, PEER, LARGE, FLOOR = "ours", "peer", "large", "floor"
"""This library, the older one, this one among what others have reserved, and SQL."""

PYTHON = Path(sys.executable)

NOT_IN_PEER = "DROP INDEX ix_allocations_mirror_of_start"
"""The index that the older library does not have."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of one workload, by contestant."""

    workload: Workload
    courses: dict[str, Course]
    rounds: int
    """How many there were to be, without the warm-up."""

    @property
    def ratio(self) -> float | None:
        """How many times as long the older library takes."""
        return self._ratio(PEER, OURS)

    @property
    def large_ratio(self) -> float | None:
        """How many times as long it takes in the large database."""
        return self._ratio(LARGE, OURS)

    @property
    def floor_ratio(self) -> float | None:
        """How many times as long as hand-written SQL this library takes."""
        return self._ratio(OURS, FLOOR)

    @property
    def sign(self) -> str:
        """What stands before the ratio: it is larger or smaller if one broke off."""
        if self.courses[OURS].broken_off:
            return "< "
        return "> " if PEER in self.courses and self.courses[PEER].broken_off else ""

    @property
    def differing(self) -> dict[str, list[int]]:
        """In which rounds others came to another answer than this library, if any."""
        ours = self.courses[OURS]
        found = {name: differing(ours, each) for name, each in self.courses.items()}
        return {name: rounds for name, rounds in found.items() if rounds}

    @property
    def holds(self) -> bool:
        """Whether this library did it all, and all came to the same answers."""
        own = [self.courses[name] for name in (OURS, LARGE) if name in self.courses]
        failed = any(each.failure or each.broken_off for each in own)
        return not (failed or self.differing)

    def _ratio(self, slow: str, fast: str) -> float | None:
        if not {slow, fast} <= self.courses.keys():
            return None
        return ratio(self.courses[slow], self.courses[fast])


@dataclass(frozen=True, slots=True)
class Campaign:
    """The databases and libraries that workloads are measured with."""

    databases: Databases
    rounds: int
    peer: Path | None
    """The Python of the older library, if there is one."""
    large: bool
    """Whether to measure in the large database too."""

    def contestants(self, workload: Workload) -> list[str]:
        """Name those who take part in a workload, in the order of their turns."""
        taking_part = {
            OURS: True,
            FLOOR: floor(workload.name) is not None,
            LARGE: self.large and workload.clients == 1,
            PEER: self.peer is not None,
        }
        return [name for name, takes_part in taking_part.items() if takes_part]

    def steps(self, workloads: Sequence[Workload]) -> int:
        """Count how often `run` will tell: a start and all rounds of each workload."""
        turns = sum(len(self.contestants(each)) for each in workloads)
        return len(workloads) + turns * (self.rounds + 1)

    def run(
        self, workloads: Sequence[Workload], tell: Callable[[str], None]
    ) -> Iterator[Comparison]:
        """Measure one workload after the other.

        Raises WorkerFailedError or WorkerLateError if the rows cannot be prepared.
        """
        if any(LARGE in self.contestants(each) for each in workloads):
            tell("filling the large database")
            foreign.create(self.databases, LARGE)
        for each in workloads:
            tell(each.title)
            yield self._compare(each, tell)

    def _compare(self, workload: Workload, tell: Callable[[str], None]) -> Comparison:
        contestants = self._prepared(workload)
        title = workload.title
        courses = alternate(contestants, workload, self.rounds, lambda: tell(title))
        for name in (OURS, FLOOR, PEER):
            self.databases.drop(name)
        return Comparison(workload, courses, self.rounds)

    def _prepared(self, workload: Workload) -> list[Contestant]:
        """Write the rows once, and clone them for the floor and the older library."""
        ours = Contestant(OURS, PYTHON, self.databases.create(OURS))
        large = Contestant(LARGE, PYTHON, self.databases.dsn(LARGE))
        prepare(ours, workload, self.rounds)
        found = {OURS: ours, LARGE: large}
        names = self.contestants(workload)
        if FLOOR in names:
            dsn = self.databases.create(FLOOR, template=OURS)
            found[FLOOR] = Contestant(FLOOR, PYTHON, dsn, worker=processes.FLOOR)
        if self.peer:
            dsn = self.databases.create(PEER, template=OURS)
            self.databases.execute(PEER, NOT_IN_PEER)
            found[PEER] = Contestant(PEER, self.peer, dsn, is_peer=True)
        if LARGE in names:
            prepare(large, workload, self.rounds)
        for name in names:
            self.databases.settle(name)
        return [found[name] for name in names]
