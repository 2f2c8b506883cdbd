"""The table tells what was measured, and what was not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks.campaign import FLOOR, LARGE, OURS, PEER, Comparison
from benchmarks.report import footnotes, table
from benchmarks.rounds import Course, Round
from benchmarks.workloads import workload

WORKLOAD = replace(workload("reserve-hour"), operations=10, target=5)


def course(name, seconds, answer=1, number=3):
    """A course whose rounds all took the same time."""
    made = Round(seconds, answer, 120, 0, ())
    return Course(name, dict.fromkeys(range(number), made), peak=50.0)


def shown(*courses):
    """The row of a workload, and its footnotes."""
    comparison = Comparison(WORKLOAD, {each.name: each for each in courses}, rounds=2)
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table([comparison]))
    row = next(line for line in captured.get().splitlines() if "an hour" in line)
    return [cell.strip() for cell in row.split("│")[1:-1]], footnotes([comparison])


OUR_COURSE = course(OURS, 0.1)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param(
            [course(PEER, 0.6), course(LARGE, 0.12), course(FLOOR, 0.04)],
            "12 12 10.0 60.0 6.0 ≥~5 2.5 1.20 50 50",
            id="everything",
        ),
        pytest.param([], "12 - 10.0 - - ≥~5 - - 50 -", id="no peer"),
        pytest.param(
            [course(PEER, 70.0, number=1)],
            "12 12 10.0 7,000.0~(1~round) 700.0 ≥~5 - - 50 50",
            id="a slow peer",
        ),
        pytest.param(
            [Course(PEER, {}, broken_off=True)],
            "12 - 10.0 >~120~s >~1,200.0 ≥~5 - - 50 -",
            id="a peer that was broken off",
        ),
        pytest.param(
            [Course(PEER, {}, failure="Oops: too deep")],
            "12 - 10.0 fails - ≥~5 - - 50 -",
            id="a peer that fails",
        ),
    ],
)
def test_row(others, expected):
    """What was not measured is a dash; what was not finished is said."""
    cells, _ = shown(OUR_COURSE, *others)
    assert cells[1:] == [cell.replace("~", " ") for cell in expected.split()]


def test_failure():
    """An error of the peer is told below the table."""
    _, notes = shown(OUR_COURSE, Course(PEER, {}, failure="Oops: too deep"))
    assert notes == ["reserve an hour: peer fails: Oops: too deep"]


def test_broken_off():
    """The limit counts as a round of who was broken off, and it is said."""
    cells, notes = shown(replace(course(OURS, 0.1, number=2), broken_off=True))
    assert cells[3] == "> 6,005.0"
    assert notes == ["reserve an hour: ours was broken off in round 2, after 120 s"]


def test_difference():
    """Another answer is told in the row and below the table."""
    cells, [note] = shown(OUR_COURSE, course(PEER, 0.6, answer=2))
    assert cells[0] == "reserve an hour ANSWERS DIFFER"
    assert note.endswith("ROUND 0 DIFFER: ours 1, peer 2")


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param([course(PEER, 0.6)], True, id="the same answers"),
        pytest.param([Course(PEER, {}, failure="no")], True, id="only the peer fails"),
        pytest.param([course(PEER, 0.6, answer=2)], False, id="other answers"),
        pytest.param([Course(LARGE, {}, failure="no")], False, id="we fail"),
    ],
)
def test_holds(others, expected):
    """The exit status is about answers and about our own errors."""
    courses = {each.name: each for each in (OUR_COURSE, *others)}
    assert Comparison(WORKLOAD, courses, rounds=2).holds is expected
