"""Each guard does something: with it the race is fair, without it the same race is not.

A race that is fair without the guard as well would prove nothing about it. The list of
guards in the documentation names the tests of this module, and those of claims.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from libres.modules.errors import AlreadyReservedError
from tests.races import deeds, edges, switches
from tests.races.deeds import GUEST, do
from tests.races.edges import HOUR, Edge, booked, morning
from tests.races.racers import until
from tests.races.stage import hours
from tests.races.state import overlaps, slots_of
from tests.races.test_edges import prepared, result
from tests.races.test_faults import BOOK, course, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fixtures.severing import Severing
    from tests.races.arena import Arena, Meeting
    from tests.races.racers import Deed
    from tests.races.stage import Stage

    Arenas = Callable[..., Arena]

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "guards.rst"

SNAPSHOTS = "REPEATABLE READ"
"""The level just below SERIALIZABLE."""

LOWEST = "READ COMMITTED"
"""What PostgreSQL does if nobody says anything."""


def named(name: str) -> Edge:
    """Find an edge by its name."""
    return next(edge for edge in edges.EDGES if edge.name == name)


def together(arena: Arena, edge: Edge) -> edges.Result:
    """Let both read before one of them writes."""
    stage, both = prepared(arena, edge)
    return result(stage, arena.together(stage, both))


damaged = pytest.mark.damaged("the guard is switched off")


# The keys ---------------------------------------------------------------------------

SAME_TIME, SAME_START = (
    named("book, book the same"),
    named("allocate, allocate the same"),
)


def test_slot_key(arena_with: Arenas) -> None:
    """A slot is taken once, also where isolation is low."""
    assert together(arena_with(isolation=LOWEST), SAME_TIME) in edges.ONE_OF_TWO


@damaged
def test_without_slot_key(arena_with: Arenas) -> None:
    """Both get the same hour."""
    arena = arena_with(isolation=LOWEST)
    arena.database.execute(switches.DROP_SLOT_KEY)
    assert together(arena, SAME_TIME) == (None, None, 2 * HOUR)
    assert overlaps(arena.database) == {"slots": HOUR}


def test_place_key(arena_with: Arenas) -> None:
    """A resource has one allocation per start, also where isolation is low."""
    arena = arena_with(isolation=LOWEST)
    assert together(arena, SAME_START) in SAME_START.results
    assert overlaps(arena.database) == {}


@damaged
def test_without_place_key(arena_with: Arenas) -> None:
    """The same time is allocated twice."""
    arena = arena_with(isolation=LOWEST)
    arena.database.execute(switches.DROP_PLACE_KEY)
    assert together(arena, SAME_START) == (None, None, 0)
    assert overlaps(arena.database) == {"masters": 1}


ONE_REQUEST = named("book once, book once under the same key")


def test_request_key(arena_with: Arenas) -> None:
    """A request under a key is done once, also where isolation is low."""
    assert together(arena_with(isolation=LOWEST), ONE_REQUEST) in ONE_REQUEST.results


@damaged
def test_without_request_key(arena_with: Arenas) -> None:
    """Both book a place."""
    arena = arena_with(isolation=LOWEST, without=switches.unclaimed)
    arena.database.execute(switches.DROP_REQUEST_KEY)
    assert together(arena, ONE_REQUEST) == (None, None, 2 * HOUR)


def removed_beside_booking(arena: Arena) -> None:
    """Remove an allocation while a booking of it is about to be committed."""
    stage, both = prepared(arena, named("remove an allocation, book"))
    arena.interrupted(stage, both, 1, "commit")


def test_reference(arena_with: Arenas) -> None:
    """What has slots is not deleted, also where isolation is low."""
    arena = arena_with(isolation=LOWEST)
    removed_beside_booking(arena)
    assert overlaps(arena.database) == {}


@damaged
def test_without_reference(arena_with: Arenas) -> None:
    """The slots of the booking are left without an allocation."""
    arena = arena_with(isolation=LOWEST)
    arena.database.execute(switches.DROP_REFERENCE)
    removed_beside_booking(arena)
    assert overlaps(arena.database) == {"strays": HOUR}


# Isolation --------------------------------------------------------------------------

NO_KEY_GUARDS = [
    pytest.param(named(name), result, id=name)
    for name, result in (
        ("allocate, allocate some of it", (None, None, 0)),
        ("move, allocate there", (None, None, 0)),
        ("book the room, book the hall", (None, None, 2 * HOUR)),
        ("approve the room, approve the hall", (None, None, 2 * HOUR)),
        ("block the room, book the hall", (None, None, 2 * HOUR)),
        ("block the room, block the hall", (None, None, 2 * HOUR)),
        ("lower the quota, book", (None, None, 2 * HOUR)),
        ("lower the quota, approve", (None, None, 2 * HOUR)),
        ("lower the quota, block", (None, None, 2 * HOUR)),
        ("reserve, reserve in one session", (None, None, 0)),
        ("move, reserve", (None, None, 0)),
        ("remove an allocation, reserve", (None, None, 0)),
    )
]
"""What is judged on what was read, and what comes of it if that changes meanwhile."""


@pytest.mark.parametrize(("edge", "_wrong"), NO_KEY_GUARDS)
def test_isolation(arena: Arena, edge: Edge, _wrong: edges.Result) -> None:
    """One of the two is aborted, runs again, and is refused."""
    assert together(arena, edge) in edge.results


@pytest.mark.parametrize(("edge", "wrong"), NO_KEY_GUARDS)
@damaged
def test_without_isolation(arena_with: Arenas, edge: Edge, wrong: edges.Result) -> None:
    """Both succeed, although each excludes the other."""
    assert wrong not in edge.results
    assert together(arena_with(isolation=SNAPSHOTS), edge) == wrong


# Conflicts --------------------------------------------------------------------------


def test_retry(arena: Arena) -> None:
    """Nobody hears of conflicts, only that the time is taken."""
    assert together(arena, SAME_TIME) in edges.ONE_OF_TWO


@damaged
def test_without_retry(arena_with: Arenas) -> None:
    """The one that was slower hears of a conflict, though there may be free places."""
    first, second, slots = together(arena_with(attempts=1), SAME_TIME)
    assert {first, second} == {None, "TooManyConflicts"}
    assert slots == HOUR


def test_verdict_on_keys(arena_with: Arenas) -> None:
    """A duplicate slot means that somebody was faster."""
    assert together(arena_with(isolation=LOWEST), SAME_TIME) in edges.ONE_OF_TWO


@damaged
def test_without_verdict_on_keys(arena_with: Arenas) -> None:
    """The one that was slower gets an error of the database."""
    options = {"isolation": LOWEST, "without": switches.without_verdict_on_keys}
    first, second, _ = together(arena_with(**options), SAME_TIME)
    assert {first, second} == {None, "IntegrityError"}


# Order ------------------------------------------------------------------------------


@edges.edge("book all places, book them backwards")
def _(stage: Stage) -> list[Deed]:
    dates = hours(9, 10), hours(11, 12)
    stage.room.allocate(dates, quota=2)
    both = [(9, 10), (11, 12)]
    return [do(deeds.book, *each, quota=2) for each in (both, both[::-1])]


CROSSWISE = [
    pytest.param("reserved_slots", named("book, book backwards"), id="slots"),
    pytest.param("allocations", edges.EDGES.pop(), id="mirrors"),
]
"""Which rows are inserted in an order of their own, and by whom."""

WAIT_AT_THE_SECOND_ROW = """
    CREATE FUNCTION wait_at_the_second_row() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF current_setting('races.inserted', true) = 'one' THEN
            PERFORM pg_advisory_xact_lock_shared(1);
        END IF;
        PERFORM set_config('races.inserted', 'one', true);
        RETURN NEW;
    END $$;
    CREATE TRIGGER wait_at_the_second_row BEFORE INSERT ON {table}
    FOR EACH ROW EXECUTE FUNCTION wait_at_the_second_row();
