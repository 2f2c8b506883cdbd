"""Remove, move and block what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.dates import aware, daily, hours
from benchmarks.host import GUEST
from benchmarks.workload import Workload
from libres.db.models import Reservation

if TYPE_CHECKING:
    from benchmarks.dates import Range
    from benchmarks.host import Host

QUOTA = 50


def _book_mornings(host: Host) -> None:
    """Reserve hours from nine on, on a day of its own for every operation."""
    room = host.room
    days = range(len(host.all_numbers))
    room.allocate(daily(days, 8, 17), partly_available=True, raster=15)
    for day in days:
        room.book(GUEST, hours(day, 9, 9 + host.size))
    room.commit()


def _find_reservations(host: Host, number: int) -> None:
    """Look up token and id of what is reserved on the days of this round."""
    days = host.numbers(number)
    first, last = hours(days.start, 0, 0)[0], hours(days.stop, 0, 0)[0]
    query = host.room.managed_reservations().filter(
        Reservation.start >= aware(first), Reservation.start < aware(last)
    )
    query = query.order_by(Reservation.start)
    rows = query.with_entities(Reservation.token, Reservation.id).all()
    host.kept["keys"] = [tuple(row) for row in rows]
    host.commit()


def _remove(host: Host, _number: int) -> int:
    room = host.room
    for token, _ in host.kept["keys"]:
        room.remove_reservation(token)
        room.commit()
    return len(host.kept["keys"])


def _change(host: Host, number: int) -> int:
    room, changed = host.room, 0
    for day, (token, key) in zip(host.numbers(number), host.kept["keys"], strict=True):
        later = hours(day, 10, 10.25 + host.size)
        changed += room.change_reservation(token, key, *later) is not None
        room.commit()
    return changed


def _count(host: Host, _number: int) -> list[int]:
    room = host.room
    records = room.managed_reservations().count(), room.managed_blockers().count()
    slots = room.managed_reserved_slots().count()
    host.commit()
    return [*records, slots]


def _allocate_months(host: Host) -> None:
    for number in host.all_numbers:
        host.room.allocate(month(host, number), quota=QUOTA)
    host.commit()


def month(host: Host, number: int) -> list[Range]:
    """Return the days that an operation blocks."""
    first = number * host.size
    return daily(range(first, first + host.size), 8, 17)


def _block(host: Host, number: int) -> int:
    room, count = host.room, 0
    for each in host.numbers(number):
        count += len(room.add_blocker(month(host, each), reason="closed"))
        room.commit()
    return count


WORKLOADS = (
    Workload(
        name="remove-three-hours",
        title="remove three reserved hours",
        target=5,
        size=3,
        operations=60,
        prepare=_book_mornings,
        before=_find_reservations,
        run=_remove,
        check=_count,
    ),
    Workload(
        name="change-time",
        title="change the time of a reservation",
        target=5,
        size=1,
        operations=20,
        prepare=_book_mornings,
        before=_find_reservations,
        run=_change,
        check=_count,
    ),
    Workload(
        name="block-month",
        title="block 30 days of 50 places",
        target=20,
        size=30,
        operations=2,
        prepare=_allocate_months,
        run=_block,
        check=_count,
    ),
)
