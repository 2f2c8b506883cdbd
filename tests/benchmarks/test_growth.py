"""The growth table tells what each size costs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks import growth_charts
from benchmarks.growth import CURVES, Point
from benchmarks.growth_report import curves, footnotes, table, write_json
from benchmarks.host import Host
from benchmarks.rounds import Course, Round
from benchmarks.workloads import workload


def course(seconds, **facts):
    """A course of a warm-up and two rounds that took the same time."""
    made = Round(seconds, 1, None, 2, ())
    return Course("ours", dict.fromkeys(range(3), made), **facts)


POINTS = [
    Point(curve, size, course(0.001 * size * operations))
    for curve in CURVES
    for size, operations in curve.operations.items()
]


def shown(points):
    """The cells of the table, line by line."""
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table(points))
    lines = captured.get().splitlines()
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param(["foreign slots", *[""] * 4], id="a family"),
        pytest.param(["", "1,000", "1,000.0", "1000.00", "-"], id="a quota"),
        pytest.param(["allocate, per date", "1", "1.000", "1.00", "-"], id="the first"),
        pytest.param(["", "1,000", "1.000", "1.00", "-"], id="divided by its dates"),
        pytest.param(["", "16", "16.0", "16.00", "0.02"], id="aborts of threads"),
    ],
)
def test_rows(expected):
    """Each size has a row with its cost, and what it is of the first one's."""
    assert expected in shown(POINTS)


def test_failure():
    """What failed has no figures, and its reason is told below."""
    failed = Point(CURVES[0], 10_000, course(1.0, failure="Oops: too deep"))
    assert ["reserve an hour", "10,000", "fails", "-", "-"] in shown([failed])
    assert footnotes([failed]) == ["reserve an hour: 10,000: Oops: too deep"]


def test_every_curve_has_points():
    """Curves keep their order and their sizes."""
    found = curves(POINTS)
    assert [curve for curve, _ in found] == list(CURVES)
    assert all([p.size for p in some] == list(c.operations) for c, some in found)


def test_json(tmp_path):
    """The figures are written."""
    write_json(tmp_path / "growth.json", POINTS, {"CPUs": 2})
    assert '"quota"' in (tmp_path / "growth.json").read_text("utf-8")


def test_chart(tmp_path):
    """Each family gets a panel."""
    pytest.importorskip("matplotlib")
    growth_charts.draw(tmp_path / "growth.svg", POINTS)
    drawn = (tmp_path / "growth.svg").read_text("utf-8")
    assert all(f">{curve.family}<" in drawn for curve in CURVES)


@pytest.mark.parametrize(("size", "sold"), [(1, 1), (4, 3)])
def test_half_sold(dsn, size, sold):
    """Half of the places are sold before the operation sells one more."""
    small = replace(workload("sell-half-sold"), size=size, operations=1)
    host = Host(dsn, small, rounds=1)
    try:
        small.prepare(host)
        assert small.run(host, 0) == 1
        assert host.room.managed_reserved_slots().count() == sold
    finally:
        host.room.close()
        host.close()
