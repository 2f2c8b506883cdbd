"""What collides and what is free, against brute force on a grid."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libres.conflicts import OPEN, NumericSpan, Period, Proposal
from libres.conflicts.claim import Claim
from libres.conflicts.rules import gaps, in_the_way, span_overlap, within
from libres.conflicts.values import BOUNDS
from tests.conflicts.times import SOURCE, at, wish

HOURS = range(-1, 26)
"""One before and one after the day in which everything starts and ends."""


@st.composite
def periods(draw):
    """A time within a day, or with open ends."""
    first = draw(st.integers(0, 23))
    last = draw(st.integers(first + 1, 24))
    start = None if draw(st.booleans()) and first == 0 else at(first)
    end = None if draw(st.booleans()) and last == 24 else at(last)
    return Period(start, end)


@st.composite
def spans(draw):
    """A span of small numbers, with any bounds."""
    first, last = sorted((draw(st.integers(0, 4)), draw(st.integers(0, 4))))
    bounds = "[]" if first == last else draw(st.sampled_from(BOUNDS))
    lower = None if draw(st.booleans()) and first == 0 else Decimal(first)
    upper = None if draw(st.booleans()) and last == 4 else Decimal(last)
    return NumericSpan(lower, upper, bounds)


def hours_of(period):
    """The hours of a time, beyond the day if it has no end there."""
    return {
        hour
        for hour in HOURS
        if (period.start is None or period.start <= at(hour))
        and (period.end is None or at(hour) < period.end)
    }


POINTS = [Decimal(number) / 4 for number in range(-4, 21)]


def points_of(span):
    """The points of a grid that a span holds."""
    return {
        point
        for point in POINTS
        if (span.lower is None or point >= span.lower)
        and (span.upper is None or point <= span.upper)
        and (point != span.lower or span.bounds[0] == "[")
        and (point != span.upper or span.bounds[1] == "]")
    }


class TestPeriods:
    @given(periods(), periods())
    def test_overlap(self, one, other):
        """Two times overlap where they have hours in common, and just there."""
        common = hours_of(one) & hours_of(other)
        shared = one.overlap(other)
        assert one.overlaps(other) == other.overlaps(one) == bool(common)
        assert (set() if shared is None else hours_of(shared)) == common

    @given(periods(), st.lists(periods(), max_size=5))
    def test_gaps(self, asked, busy):
        """What is left has just the hours that nobody has, in order, and apart."""
        found = gaps(asked, busy)
        taken = set().union(*map(hours_of, busy))
        hours = [hour for gap in found for hour in sorted(hours_of(gap))]
        assert hours == sorted(hours_of(asked) - taken)
        assert not any(
            one.overlaps(other) for one in found for other in found if one is not other
        )

    @given(periods(), st.lists(periods(), max_size=5), st.integers(1, 5))
    def test_long_gaps(self, asked, busy, length):
        """Only gaps that are long enough are left."""
        long = gaps(asked, busy, timedelta(hours=length))
        assert [gap for gap in gaps(asked, busy) if gap in long] == long
        assert all(
            len(hours_of(gap)) >= length or gap.start is None or gap.end is None
            for gap in long
        )


class TestSpans:
    @given(spans(), spans())
    def test_overlap(self, one, other):
        """Two spans overlap where they have points in common, and just there."""
        shared = span_overlap(one, other)
        common = points_of(one) & points_of(other)
        assert (set() if shared is None else points_of(shared)) == common


def claim(number, period, places=1, capacity=4):
    """A claim of places."""
    return Claim(
        id=number,
        source=SOURCE,
        source_id=str(number),
        part=0,
        resource="bus",
        blocked=period,
        capacity=capacity,
        places=places,
    )


class TestPlaces:
    @given(
        periods(),
        st.lists(st.tuples(periods(), st.integers(1, 3)), max_size=6),
        st.integers(1, 4),
    )
    def test_in_the_way(self, asked, others, places):
        """In the way are those who are there at an hour with too few places left."""
        met = [
            claim(number, period, taken)
            for number, (period, taken) in enumerate(others)
            if period.overlaps(asked)
        ]
        proposal = Proposal(resource="bus", during=asked, capacity=4, places=places)
        crowded = set()
        for hour in hours_of(asked):
            present = [each for each in met if hour in hours_of(each.blocked)]
            if sum(each.places for each in present) + places > 4:
                crowded |= {each.id for each in present}
        assert {each.id for each in in_the_way(proposal, met)} == crowded

    @given(st.lists(st.tuples(periods(), st.sampled_from("ab")), max_size=8))
    def test_within(self, asked):
        """Each proposal meets those of its resource that overlap it."""
        proposals = [Proposal(resource=key, during=each) for each, key in asked]
        found = within([(each, [each.resource]) for each in proposals])
        for number, one in enumerate(proposals):
            expected = [
                other
                for other, two in enumerate(proposals)
                if other != number
                and one.resource == two.resource
                and one.during.overlaps(two.during)
            ]
            assert found[number] == expected


class TestCheck:
    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        stored=st.lists(
            st.tuples(periods(), st.none() | spans(), st.sampled_from("ab")),
            min_size=1,
            max_size=8,
        ),
        asked=st.tuples(periods(), st.none() | spans()),
    )
    def test_database(self, claims, stored, asked):
        """The database finds what brute force finds, in the same order."""
        claims.rollback()
        rows = [
            Proposal(
                source=SOURCE,
                source_id=number,
                resource=key,
                during=period,
                span=span,
                exclusive=False,
            )
            for number, (period, span, key) in enumerate(stored)
        ]
        claims.put_many(rows)
        period, span = asked
        proposal = Proposal(resource="a", during=period, span=span)
        found = [int(each.source_id) for each in claims.check(proposal)]
        assert sorted(found) == [
            number
            for number, (other, numbers, key) in enumerate(stored)
            if key == "a"
            and hours_of(other) & hours_of(period)
            and (
                span is None or numbers is None or points_of(span) & points_of(numbers)
            )
        ]

    def test_always_is_open(self):
        """A time without ends has been there at every hour."""
        always = replace(wish(), during=Period())
        assert always.during == Proposal(resource="a", during=(OPEN, OPEN)).during
        assert hours_of(always.during) == set(HOURS)
