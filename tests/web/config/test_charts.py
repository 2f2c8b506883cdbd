"""Charts are drawn to scale, by classes, and told in words."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import pytest

from libres.web.config import charts
from libres.web.config.charts import DEPTH, FLOOR, LEFT, RIGHT, TOP, WIDTH, Bar

HOSTILE = "<script>alert(1)</script>\" onload='x' & \u202e"


def read(markup):
    """The chart as a browser reads it."""
    return ET.fromstring(markup)  # noqa: S314 - it is our own


def rects(markup, kind):
    """The positions and sizes of the parts of a kind."""
    names = "x", "y", "width", "height"
    return [
        tuple(float(each.get(name)) for name in names)
        for each in read(markup).iter("rect")
        if each.get("class") == kind
    ]


@pytest.mark.parametrize(
    ("highest", "step", "count"),
    [
        (0, 1, 1),
        (-1, 1, 1),
        (math.inf, 1, 1),
        (math.nan, 1, 1),
        (1, 0.5, 2),
        (4, 1, 4),
        (4.1, 2, 3),
        (10, 5, 2),
        (100, 50, 2),
        (0.003, 0.001, 3),
        (0.3, 0.1, 3),
        (9e9, 5e9, 2),
        (1e-300, 5e-301, 2),
    ],
)
def test_scale(highest, step, count):
    """The lines beside a chart stand for 1, 2 or 5, and reach what is highest."""
    found = charts.scale_of(highest)
    assert (found.step, found.count) == (pytest.approx(step), count)


def test_heights():
    """A bar is as high as its value says, its parts stand upon each other."""
    drawn = charts.bars("a", "t", "d", [Bar("x", (3, 1)), Bar("y", (0, 0))])
    ((_, top, _, high),) = rects(drawn, "one")
    ((_, top_of_two, _, high_of_two),) = rects(drawn, "two-of")
    assert top + high == pytest.approx(FLOOR, abs=0.1)
    assert high == pytest.approx(DEPTH * 3 / 4, abs=0.1)
    assert high_of_two == pytest.approx(DEPTH / 4, abs=0.1)
    assert top_of_two + high_of_two == pytest.approx(top, abs=0.1)


@pytest.mark.parametrize("count", [1, 2, 50, 400])
def test_width(count):
    """Bars lie beside each other, and within the chart."""
    drawn = charts.bars("a", "t", "d", [Bar(str(x), (x + 1,)) for x in range(count)])
    found = rects(drawn, "one")
    assert len(found) == count
    assert found[0][0] >= LEFT
    assert found[-1][0] + found[-1][2] <= WIDTH - RIGHT
    ends = [x + wide for x, _y, wide, _high in found]
    assert all(x >= end for (x, *_), end in zip(found[1:], ends, strict=False))


def test_labels():
    """Not more is written beneath than there is room for."""
    drawn = charts.bars("a", "t", "d", [Bar(f"no{x}", (1,)) for x in range(50)])
    told = [each.text for each in read(drawn).iter("text") if "no" in each.text]
    assert told[0] == "no0"
    assert len(told) <= charts.MOST_LABELS


def test_line():
    """A line goes through its values from left to right; limits are shown that lie
    within."""
    drawn = read(charts.line("a", "t", "d", [("x", 1), ("y", 4)], (1, 5)))
    (line,) = drawn.iter("polyline")
    (first, second) = (each.split(",") for each in line.get("points").split())
    assert float(first[0]) < float(second[0])
    assert float(first[1]) == pytest.approx(FLOOR - DEPTH / 4, abs=0.1)
    assert float(second[1]) == pytest.approx(TOP, abs=0.1)
    limits = [x for x in drawn.iter("line") if x.get("class") == "limit"]
    assert len(limits) == 1


@pytest.mark.parametrize("draw", [charts.bars, charts.line])
def test_nothing(draw):
    """Without values there is an empty chart."""
    assert "NaN" not in draw("a", "t", "d", [])
    assert read(draw("a", "t", "d", [])).get("role") == "img"


def test_words():
    """The title and the description are read out."""
    drawn = read(charts.bars("a", "Requests", "Three.", [Bar("x", (3,))]))
    names = drawn.get("aria-labelledby").split()
    told = {each.get("id"): each.text for each in drawn if each.get("id")}
    assert [told[each] for each in names] == ["Requests", "Three."]


def test_hostile():
    """What others have written stays text."""
    shown = [Bar(HOSTILE, (1,))]
    for drawn in (
        charts.bars("a", HOSTILE, HOSTILE, shown),
        charts.line("a", HOSTILE, HOSTILE, [(HOSTILE, 1)]),
    ):
        assert "<script" not in drawn
        assert HOSTILE in [each.text for each in read(drawn).iter("text")]


def test_no_styles():
    """Nothing is styled in place, which the policy of pages forbids."""
    drawn = charts.bars("a", "t", "d", [Bar("x", (1, 2, 3))])
    assert "style" not in drawn
    assert "fill=" not in drawn
