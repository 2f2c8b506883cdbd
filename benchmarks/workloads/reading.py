"""Ask a busy year: how much is left, and what can be found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.dates import aware, daily, hours
from benchmarks.host import GUEST
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.dates import Range
    from benchmarks.host import Host
    from libres.db.scheduler import Scheduler

VISITS = (8, 10, 13)
"""The hours at which somebody comes, every day."""

MONTH = 31
MONTHS = 11
NEIGHBOURS = ("calendar-blocking one", "calendar-blocking two")
TWO_DAYS_A_WEEK = ("mo", "we")


def _fill(room: Scheduler, days: range, quota: int = 1) -> None:
    """Allocate these days; reserve hours, and on odd days hours and a half."""
    room.allocate(daily(days, 8, 17), partly_available=True, raster=15, quota=quota)
    for hour in VISITS:
        room.book(GUEST, [hours(day, hour, hour + 1 + day % 2 / 2) for day in days])
    room.commit()


def _fill_year(host: Host) -> None:
    _fill(host.room, range(host.size))


def whole(host: Host) -> Range:
    """Return the whole time that is allocated."""
    return hours(0, 0, 24 * host.size)


def _ask_availability(host: Host, _number: int) -> float:
    room, left = host.room, 0.0
    for _ in range(host.operations):
        left = room.availability(*whole(host))
        room.commit()
    return round(left, 6)


def _ask_by_day(host: Host, _number: int) -> list[float]:
    room = host.room
    start, end = map(aware, whole(host))
    days: dict[Any, Any] = {}
    for _ in range(host.operations):
        days = room.queries.availability_by_day(start, end, [room.resource])
        room.commit()
    return [len(days), round(sum(percent for percent, _ in days.values()), 4)]


# A page of a calendar


def _show_months(host: Host, room: Scheduler) -> list[float]:
    pages = [_page(room, each % MONTHS, host.size) for each in range(host.operations)]
    return [round(sum(column), 4) for column in zip(*pages, strict=True)]


def _page(room: Scheduler, month: int, days: int) -> tuple[int, float, int]:
    """Return how many allocations a page shows, their percents and their blocks."""
    start, end = map(aware, hours(month * days, 0, 24 * days))
    shown = list(room.allocations_with_availability_by_range(start, end))
    room.commit()
    blocks = sum(len(partitions) for _, _, partitions in shown)
    return len(shown), sum(percent for _, percent, _ in shown), blocks


def _fill_months(host: Host) -> None:
    _fill(host.room, range(MONTHS * host.size))


def _fill_months_and_neighbours(host: Host) -> None:
    days = range(MONTHS * host.size)
    _fill(host.room, days)
    for number, name in enumerate(NEIGHBOURS):
        neighbour = host.scheduler(name)
        neighbour.allocate(daily(days, 8, 17), partly_available=True, raster=15)
        neighbour.book(GUEST, daily(days, 14 + number, 15 + number))
    host.commit()


def _show_calendar(host: Host, _number: int) -> list[float]:
    return _show_months(host, host.room)


def _show_blocked_calendar(host: Host, _number: int) -> list[float]:
    room = host.scheduler(host.workload.name, blocking=NEIGHBOURS)
    return _show_months(host, room)


# A search


def _fill_year_of_two(host: Host) -> None:
    _fill(host.room, range(host.size), quota=2)


def _search(host: Host, _number: int) -> list[Any]:
    room = host.room
    start, end = hours(0, 14, 16)[0], hours(host.size - 1, 14, 16)[1]
    dates: list[Any] = []
    for _ in range(host.operations):
        found = room.search_allocations(
            start, end, days=TWO_DAYS_A_WEEK, minspots=1, available_only=True
        )
        dates = [each.start.date().isoformat() for each in found]
        room.commit()
    return [len(dates), dates[0], dates[-1]]


WORKLOADS = (
    Workload(
        name="availability-year",
        title="availability of a busy year",
        target=40,
        size=365,
        operations=10,
        prepare=_fill_year,
        run=_ask_availability,
    ),
    Workload(
        name="availability-by-day",
        title="availability by day of that year",
        target=40,
        size=365,
        operations=10,
        prepare=_fill_year,
        run=_ask_by_day,
    ),
    Workload(
        name="calendar-month",
        title="a calendar page of a month",
        target=5,
        size=MONTH,
        operations=22,
        prepare=_fill_months,
        run=_show_calendar,
    ),
    Workload(
        name="search-year",
        title="search a year for free places",
        target=30,
        size=365,
        operations=6,
        prepare=_fill_year_of_two,
        run=_search,
    ),
    Workload(
        name="calendar-blocking",
        title="that page, two resources block",
        target=5,
        size=MONTH,
        operations=22,
        prepare=_fill_months_and_neighbours,
        run=_show_blocked_calendar,
    ),
)
