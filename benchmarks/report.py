"""Shows comparisons as a table with footnotes, and as JSON."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table

from benchmarks.campaign import LARGE, OURS, PEER
from benchmarks.floors import floor
from benchmarks.rounds import TOO_LONG, growth

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.campaign import Comparison
    from benchmarks.rounds import Course

LARGE_GOAL = 1.3
"""A large database should make nothing slower than so many times."""

LONGEST_ANSWER = 200
NOTHING = "-"


def table(comparisons: Sequence[Comparison]) -> Table:
    """Make the table, a row for each workload."""
    found = Table(title="libres, beside libres 1.4.0 (peer)")
    found.add_column("one operation", no_wrap=True)
    for heading in (
        "statements\nlibres",
        "statements\npeer",
        "ms\nlibres",
        "ms\npeer",
        "peer /\nlibres",
        "target",
        "×\nfloor",  # noqa: RUF001 - the sign of times
        "large /\nsmall",
        "MiB\nlibres",
        "MiB\npeer",
    ):
        found.add_column(heading, justify="right", no_wrap=True)
    for comparison in comparisons:
        found.add_row(*_cells(comparison))
    return found


def _cells(comparison: Comparison) -> list[str]:
    ours, peer = comparison.courses[OURS], comparison.courses.get(PEER)
    operations, rounds = comparison.workload.operations, comparison.rounds
    return [
        _title(comparison),
        _statements(ours, operations),
        _statements(peer, operations),
        _time(ours, operations, rounds),
        _time(peer, operations, rounds),
        _ratio(comparison),
        f"≥ {comparison.workload.target:g}",
        _floor(comparison),
        _large(comparison),
        _memory(ours),
        _memory(peer),
    ]


def _title(comparison: Comparison) -> str:
    mark = " [bold red]ANSWERS DIFFER[/]" if comparison.differing else ""
    return comparison.workload.title + mark


def _statements(course: Course | None, operations: int) -> str:
    if course is None or course.statements is None:
        return NOTHING
    return f"{course.statements / operations:,.1f}".removesuffix(".0")


def _time(course: Course | None, operations: int, rounds: int) -> str:
    if course is None:
        return NOTHING
    if course.failure:
        return "fails"
    if not course.timed:
        return f"> {TOO_LONG:.0f} s"
    sign = "> " if course.broken_off else ""
    shown = f"{sign}{milliseconds(course, operations):,.1f}"
    made = len(course.seconds)
    return shown if made >= rounds else f"{shown} ({made} round{'s' * (made > 1)})"


def milliseconds(course: Course, operations: int) -> float:
    """Return the median time of one operation."""
    return course.median / operations * 1000


def _ratio(comparison: Comparison) -> str:
    ratio = comparison.ratio
    if ratio is None:
        return NOTHING
    colour = "green" if ratio >= comparison.workload.target else "red"
    return f"[{colour}]{comparison.sign}{ratio:,.1f}[/]"


def _large(comparison: Comparison) -> str:
    ratio = comparison.large_ratio
    if ratio is None:
        return NOTHING
    colour = "green" if ratio <= LARGE_GOAL else "red"
    return f"[{colour}]{ratio:.2f}[/]"


def _floor(comparison: Comparison) -> str:
    ratio, found = comparison.floor_ratio, floor(comparison.workload.name)
    if ratio is None or found is None:
        return NOTHING
    colour = "green" if ratio <= found.at_most else "red"
    return f"[{colour}]{ratio:.1f}[/]"


def _memory(course: Course | None) -> str:
    return f"{course.peak:.0f}" if course and course.peak else NOTHING


# Footnotes


def footnotes(comparisons: Sequence[Comparison]) -> list[str]:
    """Say what has no column: growth, aborts, failures, differing answers."""
    found = []
    for comparison in comparisons:
        notes = [*_notes(comparison), *_differences(comparison)]
        found += [f"{comparison.workload.title}: {note}" for note in notes]
    return found


def _notes(comparison: Comparison) -> list[str]:
    courses = comparison.courses.values()
    return [
        *_named("growth, last ten over first ten", courses, _growth),
        *_named("aborts per success", courses, _aborts(comparison)),
        *(f"{each.name} fails: {each.failure}" for each in courses if each.failure),
        *(_broken_off(each) for each in courses if each.broken_off),
    ]


def _named(title: str, courses: Any, value: Any) -> list[str]:
    """Put the values of those that have one on one line."""
    values = [(each.name, value(each)) for each in courses]
    shown = [f"{name} {number:.2f}" for name, number in values if number is not None]
    return [f"{title}: {', '.join(shown)}"] if shown else []


def _broken_off(course: Course) -> str:
    number = len(course.rounds)
    return f"{course.name} was broken off in round {number}, after {TOO_LONG:.0f} s"


def _growth(course: Course) -> float | None:
    return growth(course)


def _aborts(comparison: Comparison) -> Any:
    def per_success(course: Course) -> float | None:
        if comparison.workload.clients == 1 or not course.timed:
            return None
        successes = len(course.timed) * comparison.workload.operations
        return course.aborts / successes

    return per_success


def _differences(comparison: Comparison) -> list[str]:
    courses = comparison.courses
    return [
        f"THE ANSWERS OF ROUND {rounds[0]} DIFFER: {OURS} "
        f"{_short(courses[OURS].rounds[rounds[0]].answer)}, "
        f"{name} {_short(courses[name].rounds[rounds[0]].answer)}"
        for name, rounds in comparison.differing.items()
    ]


def _short(answer: Any) -> str:
    return json.dumps(answer)[:LONGEST_ANSWER]


# Machine and JSON


def machine(comparisons: Sequence[Comparison], postgresql: str) -> dict[str, Any]:
    """Say what comparisons were made on."""
    return described([each.courses[OURS] for each in comparisons], postgresql)


def described(courses: Sequence[Course], postgresql: str) -> dict[str, Any]:
    """Say what this was measured on, with which versions."""
    versions = [each.versions for each in courses]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.machine()}",
        "CPUs": os.cpu_count(),
        "PostgreSQL": postgresql,
        **(versions[0] if versions else {}),
    }


def write_json(
    path: Path, comparisons: Sequence[Comparison], machine: dict[str, Any]
) -> None:
    """Write everything that was measured."""
    found = {
        "machine": machine,
        "goal of large": LARGE_GOAL,
        "workloads": [_record(each) for each in comparisons],
    }
    text = json.dumps(found, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _record(comparison: Comparison) -> dict[str, Any]:
    workload = comparison.workload
    found = floor(workload.name)
    return {
        "name": workload.name,
        "title": workload.title,
        "target": workload.target,
        "size": workload.size,
        "operations": workload.operations,
        "clients": workload.clients,
        "ratio": comparison.ratio,
        "sign of the ratio": comparison.sign,
        "large ratio": comparison.large_ratio,
        "floor ratio": comparison.floor_ratio,
        "goal of the floor ratio": found.at_most if found else None,
        "differing rounds": comparison.differing,
        "contestants": {
            name: _course_record(course, workload.operations)
            for name, course in comparison.courses.items()
        },
    }


def _course_record(course: Course, operations: int) -> dict[str, Any]:
    record = asdict(course)
    record["milliseconds"] = (
        milliseconds(course, operations) if course.seconds else None
    )
    statements = course.statements
    record["statements"] = None if statements is None else statements / operations
    record["growth"] = growth(course)
    return record


__all__ = (
    "LARGE",
    "footnotes",
    "machine",
    "milliseconds",
    "table",
    "write_json",
)
