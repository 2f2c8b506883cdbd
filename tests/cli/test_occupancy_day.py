"""How a day of a space looks in a terminal; no database, no clock."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from libres.cli.occupancy_day import day_lines
from libres.cli.terminal import console
from libres.domain.spans import Span
from libres.modules.errors import Misuse
from libres.occupancy.drawing import Booked, Day, Step

BERLIN = ZoneInfo("Europe/Berlin")

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Nothing depends on how fast the machine is."""

LEGEND = (
    "█ count  ▒ up to the most  ╬ above capacity  - capacity  · unknown  ▚ last count"
)


def at(hour: float) -> datetime:
    """A moment of the example's day, in Berlin."""
    return datetime(2018, 2, 24, tzinfo=BERLIN) + timedelta(hours=hour)


def span(start: float, end: float) -> Span:
    return Span(at(start), at(end))


def steps(
    *counts: int, margin: int = 0, start: datetime | None = None
) -> tuple[Step, ...]:
    """Steps of an hour, by default from eight o'clock on."""
    begin = (at(8) if start is None else start).astimezone(UTC)
    hour = timedelta(hours=1)
    return tuple(
        Step(begin + n * hour, begin + (n + 1) * hour, each, each, each + margin)
        for n, each in enumerate(counts)
    )


def day(*counts: int, capacity: int | None = None, margin: int = 0) -> Day:
    return Day("Room A", "Europe/Berlin", steps(*counts, margin=margin), capacity)


def booked(*spans: Span, label: str = "Choir") -> tuple[Booked, ...]:
    return tuple(Booked(each, label) for each in spans)


def drawn(given: Day, width: int = 27, height: int = 12) -> list[str]:
    """The lines of a drawing, dashes as hyphens; by default a column is an hour."""
    paper = StringIO()
    lines = day_lines(given, width, height)
    for line in lines:
        Console(file=paper, width=200).print(line)
    return paper.getvalue().replace("\N{EN DASH}", "-").splitlines()


def test_a_day() -> None:
    """Rows are people, columns are hours, and beneath it is said what is to see."""
    given = replace(
        day(1, 2, 4, 6, 3, 1, 0, 2, capacity=4, margin=1),
        booked=booked(span(9, 12), span(14, 16)),
        silent=(span(13, 15),),
    )
    assert drawn(given) == [
        "Room A, Sat 24 Feb 2018 (Europe/Berlin)",
        "7            ▒ ··",
        "6            ╬ ··",
        "            ▒╬ ··",
        "4 ----------██▒··---------",
        "3          ▒███··▒",
        "          ▒████··█",
        "          █████▚·█",
        "  00 03 06 09 12 15 18 21",
        "           ▐C▌  ▐▌",
        "Highest count: 7, 11:00 to 12:00.",
        "Capacity: 4, exceeded 10:00 to 12:00.",
        "Unknown, no sensor heard: 13:00 to 15:00.",
        LEGEND,
    ]


def test_nobody() -> None:
    """An empty room is empty, not missing."""
    assert drawn(day(0, 0)) == [
        "Room A, Sat 24 Feb 2018 (Europe/Berlin)",
        "1",
        "  00 03 06 09 12 15 18 21",
        "Highest count: 0, 08:00 to 10:00.",
        "",
    ]


def test_below_zero() -> None:
    """Raw counts may be negative: rows below zero show them."""
    lines = drawn(day(-2, 2))
    assert lines[1:5] == [
        " 2          █",
        "            █",
        " 0         █",
        "           █",
    ]


@pytest.mark.parametrize(
    ("highest", "height", "expected", "why"),
    [
        (12, 12, ["12", "9", "6", "3"], "a row is a person"),
        (13, 12, ["14", "12", "6"], "two people"),
        (3, 12, ["3"], "no more rows than people"),
        (37, 12, ["40", "36", "24", "12"], "as few people as fit"),
        (37, 4, ["40", "30"], "a lower drawing"),
        (5, 0, ["6"], "never lower than two rows"),
        (99, 8, ["104", "78", "39"], "a number may be longer than the count"),
    ],
)
def test_height(highest: int, height: int, expected: list[str], why: str) -> None:
    """A row is a whole number of people, so what stands beside it is exact."""
    lines = drawn(day(highest), height=height)[1:-3]
    rows = [line for line in lines if "█" in line]
    assert len(rows) <= max(height, 2), why
    assert [line.split()[0] for line in rows if line.split()[0] != "█"] == expected, why
    assert len({line.index("█") for line in rows}) == 1, why


