"""Reserve, approve and commit: hours, days, places, groups, many dates."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.dates import YEAR, daily, hours
from benchmarks.host import GUEST
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.dates import Range
    from benchmarks.host import Host
    from libres.db.scheduler import Scheduler

QUOTA = 500
"""Places of which a few are sold."""

HOURS_A_DAY = 9
FROM_FOUR, STARTS_A_DAY = 4, 20
"""No clock is changed after four."""


def sell(room: Scheduler, dates: Any = None, group: Any = None) -> int:
    """Reserve, approve and commit; return how many slots that took."""
    count = take(room, dates, group)
    room.commit()
    return count


def take(room: Scheduler, dates: Any = None, group: Any = None) -> int:
    """Reserve and approve; return how many slots that took."""
    token = room.reserve(GUEST, dates, group=group)
    return len(room.approve_reservations(token))


# One range of one allocation


def _allocate_days(host: Host) -> None:
    days = daily(range(YEAR), 8, 8 + HOURS_A_DAY)
    host.room.allocate(days, partly_available=True, raster=15)
    host.commit()


def _reserve_hours(host: Host, number: int) -> int:
    room = host.room
    return sum(sell(room, hour(each, host.size)) for each in host.numbers(number))


def hour(number: int, length: int) -> Range:
    """Return another hour each time: the first one of every day, then the second."""
    later, day = divmod(number, YEAR)
    return hours(day, 8 + later, 8 + later + length)


def _allocate_long_days(host: Host) -> None:
    days = daily(range(len(host.all_numbers)), 0, host.size)
    host.room.allocate(days, partly_available=True, raster=5)
    host.commit()


def _reserve_days(host: Host, number: int) -> int:
    room = host.room
    return sum(sell(room, hours(each, 0, host.size)) for each in host.numbers(number))


# Places of a quota


def _allocate_places(host: Host, quota: int) -> list[Range]:
    """Allocate many places, on another day for each round."""
    days = daily(range(host.rounds), 8, 17)
    host.room.allocate(days, quota=quota)
    return days


def _allocate_free_places(host: Host) -> None:
    _allocate_places(host, host.size)
    host.commit()


def _sell_places(host: Host, number: int) -> int:
    room, day = host.room, hours(number, 8, 17)
    sale = partial(sell, room, day)
    return sum(host.lap(sale) for _ in range(host.operations))


def _allocate_sold_places(host: Host) -> None:
    """Leave just the last ten places, in one transaction a day."""
    quota = host.size + 10
    for day in _allocate_places(host, quota):
        host.room.book(GUEST, day, quota=host.size - 1)
        host.commit()


def _sell_last_place(host: Host, number: int) -> int:
    return sell(host.room, hours(number, 8, 17))


# Groups, many dates


def _allocate_groups(host: Host) -> None:
    for each in host.all_numbers:
        host.room.allocate(members(host, each), grouped=True, quota=3)
    host.commit()


def members(host: Host, number: int) -> list[Range]:
    """Return the members of a group: the same hour of so many days."""
    block, step = divmod(number, STARTS_A_DAY)
    days = range(block * host.size, (block + 1) * host.size)
    return daily(days, FROM_FOUR + step, FROM_FOUR + step + 1)


def _find_groups(host: Host, number: int) -> None:
    room = host.room
    starts = [members(host, each)[0][0] for each in host.numbers(number)]
    host.kept["groups"] = [
        # Not until its end, where the next one begins: both would be found.
        room.allocation_by_date(start, start).group
        for start in starts
    ]
    room.commit()


def _reserve_groups(host: Host, number: int) -> int:  # noqa: ARG001 - found before
    room = host.room
    return sum(sell(room, group=group) for group in host.kept["groups"])


def _allocate_dates(host: Host) -> None:
    for each in host.all_numbers:
        host.room.allocate(members(host, each))
    host.commit()


def _reserve_dates(host: Host, number: int) -> int:
    room = host.room
    return sum(sell(room, members(host, each)) for each in host.numbers(number))


def _count_slots(host: Host, _number: int) -> int:
    count = host.room.managed_reserved_slots().count()
    host.commit()
    return count


WORKLOADS = (
    Workload(
        name="reserve-hour",
        title="reserve an hour",
        target=5,
        size=1,
        operations=20,
        prepare=_allocate_days,
        run=_reserve_hours,
        check=_count_slots,
    ),
    Workload(
        name="reserve-day",
        title="reserve a day of 276 slots",
        target=8,
        size=23,
        operations=6,
        prepare=_allocate_long_days,
        run=_reserve_days,
        check=_count_slots,
    ),
    Workload(
        name="sell-60-of-500",
        title="sell 60 places of 500, one by one",
        target=30,
        size=QUOTA,
        operations=60,
        prepare=_allocate_free_places,
        run=_sell_places,
        check=_count_slots,
    ),
    Workload(
        name="sell-4990th",
        title="sell the 4,990th place of 5,000",
        target=100,
        size=4_990,
        operations=1,
        prepare=_allocate_sold_places,
        run=_sell_last_place,
        check=_count_slots,
    ),
    Workload(
        name="reserve-group",
        title="reserve a group of 30",
        target=25,
        size=30,
        operations=12,
        prepare=_allocate_groups,
        before=_find_groups,
        run=_reserve_groups,
        check=_count_slots,
    ),
    Workload(
        name="reserve-50-dates",
        title="reserve 50 dates in one call",
        target=15,
        size=50,
        operations=5,
        prepare=_allocate_dates,
        run=_reserve_dates,
        check=_count_slots,
    ),
)
