"""The raster: starts go down, ends go up, less one microsecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.modules.rasterizer import (
    MAX_RASTER,
    MIN_RASTER,
    VALID_RASTER,
    is_valid_raster,
    iterate_span,
    rasterize_end,
    rasterize_span,
    rasterize_start,
)

TICK = timedelta(microseconds=1)

rasters = st.sampled_from(VALID_RASTER)
dates = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001  # naive dates are allowed
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.one_of(st.none(), st.just(UTC)),
)


def at(text):
    """Read a naive time of one day."""
    return datetime.fromisoformat(f"2030-06-03T{text}")


def test_constants():
    """Five rasters, each of which divides the hour."""
    assert VALID_RASTER == (5, 10, 15, 30, 60)
    assert (MIN_RASTER, MAX_RASTER) == (5, 60)


@pytest.mark.parametrize(
    ("raster", "valid"),
    [
        *((raster, True) for raster in (5, 10, 15, 30, 60)),
        *((raster, False) for raster in (-5, 0, 1, 20, 120, None, "5", True)),
    ],
)
def test_is_valid(raster, valid):
    """Only the five are valid."""
    assert is_valid_raster(raster) is valid


@pytest.mark.parametrize(
    ("date", "raster", "expected"),
    [
        ("10:00", 15, "10:00"),
        ("10:07", 15, "10:00"),
        ("10:15", 15, "10:15"),
        ("10:59:59.999999", 60, "10:00"),
        ("10:59:59.999999", 5, "10:55"),
        ("10:07:30.000001", 5, "10:05"),
        ("00:00", 60, "00:00"),
    ],
)
def test_start(date, raster, expected):
    """A start goes back to its step; seconds vanish."""
    assert rasterize_start(at(date), raster) == at(expected)


@pytest.mark.parametrize(
    ("date", "raster", "expected", "why"),
    [
        ("10:00", 15, "09:59:59.999999", "on the raster: the end of the step before"),
        ("10:07", 15, "10:14:59.999999", "within a step: its end"),
        ("10:14:59.999999", 15, "10:14:59.999999", "rasterised already"),
        ("10:00:30", 15, "09:59:59.999999", "seconds are cut, unlike 1.x"),
        ("10:07:30", 5, "10:09:59.999999", "seconds within a step"),
        ("10:30", 60, "10:59:59.999999", "the hour"),
        ("23:59", 5, "23:59:59.999999", "the end of the day"),
    ],
)
def test_end(date, raster, expected, why):
    """An end goes to the end of its step, less one microsecond."""
    assert rasterize_end(at(date), raster) == at(expected), why


def test_end_of_the_day_before():
    """Midnight is the end of the day before."""
    assert rasterize_end(at("00:00"), 5) == at("00:00") - TICK


@pytest.mark.parametrize("raster", [0, 1, 7, 61, None, "15", True])
@pytest.mark.parametrize("call", [rasterize_start, rasterize_end])
def test_invalid(call, raster):
    """An invalid raster is noticed at any time of the day."""
    for date in (at("10:00"), at("10:07")):
        with pytest.raises(AssertionError, match="not a raster"):
            call(date, raster)


def test_invalid_span():
    """So it is for spans."""
    with pytest.raises(AssertionError):
        rasterize_span(at("10:00"), at("11:00"), 7)
    with pytest.raises(AssertionError):
        list(iterate_span(at("10:00"), at("11:00"), 7))


def test_keeps_the_timezone():
    """It is the minute of the wall clock that counts."""
    kathmandu = ZoneInfo("Asia/Kathmandu")
    date = datetime(2030, 6, 3, 10, 7, tzinfo=kathmandu)
    assert rasterize_start(date, 60) == date.replace(minute=0)
    assert rasterize_start(date, 60).tzinfo is kathmandu
    assert rasterize_end(date, 60).tzinfo is kathmandu


def test_iterate():
    """Every step of the rasterised span, with stored ends."""
    assert list(iterate_span(at("10:07"), at("10:31"), 15)) == [
        (at("10:00"), at("10:15") - TICK),
        (at("10:15"), at("10:30") - TICK),
        (at("10:30"), at("10:45") - TICK),
    ]


def test_iterate_whole_steps():
    """An end on the raster opens no further step."""
    assert list(iterate_span(at("10:00"), at("10:30"), 30)) == [
        (at("10:00"), at("10:30") - TICK)
    ]


@pytest.mark.parametrize("end", ["10:00", "09:00"])
def test_iterate_nothing(end):
    """An empty or reversed span has no steps."""
    assert list(iterate_span(at("10:00"), at(end), 5)) == []


@given(dates, rasters)
def test_idempotent(date, raster):
    """Rasterising twice changes nothing."""
    start, end = rasterize_span(date, date, raster)
    assert rasterize_span(start, end, raster) == (start, end)


@given(dates, rasters)
def test_bounds(date, raster):
    """A start moves back by less than a step; what ends is one tick short of one."""
    start, end = rasterize_span(date, date, raster)
    assert timedelta() <= date - start < timedelta(minutes=raster)
    assert (end + TICK).minute % raster == 0
    assert (end + TICK).second == (end + TICK).microsecond == 0


@given(dates, st.timedeltas(timedelta(), timedelta(days=2)), rasters)
def test_partition(start, length, raster):
    """The steps partition the rasterised span."""
    first, last = rasterize_span(start, start + length, raster)
    steps = list(iterate_span(start, start + length, raster))
    edges = [first, *(end + TICK for _, end in steps)]
    assert [begin for begin, _ in steps] == edges[:-1]
    assert edges[-1] == max(first, last + TICK)
