"""Describes what is measured, the same for every library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.host import Host

Answer: TypeAlias = Any
"""What a round found out, made of numbers, texts and lists: the same for all."""


def nothing(_host: Host, _number: int) -> None:
    """Need nothing before a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One operation to measure: rows to prepare, and rounds to run on them.

    Rounds are numbered; number 0 warms up. Each finds rows of its own that no earlier
    round has touched, for ``Host.rounds`` rounds.
    """

    name: str
    title: str
    target: float
    """So many times the speed of the older library."""
    size: int
    """How large the operation is: days, places, members, threads, as the title says."""
    operations: int
    """How many operations a round makes."""
    prepare: Callable[[Host], None]
    """Write the rows that all libraries find; always done by this library."""
    run: Callable[[Host, int], Answer]
    """Make the operations and commit; this is what is timed."""
    before: Callable[[Host, int], None] = nothing
    """Look up what a round needs, untimed, with the library that is measured."""
    check: Callable[[Host, int], Answer] | None = None
    """Say afterwards, untimed, what the database holds; None: the run has said all."""
    clients: int = 1
    """How many work at the same time."""
