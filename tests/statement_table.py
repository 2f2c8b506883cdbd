"""Print the statement budgets of the design beside what operations really send.

``python -m tests.statement_table`` measures every operation at 1 and at 50 of
everything, on the embedded server or on the one of LIBRES_TEST_DSN, in a database of
its own. The exit status is 1 if one of them is above its budget.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, make_url, text

from libres import embedded
from libres.context.exposure import Exposure
from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from tests.fixtures.statements import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from libres.context.core import Context
    from libres.db.scheduler import Scheduler

ONE, MANY = 1, 50
MONDAY = datetime.fromisoformat("2030-06-03")
GUEST = "guest@example.org"

NEIGHBOURS = [f"neighbour {number}" for number in range(MANY)]
"""The rooms that can block others."""


@dataclass(frozen=True, slots=True)
class Row:
    """An operation, its budget, and what it costs at 1 and at 50."""

    operation: str
    budget: int
    costs: tuple[int, int]

    @property
    def holds(self) -> bool:
        """Whether both stay within the budget."""
        return max(self.costs) <= self.budget


@dataclass(frozen=True, slots=True)
class Operation:
    """What is measured: *prepare* takes a Stage and returns what is counted."""

    name: str
    budget: int
    prepare: Callable[[Stage], Callable[[], object]]


@dataclass(frozen=True, slots=True)
class Stage:
    """A room of its own for one measurement, and how many of everything there are."""

    context: Context
    number: int
    key: str

    @property
    def room(self) -> Scheduler:
        """The room, the same each time."""
        return self.scheduler("room")

    def scheduler(self, name: str, **options: object) -> Scheduler:
        """A scheduler of this stage alone."""
        full_name = f"{name} {self.key}"
        return new_scheduler(self.context, full_name, "Europe/Zurich", **options)

    @property
    def days(self) -> list[tuple[datetime, datetime]]:
        """From eight to ten, on so many days."""
        return [hours(8, 10, day) for day in range(self.number)]

    @property
    def whole(self) -> tuple[datetime, datetime]:
        """A range that has all of them."""
        return MONDAY + timedelta(hours=8), MONDAY + timedelta(days=MANY + 2, hours=18)

    @property
    def neighbours(self) -> list[str]:
        """The names of so many rooms with days and places of their own."""
        return NEIGHBOURS[: self.number]

    def blocked_room(self) -> Scheduler:
        """A room that so many others can block, allocated and partly booked."""
        room = self.scheduler("room", blocking_names=self.neighbours)
        room.allocate(self.days)
        return room

    def busy_room(self, **options: object) -> Scheduler:
        """A room with so many days of so many places, of which all but one are taken.

        Besides, there is a group of so many members, and as many days partly taken.
        """
        room = self.scheduler("room", **options)
        room.allocate(self.days, quota=self.number + 1)
        for day in self.days[:2]:
            room.book(GUEST, day, quota=self.number)
        members = [hours(11, 12, day) for day in range(self.number + 1)]
        room.allocate(members, grouped=True)
        room.allocate(
            [hours(14, 16, day) for day in range(self.number)], partly_available=True
        )
        room.book(GUEST, [hours(14, 15, day) for day in range(self.number)])
        return room

    def group(self) -> object:
        """A group of so many free days."""
        return self.room.allocate(self.days, grouped=True)[0].group


def hours(start: float, end: float, day: int = 0) -> tuple[datetime, datetime]:
    """A range of that Monday, or of the days after it."""
    midnight = MONDAY + timedelta(days=day)
    return midnight + timedelta(hours=start), midnight + timedelta(hours=end)


OPERATIONS: list[Operation] = []


def operation(name: str, budget: int) -> Callable[..., Callable[..., object]]:
    """Add a function that prepares to the operations."""

    def add(
        prepare: Callable[[Stage], Callable[[], object]],
    ) -> Callable[[Stage], Callable[[], object]]:
        OPERATIONS.append(Operation(name, budget, prepare))
        return prepare

    return add


@operation("construct a Scheduler", 0)
def _construct(stage: Stage) -> Callable[[], object]:
    names = [f"other {number}" for number in range(stage.number)]
    return lambda: stage.scheduler("new", blocking_names=names).blocking_resources


@operation("allocate", 2)
def _allocate(stage: Stage) -> Callable[[], object]:
    return lambda: stage.room.allocate(stage.days, quota=stage.number)


@operation("allocate, skip_overlapping", 2)
def _allocate_skipping(stage: Stage) -> Callable[[], object]:
    stage.room.allocate(stage.days[1::2])
    return lambda: stage.room.allocate(stage.days, skip_overlapping=True)


@operation("reserve by dates", 3)
def _reserve(stage: Stage) -> Callable[[], object]:
    stage.room.allocate(stage.days, quota=stage.number)
    return lambda: stage.room.reserve(GUEST, stage.days, quota=stage.number)


@operation("reserve by group", 4)
def _reserve_group(stage: Stage) -> Callable[[], object]:
    group = stage.group()
    return lambda: stage.room.reserve(GUEST, group=group)


@operation("reserve by dates, session id", 4)
def _reserve_in_session(stage: Stage) -> Callable[[], object]:
    cart = uuid4()
    stage.room.allocate([*stage.days, hours(11, 12)])
    options = {"session_id": cart, "single_token_per_session": True}
    stage.room.reserve(GUEST, stage.days, **options)
    return lambda: stage.room.reserve(GUEST, hours(11, 12), **options)


@operation("reserve by dates, blocking", 4)
def _reserve_blocked(stage: Stage) -> Callable[[], object]:
    room = stage.blocked_room()
    return lambda: room.reserve(GUEST, stage.days)


@operation("reserve by group, blocking", 5)
def _reserve_group_blocked(stage: Stage) -> Callable[[], object]:
    room = stage.scheduler("room", blocking_names=stage.neighbours)
    group = stage.group()
    return lambda: room.reserve(GUEST, group=group)


@operation("approve_reservations", 6)
def _approve(stage: Stage) -> Callable[[], object]:
    stage.room.allocate(stage.days, quota=stage.number + 1)
    token = stage.room.reserve(GUEST, stage.days, quota=stage.number + 1)
    return lambda: stage.room.approve_reservations(token)


@operation("approve_reservations, a group", 6)
def _approve_group(stage: Stage) -> Callable[[], object]:
    token = stage.room.reserve(GUEST, group=stage.group())
    return lambda: stage.room.approve_reservations(token)


@operation("approve_reservations, blocking", 6)
def _approve_blocked(stage: Stage) -> Callable[[], object]:
    room = stage.blocked_room()
    token = room.reserve(GUEST, stage.days)
    return lambda: room.approve_reservations(token)


@operation("book", 7)
def _book(stage: Stage) -> Callable[[], object]:
    stage.room.allocate(stage.days, quota=stage.number + 1)
    return lambda: stage.room.book(GUEST, stage.days, quota=stage.number + 1)


@operation("book, a group", 7)
def _book_group(stage: Stage) -> Callable[[], object]:
    group = stage.group()
    return lambda: stage.room.book(GUEST, group=group)


@operation("deny_reservation", 3)
def _deny(stage: Stage) -> Callable[[], object]:
    stage.room.allocate(stage.days)
    token = stage.room.reserve(GUEST, stage.days)
    return lambda: stage.room.deny_reservation(token)


@operation("remove_reservation", 4)
def _remove(stage: Stage) -> Callable[[], object]:
    stage.room.allocate(stage.days, quota=stage.number)
    token = stage.room.book(GUEST, stage.days, quota=stage.number)[0].token
    return lambda: stage.room.remove_reservation(token)


@operation("change_reservation", 12)
def _change(stage: Stage) -> Callable[[], object]:
    room, size = stage.room, stage.number
    room.allocate(stage.days, quota=2 * size + 1, partly_available=True, raster=60)
    room.book(GUEST, stage.days, quota=size)
    first = room.book(GUEST, [hours(8, 9, day) for day in range(size)])[0]
    key = first.token, first.id
    return lambda: room.change_reservation(*key, *hours(9, 10), quota=size + 1)


@operation("change_reservation, pending", 12)
def _change_pending(stage: Stage) -> Callable[[], object]:
    room = stage.room
    room.allocate(stage.days, partly_available=True, raster=60)
    token = room.reserve(GUEST, stage.days, session_id=uuid4())
    first = room.reservations_by_token(token).order_by("start").first()
    assert first is not None
    key = token, first.id
    return lambda: room.change_reservation(*key, *hours(9, 10))


@operation("add_blocker", 6)
def _block(stage: Stage) -> Callable[[], object]:
    stage.room.allocate(stage.days, quota=stage.number + 1)
    return lambda: stage.room.add_blocker(stage.days)


@operation("add_blocker, a group", 6)
def _block_group(stage: Stage) -> Callable[[], object]:
    group = stage.group()
    return lambda: stage.room.add_blocker(group=group)


@operation("availability", 1)
def _availability(stage: Stage) -> Callable[[], object]:
    room = stage.busy_room()
    return lambda: room.availability(*stage.whole)


@operation("availability_by_day", 1)
def _availability_by_day(stage: Stage) -> Callable[[], object]:
    room = stage.busy_room()
    start, end = (each.astimezone() for each in stage.whole)
    return lambda: room.queries.availability_by_day(start, end, [room.resource])


@operation("availability_by_range", 1)
def _availability_by_range(stage: Stage) -> Callable[[], object]:
    room = stage.busy_room()
    start, end = (each.astimezone() for each in stage.whole)
    return lambda: room.queries.availability_by_range(start, end, [room.resource])


class _EvenDays(Exposure):
    """An exposure of an application."""

    def is_allocation_exposed(self, allocation: object) -> bool:
        return allocation.id % 2 == 0  # type: ignore[attr-defined]


@operation("availability, own exposure", 2)
def _availability_exposed(stage: Stage) -> Callable[[], object]:
    room = stage.busy_room()
    room.__dict__["is_allocation_exposed"] = _EvenDays().is_allocation_exposed
    return lambda: room.availability(*stage.whole)


@operation("availability, blocking", 1)
def _availability_blocked(stage: Stage) -> Callable[[], object]:
    room = stage.busy_room(blocking_names=stage.neighbours)
    return lambda: room.availability(*stage.whole)


@operation("allocations_with_availability_by_range", 2)
def _rows(stage: Stage) -> Callable[[], object]:
    room = stage.busy_room()
    return lambda: list(room.allocations_with_availability_by_range(*stage.whole))


@operation("the same, blocking", 2)
def _rows_blocked(stage: Stage) -> Callable[[], object]:
    room = stage.busy_room(blocking_names=stage.neighbours)
    return lambda: list(room.allocations_with_availability_by_range(*stage.whole))


@operation("search_allocations", 3)
def _search(stage: Stage) -> Callable[[], object]:
    room = stage.busy_room()
    return lambda: room.search_allocations(*stage.whole)


@operation("search_allocations, every option", 3)
def _search_with_all(stage: Stage) -> Callable[[], object]:
    room = stage.busy_room(blocking_names=stage.neighbours)
    options = {"days": ["mo", "tu", "we"], "minspots": 1, "available_only": True}
    return lambda: room.search_allocations(*stage.whole, whole_day="no", **options)


@operation("remove_unused_allocations", 3)
def _remove_unused(stage: Stage) -> Callable[[], object]:
    room = stage.busy_room()
    return lambda: room.remove_unused_allocations(*stage.whole)


def measured(context: Context) -> list[Row]:
    """Measure every operation, at 1 and at 50; all but the neighbours is undone."""
    _allocate_neighbours(context)
    return [
        Row(
            each.name,
            each.budget,
            (_cost(context, each, ONE), _cost(context, each, MANY)),
        )
        for each in OPERATIONS
    ]


def _allocate_neighbours(context: Context) -> None:
    stage = Stage(context, MANY, key="")
    for name in NEIGHBOURS:
        room = new_scheduler(context, name, "Europe/Zurich")
        room.allocate(stage.days, quota=MANY + 1)
        room.commit()


def _cost(context: Context, each: Operation, number: int) -> int:
    """Count what an operation sends in a session that has forgotten everything."""
    stage = Stage(context, number, key=f"{each.name} {number}")
    session = stage.room.session
    try:
        act = each.prepare(stage)
        session.flush()
        session.expunge_all()
        with counted(session) as statements:
            act()
            session.flush()
    finally:
        session.rollback()
    return len(statements)


def table(rows: list[Row]) -> Table:
    """Show the rows; what does not hold is marked."""
    found = Table(title="Statements per operation")
    found.add_column("operation")
    for title in ("budget", f"at {ONE}", f"at {MANY}"):
        found.add_column(title, justify="right")
    found.add_column("")
    for row in rows:
        verdict = "" if row.holds else "[bold red]above[/]"
        found.add_row(row.operation, *map(str, (row.budget, *row.costs)), verdict)
    return found


@contextmanager
def temporary_context(server: str) -> Iterator[Context]:
    """Give a context on a database of its own, which is dropped afterwards."""
    name = f"libres_statement_table_{os.getpid()}"
    url = make_url(server)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield from _context(url.set(database=name).render_as_string(False))
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def _context(dsn: str) -> Iterator[Context]:
    context = create_default_registry().register_context("statements")
    context.set_setting("dsn", dsn)
    scheduler = new_scheduler(context, "room", "Europe/Zurich")
    scheduler.setup_database()
    scheduler.commit()
    try:
        yield context
    finally:
        context.get_service("session_provider").stop_service()


@contextmanager
def server() -> Iterator[str]:
    """Give the named server, or an embedded one that is gone afterwards."""
    if named := os.environ.get("LIBRES_TEST_DSN"):
        yield named
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            yield embedded.dsn(Path(folder))
        finally:
            embedded.stop(Path(folder))


def main() -> int:
    """Measure on a server of our own, or on the named one; 1 if a budget is broken."""
    with server() as dsn, temporary_context(dsn) as context:
        rows = measured(context)
    Console().print(table(rows))
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
