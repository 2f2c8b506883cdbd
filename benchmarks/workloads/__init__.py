"""The one list of what is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.workloads import (
    allocating,
    changing,
    clients,
    growing,
    reading,
    reserving,
)

if TYPE_CHECKING:
    from benchmarks.workload import Workload

WORKLOADS: tuple[Workload, ...] = (
    *allocating.WORKLOADS,
    *reserving.WORKLOADS,
    *reading.WORKLOADS,
    *changing.WORKLOADS,
    *clients.WORKLOADS,
)


class UnknownWorkloadError(LookupError):
    """There is no workload of this name."""

    def __init__(self, name: str) -> None:
        names = ", ".join(each.name for each in WORKLOADS)
        super().__init__(f"There is no workload {name!r}. Choose from: {names}.")
        self.name = name


def workload(name: str) -> Workload:
    """Return the workload of a name. Raises UnknownWorkloadError."""
    for each in (*WORKLOADS, *growing.WORKLOADS):
        if each.name == name:
            return each
    raise UnknownWorkloadError(name)
