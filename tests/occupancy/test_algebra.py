"""Summaries of buckets say what counting one by one says, however they are cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libres.occupancy.algebra import (
    NOTHING,
    Calibration,
    Extremes,
    Passage,
    Policy,
    Summary,
    calibration,
    combined,
    extremes_of,
    in_order,
    passage,
    replay,
    shown,
    summary_of,
)

MIDNIGHT = datetime(2018, 2, 24, tzinfo=UTC)

steady = settings(deadline=None)
"""Nothing depends on how fast the machine is."""

each_policy = pytest.mark.parametrize("policy", get_args(Policy))


def at(clock):
    """A time of the day of the sample."""
    hour, minute, second = clock.split(":")
    since = timedelta(hours=int(hour), minutes=int(minute), seconds=float(second))
    return MIDNIGHT + since


def moments(most=9):
    """So few moments that several items fall into one."""
    seconds = st.integers(0, most)
    return seconds.map(lambda second: MIDNIGHT + timedelta(seconds=second))


COUNT = st.integers(-4, 6)
"""Below zero, too: another policy may have counted before."""

PASSAGES = st.lists(
    st.tuples(moments(), st.sampled_from([1, -1]), st.none() | st.integers(0, 3)),
    max_size=20,
    unique=True,
).map(lambda rows: [Passage(*row) for row in rows])
CALIBRATIONS = st.lists(
    st.builds(Calibration, moments(), st.integers(0, 5)),
    max_size=4,
    unique_by=lambda each: each.moment,
)
ITEMS = st.builds(in_order, PASSAGES, CALIBRATIONS)
PASSAGES_ONLY = st.builds(in_order, PASSAGES, st.just([]))
SUMMARY = ITEMS.map(summary_of)


@st.composite
def buckets(draw):
    """Items in buckets, some of which are empty."""
    items = draw(ITEMS)
    cuts = draw(st.lists(st.integers(0, len(items)), max_size=6))
    ends = [0, *sorted(cuts), len(items)]
    return [items[start:end] for start, end in pairwise(ends)]


def flat(cut):
    """The items of all buckets."""
    return [item for bucket in cut for item in bucket]


def one_by_one(items):
    """The summary of items, each in a bucket of its own."""
    return combined(
        calibration(item.value)
        if isinstance(item, Calibration)
        else passage(item.direction)
        for item in items
    )


@each_policy
class TestBuckets:
    @steady
    @given(cut=buckets(), count=COUNT)
    def test_after(self, cut, count, policy):
        """The count after all buckets is that of the last item."""
        expected = [count, *replay(flat(cut), count, policy)][-1]
        assert combined(map(summary_of, cut)).after(count, policy) == expected

    @steady
    @given(cut=buckets(), count=COUNT)
    def test_in_turn(self, cut, count, policy):
        """One may go from bucket to bucket, too."""
        expected = [count, *replay(flat(cut), count, policy)][-1]
        for bucket in cut:
            count = summary_of(bucket).after(count, policy)
        assert count == expected

    @steady
    @given(cut=buckets(), count=COUNT)
    def test_lowest(self, cut, count, policy):
        """The lowest of all counts is known, None if there are no items."""
        expected = min(replay(flat(cut), count, policy), default=None)
        assert combined(map(summary_of, cut)).lowest(count, policy) == expected

    @steady
    @given(cut=buckets(), count=COUNT)
    def test_highest(self, cut, count, policy):
        """The highest of all counts is known, None if there are no items."""
        expected = max(replay(flat(cut), count, policy), default=None)
        assert combined(map(summary_of, cut)).highest(count, policy) == expected

    @steady
    @given(cut=buckets(), count=COUNT)
    def test_extremes(self, cut, count, policy):
        """What is found item by item is what the summary says, shown."""
        found = extremes_of(flat(cut), count, policy)
        summary = combined(map(summary_of, cut))
        assert (found is None) == (summary == NOTHING)
        if found is not None:
            assert found.lowest == shown(summary.lowest(count, policy), policy)
            assert found.highest == shown(summary.highest(count, policy), policy)


class TestMonoid:
    @steady
    @given(SUMMARY, SUMMARY, SUMMARY)
    def test_associative(self, one, two, three):
        """Hours may be combined into days before days are into months."""
        assert one.then(two).then(three) == one.then(two.then(three))

    @steady
    @given(SUMMARY)
    def test_neutral(self, summary):
        """An empty hour changes nothing."""
        assert NOTHING.then(summary) == summary == summary.then(NOTHING)

    @steady
    @given(buckets())
    def test_cut(self, cut):
        """Where buckets are cut leaves no trace in what is stored."""
        assert combined(map(summary_of, cut)) == summary_of(flat(cut))

    @steady
    @given(ITEMS)
    def test_single(self, items):
        """The sum at once is the sum one by one."""
        assert summary_of(items) == one_by_one(items)

    def test_empty(self):
        """Without items there is nothing, in three ways."""
        assert summary_of([]) == combined([]) == Summary() == NOTHING


class TestPassages:
    @steady
    @given(ITEMS)
    def test_ins_outs(self, items):
        """Ins and outs are those of the whole bucket, calibrated or not."""
        summary = summary_of(items)
        directions = [each.direction for each in items if isinstance(each, Passage)]
        assert summary.ins == directions.count(1)
        assert summary.outs == directions.count(-1)

    @steady
    @given(PASSAGES_ONLY, COUNT)
    def test_raw(self, items, count):
        """Without calibrations the raw count is the plain sum."""
        total = sum(each.direction for each in items)
        assert summary_of(items).after(count, "raw") == count + total

    @steady
    @given(ITEMS, COUNT)
    def test_saturate(self, items, count):
        """A count that saturates is at no time below zero."""
        lowest = summary_of(items).lowest(count, "saturate")
        assert lowest is None or lowest >= 0


class TestCalibrations:
    @each_policy
    @steady
    @given(before=ITEMS, after=PASSAGES_ONLY, value=st.integers(0, 5), count=COUNT)
    def test_forgets(self, before, after, value, count, policy):
        """What was before a calibration is irrelevant for the count."""
        since = summary_of([Calibration(MIDNIGHT, value), *after])
        expected = summary_of(after).after(value, policy)
        assert summary_of(before).then(since).after(count, policy) == expected

    @each_policy
    @steady
    @given(ITEMS, COUNT, COUNT)
    def test_calibrated(self, policy, items, one, other):
        """A calibrated bucket ends alike, whatever the count was before."""
        summary = summary_of(items)
        if summary.is_calibrated:
            assert summary.after(one, policy) == summary.after(other, policy)

    @steady
    @given(ITEMS)
    def test_is_calibrated(self, items):
        """A single calibration makes a bucket calibrated."""
        found = any(isinstance(each, Calibration) for each in items)
        assert summary_of(items).is_calibrated == found


class TestUnknown:
    @pytest.mark.parametrize(
        ("summary", "expected"),
        [
            pytest.param(NOTHING, None, id="no items"),
            pytest.param(passage(-1), None, id="depends on what was before"),
            pytest.param(passage(1).then(calibration(4)), 4, id="from there on"),
        ],
    )
    def test_lowest(self, summary, expected):
        """Without a count before, the lowest is that of what is known."""
        assert summary.lowest(None, "raw") == expected
        assert summary.lowest(None, "saturate") == expected

    @pytest.mark.parametrize(
        ("summary", "raw", "saturate"),
        [
            pytest.param(NOTHING, None, None, id="no items"),
            pytest.param(passage(1), None, 0, id="not below zero"),
            pytest.param(passage(-1).then(passage(1)), None, 1, id="one came at last"),
            pytest.param(passage(1).then(calibration(4)), 4, 4, id="from there on"),
        ],
    )
    def test_highest(self, summary, raw, saturate):
        """Without a count before, the highest is what it is at least."""
        assert summary.highest(None, "raw") == raw
        assert summary.highest(None, "saturate") == saturate


class TestOrder:
    def test_moment(self):
        """In one moment: calibrations, numbers, those without; entries first."""
        calibrated = Calibration(at("9:00:00"), 5)
        earlier = Passage(at("8:59:59.999"), 1, None)
        ordered = [
            Passage(at("9:00:00"), 1, 0),
            Passage(at("9:00:00"), 1, 1),
            Passage(at("9:00:00"), -1, 1),
            Passage(at("9:00:00"), -1, 7),
            Passage(at("9:00:00"), 1, None),
            Passage(at("9:00:00"), -1, None),
        ]
        found = in_order([*reversed(ordered), earlier], [calibrated])
        assert found == [earlier, calibrated, *ordered]

    @steady
    @given(PASSAGES, CALIBRATIONS, st.randoms(use_true_random=False))
    def test_shuffled(self, passages, calibrations, random):
        """Neither the order of arrival matters, nor what arrives again."""
        arrived = passages * 2
        known = calibrations.copy()
        random.shuffle(arrived)
        random.shuffle(known)
        found = in_order(dict.fromkeys(arrived), known)
        assert found == in_order(passages, calibrations)

    def test_empty(self):
        """There may be nothing to sort."""
        assert in_order([], []) == []


class TestShown:
    @pytest.mark.parametrize(
        ("count", "policy", "expected"),
        [
            pytest.param(-2, "raw", -2, id="raw as it is"),
            pytest.param(-2, "floor", 0, id="floor not below zero"),
            pytest.param(3, "floor", 3, id="floor above zero as it is"),
            pytest.param(3, "saturate", 3, id="saturate as it is"),
            pytest.param(-2, "saturate", -2, id="saturate leaves what it was given"),
        ],
    )
    def test_shown(self, count, policy, expected):
        """Only floor shows something else than is counted."""
        assert shown(count, policy) == expected

    @steady
    @given(ITEMS, COUNT)
    def test_floor(self, items, count):
        """Floor counts as raw does: a debt is kept, and only not shown."""
        assert replay(items, count, "floor") == replay(items, count, "raw")


LEFT, LEFT_AGAIN, CAME, CAME_AGAIN = (
    Passage(at(f"9:0{number}:00"), direction, None)
    for number, direction in enumerate([-1, -1, 1, 1])
)


class TestExtremes:
    @pytest.mark.parametrize(
        ("policy", "lowest", "when", "highest"),
        [
            pytest.param("raw", -1, LEFT_AGAIN, 1, id="raw"),
            pytest.param("floor", 0, LEFT, 1, id="floor: when zero is shown first"),
            pytest.param("saturate", 0, LEFT, 2, id="saturate"),
        ],
    )
    def test_first(self, policy, lowest, when, highest):
        """The moments are the first ones at which it is so."""
        items = [LEFT, LEFT_AGAIN, CAME, CAME_AGAIN]
        found = extremes_of(items, 1, policy)
        assert found == Extremes(lowest, when.moment, highest, CAME_AGAIN.moment)

    def test_highest(self):
        """Of several highest ones the first counts."""
        found = extremes_of([CAME, Calibration(at("9:30:00"), 1)], 0, "raw")
        assert found == Extremes(1, CAME.moment, 1, CAME.moment)

    def test_empty(self):
        """Where nothing happens, there are no extremes."""
        assert extremes_of([], 3, "raw") is None


def made(*rows):
    """Passages of times and directions."""
    return [
        Passage(at(clock), direction, None)
        for number, (clock, direction) in enumerate(rows)
    ]


E1 = "8:45:21.893"

ENTERED_A = made((E1, 1), ("9:00:00", 1), ("9:05:00", 1), ("9:10:00", -1))
"""Sample S: 423 lets one in from B, then 283 two from outside, and one out."""

ENTERED_B = made((E1, -1))
ENTERED_BUILDING = ENTERED_A[1:]
BACK_IN_B = [*ENTERED_B, Passage(at("9:40:00"), 1, None)]

FIVE = [Calibration(at("9:07:00"), 5)]
LATE = [*ENTERED_A, Passage(at("9:06:30"), 1, None)]
LATER = [*LATE, Passage(at("9:08:00"), 1, None)]


def told(passages, calibrations, clock, policy):
    """What a reader is told of a moment; what happens at it counts."""
    items = in_order(passages, calibrations)
    until = [item for item in items if item.moment <= at(clock)]
    return shown(summary_of(until).after(0, policy), policy)


class TestSample:
    @pytest.mark.parametrize(
        ("passages", "calibrations", "clock", "policy", "expected"),
        [
            pytest.param(ENTERED_A, [], E1, "raw", 1, id="O1 A: at counts"),
            pytest.param(ENTERED_B, [], E1, "raw", -1, id="O1 B: at counts"),
            pytest.param(ENTERED_A, [], "8:45:21.892", "raw", 0, id="O1 A: before"),
            pytest.param(ENTERED_B, [], "8:45:21.892", "raw", 0, id="O1 B: before"),
            pytest.param(ENTERED_A, [], E1, "floor", 1, id="O2 A: floor"),
            pytest.param(ENTERED_B, [], E1, "floor", 0, id="O2 B: floor"),
            pytest.param(ENTERED_A, [], E1, "saturate", 1, id="O2 A: saturate"),
            pytest.param(ENTERED_B, [], E1, "saturate", 0, id="O2 B: saturate"),
            pytest.param(ENTERED_A, [], "9:30:00", "raw", 2, id="O3 A: sum"),
            pytest.param(ENTERED_B, [], "9:30:00", "raw", -1, id="O3 B: sum"),
            pytest.param(
                ENTERED_BUILDING, [], "9:30:00", "raw", 1, id="O3 building: no 423"
            ),
            pytest.param(BACK_IN_B, [], "10:00:00", "raw", 0, id="O4: sum"),
            pytest.param(BACK_IN_B, [], "10:00:00", "floor", 0, id="O4: debt is kept"),
            pytest.param(BACK_IN_B, [], "10:00:00", "saturate", 1, id="O4: no debt"),
            pytest.param(ENTERED_A, FIVE, "9:06:00", "raw", 3, id="O7: before"),
            pytest.param(ENTERED_A, FIVE, "9:07:00", "raw", 5, id="O7: at counts"),
            pytest.param(ENTERED_A, FIVE, "9:30:00", "raw", 4, id="O7: after"),
            pytest.param(LATE, FIVE, "9:06:45", "raw", 4, id="O8: late one counts"),
            pytest.param(LATE, FIVE, "9:30:00", "raw", 4, id="O8: calibration wins"),
            pytest.param(LATER, FIVE, "9:30:00", "raw", 5, id="O9: after it it counts"),
        ],
    )
    def test_count(self, passages, calibrations, clock, policy, expected):
        """The acceptance checks of counting, those without a database."""
        assert told(passages, calibrations, clock, policy) == expected

    def test_history(self):
        """O16: ins, outs, end and highest of two hours, each from the one before."""
        eight, nine = summary_of(ENTERED_A[:1]), summary_of(ENTERED_A[1:])
        assert (eight.ins, eight.outs, eight.after(0, "raw")) == (1, 0, 1)
        assert (nine.ins, nine.outs, nine.after(1, "raw")) == (2, 1, 2)
        assert nine.highest(1, "raw") == 3
