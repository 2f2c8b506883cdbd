"""Searching: which allocations fit by their times, and by what is left of them."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.domain.availability import average
from libres.domain.days import to_utc
from libres.domain.search import Search, check_choice
from libres.domain.spans import Span
from libres.modules.errors import Misuse
from tests.domain import grid
from tests.domain.making import DAY, STEP, local, master, quick, rasters

ZURICH = "Europe/Zurich"


def search(begins="0:00", ends="23:59", **values):
    """A search for a daily window, for anything."""
    known = {
        "day_begins": clock(begins),
        "day_ends": clock(ends),
        "days": frozenset(),
        "minspots": 0,
        "whole_day": "any",
        "groups": "any",
    }
    return Search(**(known | values))


def clock(text):
    """A time of day."""
    return time(*map(int, text.split(":")))


def allocation(start, end, day="2022-06-01", zone=ZURICH, **values):
    """An allocation of a local day; 24:00 and later is the day after."""
    hours = [(int(h), int(m)) for h, m in (each.split(":") for each in (start, end))]
    first, last = (local(day) + timedelta(hours=h, minutes=m) for h, m in hours)
    whole = Span(to_utc(first, zone), to_utc(last, zone))
    return master(span=whole, timezone=zone, **values)


class TestWindow:
    @pytest.mark.parametrize(
        ("begins", "ends", "expected"),
        [
            pytest.param("9:00", "10:00", True, id="within it"),
            pytest.param("6:00", "8:00", False, id="touches the start"),
            pytest.param("6:00", "8:01", True, id="a minute of it"),
            pytest.param("12:00", "20:00", False, id="touches the end"),
            pytest.param("11:59", "20:00", True, id="the last minute"),
            pytest.param("0:00", "23:59", True, id="all day"),
            pytest.param("9:00", "9:00", True, id="a moment within it"),
            pytest.param("20:00", "6:00", False, id="over night, reversed"),
        ],
    )
    def test_table(self, begins, ends, expected):
        """From eight to twelve fits if it overlaps the times of day."""
        assert search(begins, ends).matches(allocation("8:00", "12:00")) is expected

    @pytest.mark.parametrize(
        ("begins", "ends", "expected"),
        [
            pytest.param("9:00", "10:00", True, id="both mornings"),
            pytest.param("20:00", "2:00", True, id="over night"),
            pytest.param("3:00", "4:00", True, id="the night between"),
        ],
    )
    def test_several_days(self, begins, ends, expected):
        """Of several days, the window goes from the first to the last."""
        long = allocation("8:00", "36:00")
        assert search(begins, ends).matches(long) is expected

    def test_until_midnight(self):
        """An end at midnight is still on the day before."""
        evening = allocation("20:00", "24:00")
        assert search("0:00", "8:00").matches(evening) is False
        start, end = search("19:00", "21:00").window(evening)
        assert [grid.clock(each, ZURICH) for each in (start, end)] == [
            local("2022-06-01 19:00"),
            local("2022-06-01 21:00"),
        ]

    @pytest.mark.parametrize(
        "zone", [ZURICH, "America/New_York", "Asia/Kathmandu", "Pacific/Apia"]
    )
    @pytest.mark.parametrize("day", ["2022-03-27", "2022-06-01", "2022-10-30"])
    def test_zones(self, zone, day):
        """Times of day are those of the allocation's zone, in summer and winter."""
        morning = allocation("9:00", "10:00", day, zone)
        assert search("9:00", "10:00").matches(morning)
        assert not search("8:00", "9:00").matches(morning)
        assert not search("10:00", "11:00").matches(morning)

    @quick
    @given(
        st.integers(0, 280), st.integers(1, 600), st.integers(0, 95), st.integers(0, 95)
    )
    def test_brute_force(self, first, length, one, other):
        """It fits if it has five minutes in common with the window."""
        start = to_utc(local("2022-06-01"), ZURICH) + first * STEP
        found = master(span=Span(start, start + length * STEP), raster=5)
        begins, ends = (timedelta(minutes=15 * each) for each in sorted((one, other)))
        wanted = search(*(str(each)[:-3] for each in (begins, ends)))
        days = [
            grid.clock(each, ZURICH).date()
            for each in (found.span.start, found.span.end - STEP)
        ]
        window = [
            to_utc(local(f"{day}") + each, ZURICH)
            for day, each in zip(days, (begins, ends), strict=True)
        ]
        mine = set(grid.cells(found.span.start, found.span.end))
        # An empty window is a moment, which is looked at like the cell it begins.
        theirs = set(grid.cells(window[0], max(window[1], window[0] + STEP)))
        assert wanted.matches(found) == bool(mine & theirs)