@pytest.mark.parametrize(
    ("count", "most", "capacity", "expected", "why"),
    [
        (3, 3, 4, " -█", "below: the line is empty"),
        (4, 4, 4, " █", "reached, not exceeded"),
        (5, 5, 4, " ╬█", "above"),
        (4, 5, 4, " ▒█", "for a moment"),
        (0, 0, 4, " -", "nobody"),
    ],
)
def test_capacity(
    count: int, most: int, capacity: int, expected: str, why: str
) -> None:
    """The line is at the top of what is allowed."""
    given = replace(
        day(), steps=(Step(at(8), at(9), count, 0, most),), capacity=capacity
    )
    rows = [line.ljust(30) for line in drawn(given)[1:-4]]
    column = "".join(line[10] for line in rows)
    assert "".join(dict.fromkeys(f" {column}")) == expected, why


@pytest.mark.parametrize(
    ("silent", "expected", "why"),
    [
        (span(9, 10), "█▚█", "an hour"),
        (span(9.5, 9.6), "█▚█", "the least part of it"),
        (span(8, 11), "▚▚▚", "all of it"),
        (span(9, 9), "███", "an empty one"),
        (span(20, 21), "███", "another time"),
    ],
)
def test_silent(silent: Span, expected: str, why: str) -> None:
    """Nothing unknown looks known."""
    lines = drawn(replace(day(1, 1, 1), silent=(silent,)))
    assert lines[1][10:13] == expected, why


def test_unknown() -> None:
    """A dead sensor is no empty room."""
    lines = drawn(replace(day(0, 0), silent=(span(0, 24),)))
    assert lines[1] == f"1 {'·' * 24}"
    assert "Highest count: unknown." in lines


def test_missing_steps() -> None:
    """Where nothing was counted there is nothing, and no reservation is lost."""
    given = replace(day(1), booked=booked(span(20, 23)))
    lines = drawn(given)
    assert lines[1] == "1         █"
    assert lines[3] == f"{'':22}▐C▌"


def test_highest_of_a_column() -> None:
    """A column of an hour shows the highest of its quarters."""
    quarters = tuple(
        Step(at(8 + n / 4), at(8 + (n + 1) / 4), count, count, count)
        for n, count in enumerate((1, 3, 2, 0))
    )
    rows = drawn(replace(day(), steps=quarters))[1:4]
    assert [row[-1] for row in rows] == ["█", "█", "█"]


@pytest.mark.parametrize(
    ("spans", "expected", "why"),
    [
        ([], [], "none"),
        ([span(8, 9)], ["        █"], "one column"),
        ([span(8, 10)], ["        ▐▌"], "two"),
        ([span(8, 16)], ["        ▐Choir ▌"], "room for the label"),
        ([span(8, 11), span(11, 13)], ["        ▐C▌▐▌"], "one after the other"),
        ([span(8, 10.5), span(10.5, 13)], ["        ▐C▌▐▌"], "they share a column"),
        ([span(8, 8.5), span(8.5, 9)], ["        █"], "and have no other"),
        ([span(8, 10), span(9, 11)], ["        ▐▌", "         ▐▌"], "together"),
        ([span(-5, 3)], ["▐C▌"], "since the day before"),
        ([span(22, 30)], [f"{'':22}▐▌"], "until the next day"),
    ],
)
def test_reservations(spans: list[Span], expected: list[str], why: str) -> None:
    """Reservations are bars beneath the hours, those of the same time in rows."""
    lines = drawn(replace(day(1), booked=booked(*spans)))
    rows = [line[2:] for line in lines[3:] if line.startswith("  ")]
    assert rows == expected, why


def test_many_reservations() -> None:
    """Those without a row are counted."""
    lines = drawn(replace(day(1), booked=booked(*[span(8, 12)] * 9)))
    assert "and 3 more at the same time" in lines


