"""Let threads reserve at the same time, retried until all have what they wanted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.dates import daily, hours
from benchmarks.workload import Workload
from benchmarks.workloads.reserving import take

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.host import Host
    from libres.db.scheduler import Scheduler


def _together(jobs: Sequence[Callable[[], int]]) -> int:
    """Run each job in a thread of its own; add up what they return."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        return sum(done.result() for done in [pool.submit(job) for job in jobs])


def _sell_days(host: Host, room: Scheduler, days: Sequence[int]) -> int:
    """Sell an hour on each of these days, then give the connection back."""
    try:
        return sum(
            host.in_transaction(room, partial(take, room, hours(day, 9, 10)))
            for day in days
        )
    finally:
        room.close()


def _own_rooms(host: Host) -> list[Scheduler]:
    name = host.workload.name
    return [host.scheduler(f"{name} {number}") for number in range(host.size)]


def _sales(host: Host) -> int:
    """How many sales a thread makes in a round."""
    return host.operations // host.size


def _allocate_own(host: Host) -> None:
    days = daily(range(host.rounds * _sales(host)), 8, 17)
    for room in _own_rooms(host):
        room.allocate(days, partly_available=True, raster=15)
    host.commit()


def _sell_own(host: Host, number: int) -> int:
    days = range(number * _sales(host), (number + 1) * _sales(host))
    return _together(
        [partial(_sell_days, host, room, days) for room in _own_rooms(host)]
    )


def _allocate_one(host: Host) -> None:
    days = daily(range(len(host.all_numbers)), 8, 17)
    host.room.allocate(days, partly_available=True, raster=15)
    host.commit()


def _sell_one(host: Host, number: int) -> int:
    """Let each thread have every so-manieth day of the same resource."""
    days = host.numbers(number)
    return _together(
        [
            partial(_sell_days, host, host.room, days[thread :: host.size])
            for thread in range(host.size)
        ]
    )


WORKLOADS = (
    Workload(
        name="threads-own",
        title="8 threads reserve, each its resource",
        target=30,
        size=8,
        operations=96,
        prepare=_allocate_own,
        run=_sell_own,
        clients=8,
    ),
    Workload(
        name="threads-one",
        title="8 threads reserve on one resource",
        target=15,
        size=8,
        operations=96,
        prepare=_allocate_one,
        run=_sell_one,
        clients=8,
    ),
)
