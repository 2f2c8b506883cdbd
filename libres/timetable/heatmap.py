"""How many are free in each step of a time, and a drawing of it as SVG.

A row for each local day, a column for each step on the wall clock. Where clocks are
moved, the hour that does not exist is a gap; of the one that exists twice both counts
are shown, the lower one as the colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from libres.domain.days import check_timezone, to_zone
from libres.modules.errors import insist

DAY: Final = timedelta(days=1)

LIGHT: Final = (0xEF, 0xF5, 0xFA)
DARK: Final = (0x0B, 0x3C, 0x73)
"""One hue from light to dark reads without colour as well."""

LEFT, TOP, ROW, HOUR_WIDTH, GAP = 92, 58, 22, 34, 3
LEGEND: Final = 120

STYLE: Final = 'font-family="sans-serif" font-size="12" shape-rendering="crispEdges"'


@dataclass(frozen=True, slots=True)
class Heat:
    """How many subjects are free in each step."""

    start: datetime
    step: timedelta
    counts: tuple[int, ...]
    """Of each step, from the start on."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A stretch of a local day with the same count: from and to, in minutes."""

    begin: int
    end: int
    count: int
    words: str


@dataclass(frozen=True, slots=True)
class Row:
    """A local day."""

    day: Date
    cells: tuple[Cell, ...]

    @property
    def label(self) -> str:
        """The day as it is written beside the row."""
        return f"{self.day:%a} {self.day.day} {self.day:%b}"


@dataclass(frozen=True, slots=True)
class _Step:
    day: Date
    minute: int
    count: int


def rows(heat: Heat, timezone: str) -> list[Row]:
    """Return the local days of a heatmap. Raises Misuse if it has no steps."""
    insist(
        heat.counts, "A heatmap without steps cannot be drawn: ask for a longer time."
    )
    check_timezone(timezone)
    length = heat.step // timedelta(minutes=1)
    by_day = groupby(_steps(heat, timezone), key=lambda step: step.day)
    return [Row(day, tuple(_cells(list(steps), length))) for day, steps in by_day]


def _steps(heat: Heat, timezone: str) -> Iterator[_Step]:
    for number, count in enumerate(heat.counts):
        local = to_zone(heat.start + number * heat.step, timezone)
        yield _Step(local.date(), local.hour * 60 + local.minute, count)


def _cells(steps: Sequence[_Step], length: int) -> Iterator[Cell]:
    """Yield the cells of a day: steps of the same count in a row are one."""
    counts: dict[int, list[int]] = {}
    for step in steps:
        counts.setdefault(step.minute, []).append(step.count)
    begun: list[int] = []
    for minute in sorted(counts):
        if begun and (
            minute != begun[-1] + length or counts[minute] != counts[begun[-1]]
        ):
            yield _cell(begun, counts[begun[0]], length)
            begun = []
        begun.append(minute)
    yield _cell(begun, counts[begun[0]], length)


def _cell(minutes: Sequence[int], counts: Sequence[int], length: int) -> Cell:
    begin, end = minutes[0], minutes[-1] + length
    free = " and ".join(str(count) for count in counts)
    words = f"{_clock(begin)} to {_clock(end)}: {free} free"
    return Cell(begin, end, min(counts), words)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


# Drawing ------------------------------------------------------------------------------


def to_svg(heat: Heat, timezone: str, *, title: str, total: int | None = None) -> str:
    """Draw a heatmap as SVG, which needs nothing else to be shown.

    *total* is how many subjects there are; None: as many as are free at most.

    Raises Misuse if there are no steps, or for an unknown timezone.
    """
    drawn = rows(heat, timezone)
    most = max(heat.counts) if total is None else total
    width = LEFT + 24 * HOUR_WIDTH + 16
    height = TOP + len(drawn) * (ROW + GAP) + 46
    said = f"Free in steps of {heat.step // timedelta(minutes=1)} minutes, {timezone}"
    size = f'width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} {STYLE}>',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(said)}</desc>",
        f'<rect {size} fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
        *_hours(),
        *(line for at, row in enumerate(drawn) for line in _row(at, row, most)),
        *_legend(height - 26, most),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _hours() -> Iterator[str]:
    for hour in range(0, 24, 2):
        x = LEFT + hour * HOUR_WIDTH
        yield f'<text x="{x}" y="{TOP - 8}" fill="#555">{hour:02}</text>'


def _row(number: int, row: Row, most: int) -> Iterator[str]:
    y = TOP + number * (ROW + GAP)
    yield (
        f'<text x="{LEFT - 10}" y="{y + ROW - 7}" text-anchor="end">'
        f"{escape(row.label)}</text>"
    )
    for cell in row.cells:
        x = LEFT + cell.begin * HOUR_WIDTH / 60
        width = (cell.end - cell.begin) * HOUR_WIDTH / 60
        yield (
            f'<rect x="{x:g}" y="{y}" width="{width:g}" height="{ROW}" '
            f"fill={quoteattr(_colour(cell.count, most))}>"
            f"<title>{escape(f'{row.label} {cell.words}')}</title></rect>"
        )


def _legend(y: int, most: int) -> Iterator[str]:
    steps = 6
    for number in range(steps):
        colour = _colour(number, steps - 1)
        x = LEFT + number * LEGEND // steps
        yield (
            f'<rect x="{x}" y="{y}" width="{LEGEND // steps}" height="12" '
            f'fill="{colour}"/>'
        )
    yield f'<text x="{LEFT - 10}" y="{y + 11}" text-anchor="end">0 free</text>'
    yield f'<text x="{LEFT + LEGEND + 8}" y="{y + 11}">{most}</text>'


def _colour(count: int, most: int) -> str:
    share = min(count / most, 1) if most > 0 else 0
    parts = (
        round(light + (dark - light) * share)
        for light, dark in zip(LIGHT, DARK, strict=True)
    )
    return "#" + "".join(f"{part:02x}" for part in parts)
