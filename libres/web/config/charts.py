"""Draws charts as SVG, to stand in a page: bars of one or several parts, and a line.

Colours come from the style sheet of the page, by classes, as nothing may be styled in
place; what a chart shows is told in words as well, by its title and its description.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

WIDTH: Final = 960
HEIGHT: Final = 260
LEFT: Final = 70
RIGHT: Final = 10
TOP: Final = 12
BOTTOM: Final = 34

INNER: Final = WIDTH - LEFT - RIGHT
DEPTH: Final = HEIGHT - TOP - BOTTOM
FLOOR: Final = HEIGHT - BOTTOM

TICKS: Final = 4
"""About so many lines tell how high something is."""

MOST_LABELS: Final = 12
"""More would lie upon each other."""

WIDEST: Final = 60
"""Of a bar, however few there are."""

PARTS: Final = ("one", "two-of", "three-of")
"""The classes of the parts of a bar, from the floor up."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, of parts that stand upon each other."""

    label: str
    parts: Sequence[float]
    """Not negative; at most three."""

    @property
    def height(self) -> float:
        """Of all parts together."""
        return sum(self.parts)


@dataclass(frozen=True, slots=True)
class Scale:
    """Which values the lines beside a chart stand for."""

    step: float
    count: int

    @property
    def top(self) -> float:
        """The highest value that has room."""
        return self.step * self.count

    def y(self, value: float) -> float:
        """Return where a value is, from above."""
        return FLOOR - min(value, self.top) / self.top * DEPTH


def scale_of(highest: float) -> Scale:
    """Return the scale for values up to the highest one: of steps of 1, 2 or 5."""
    if not math.isfinite(highest) or highest <= 0:
        return Scale(1.0, 1)
    rough = highest / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= rough)
    return Scale(step, max(1, math.ceil(round(highest / step, 9))))


def bars(name: str, title: str, description: str, shown: Sequence[Bar]) -> Markup:
    """Draw bars. *name* is the id of the chart, of which there is one on a page."""
    scale = scale_of(max((each.height for each in shown), default=0))
    room = INNER / max(1, len(shown))
    wide = min(WIDEST, room * 0.8)

    def drawn() -> Iterator[Markup]:
        for number, each in enumerate(shown):
            left = LEFT + room * number + (room - wide) / 2
            yield from _stacked(each, scale, left, wide)

    labels = [each.label for each in shown]
    return _chart(name, title, description, scale, [*drawn(), *_labels(labels)])


def line(
    name: str,
    title: str,
    description: str,
    points: Sequence[tuple[str, float]],
    limits: Sequence[float] = (),
) -> Markup:
    """Draw values as a line with dots, and *limits* that lie in between across it."""
    scale = scale_of(max((value for _label, value in points), default=0))
    middles = _middles(len(points))
    places = [
        (x, scale.y(value)) for x, (_label, value) in zip(middles, points, strict=True)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [Markup('<polyline class="line" points="{}"/>').format(path)]
    parts += [DOT.format(f"{x:.1f}", f"{y:.1f}") for x, y in places]
    parts += [_across(scale.y(each), "limit") for each in limits if each < scale.top]
    labels = [label for label, _value in points]
    return _chart(name, title, description, scale, [*parts, *_labels(labels)])


# Parts --------------------------------------------------------------------------------

SVG: Final = Markup(
    '<svg role="img" viewBox="0 0 {width} {height}" aria-labelledby="{name}-title '
    '{name}-desc"><title id="{name}-title">{title}</title>'
    '<desc id="{name}-desc">{description}</desc>{parts}</svg>'
)
DOT: Final = Markup('<circle class="dot" cx="{}" cy="{}" r="3"/>')
RECT: Final = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')
ACROSS: Final = Markup('<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>')
TEXT: Final = Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>')


def _chart(
    name: str, title: str, description: str, scale: Scale, parts: Iterable[Markup]
) -> Markup:
    return SVG.format(
        width=WIDTH,
        height=HEIGHT,
        name=name,
        title=title,
        description=description,
        parts=Markup("").join([*_ruled(scale), *parts]),
    )


def _ruled(scale: Scale) -> Iterator[Markup]:
    """Yield the lines that tell how high something is, with their values."""
    for number in range(scale.count + 1):
        value = scale.step * number
        y = scale.y(value)
        yield _across(y, "axis")
        yield TEXT.format(LEFT - 8, f"{y + 4:.1f}", "end", f"{value:g}")


def _across(y: float, kind: str) -> Markup:
    return ACROSS.format(kind, LEFT, WIDTH - RIGHT, f"{y:.1f}", f"{y:.1f}")


def _stacked(bar: Bar, scale: Scale, left: float, wide: float) -> Iterator[Markup]:
    below = 0.0
    for kind, value in zip(PARTS, bar.parts, strict=False):
        bottom, top = scale.y(below), scale.y(below + value)
        if value > 0:
            sizes = (left, top, wide, bottom - top)
            yield RECT.format(kind, *(f"{each:.1f}" for each in sizes))
        below += value


def _labels(labels: Sequence[str]) -> Iterator[Markup]:
    """Yield what is beneath: every one, or every second, third, …"""
    every = max(1, math.ceil(len(labels) / MOST_LABELS))
    for number, x in enumerate(_middles(len(labels))):
        if number % every == 0:
            told = escape(labels[number])
            yield TEXT.format(f"{x:.1f}", HEIGHT - 12, "middle", told)


def _middles(count: int) -> list[float]:
    room = INNER / max(1, count)
    return [LEFT + room * (number + 0.5) for number in range(count)]
