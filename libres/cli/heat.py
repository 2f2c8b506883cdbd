"""Draws a heatmap in the terminal: a line for each day, darker where more are free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.text import Text

from libres.timetable.heatmap import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from libres.timetable.heatmap import Heat, Row

SIGNS: Final = "·░▒▓█"
"""Nobody, then up to a quarter, a half, three quarters, and all of the most."""

STYLES: Final = ("dim", "cyan", "cyan", "blue", "blue bold")

LABEL: Final = 11
"""Columns of the name of a day."""

WIDTHS: Final = (15, 20, 30, 60, 120)
"""Minutes of a column, the smallest that fits."""

DAY: Final = 24 * 60


def heat_lines(heat: Heat, timezone: str, width: int) -> RenderableType:
    """Return a drawing that fits the width; a column shows its lowest count."""
    drawn = rows(heat, timezone)
    room = width - LABEL
    minutes = next((each for each in WIDTHS if DAY // each <= room), WIDTHS[-1])
    most = max(heat.counts)
    lines = [_line(row, minutes, most) for row in drawn]
    return Group(_scale(minutes), *lines, _legend(most, minutes))


def _scale(minutes: int) -> Text:
    hours = range(0, 24, 2)
    marks = "".join(f"{hour:02}".ljust(120 // minutes) for hour in hours)
    return Text(f"{'':{LABEL}}{marks}".rstrip(), style="dim")


def _line(row: Row, minutes: int, most: int) -> Text:
    line = Text(f"{row.label:<{LABEL}}")
    for begin in range(0, DAY, minutes):
        count = _lowest(row, begin, begin + minutes)
        if count is None:
            line.append(" ")
        else:
            level = _level(count, most)
            line.append(SIGNS[level], style=STYLES[level])
    line.rstrip()
    return line


def _lowest(row: Row, begin: int, end: int) -> int | None:
    """Return the lowest count of a column, None if it is not of the time asked for."""
    met = (cell.count for cell in row.cells if cell.begin < end and cell.end > begin)
    return min(met, default=None)


def _level(count: int, most: int) -> int:
    return 0 if count == 0 else min(-(-count * 4 // most), 4)


def _legend(most: int, minutes: int) -> Text:
    """Say which counts a sign stands for; of a few counts some signs have none."""
    edges: Sequence[int] = [most * part // 4 for part in range(5)]
    words = [f"{SIGNS[0]} 0"]
    words += [
        f"{SIGNS[at]} up to {edges[at]}"
        for at in range(1, 5)
        if edges[at] > edges[at - 1]
    ]
    return Text(f"{'':{LABEL}}{'  '.join(words)} free, columns of {minutes} minutes")
