"""Sell of what is half sold: measured as it grows, not beside the older library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.dates import daily, hours
from benchmarks.host import GUEST
from benchmarks.workload import Workload
from benchmarks.workloads.reserving import sell

if TYPE_CHECKING:
    from benchmarks.host import Host


def _sell_first_half(host: Host) -> None:
    """Sell half of the places, on a day of its own for every operation."""
    days = daily(range(len(host.all_numbers)), 8, 17)
    host.room.allocate(days, quota=host.size)
    for day in days:
        if half := host.size // 2:
            host.room.book(GUEST, day, quota=half)
        host.commit()


def _sell_one_more(host: Host, number: int) -> int:
    room = host.room
    return sum(sell(room, hours(each, 8, 17)) for each in host.numbers(number))


WORKLOADS = (
    Workload(
        name="sell-half-sold",
        title="sell a place when half are sold",
        target=1,
        size=10,
        operations=20,
        prepare=_sell_first_half,
        run=_sell_one_more,
    ),
)
