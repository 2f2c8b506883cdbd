"""Draws how costs grow as lines, a panel for each family, readable as `charts` are."""

from __future__ import annotations

import importlib
from itertools import groupby
from typing import TYPE_CHECKING, Any

from benchmarks.charts import INK, MARK, MISSED, REACHED, STYLE
from benchmarks.growth_report import curves

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.growth import Curve, Point

COLOURS = (REACHED, MISSED, MARK)
FRACTION = 0.8
"""The axis of the costs spans at least so many powers of ten on both sides."""


def draw(path: Path, points: Sequence[Point]) -> None:
    """Draw a line for each curve, both axes logarithmic."""
    grouped = groupby(curves(points), key=lambda each: each[0].family)
    panels = [(family, list(found)) for family, found in grouped]
    matplotlib = importlib.import_module("matplotlib")
    figures = importlib.import_module("matplotlib.figure")
    with matplotlib.rc_context(STYLE):
        figure = figures.Figure(figsize=(8, 5.6), layout="constrained")
        axes = figure.subplots(2, -(-len(panels) // 2), squeeze=False).flat
        for each, (family, found) in zip(axes, panels, strict=False):
            _panel(each, family, found)
        for unused in list(axes)[len(panels) :]:
            unused.remove()
        figure.savefig(path, transparent=True, metadata={"Date": None})


def _panel(axes: Any, family: str, found: Sequence[tuple[Curve, list[Point]]]) -> None:
    costs = []
    for (curve, points), colour in zip(found, COLOURS, strict=False):
        shown = [(each.size, each.milliseconds) for each in points if each.milliseconds]
        costs += [cost for _, cost in shown]
        axes.plot(*zip(*shown, strict=True), "o-", color=colour, label=curve.title)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(family)
    axes.set_ylabel("ms")
    _finish(axes, costs, [each.size for each in found[0][1]])


def _finish(axes: Any, costs: Sequence[float], sizes: Sequence[int]) -> None:
    room = 10**FRACTION
    axes.set_ylim(min(costs) / room, max(costs) * room)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=INK, alpha=0.25)
    axes.legend(frameon=False, loc="upper left", labelcolor=INK, fontsize="small")