"""


@contextmanager
def waiting_at_the_second_row(arena: Arena, table: str) -> Iterator[None]:
    """Let both insert a row; then go on, once each waits for the other or for us."""
    arena.database.execute(WAIT_AT_THE_SECOND_ROW.format(table=table))
    arena.database.execute("SELECT pg_advisory_lock(1)")
    yield
    until(lambda: arena.waiting() == 2, "they do not meet")
    arena.database.execute("SELECT pg_advisory_unlock(1)")


def crosswise(arena: Arena, table: str, edge: Edge) -> Meeting:
    """Insert the same rows twice, the second time in the opposite order."""
    stage, both = prepared(arena, edge)
    with waiting_at_the_second_row(arena, table):
        started = arena.start(stage, both)
    return arena.end(started)


def deadlocks(meeting: Meeting) -> list[str]:
    """Return what those were told who waited for each other."""
    return [each.text for each in meeting.outcomes if "deadlock" in each.text]


@pytest.mark.parametrize(("table", "edge"), CROSSWISE)
def test_order(arena_with: Arenas, table: str, edge: Edge) -> None:
    """Who comes second waits at the first row, so nobody waits in a circle."""
    meeting = crosswise(arena_with(attempts=1), table, edge)
    assert sorted(map(str, meeting.errors)) == ["None", "TooManyConflicts"]
    assert deadlocks(meeting) == []


@pytest.mark.parametrize(("table", "edge"), CROSSWISE)
@damaged
def test_without_order(arena_with: Arenas, table: str, edge: Edge) -> None:
    """Each has a row that the other one wants: PostgreSQL ends one of them."""
    options = {"attempts": 1, "without": switches.unsorted}
    assert len(deadlocks(crosswise(arena_with(**options), table, edge))) == 1


# Within a transaction ---------------------------------------------------------------


def refused_change(arena: Arena) -> Stage:
    """Change a reservation to a time that is taken, and commit whatever is left."""
    stage = arena.new_stage()
    morning(stage)
    old = booked(stage, 9, 10)
    token, number = old.token, old.id
    booked(stage, 11, 12)
    stage.room.commit()

    def change() -> None:
        with pytest.raises(AlreadyReservedError):
            stage.room.change_reservation(token, number, *hours(11, 12))

    stage.room.transaction(change)
    return stage


def test_savepoint(arena: Arena) -> None:
    """A reservation whose change is refused keeps its time."""
    assert slots_of(refused_change(arena)) == 2 * HOUR


@damaged
def test_without_savepoint(arena: Arena) -> None:
    """It has lost its time."""
    with switches.without_savepoints():
        stage = refused_change(arena)
    assert slots_of(stage) == HOUR


def swallowed_error(arena: Arena) -> Stage:
    """Book, and pass over an error of the database in the same transaction."""
    stage = arena.new_stage()
    morning(stage)
    stage.room.commit()

    def book() -> None:
        stage.room.book(GUEST, hours(9, 10))
        with pytest.raises(DBAPIError):
            stage.room.session.execute(text("SELECT nonsense"))

    stage.room.transaction(book)
    return stage


def test_look_at_the_status(arena: Arena) -> None:
    """What PostgreSQL is going to roll back is not reported as done."""
    with pytest.raises(DBAPIError, match="transaction is aborted"):
        swallowed_error(arena)


@damaged
def test_without_look_at_the_status(arena: Arena) -> None:
    """The caller is told that it is booked, but it is not."""
    with switches.without_look_at_the_status():
        stage = swallowed_error(arena)
    assert slots_of(stage) == 0


def test_question(arena: Arena, severing: Severing) -> None:
    """What became of a COMMIT without an answer is asked, so nothing is done twice."""
    once = course(arena, BOOK).contents
    assert cut(arena, severing, BOOK, ["after"]).contents == once


@damaged
def test_without_question(arena: Arena, severing: Severing) -> None:
    """Who takes no answer for a failure books twice."""
    once = course(arena, BOOK)
    with switches.without_question():
        twice = cut(arena, severing, BOOK, ["after"])
    assert len(twice.contents) > len(once.contents)
    assert overlaps(arena.database) == {}


# The list ---------------------------------------------------------------------------


def test_list_of_guards() -> None:
    """The documentation names every test of a guard beside its control test."""
    rows = re.findall(
        r"- ``(test_\w+)``\s+- ``(test_without_\w+)``", PAGE.read_text(encoding="utf-8")
    )
    controls = {name for name in globals() if name.startswith("test_without_")}
    assert {control for _, control in rows} == controls
    assert all(control == f"test_without_{name[5:]}" for name, control in rows)
    assert all(name in globals() for name, _ in rows)
