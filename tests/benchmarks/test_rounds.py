"""Contestants are compared round by round."""

from __future__ import annotations

import pytest

from benchmarks.rounds import Course, Round, differing, growth, ratio


def course(*seconds, name="ours", answers=(), laps=(), **facts):
    """A course with a warm-up of a second and these rounds."""
    answers = answers or [0] * (len(seconds) + 1)
    return Course(
        name,
        {
            number: Round(time, answer, None, 0, laps)
            for number, (time, answer) in enumerate(
                zip((1.0, *seconds), answers, strict=True)
            )
        },
        **facts,
    )


@pytest.mark.parametrize(
    ("slow", "fast", "expected"),
    [
        pytest.param((6, 9, 2), (1, 3, 2), 3, id="median of 6, 3 and 1"),
        pytest.param((6, 9), (1, 3), 4.5, id="between two"),
        pytest.param((6,), (1, 3, 2), 6, id="as many pairs as there are"),
        pytest.param((), (0.5, 0.5), 2, id="nothing but a warm-up"),
    ],
)
def test_ratio(slow, fast, expected):
    """The ratio is the median of the pairs, so noise in both does no harm."""
    assert ratio(course(*slow), course(*fast)) == expected


def test_broken_off():
    """Who was broken off took at least as long as the limit."""
    assert ratio(Course("peer", {}, broken_off=True), course(2, 2)) == 60


def test_failed():
    """Who failed at once has no ratio."""
    assert ratio(Course("peer", {}, failure="no"), course(2, 2)) is None


def test_differing():
    """Rounds are compared by number, the warm-up too."""
    assert differing(course(1, 1, answers=[1, 2, 3]), course(1, answers=[9, 2])) == [0]


def test_growth():
    """The last laps are compared with the first ones."""
    assert growth(course(1, laps=(1.0, 1.0, 2.0, 4.0)), laps=2) == 3
