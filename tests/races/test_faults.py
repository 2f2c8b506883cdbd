"""A fault anywhere in a transaction changes nothing: it is done once, and told once."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from libres.modules.errors import AlreadyReservedError
from tests.fixtures.findings import findings
from tests.races.deeds import GUEST
from tests.races.injecting import AT_COMMIT, FAULTS, Fault, Injector, injecting
from tests.races.racers import Held, Racer, Task, until
from tests.races.stage import hours, stage_on
from tests.races.state import overlaps
from tests.races.verbs import VERBS, Verb, contents, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from tests.fixtures.severing import Moment, Severing
    from tests.races.arena import Arena
    from tests.races.racers import Deed
    from tests.races.stage import Stage

AT_THE_COMMIT = 0

BOOK = next(verb for verb in VERBS if verb.name == "book")
CHANGE = next(verb for verb in VERBS if verb.name == "change")


@dataclass(frozen=True, slots=True)
class Course:
    """What came of a verb: what is stored, who was told, how often it was begun."""

    contents: list[tuple[Any, ...]]
    told: list[str]
    statements: int
    struck: bool


def prepared(arena: Arena, verb: Verb) -> tuple[Stage, Deed]:
    """Set up what a verb needs, committed."""
    stage = arena.new_stage()
    deed = verb.prepare(stage)
    stage.room.commit()
    return stage, deed


def course(
    arena: Arena, verb: Verb, fault: Fault | None = None, at: int = -1
) -> Course:
    """Run a verb in a transaction that a fault strikes."""
    stage, deed = prepared(arena, verb)
    with told() as names, injecting(stage.engine, arena.database, fault, at) as made:
        stage.context.transaction(lambda: deed(stage))
    return Course(contents(stage), names, len(made.statements), made.struck)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
class TestFault:
    """One kind of fault, wherever it strikes."""

    def test_at_each_statement(self, arena: Arena, verb: Verb, fault: Fault) -> None:
        """The whole is run again, and the listeners hear of it once."""
        undisturbed = course(arena, verb)
        for at in range(1, undisturbed.statements + 1):
            disturbed = course(arena, verb, fault, at)
            assert disturbed.struck
            assert disturbed.contents == undisturbed.contents, at
            assert disturbed.told == undisturbed.told, at
        assert findings(arena.new_stage().room) == []

    def test_at_the_commit(self, arena: Arena, verb: Verb, fault: Fault) -> None:
        """It was not committed, so it is run again."""
        arena.database.execute(AT_COMMIT)
        undisturbed = course(arena, verb)
        disturbed = course(arena, verb, fault, AT_THE_COMMIT)
        assert disturbed.struck
        assert disturbed.contents == undisturbed.contents
        assert disturbed.told == undisturbed.told


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_contents(arena: Arena, verb: Verb) -> None:
    """Each verb changes something that would be missed."""
    stage, deed = prepared(arena, verb)
    before = contents(stage)
    stage.context.transaction(lambda: deed(stage))
    assert contents(stage) != before


# While rolling back -----------------------------------------------------------------


@contextmanager
def cut_at_the_rollback(stage: Stage, arena: Arena) -> Iterator[list[str]]:
    """Cut the connection before the first ROLLBACK of a with-block."""
    cuts: list[str] = []

    def cut_once(connection: Connection) -> None:
        if not cuts:
            cuts.append("cut")
            Injector("cut", 0, arena.database).break_link(connection)

    event.listen(stage.engine, "rollback", cut_once)
    try:
        yield cuts
    finally:
        event.remove(stage.engine, "rollback", cut_once)


def test_conflict_and_cut(arena: Arena) -> None:
    """A connection that is lost after a conflict does not keep it from being done."""
    undisturbed = course(arena, CHANGE)
    stage, deed = prepared(arena, CHANGE)
    with (
        cut_at_the_rollback(stage, arena) as cuts,
        injecting(stage.engine, arena.database, "40001", 5),
    ):
        stage.context.transaction(lambda: deed(stage))
    assert cuts
    assert contents(stage) == undisturbed.contents


def test_refused_and_cut(arena: Arena) -> None:
    """Whoever is refused hears why, also if the connection is lost then."""
    stage, deed = prepared(arena, BOOK)
    stage.room.book(GUEST, hours(9, 10), quota=3)
    stage.room.commit()
    with (
        cut_at_the_rollback(stage, arena) as cuts,
        pytest.raises(AlreadyReservedError),
    ):
        stage.context.transaction(lambda: deed(stage))
    assert cuts


# No answer --------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(["before"], id="before the server has it"),
        pytest.param(["in"], id="while the server is at it"),
        pytest.param(["after"], id="after the server has committed"),
        pytest.param(["before", "after"], id="and again, after it has"),
    ],
)
def test_no_answer(
    arena: Arena, severing: Severing, verb: Verb, plan: list[Moment | None]
) -> None:
    """A link that is cut at the COMMIT does not make it happen twice, or not at all."""
    undisturbed = course(arena, verb)
    disturbed = cut(arena, severing, verb, plan)
    assert severing.plan == []
    assert disturbed.contents == undisturbed.contents
    assert disturbed.told == undisturbed.told


def cut(
    arena: Arena, severing: Severing, verb: Verb, plan: list[Moment | None]
) -> Course:
    """Run a verb on a link whose COMMITs are lost as planned."""
    stage, deed = prepared(arena, verb)
    linked = stage_on(severing.dsn(arena.dsn), stage.name)
    severing.plan = plan
    with told() as names:
        linked.context.transaction(lambda: deed(linked))
    linked.context.get_service("session_provider").stop_service()
    return Course(contents(stage), names, statements=0, struck=True)


# Killed -----------------------------------------------------------------------------


def killed(arena: Arena, stage: Stage, deed: Deed, stop: int) -> str:
    """Kill a process that stands before a statement; say where it has stood."""
    racer = Racer()
    racer.start(Task(arena.dsn, stage.name, deed, stop))
    held = racer.news()
    assert isinstance(held, Held)
    before = arena.connections()
    racer.end()
    until(lambda: arena.connections() < before, "its backend lives on")
    return held.at


@pytest.mark.parametrize("verb", [BOOK, CHANGE], ids=lambda verb: verb.name)
def test_killed_client(arena: Arena, verb: Verb) -> None:
    """What a killed process has begun is not there, and in nobody's way."""
    for stop in count(1, 2):
        stage, deed = prepared(arena, verb)
        before = contents(stage)
        at = killed(arena, stage, deed, stop)
        assert contents(stage) == before
        stage.context.transaction(lambda deed=deed, stage=stage: deed(stage))
        assert contents(stage) != before
        if at == "commit":
            break
    assert overlaps(arena.database) == {}
    assert findings(arena.new_stage().room) == []
