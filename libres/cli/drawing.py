"""Draws days as bars: free, partly taken, reserved, blocked, by colour and by sign.

Pure: plain values in, rich renderables out. Times are offsets from the midnight with
which the day began, on the wall clock; so a day may run past its end, and 26:00 is
two in the morning. It knows neither the database nor the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType

HOUR = timedelta(hours=1)


class Mark(IntEnum):
    """The state of a stretch of time; where two meet in one cell, the higher wins."""

    CLOSED = 0
    FREE = 1
    SOME = 2
    RESERVED = 3
    ELSEWHERE = 4
    BLOCKED = 5


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is drawn: a sign, a colour, and the word of the legend."""

    sign: str
    style: str
    word: str


LOOKS = {
    Mark.CLOSED: Look(" ", "", "closed"),
    Mark.FREE: Look("·", "green", "free"),
    Mark.SOME: Look("▒", "yellow", "partly taken"),
    Mark.RESERVED: Look("█", "red", "reserved"),
    Mark.ELSEWHERE: Look("▚", "blue", "taken elsewhere"),
    Mark.BLOCKED: Look("╬", "magenta", "blocked, not counted"),
}

LEFT_HALF, RIGHT_HALF = "▌", "▐"
"""A cell of which one half is reserved, and the other free."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a day that is in one state."""

    begin: timedelta
    end: timedelta
    mark: Mark


@dataclass(frozen=True, slots=True)
class Line:
    """A day: its name, its stretches, and what to say about it at the end.

    Without stretches it is closed; closed days in a row are drawn as one.
    """

    label: str
    stretches: tuple[Stretch, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """The days of a resource below its name."""

    title: str
    remark: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours that every bar of a drawing covers, the last one excluded."""

    first: int
    last: int

    @property
    def count(self) -> int:
        """Say how many hours these are."""
        return self.last - self.first


def hours_of(charts: Sequence[Chart]) -> Hours:
    """Return the hours in which anything at all is open, two of them at least."""
    stretches = [s for chart in charts for line in chart.lines for s in line.stretches]
    first = min((s.begin // HOUR for s in stretches), default=8)
    last = max((-(-s.end // HOUR) for s in stretches), default=18)
    return Hours(first, max(last, first + 2))


@dataclass(frozen=True, slots=True)
class Drawing:
    """Several charts above one another, on the same hours, as wide as the terminal."""

    charts: tuple[Chart, ...]

    def __rich_console__(
        self, _console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Yield the lines that fit the width of the terminal."""
        paper = _paper(self.charts, options.max_width)
        for chart in self.charts:
            yield from _chart_lines(chart, paper)
            yield ""
        yield legend(self.charts)


@dataclass(frozen=True, slots=True)
class Paper:
    """What there is to draw on: the hours, their cells, and the columns around them."""

    hours: Hours
    cells: int
    label: int
    remark: int

    @property
    def bar(self) -> int:
        """Say how many columns a bar takes."""
        return self.hours.count * self.cells

    @property
    def width(self) -> int:
        """Say how many columns a line takes."""
        return self.label + 1 + self.bar + 1 + self.remark


CELLS_PER_HOUR = (12, 6, 4, 3, 2, 1)
"""So that every cell is a whole number of five-minute steps."""

MINIMAL_GAP = 2
"""Columns between title and remark; with fewer the remark gets a line of its own."""

HOUR_COLUMNS = 4
"""Columns that the scale needs from one hour it names to the next."""


def _paper(charts: Sequence[Chart], width: int) -> Paper:
    runs = [run for chart in charts for run in _runs(chart.lines)]
    label = max((len(_label(run)) for run in runs), default=0)
    remark = max((len(run[0].remark) for run in runs), default=0)
    hours = hours_of(charts)
    room = width - label - remark - 2
    fitting = (cells for cells in CELLS_PER_HOUR if hours.count * cells <= room)
    return Paper(hours, next(fitting, 1), label, remark)


def _runs(lines: Sequence[Line]) -> Iterator[tuple[Line, ...]]:
    """Yield every open day alone, and closed days that follow each other together."""
    for is_open, run in groupby(lines, key=lambda line: bool(line.stretches)):
        if is_open:
            yield from ((line,) for line in run)
        else:
            yield tuple(run)


def _label(run: tuple[Line, ...]) -> str:
    if len(run) == 1:
        return run[0].label
    return f"{run[0].label.split()[0]}-{run[-1].label.split()[0]}"


def _chart_lines(chart: Chart, paper: Paper) -> Iterator[Text]:
    yield _heading(chart, paper)
    yield _scale(paper)
    yield from (_line(run, paper) for run in _runs(chart.lines))


def _heading(chart: Chart, paper: Paper) -> Text:
    gap = paper.width - cell_len(chart.title) - cell_len(chart.remark)
    between = " " * gap if gap >= MINIMAL_GAP else "\n"
    return Text.assemble((chart.title, "bold"), between, chart.remark)


def _scale(paper: Paper) -> Text:
    step = next(step for step in (1, 2, 3, 4) if step * paper.cells >= HOUR_COLUMNS)
    hours = range(paper.hours.first, paper.hours.last, step)
    marks = "".join(f"{hour % 24:02}".ljust(step * paper.cells) for hour in hours)
    return Text(f"{'':{paper.label}} {marks}".rstrip(), style="dim")


def _line(run: tuple[Line, ...], paper: Paper) -> Text:
    label = f"{_label(run):<{paper.label}} "
    if not run[0].stretches:
        return Text(f"{label}{'closed':>{paper.bar + 1 + paper.remark}}", style="dim")
    drawn = bar(run[0].stretches, paper.hours, paper.cells)
    return Text.assemble(label, drawn, f" {run[0].remark:>{paper.remark}}")


def bar(stretches: Sequence[Stretch], hours: Hours, cells: int) -> Text:
    """Draw *stretches* with so many *cells* per hour.

    A cell shows the highest mark that touches it, so nothing taken ever looks free;
    one that is reserved only in its first or second half is drawn half.
    """
    halves = _halves(stretches, hours, cells)
    pairs = zip(halves[::2], halves[1::2], strict=True)
    drawn = Text()
    for pair, run in groupby(pairs):
        sign = _sign(pair)
        drawn.append(sign * len(list(run)), style=LOOKS[max(pair)].style)
    return drawn


def _sign(pair: tuple[Mark, Mark]) -> str:
    if max(pair) is Mark.RESERVED and min(pair) in (Mark.FREE, Mark.CLOSED):
        return LEFT_HALF if pair[0] is Mark.RESERVED else RIGHT_HALF
    return LOOKS[max(pair)].sign


def _halves(stretches: Sequence[Stretch], hours: Hours, cells: int) -> list[Mark]:
    """Mark the first and the second half of every cell."""
    marks = [Mark.CLOSED] * (hours.count * cells * 2)
    half = HOUR / (cells * 2)
    begin = hours.first * HOUR
    for stretch in stretches:
        first = max((stretch.begin - begin) // half, 0)
        last = min(-(-(stretch.end - begin) // half), len(marks))
        for index in range(first, last):
            marks[index] = max(marks[index], stretch.mark)
    return marks


def legend(charts: Sequence[Chart]) -> Text:
    """Explain the signs that *charts* use, in their colours."""
    used = {s.mark for chart in charts for line in chart.lines for s in line.stretches}
    looks = [LOOKS[mark] for mark in sorted(used - {Mark.CLOSED})]
    words = [Text.assemble((look.sign, look.style), f" {look.word}") for look in looks]
    return Text("  ").join(words)