class TestDays:
    @pytest.mark.parametrize(
        ("days", "expected"),
        [
            pytest.param(set(), True, id="any day"),
            pytest.param({2}, True, id="its own"),
            pytest.param({1, 2, 3}, True, id="its own among others"),
            pytest.param({1, 3}, False, id="others"),
        ],
    )
    def test_table(self, days, expected):
        """The first of June was a Wednesday."""
        wanted = search(days=frozenset(days))
        assert wanted.matches(allocation("8:00", "12:00")) is expected

    def test_local(self):
        """The weekday is the local one of the start."""
        early = allocation("0:00", "1:00", "2022-06-01")
        assert search(days=frozenset({2})).matches(early)
        assert not search(days=frozenset({1})).matches(early)

    def test_over_midnight(self):
        """The day of the end plays no part."""
        night = allocation("22:00", "26:00", "2022-06-01")
        assert not search(days=frozenset({3})).matches(night)


class TestWhole:
    @pytest.mark.parametrize(
        ("end", "choice", "expected"),
        [
            pytest.param("24:00", "yes", True, id="a whole day, wanted"),
            pytest.param("24:00", "no", False, id="a whole day, not wanted"),
            pytest.param("24:00", "any", True, id="a whole day, why not"),
            pytest.param("48:00", "yes", True, id="two whole days"),
            pytest.param("23:45", "yes", False, id="a part, whole ones wanted"),
            pytest.param("23:45", "no", True, id="a part, wanted"),
            pytest.param("23:45", "any", True, id="a part, why not"),
        ],
    )
    def test_table(self, end, choice, expected):
        """Whole days can be asked for, and left out."""
        wanted = search(whole_day=choice)
        assert wanted.matches(allocation("0:00", end)) is expected

    @pytest.mark.parametrize("day", ["2022-03-27", "2022-10-30"])
    def test_clock_changes(self, day):
        """Days of 23 and 25 hours are whole days."""
        assert search(whole_day="yes").matches(allocation("0:00", "24:00", day))


class TestGroups:
    @pytest.mark.parametrize(
        ("choice", "in_group", "expected"),
        [
            pytest.param("any", True, True, id="any, in a group"),
            pytest.param("any", False, True, id="any, alone"),
            pytest.param("yes", True, True, id="only groups, in a group"),
            pytest.param("yes", False, False, id="only groups, alone"),
            pytest.param("no", True, False, id="no groups, in a group"),
            pytest.param("no", False, True, id="no groups, alone"),
        ],
    )
    def test_table(self, choice, in_group, expected):
        """Groups can be asked for, and left out."""
        found = master(in_group=in_group)
        assert search(groups=choice).matches_group(found) is expected


class TestSpots:
    @pytest.mark.parametrize(
        ("limit", "minspots", "expected"),
        [
            pytest.param(0, 5, True, id="no limit"),
            pytest.param(3, 0, True, id="any number"),
            pytest.param(3, 3, True, id="the limit itself"),
            pytest.param(3, 4, False, id="more than the limit"),
        ],
    )
    def test_limit(self, limit, minspots, expected):
        """Who needs more places than may be reserved at once does not find it."""
        limited = allocation("8:00", "12:00", quota=9, quota_limit=limit)
        assert search(minspots=minspots).matches(limited) is expected

    @pytest.mark.parametrize(
        ("quota", "minspots", "availability", "expected"),
        [
            pytest.param(4, 2, 50.0, True, id="just enough"),
            pytest.param(4, 3, 50.0, False, id="too few"),
            pytest.param(4, 0, 0.0, True, id="none needed"),
            pytest.param(1, 1, 100.0, True, id="a single place"),
            pytest.param(1, 2, 100.0, False, id="more than there are"),
        ],
    )
    def test_enough(self, quota, minspots, availability, expected):
        """So many percent are so many places."""
        found = allocation("8:00", "12:00", quota=quota)
        assert search(minspots=minspots).has_enough(found, availability) is expected

    def test_exactly_enough(self):
        """Whoever needs as many places as are free finds them, of any quota."""
        hidden = [
            (free, quota)
            for quota in range(1, 101)
            for free in range(1, quota + 1)
            if not search(minspots=free).has_enough(
                master(quota=quota),
                average([0.0] * (quota - free), records=quota - free, quota=quota),
            )
        ]
        assert hidden == []


class TestChoice:
    @pytest.mark.parametrize("choice", ["yes", "no", "any"])
    def test_known(self, choice):
        """One of three words is returned as it is."""
        assert check_choice("groups", choice) == choice

    @pytest.mark.parametrize("choice", ["", "YES", None, True, 1, ["any"]], ids=repr)
    def test_unknown(self, choice):
        """Anything else is refused, by the name of the argument."""
        with pytest.raises(Misuse, match="groups must be 'yes', 'no' or 'any'"):
            check_choice("groups", choice)


@quick
@given(rasters, st.integers(0, 23))
def test_own_times(raster, hour):
    """Whoever searches the very times of an allocation finds it."""
    day = to_utc(local("2022-06-01"), ZURICH)
    step = timedelta(minutes=raster)
    start = day + hour * timedelta(hours=1)
    end = min(start + step, day + DAY)
    found = master(span=Span(start, end), raster=raster)
    times = (grid.clock(each, ZURICH).time() for each in found.span.stored)
    begins, ends = (f"{each:%H:%M}" for each in times)
    assert search(begins, ends).matches(found)
