"""Slots: what one reservation of a place occupies."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.domain.slots import slots_of
from libres.domain.spans import Span
from tests.domain.making import allocated, quick, span, within


def starts(run):
    """The starts of a run, in hours and minutes."""
    return [f"{slot.start:%-H:%M}" for slot in run]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(None, "8:00 8:15 8:30 8:45", id="all of it"),
        pytest.param(("8:15", "8:45"), "8:15 8:30", id="on the raster"),
        pytest.param(("8:20", "8:35"), "8:15 8:30", id="off the raster, outwards"),
        pytest.param(("7:00", "8:20"), "8:00 8:15", id="begins before"),
        pytest.param(("8:40", "12:00"), "8:30 8:45", id="ends after"),
        pytest.param(("6:00", "12:00"), "8:00 8:15 8:30 8:45", id="more than there is"),
        pytest.param(("9:00", "10:00"), "", id="touches the end"),
        pytest.param(("7:00", "8:00"), "", id="touches the start"),
        pytest.param(("11:00", "12:00"), "", id="elsewhere"),
        pytest.param(("8:45", "8:15"), "", id="reversed"),
    ],
)
def test_partly_available(asked, expected):
    """A partly available allocation has one slot per step that is touched."""
    run = slots_of(span("8:00", "9:00"), 15, asked and span(*asked), partly=True)
    assert starts(run) == expected.split()
    assert len(run) == len(expected.split())


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(None, id="all of it"),
        pytest.param(("8:15", "8:20"), id="five minutes"),
        pytest.param(("11:00", "12:00"), id="elsewhere"),
    ],
)
def test_as_a_whole(asked):
    """Any other allocation is a single slot, whatever is asked for."""
    whole = span("8:00", "9:00")
    run = slots_of(whole, 15, asked and span(*asked), partly=False)
    assert list(run) == [whole]
    assert len(run) == 1
    assert run.last_start == whole.start


@quick
@given(allocated())
def test_partition(drawn):
    """The slots partition the allocation into steps of its raster."""
    raster, whole = drawn
    run = slots_of(whole, raster, partly=True)
    slots = list(run)
    assert (slots[0].start, slots[-1].end) == (whole.start, whole.end)
    assert all(one.end == other.start for one, other in pairwise(slots))
    assert {slot.duration for slot in slots} == {timedelta(minutes=raster)}
    assert len(run) == len(slots)
    assert run.last_start == slots[-1].start


@quick
@given(st.data(), allocated())
def test_touched(data, drawn):
    """What is asked for occupies exactly the slots that overlap it."""
    raster, whole = drawn
    asked = data.draw(within(whole))
    run = slots_of(whole, raster, asked, partly=True)
    every = slots_of(whole, raster, partly=True)
    assert list(run) == [slot for slot in every if slot.overlaps(asked)]
    assert len(run) == len(list(run))


def test_reversed_partly():
    """A reversed allocation has no slots."""
    run = slots_of(span("9:00", "8:00"), 15, partly=True)
    assert (len(run), list(run)) == (0, [])


@pytest.mark.parametrize("end", ["8:00", "7:00"])
def test_empty_as_a_whole(end):
    """A run is empty if its span is, and its length says so."""
    run = slots_of(span("8:00", end), 15, partly=False)
    assert list(run) == []
    assert len(run) == 0


def test_thirty_years():
    """Three million slots are counted without making them."""
    whole = span("0:00", "24:00")
    decades = Span(whole.start, whole.start + timedelta(days=30 * 365))
    assert len(slots_of(decades, 5, partly=True)) == 30 * 365 * 24 * 12
