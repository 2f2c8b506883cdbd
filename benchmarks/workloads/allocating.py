"""Allocate much in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.dates import daily, hours
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.dates import Range
    from benchmarks.host import Host

OPENING, SPANS_A_DAY = 8, 20


def _nothing(_host: Host) -> None:
    """Start from empty tables."""


def year(host: Host) -> list[Range]:
    """Return the days that one call allocates."""
    return daily(range(host.size), 8, 17)


def _allocate_year(host: Host, number: int) -> int:
    days = year(host)
    count = 0
    for each in host.numbers(number):
        room = host.scheduler(f"{host.workload.name} {each}")
        count += len(room.allocate(days, partly_available=True, raster=15))
        room.commit()
    return count


def _half_hour(number: int) -> Range:
    """Return a half hour by day, as the nights know clock changes."""
    day, step = divmod(number, SPANS_A_DAY)
    return hours(day, OPENING + step / 2, OPENING + (step + 1) / 2)


def half_hours(host: Host) -> list[Range]:
    """Return the spans that one call allocates."""
    return [_half_hour(each) for each in range(host.size)]


def _allocate_many(host: Host, number: int) -> int:
    room = host.scheduler(f"{host.workload.name} {number}")
    count = len(room.allocate(half_hours(host)))
    room.commit()
    return count


WORKLOADS = (
    Workload(
        name="allocate-year",
        title="allocate a year of days",
        target=6,
        size=365,
        operations=3,
        prepare=_nothing,
        run=_allocate_year,
    ),
    Workload(
        name="allocate-20000",
        title="allocate 20,000 spans in one call",
        target=100,
        size=20_000,
        operations=1,
        prepare=_nothing,
        run=_allocate_many,
    ),
)
