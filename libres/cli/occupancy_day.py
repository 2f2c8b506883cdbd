"""Draws a day of a space in the terminal: how many were inside, and what was reserved.

A column shows its highest count, so that nothing above the capacity is hidden, and is
marked as unknown if no sensor was heard in any part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import count, groupby
from typing import TYPE_CHECKING, Final

from rich.cells import set_cell_size
from rich.text import Text

from libres.cli.drawing import Look
from libres.occupancy.drawing import days, hours, name_of, sentences, sheet_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from libres.domain.spans import Span
    from libres.occupancy.drawing import Booked, Day, Sheet
    from libres.occupancy.steps import Step

MINUTES: Final = (5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440)
"""Of a column, the smallest that fits."""

NUMBERED: Final = 3
"""Rows from one number beside them to the next."""

HOUR_ROOM, DAY_ROOM = 3, 7
"""Columns that the name of an hour takes, and that of a day."""

EMPTY: Final = Look(" ", "", "")
COUNT: Final = Look("█", "cyan", "count")
MOST: Final = Look("▒", "cyan", "up to the most")
OVER: Final = Look("╬", "red bold", "above capacity")
OVER_AT_MOST: Final = Look("▒", "red", "up to the most")
LIMIT: Final = Look("\N{EN DASH}", "red", "capacity")
UNKNOWN: Final = Look("·", "dim", "unknown")
UNKNOWN_COUNT: Final = Look("▚", "dim", "last count")
"""All signs are among the SUBSTITUTES of the terminal, so there is ASCII for them."""

LEGEND: Final = (COUNT, MOST, OVER, LIMIT, UNKNOWN, UNKNOWN_COUNT)

BEGIN, END, SHORT = "▐", "▌", "█"
BOOKED: Final = "magenta"


@dataclass(frozen=True, slots=True)
class _Paper:
    """What there is to draw on: columns of time, and rows of so many people each."""

    sheet: Sheet
    label: int
    column: timedelta
    unit: int

    @property
    def columns(self) -> int:
        """Say how many columns there are."""
        return -(-self.sheet.span.duration // self.column)

    @property
    def rows(self) -> range:
        """Return the numbers of the rows from the top; row 1 is from 0 to the unit."""
        return _rows(self.sheet, self.unit)

    def places(self, span: Span) -> range:
        """Return the columns that a span touches."""
        begin = self.sheet.span.start
        first = max((span.start - begin) // self.column, 0)
        return range(first, min(-(-(span.end - begin) // self.column), self.columns))


@dataclass(frozen=True, slots=True)
class _Column:
    """What is known of a stretch of time; None: nothing."""

    count: int | None
    most: int | None
    is_silent: bool


def day_lines(day: Day, width: int, height: int = 12) -> list[Text]:
    """Return a drawing that fits the width, if it can, with *height* rows at most.

    Raises Misuse without steps, for more than a month, or for an unknown timezone.
    """
    sheet = sheet_of(day)
    paper = _paper(sheet, width, height)
    columns = _columns(paper)
    looks = [[_look(each, row, paper) for each in columns] for row in paper.rows]
    return [
        Text(f"{name_of(sheet)} ({day.timezone})", style="bold"),
        *(_line(*each, paper) for each in zip(paper.rows, looks, strict=True)),
        _scale(paper),
        *(_booked(row, paper) for row in sheet.rows),
        *_left_out(sheet),
        *map(Text, sentences(sheet)),
        _legend({look for row in looks for look in row}),
    ]


def _paper(sheet: Sheet, width: int, height: int) -> _Paper:
    unit = _unit(sheet, max(height, 2))
    label = max(len(str(row * unit)) for row in _rows(sheet, unit)) + 1
    room = width - label
    choices = (timedelta(minutes=each) for each in MINUTES)
    fitting = (each for each in choices if sheet.span.duration <= each * room)
    return _Paper(sheet, label, next(fitting, timedelta(minutes=MINUTES[-1])), unit)


def _unit(sheet: Sheet, height: int) -> int:
    """Return how many people a row is: a whole number, so that numbers are exact."""
    least = -(-(sheet.high - sheet.low) // height)
    return next(unit for unit in count(least) if len(_rows(sheet, unit)) <= height)


def _rows(sheet: Sheet, unit: int) -> range:
    return range(-(-sheet.high // unit), sheet.low // unit, -1)


def _columns(paper: _Paper) -> list[_Column]:
    met: list[list[Step]] = [[] for _ in range(paper.columns)]
    for step in paper.sheet.steps:
        for place in paper.places(step.span):
            met[place].append(step)
    silent = {place for span in paper.sheet.silent for place in paper.places(span)}
    return [_column(steps, place in silent) for place, steps in enumerate(met)]


def _column(steps: Sequence[Step], is_silent: bool) -> _Column:
    return _Column(
        max((step.count for step in steps), default=None),
        max((step.most for step in steps), default=None),
        is_silent,
    )


def _look(column: _Column, row: int, paper: _Paper) -> Look:
    """Say how to draw a column in a row; of one that is unknown, that comes first."""
    low, high = (row - 1) * paper.unit, row * paper.unit
    capacity = paper.sheet.day.capacity
    is_counted = _is_within(column.count, low, high)
    if column.is_silent:
        return UNKNOWN_COUNT if is_counted else UNKNOWN
    if is_counted:
        return OVER if _is_over(column.count, high, capacity) else COUNT
    if _is_within(column.most, low, high):
        return OVER_AT_MOST if _is_over(column.most, high, capacity) else MOST
    is_limit = capacity is not None and low < capacity <= high
    return LIMIT if is_limit else EMPTY


def _is_within(number: int | None, low: int, high: int) -> bool:
    """Tell whether a bar from zero to the number reaches into a row."""
    return number is not None and low < max(number, 0) and min(number, 0) < high


def _is_over(number: int | None, high: int, capacity: int | None) -> bool:
    """Tell whether that part of the bar is above the capacity."""
    if number is None or capacity is None:
        return False
    return capacity < min(number, high)


def _line(row: int, looks: Sequence[Look], paper: _Paper) -> Text:
    line = _number(row, paper)
    for look, run in groupby(looks):
        line.append(look.sign * len(list(run)), style=look.style)
    line.rstrip()
    return line


def _number(row: int, paper: _Paper) -> Text:
    """Write the number at the top of some rows, and the capacity where it is."""
    low, high = (row - 1) * paper.unit, row * paper.unit
    capacity = paper.sheet.day.capacity
    if capacity is not None and low < capacity <= high:
        return Text(f"{capacity:>{paper.label - 1}} ", style=LIMIT.style)
    is_named = row % NUMBERED == 0 or row == paper.rows[0]
    return Text(f"{high if is_named else '':>{paper.label - 1}} ", style="dim")


def _scale(paper: _Paper) -> Text:
    room = DAY_ROOM if len(days(paper.sheet)) > 1 else HOUR_ROOM
    line = ""
    for hour in hours(paper.sheet, max(paper.columns // room, 1)):
        place = (hour.moment - paper.sheet.span.start) // paper.column
        if place > len(line) or not line:
            line = f"{line:<{place}}{hour.label}"
    return Text(f"{'':{paper.label}}{line}", style="dim")


def _booked(row: Sequence[Booked], paper: _Paper) -> Text:
    line = Text(" " * paper.label)
    for booked in row:
        places = paper.places(booked.span)
        line.pad_right(paper.label + places.start - line.cell_len)
        room = paper.label + places.stop - line.cell_len
        line.append(_bar(booked.label, room), style=BOOKED)
    return line


def _bar(label: str, room: int) -> str:
    """Draw a reservation; one that shares its only column with the last has no room."""
    if room < len(BEGIN + END):
        return SHORT * room
    return f"{BEGIN}{set_cell_size(label, room - len(BEGIN + END))}{END}"


def _left_out(sheet: Sheet) -> Iterator[Text]:
    if sheet.left_out:
        yield Text(f"and {sheet.left_out} more at the same time")


def _legend(used: Container[Look]) -> Text:
    looks = [look for look in LEGEND if look in used]
    words = [Text.assemble((look.sign, look.style), f" {look.word}") for look in looks]
    return Text("  ").join(words)
