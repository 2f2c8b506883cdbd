"""Lets contestants run the rounds of a workload in turns, and compares them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Self

from benchmarks.processes import (
    LIBRARY,
    Process,
    WorkerFailedError,
    WorkerLateError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.workload import Workload

WARM_UP = 0

LONG, ENOUGH = 60.0, 100.0
"""Seconds: after a round, or rounds together, that take longer, there are no more."""

TOO_LONG = 120.0
"""Seconds: a round that takes longer is broken off."""

START_LIMIT, PREPARE_LIMIT = 60.0, 300.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """A library, and the database on which it runs a workload."""

    name: str
    python: Path
    dsn: str
    is_peer: bool = False
    worker: str = LIBRARY
    """The module that carries it out."""


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one round."""

    seconds: float
    answer: Any
    statements: int | None
    aborts: int
    laps: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """What came of all rounds of a contestant."""

    name: str
    rounds: dict[int, Round]
    peak: float | None = None
    """The most memory it has had, in MiB."""
    failure: str | None = None
    broken_off: bool = False
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def timed(self) -> list[Round]:
        """The rounds that count: not the warm-up, unless there is nothing else."""
        counting = [each for number, each in self.rounds.items() if number > WARM_UP]
        return counting or list(self.rounds.values())

    @property
    def seconds(self) -> list[float]:
        """The times of the rounds that count; the limit for one that is broken off."""
        broken_off = [TOO_LONG] if self.broken_off else []
        return [each.seconds for each in self.timed] + broken_off

    @property
    def median(self) -> float:
        """The median of those times."""
        return median(self.seconds)

    @property
    def statements(self) -> int | None:
        """The statements of the warm-up."""
        first = self.rounds.get(WARM_UP)
        return first.statements if first else None

    @property
    def aborts(self) -> int:
        """The transactions that were in vain, in the rounds that count."""
        return sum(each.aborts for each in self.timed)


def alternate(
    contestants: Sequence[Contestant],
    workload: Workload,
    rounds: int,
    tell: Callable[[], None],
) -> dict[str, Course]:
    """Let the contestants run a warm-up and so many rounds, in turns.

    Calls *tell* after each round. A contestant that fails, or is too slow, leaves out
    the rest.
    """
    with ExitStack() as stack:
        runners = [
            stack.enter_context(Runner(each, workload, rounds)) for each in contestants
        ]
        for number in range(rounds + 1):
            for runner in runners:
                runner.run(number)
                tell()
        return {runner.name: runner.course() for runner in runners}


def prepare(contestant: Contestant, workload: Workload, rounds: int) -> None:
    """Write the rows of a workload. Raises WorkerFailedError, WorkerLateError."""
    with Process(contestant.python) as process:
        process.ask("open", START_LIMIT, **_opening(contestant, workload, rounds))
        process.ask("prepare", PREPARE_LIMIT)


def _opening(contestant: Contestant, workload: Workload, rounds: int) -> dict[str, Any]:
    return {
        "peer": contestant.is_peer,
        "dsn": contestant.dsn,
        "workload": workload.name,
        "size": workload.size,
        "operations": workload.operations,
        "rounds": rounds + 1,
    }


class Runner:
    """The worker of a contestant, and what it has told so far."""

    def __init__(self, contestant: Contestant, workload: Workload, rounds: int) -> None:
        self.name = contestant.name
        self._opening = _opening(contestant, workload, rounds)
        self._process = Process(contestant.python, contestant.worker)
        self._rounds: dict[int, Round] = {}
        self._versions: dict[str, str] = {}
        self._failure: str | None = None
        self._broken_off = False

    def __enter__(self) -> Self:
        opened = self._ask("open", START_LIMIT, **self._opening)
        self._versions = opened.get("versions", {})
        return self

    def __exit__(self, *_: object) -> None:
        self._process.end()

    def run(self, number: int) -> None:
        """Run a round, unless an earlier one has shown that it is no use."""
        if self._is_out:
            return
        first = number == WARM_UP
        told = self._ask("round", TOO_LONG, number=number, count=first)
        if told:
            self._rounds[number] = Round(**{**told, "laps": tuple(told["laps"])})

    def course(self) -> Course:
        """Finish, and say what came of it."""
        usable = not (self._failure or self._broken_off)
        peak = self._ask("finish", START_LIMIT).get("peak") if usable else None
        return Course(
            name=self.name,
            rounds=self._rounds,
            peak=peak,
            failure=self._failure,
            broken_off=self._broken_off,
            versions=self._versions,
        )

    @property
    def _is_out(self) -> bool:
        seconds = [each.seconds for each in self._rounds.values()]
        slow = max(seconds, default=0) > LONG or sum(seconds) > ENOUGH
        return slow or self._broken_off or self._failure is not None

    def _ask(self, do: str, limit: float, **details: Any) -> dict[str, Any]:
        try:
            return self._process.ask(do, limit, **details)
        except WorkerFailedError as error:
            self._failure = str(error)
        except WorkerLateError:
            self._broken_off = True
        return {}


# Comparing


def ratio(slow: Course, fast: Course) -> float | None:
    """Return how many times as long *slow* took: the median of the pairs of rounds.

    None if one of them has no round.
    """
    pairs = zip(slow.seconds, fast.seconds, strict=False)
    found = [one / other for one, other in pairs]
    return median(found) if found else None


def differing(one: Course, other: Course) -> list[int]:
    """Return the numbers of the rounds in which they came to different answers."""
    both = sorted(one.rounds.keys() & other.rounds.keys())
    return [
        number
        for number in both
        if one.rounds[number].answer != other.rounds[number].answer
    ]


def growth(course: Course, laps: int = 10) -> float | None:
    """Return the time of the last laps over that of the first ones; None without."""
    found = [
        sum(each.laps[-laps:]) / sum(each.laps[:laps])
        for each in course.timed
        if each.laps
    ]
    return median(found) if found else None
