"""Draws the ratios as bars, readable on light and dark pages."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.campaign import Comparison

INK = "#808080"
REACHED, MISSED, MARK = "#2e9e5b", "#d9622b", "#b14fd8"
"""Colours in the middle between black and white."""

EQUAL = 1.0
"""Where the bars begin: both take the same time."""

EXACT_BELOW = 10
"""Smaller ratios get a digit after the point."""

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "libres",
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


class MatplotlibMissingError(ImportError):
    """To draw, matplotlib is needed: pip install 'libres[bench]'"""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def check() -> None:
    """Raise MatplotlibMissingError if charts cannot be drawn."""
    try:
        importlib.import_module("matplotlib")
    except ImportError as error:
        raise MatplotlibMissingError from error


def draw(path: Path, comparisons: Sequence[Comparison]) -> None:
    """Draw a bar for each workload that has a ratio, and its target."""
    shown = [each for each in comparisons if each.ratio is not None]
    matplotlib = importlib.import_module("matplotlib")
    figures = importlib.import_module("matplotlib.figure")
    with matplotlib.rc_context(STYLE):
        figure = figures.Figure(figsize=(8, 1.2 + 0.32 * len(shown)))
        _bars(figure.add_subplot(), shown[::-1])
        figure.savefig(
            path, transparent=True, bbox_inches="tight", metadata={"Date": None}
        )


def _bars(axes: Any, comparisons: Sequence[Comparison]) -> None:
    rows = range(len(comparisons))
    ratios = [each.ratio or EQUAL for each in comparisons]
    targets = [each.workload.target for each in comparisons]
    axes.set_xscale("log")
    drawn = axes.barh(
        rows,
        [ratio - EQUAL for ratio in ratios],
        left=EQUAL,
        height=0.6,
        color=[_colour(each) for each in comparisons],
    )
    axes.bar_label(drawn, [_label(each) for each in comparisons], padding=6)
    axes.scatter(targets, rows, marker="|", s=180, color=MARK, label="target", zorder=3)
    axes.set_yticks(rows, [each.workload.title for each in comparisons])
    _finish(axes, [EQUAL, *ratios, *targets])


def _finish(axes: Any, values: Sequence[float]) -> None:
    axes.set_xlabel("times as fast as libres 1.4.0")
    shortest, longest = min(values), max(values)
    axes.set_xlim(shortest if shortest == EQUAL else shortest / 2, longest * 2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color=INK, alpha=0.25)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), labelcolor=INK)


def _colour(comparison: Comparison) -> str:
    reached = (comparison.ratio or 0) >= comparison.workload.target
    return REACHED if reached else MISSED


def _label(comparison: Comparison) -> str:
    ratio = comparison.ratio or EQUAL
    return f"{comparison.sign}{ratio:,.{0 if ratio >= EXACT_BELOW else 1}f}"
