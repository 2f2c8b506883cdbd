"""How charts look on paper of a fixed width; no database, no clock."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from libres.cli.drawing import (
    Chart,
    Drawing,
    Hours,
    Line,
    Mark,
    Stretch,
    bar,
    hours_of,
)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def stretch(begin: float, end: float, mark: Mark = Mark.RESERVED) -> Stretch:
    return Stretch(hours(begin), hours(end), mark)


def drawn(*charts: Chart, width: int = 66, **options: Any) -> list[str]:
    paper = StringIO()
    console = Console(file=paper, width=width, **options)
    console.print(Drawing(charts))
    return [line.rstrip() for line in paper.getvalue().splitlines()]


ROOM = Chart(
    "Room",
    "half of it free",
    (
        Line("Mon 1", (stretch(8, 9), stretch(9, 12, Mark.FREE)), "75 % free"),
        Line("Tue 2"),
        Line("Wed 3"),
        Line("Thu 4", (stretch(10, 12, Mark.BLOCKED),), "0 % free"),
        Line("Fri 5"),
    ),
)


def test_a_chart() -> None:
    """Days are lines, hours are columns, closed days in a row are one line."""
    assert drawn(ROOM, width=45) == [
        "Room                       half of it free",
        "        08    09    10    11",
        "Mon 1   ██████·················· 75 % free",
        "Tue-Wed                             closed",
        "Thu 4               ╬╬╬╬╬╬╬╬╬╬╬╬  0 % free",
        "Fri 5                               closed",
        "",
        "· free  █ reserved  ╬ blocked, not counted",
    ]


@pytest.mark.parametrize("width", [24, 40, 60, 80, 100, 120, 250])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Fewer columns mean fewer cells per hour."""
    lines = drawn(ROOM, width=width)
    assert max(map(len, lines)) <= width
    assert sum("closed" in line for line in lines) == 2


def test_a_long_remark_gets_a_line_of_its_own() -> None:
    """Neither title nor remark is cut."""
    [title, remark, *_rest] = drawn(Chart("Room", "word " * 9, ROOM.lines), width=40)
    assert title == "Room"
    assert remark.startswith("word word")


def test_wide_letters_take_two_columns() -> None:
    """A title in Japanese leaves the remark where it is."""
    [plain, *_rest] = drawn(ROOM)
    [wide, *_rest] = drawn(Chart("会議室", ROOM.remark, ROOM.lines))
    assert len(wide) == len(plain) - 3


def test_charts_share_their_hours() -> None:
    """Days of different resources can be compared column by column."""
    late = Chart("Late", "", (Line("Mon 1", (stretch(20, 26),), "0 % free"),))
    lines = drawn(ROOM, late, width=80)
    scales = [line for line in lines if line.lstrip().startswith("08")]
    assert scales == [scales[0], scales[0]]
    assert scales[0].split()[-2:] == ["22", "00"]


def test_signs_say_it_without_colour() -> None:
    """Every state has a sign of its own, so colour only adds."""
    marks = [mark for mark in Mark if mark is not Mark.CLOSED]
    line = Line("x", tuple(stretch(n, n + 1, mark) for n, mark in enumerate(marks)))
    [_title, _scale, text, *_rest] = drawn(Chart("x", "", (line,)), width=80)
    assert len(set(text) - {"x", " "}) == len(marks)


def test_colours_on_a_colour_terminal() -> None:
    """Reserved is red, free is green."""
    text = "\n".join(drawn(ROOM, force_terminal=True, color_system="standard"))
    assert "\x1b[31m█" in text
    assert "\x1b[32m·" in text


@pytest.mark.parametrize(
    ("stretches", "expected", "why"),
    [
        ([], "    ", "closed"),
        ([stretch(8, 9)], "██  ", "whole cells"),
        ([stretch(8.5, 9)], " █  ", "one cell"),
        ([stretch(8, 8.25)], "▌   ", "the first half of a cell"),
        ([stretch(8.25, 8.5)], "▐   ", "the second half of a cell"),
        ([stretch(8, 8.05)], "▌   ", "the least bit is seen"),
        ([stretch(8.2, 8.3)], "█   ", "a bit of both halves"),
        ([stretch(7, 12)], "████", "more than the hours there are"),
        ([stretch(1, 2)], "    ", "outside of the hours"),
        ([stretch(8, 10, Mark.FREE), stretch(9, 9.1)], "··▌·", "taken beats free"),
        ([stretch(8, 9), stretch(8, 10, Mark.BLOCKED)], "╬╬╬╬", "blocked beats all"),
        ([stretch(8, 8.1, Mark.SOME)], "▒   ", "other signs have no halves"),
    ],
)
def test_bar(stretches: list[Stretch], expected: str, why: str) -> None:
    """Two hours in cells of thirty minutes."""
    assert bar(stretches, Hours(8, 10), 2).plain == expected, why


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([], Hours(8, 18)),
        ([stretch(9.5, 11.25)], Hours(9, 12)),
        ([stretch(9.5, 9.75)], Hours(9, 11)),
        ([stretch(11, 26.25)], Hours(11, 27)),
        ([stretch(0, 24)], Hours(0, 24)),
    ],
)
def test_hours_of(stretches: list[Stretch], expected: Hours) -> None:
    """From the first hour to the last in which anything is open."""
    chart = Chart("x", "", (Line("x", tuple(stretches)),))
    assert hours_of([chart]) == expected