def test_wide_letters() -> None:
    """Letters of East Asia take two columns, and do not move the end of a bar."""
    [wide] = [line for line in drawn(_reserved("会議室の予約")) if "▐" in line]
    assert wide == f"{'':10}▐会議 ▌"


def test_hostile_label() -> None:
    """A label may not steer the terminal, nor is it markup."""
    text = "\n".join(drawn(_reserved("\x1b[31m[red]\n"), width=200))
    assert "\x1b" not in text
    assert "[31m[red]" in text


def _reserved(label: str) -> Day:
    return replace(day(1), booked=booked(span(8, 15), label=label))


@pytest.mark.parametrize(
    ("month", "number", "expected"),
    [
        pytest.param(2, 24, "00  02  04  06", id="an ordinary day"),
        pytest.param(3, 25, "00    04  06", id="two does not exist"),
        pytest.param(10, 28, "00  02    04  06", id="two is there twice"),
    ],
)
def test_clock_change(month: int, number: int, expected: str) -> None:
    """Hours are those of the clock on the wall, a column always lasts as long."""
    start = datetime(2018, month, number, tzinfo=BERLIN)
    lines = drawn(replace(day(), steps=steps(1, start=start)), width=60)
    assert lines[2].strip().startswith(expected)


def test_several_days() -> None:
    """Days are named where there are several."""
    given = replace(day(), steps=steps(1, 1, start=at(23)))
    assert drawn(given, width=60)[2] == "  Sat 24      12          Sun 25      12"


@pytest.mark.parametrize("width", [20, 27, 40, 80, 120, 300])
@pytest.mark.parametrize("month", [2, 3, 10])
def test_width(width: int, month: int) -> None:
    """It fits, if it can."""
    given = replace(
        day(),
        steps=steps(3, 9, 5, start=datetime(2018, month, 25, 8, tzinfo=BERLIN)),
        booked=booked(Span(at(0), at(24 * 400))),
        capacity=6,
    )
    lines = drawn(given, width)
    end = next(at for at, line in enumerate(lines) if line.startswith("Highest"))
    assert max(map(len, lines[1:end])) <= width


def test_colours() -> None:
    """What is above the capacity is red, and signs say it without colour."""
    paper = StringIO()
    colourful = Console(file=paper, force_terminal=True, color_system="standard")
    for line in day_lines(day(1, 9, capacity=4), 80):
        colourful.print(line)
    assert "\x1b[1;31m╬" in paper.getvalue()


def test_an_ascii_terminal_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sign has a substitute that is as wide."""
    given = replace(
        day(1, 2, 4, 6, capacity=4, margin=1),
        booked=booked(span(8, 15)),
        silent=(span(9, 10),),
    )
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    said = console()
    for line in day_lines(given, 27):
        said.print(line)
    stream.flush()
    lines = written.getvalue().decode("ascii").splitlines()
    assert "?" not in "".join(lines)
    assert lines[1:8] == [
        "7          . +",
        "6          . x",
        "           .+x",
        "4 ---------.##------------",
        "3          .##",
        "          +o##",
        "          #o##",
    ]
    assert lines[9] == f"{'':10}#Choir#"


def test_mistakes() -> None:
    """A day without steps cannot be drawn."""
    with pytest.raises(Misuse):
        day_lines(day(), 80)


@steady
@given(
    st.lists(st.integers(-30, 300), min_size=1, max_size=16),
    st.none() | st.integers(0, 200),
    st.integers(0, 250),
    st.integers(-1, 30),
)
def test_any(counts: list[int], capacity: int | None, width: int, height: int) -> None:
    """There are not more rows than asked for, and somebody inside is always seen."""
    given = replace(
        day(*counts, capacity=capacity), booked=booked(span(3, 9), span(5, 30))
    )
    lines = [line.plain for line in day_lines(given, width, height)]
    scale = next(n for n, line in enumerate(lines) if line.strip().startswith("00"))
    assert 1 <= scale - 1 <= max(height, 2)
    if max(counts) > 0:
        assert any("█" in line or "╬" in line for line in lines[1:scale])
