"""Two transactions that get in each other's way end as if one had come after the other.

One of them stops before each of its statements in turn, and before its COMMIT, while
the other one runs; so what can happen between two statements does happen.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.findings import findings
from tests.races import edges
from tests.races.edges import EDGES, Edge
from tests.races.state import overlaps, slots_of

if TYPE_CHECKING:
    from tests.races.arena import Arena, Meeting
    from tests.races.racers import Deed, Stop
    from tests.races.stage import Stage

ROUNDS = 2
"""How often all begin to write at the same moment."""


def prepared(arena: Arena, edge: Edge) -> tuple[Stage, list[Deed]]:
    """Set up what an edge needs, committed, on a stage of its own."""
    stage = arena.new_stage()
    deeds = edge.prepare(stage)
    stage.room.commit()
    return stage, deeds


def result(stage: Stage, meeting: Meeting) -> edges.Result:
    """Say what came of a meeting, as edges tell it."""
    first, second = meeting.errors
    slots = slots_of(stage)
    stage.room.rollback()
    return first, second, slots


def interrupted(arena: Arena, edge: Edge, first: int, stop: Stop) -> bool:
    """Stop one of two and check what comes of it; tell whether there was more."""
    stage, deeds = prepared(arena, edge)
    meeting = arena.interrupted(stage, deeds, first, stop)
    assert result(stage, meeting) in edge.results, (first, stop, meeting)
    return meeting.at == "statement"


def assert_sound(arena: Arena) -> None:
    """Nothing overlaps, nothing is half there."""
    assert overlaps(arena.database) == {}
    assert findings(arena.new_stage().room) == []


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.name)
class TestEdge:
    """One edge, in every order."""

    @pytest.mark.parametrize("first", [0, 1])
    def test_at_each_statement(self, arena: Arena, edge: Edge, first: int) -> None:
        """One comes in between, wherever the other one stands."""
        for number in count(1):
            if not interrupted(arena, edge, first, number):
                break
        assert number > 1, "it has stopped nowhere"
        assert_sound(arena)

    def test_together(self, arena: Arena, edge: Edge) -> None:
        """Both have read before one of them writes."""
        for _ in range(ROUNDS):
            stage, deeds = prepared(arena, edge)
            meeting = arena.together(stage, deeds)
            assert result(stage, meeting) in edge.results, meeting
        assert_sound(arena)
