"""Shows how costs grow, as a table with footnotes, and as JSON."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.growth import Curve, Point

NOTHING = "-"
EXACT_BELOW = 10
"""Smaller costs get three digits after the point, larger ones get one."""

FIRST = "× first"  # noqa: RUF001 - the sign of times


def curves(points: Sequence[Point]) -> list[tuple[Curve, list[Point]]]:
    """Gather the points of each curve, by size, the curves as they came first."""
    found: dict[str, list[Point]] = {}
    for each in points:
        found.setdefault(each.curve.title, []).append(each)
    return [(some[0].curve, some) for some in found.values()]


def table(points: Sequence[Point]) -> Table:
    """Make the table, a section for each family, a row for each point."""
    made = Table(title="libres, as things grow")
    made.add_column("one operation", no_wrap=True)
    for heading in ("size", "ms", FIRST, "aborts per\nsuccess"):
        made.add_column(heading, justify="right", no_wrap=True)
    for family, some in groupby(curves(points), key=lambda each: each[0].family):
        made.add_row(f"[bold]{family}[/]")
        for curve, found in some:
            _add_rows(made, curve, found)
        made.add_section()
    return made


def _add_rows(made: Table, curve: Curve, points: Sequence[Point]) -> None:
    first = points[0].milliseconds
    for number, point in enumerate(points):
        title = "" if number else f"  {curve.title}"
        made.add_row(title, f"{point.size:,}", *_figures(point, first))


def _figures(point: Point, first: float | None) -> list[str]:
    cost = point.milliseconds
    if cost is None or not point.holds:
        return ["fails", NOTHING, NOTHING]
    growth = f"{cost / first:.2f}" if first else NOTHING
    aborts = f"{point.aborts:.2f}" if point.curve.family == "threads" else NOTHING
    return [f"{cost:,.{3 if cost < EXACT_BELOW else 1}f}", growth, aborts]


def footnotes(points: Sequence[Point]) -> list[str]:
    """Say why what failed has failed."""
    return [
        f"{point.curve.title}: {point.size:,}: {point.course.failure or 'too slow'}"
        for point in points
        if not point.holds
    ]


def write_json(path: Path, points: Sequence[Point], machine: dict[str, Any]) -> None:
    """Write everything that was measured."""
    found = {"machine": machine, "growth": [_record(each) for each in points]}
    text = json.dumps(found, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _record(point: Point) -> dict[str, Any]:
    return {
        "family": point.curve.family,
        "title": point.curve.title,
        "workload": point.curve.workload,
        "size": point.size,
        "operations": point.curve.operations[point.size],
        "milliseconds": point.milliseconds,
        "seconds": point.course.seconds,
        "aborts per success": point.aborts,
        "failure": point.course.failure,
        "broken off": point.course.broken_off,
    }
