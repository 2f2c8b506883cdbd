"""The one list of floors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.floors import allocating, changing, reading, reserving

if TYPE_CHECKING:
    from benchmarks.floor import Floor

FLOORS: tuple[Floor, ...] = (
    *allocating.FLOORS,
    *reserving.FLOORS,
    *reading.FLOORS,
    *changing.FLOORS,
)


def floor(name: str) -> Floor | None:
    """Return the floor of a workload; None if it has none, as those of threads."""
    return next((each for each in FLOORS if each.name == name), None)
