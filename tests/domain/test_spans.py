"""Spans: half-open inside, one microsecond short in the database."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.domain.spans import Span, display_end, first_overlap, reach, stored_end
from libres.modules.errors import Misuse
from tests.domain.grid import cells
from tests.domain.making import (
    STEP,
    TICK,
    at,
    moments,
    quick,
    rasters,
    span,
    spans,
)

anything = spans(shortest=-20, longest=20)


def closed(one, other):
    """The rule of the contract: closed intervals on the stored values."""
    (a, b), (c, d) = one.stored, other.stored
    return c <= a <= d or a <= c <= b


class TestStored:
    def test_microsecond(self):
        """What ends at three is stored until a microsecond before."""
        assert span("8:00", "15:00").stored == (at("8:00"), at("14:59:59.999999"))

    def test_borders(self):
        """Ends are converted in either direction."""
        assert display_end(at("14:59:59.999999")) == at("15:00")
        assert stored_end(at("15:00")) == at("14:59:59.999999")

    @quick
    @given(anything)
    def test_round_trip(self, one):
        """What is stored is read as it was."""
        assert Span.from_stored(*one.stored) == one

    def test_value(self):
        """A span is a value: equal, ordered, hashable, and never changed."""
        one = span("8:00", "9:00")
        assert one == span("8:00", "9:00")
        assert len({one, span("8:00", "9:00")}) == 1
        assert min(span("9:00", "10:00"), one) is one
        with pytest.raises(FrozenInstanceError):
            one.start = at("7:00")


class TestOverlaps:
    @pytest.mark.parametrize(
        ("one", "other", "expected"),
        [
            pytest.param(("8:00", "9:00"), ("9:00", "10:00"), False, id="touching"),
            pytest.param(("8:00", "9:00"), ("8:55", "10:00"), True, id="five minutes"),
            pytest.param(("8:00", "9:00"), ("8:00", "9:00"), True, id="equal"),
            pytest.param(("8:00", "12:00"), ("9:00", "10:00"), True, id="within"),
            pytest.param(("8:00", "9:00"), ("10:00", "11:00"), False, id="apart"),
            pytest.param(("8:00", "9:00"), ("8:30", "8:30"), True, id="empty within"),
            pytest.param(
                ("8:00", "9:00"), ("8:00", "8:00"), True, id="empty at the start"
            ),
            pytest.param(
                ("8:00", "9:00"), ("9:00", "9:00"), False, id="empty at the end"
            ),
            pytest.param(("8:00", "8:00"), ("8:00", "8:00"), False, id="both empty"),
            pytest.param(("6:00", "20:00"), ("18:00", "8:00"), True, id="reversed"),
        ],
    )
    def test_table(self, one, other, expected):
        """Touching is not enough, a common moment is."""
        assert span(*one).overlaps(span(*other)) is expected
        assert span(*other).overlaps(span(*one)) is expected

    @quick
    @given(anything, anything)
    def test_contract(self, one, other):
        """It is what closed intervals on the stored values say, reversed or not."""
        assert one.overlaps(other) == closed(one, other)

    @quick
    @given(spans(longest=40), spans(longest=40))
    def test_brute_force(self, one, other):
        """Two spans overlap if they have five minutes in common, which clip returns."""
        common = set(cells(one.start, one.end)) & set(cells(other.start, other.end))
        assert one.overlaps(other) == bool(common)
        clipped = one.clip(other)
        assert clipped.is_empty == (not common)
        assert set(cells(clipped.start, clipped.end)) == common
        assert clipped == other.clip(one)

    @quick
    @given(spans(longest=40), spans(longest=40))
    def test_contains(self, one, other):
        """One contains the other if it has all of its five minutes."""
        inside = set(cells(other.start, other.end)) <= set(cells(one.start, one.end))
        assert one.contains(other) == inside

    @pytest.mark.parametrize(
        ("one", "is_empty"),
        [
            pytest.param(("8:00", "8:05"), False, id="shortest"),
            pytest.param(("8:00", "8:00"), True, id="no time"),
            pytest.param(("8:00", "7:00"), True, id="reversed"),
        ],
    )
    def test_empty(self, one, is_empty):
        """A span that does not end after its start is empty."""
        assert span(*one).is_empty is is_empty


class TestFirstOverlap:
    @quick
    @given(st.lists(spans(longest=8), max_size=8))
    def test_brute_force(self, some):
        """Looking at neighbours once finds what looking at all pairs finds."""
        found = first_overlap(some)
        overlapping = [two for two in combinations(some, 2) if two[0].overlaps(two[1])]
        assert (found is None) == (not overlapping)
        assert found is None or found[0].overlaps(found[1])

    @pytest.mark.parametrize("some", [[], [span("8:00", "9:00")]], ids=len)
    def test_too_few(self, some):
        """Nothing overlaps alone."""
        assert first_overlap(some) is None


class TestRasterized:
    @pytest.mark.parametrize(
        ("asked", "raster", "expected"),
        [
            pytest.param(("8:00", "9:00"), 15, ("8:00", "9:00"), id="on the raster"),
            pytest.param(("8:07", "8:52"), 15, ("8:00", "9:00"), id="outwards"),
            pytest.param(("8:07", "8:52"), 5, ("8:05", "8:55"), id="the finest"),
            pytest.param(("8:07", "8:52"), 60, ("8:00", "9:00"), id="the coarsest"),
            pytest.param(
                ("8:00", "8:59:59.999999"), 15, ("8:00", "9:00"), id="a stored end"
            ),
            pytest.param(("8:00:59", "9:00"), 5, ("8:00", "9:00"), id="start, seconds"),
            pytest.param(("8:00", "9:00:59"), 5, ("8:00", "9:00"), id="end, seconds"),
            pytest.param(("8:00", "8:00"), 5, ("8:00", "8:00"), id="empty stays so"),
            pytest.param(("8:02", "8:02"), 5, ("8:00", "8:05"), id="empty, off it"),
            pytest.param(("9:00", "8:00"), 5, ("9:00", "8:00"), id="reversed stays so"),
        ],
    )
    def test_table(self, asked, raster, expected):
        """A range is snapped outwards, minutes that is: seconds are cut."""
        start, end = map(at, asked)
        assert Span.rasterized(start, end, raster) == span(*expected)

    @quick
    @given(moments(), st.integers(0, 10**9), st.integers(-(10**8), 10**10), rasters)
    def test_twice(self, start, later, length, raster):
        """Rasterising twice changes nothing, stored or displayed."""
        start += timedelta(microseconds=later)
        once = Span.rasterized(start, start + timedelta(microseconds=length), raster)
        assert Span.rasterized(once.start, once.end, raster) == once
        assert Span.rasterized(*once.stored, raster) == once

    @quick
    @given(anything, rasters)
    def test_shape(self, asked, raster):
        """Nothing that was asked for is lost, and less than a step is added."""
        snapped = Span.rasterized(asked.start, asked.end, raster)
        step = timedelta(minutes=raster)
        assert snapped.contains(asked)
        assert asked.start - snapped.start < step
        assert snapped.end - asked.end < step
        assert snapped.duration % step == timedelta()

    @quick
    @given(spans(), rasters)
    def test_stored_end(self, asked, raster):
        """A stored end and the same end as it is displayed give the same span."""
        displayed = Span.rasterized(asked.start, asked.end, raster)
        assert displayed == Span.rasterized(asked.start, asked.end - TICK, raster)

    def test_invalid_raster(self):
        """An invalid raster is refused."""
        with pytest.raises(Misuse, match="not a raster"):
            Span.rasterized(at("8:00"), at("8:00") + STEP, 7)


class TestReach:
    @quick
    @given(spans(shortest=1, longest=20), rasters, st.integers(0, 59))
    def test_slots(self, asked, raster, seconds):
        """It touches exactly the steps that are occupied, whatever the raster."""
        late = asked.end + timedelta(seconds=seconds)
        first, last = reach((asked.start, late))
        wanted = Span.rasterized(asked.start, late, raster)
        step = timedelta(minutes=raster)
        start = wanted.start - 2 * step
        while start < wanted.end + 2 * step:
            touches = start <= last and start + step - TICK >= first
            assert touches == (wanted.start <= start < wanted.end)
            start += step

    def test_reversed(self):
        """What ends before it starts reaches where it starts."""
        assert reach((at("9:00"), at("8:00"))) == (at("9:00"), at("9:00"))

    def test_stored(self):
        """A stored end reaches as far as the displayed one."""
        stored = reach((at("8:00"), at("8:59:59.999999")))
        assert stored[1] < at("9:00")
        assert stored[1] > at("8:55")
