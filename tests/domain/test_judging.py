"""Judging: what is refused, with which error, and in which order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.domain.days import to_utc
from libres.domain.judging import (
    LARGEST_QUOTA,
    Match,
    allocatable_spans,
    check_allocation_options,
    check_blockable,
    check_contained,
    check_dates_or_group,
    check_free,
    check_length,
    check_quota,
    check_reservable,
    moved_span,
)
from libres.domain.places import place_resources
from libres.modules.errors import (
    AlreadyReservedError,
    InvalidAllocationError,
    InvalidQuota,
    Misuse,
    QuotaImpossible,
    QuotaOverLimit,
    ReservationTooLong,
    ReservationTooShort,
    TimerangeTooLong,
)
from tests.domain.grid import cells
from tests.domain.making import (
    DAY,
    GROUP,
    HALL,
    ROOM,
    TICK,
    at,
    local,
    master,
    quick,
    span,
    spans,
)

ZURICH = "Europe/Zurich"
FOUR = list(place_resources(ROOM, 4))


def match(start="9:00", end="10:00", busy=0, **values):
    """Somebody asks for a time of that Monday; the first *busy* places are taken."""
    return Match(
        (at(start), at(end)),
        master(**values),
        frozenset(each.bytes for each in FOUR[:busy]),
    )


class TestMatch:
    @pytest.mark.parametrize(
        ("busy", "free"),
        [
            pytest.param(0, 4, id="all"),
            pytest.param(3, 1, id="one"),
            pytest.param(4, 0, id="none"),
        ],
    )
    def test_free(self, busy, free):
        """A place that is not busy is free."""
        assert match(quota=4, busy=busy).free == free

    def test_more_busy_than_places(self):
        """Places that are too many, from a higher quota, leave no fewer than none."""
        assert match(quota=2, busy=4).free == 0

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            pytest.param({}, ("9:00", "9:30"), id="on the raster"),
            pytest.param({"raster": 60}, ("9:00", "10:00"), id="on a coarser one"),
            pytest.param(
                {"partly_available": False}, ("8:00", "18:00"), id="all of it"
            ),
        ],
    )
    def test_wanted(self, values, expected):
        """What is wanted reaches to the end of the last slot that is touched."""
        assert match("9:07", "9:22", **values).wanted_slots == span(*expected)

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            pytest.param(("9:00", "10:00"), ["8:00", "9:30"], id="two of three"),
            pytest.param(("9:30", "10:00"), ["9:30"], id="touching is not enough"),
            pytest.param(("9:29", "9:30"), ["8:00"], id="a minute is"),
            pytest.param(("9:29", "9:31"), ["8:00", "9:30"], id="on their own raster"),
            pytest.param(("20:00", "21:00"), [], id="none"),
        ],
    )
    def test_matches(self, asked, expected):
        """Masters that are overlapped, once the range is on their raster, are kept."""
        masters = [
            master("8:00", "9:30"),
            master("9:30", "11:00"),
            master("12:00", "13:00"),
        ]
        found = [
            each.span.start
            for each in masters
            if Match((at(asked[0]), at(asked[1])), each).is_overlap
        ]
        assert found == list(map(at, expected))

    @quick
    @given(st.lists(spans(longest=30), max_size=5), spans(longest=30))
    def test_brute_force(self, allocated, asked):
        """They are those with five minutes in common."""
        masters = [master(span=each, raster=5) for each in allocated]
        wanted = set(cells(asked.start, asked.end))
        for each in masters:
            in_common = wanted & set(cells(each.span.start, each.span.end))
            found = Match((asked.start, asked.end), each).is_overlap
            assert found == bool(in_common)


class TestAllocatable:
    def test_order(self):
        """Spans come in the order of the ranges, on the raster."""
        ranges = [(at("12:00"), at("12:50")), (at("8:10"), at("9:00"))]
        found = allocatable_spans(ranges, 15, ZURICH, whole_day=False)
        assert found == [span("12:00", "13:00"), span("8:00", "9:00")]

    @pytest.mark.parametrize(
        "ranges",
        [
            pytest.param([("9:00", "8:00")], id="reversed"),
            pytest.param([("8:00", "8:00")], id="empty, on the raster"),
            pytest.param([("8:00", "9:00"), ("8:45", "10:00")], id="overlapping"),
            pytest.param([("8:00", "9:00"), ("8:00", "9:00")], id="the same twice"),
            pytest.param([("8:00", "8:50"), ("8:55", "9:30")], id="once on the raster"),
            pytest.param(
                [("8:00", "18:00"), ("17:00", "19:00"), ("8:30", "9:00")],
                id="far apart",
            ),
        ],
    )
    def test_refused(self, ranges):
        """No range is empty, and no two of them overlap."""
        pairs = [(at(start), at(end)) for start, end in ranges]
        with pytest.raises(InvalidAllocationError):
            allocatable_spans(pairs, 15, ZURICH, whole_day=False)

    @pytest.mark.parametrize("raster", [0, 7, 120, None, True], ids=str)
    def test_raster(self, raster):
        """An invalid raster is refused, even if there is no range."""
        with pytest.raises(Misuse, match="not a raster"):
            allocatable_spans([], raster, ZURICH, whole_day=False)

    def test_nothing(self):
        """No ranges, no spans."""
        assert allocatable_spans([], 15, ZURICH, whole_day=True) == []

    @pytest.mark.parametrize(
        ("day", "hours"),
        [
            pytest.param("2022-06-01", 24, id="a day"),
            pytest.param("2022-03-27", 23, id="a short day"),
            pytest.param("2022-10-30", 25, id="a long day"),
        ],
    )
    def test_whole_day(self, day, hours):
        """Whole days go from midnight to midnight of the zone."""
        noon = to_utc(local(f"{day} 12:00"), ZURICH)
        (found,) = allocatable_spans([(noon, noon)], 15, ZURICH, whole_day=True)
        assert found.start == to_utc(local(day), ZURICH)
        assert found.duration == timedelta(hours=hours)

    def test_reversed_days(self):
        """Reversed whole days are refused by ValueError."""
        with pytest.raises(ValueError, match="invalid range"):
            allocatable_spans(
                [(at("0:00", day=2), at("0:00"))], 15, ZURICH, whole_day=True
            )


class TestOptions:
    @pytest.mark.parametrize(
        ("grouped", "partly", "skip"),
        [
            pytest.param(True, True, False, id="grouped and partly available"),
            pytest.param(True, False, True, id="grouped and skipped"),
            pytest.param(True, True, True, id="all three"),
        ],
    )
    def test_refused(self, grouped, partly, skip):
        """A group is neither partly available nor has it holes."""
        with pytest.raises(InvalidAllocationError):
            check_allocation_options(
                partly_available=partly, grouped=grouped, skip_overlapping=skip
            )

    @pytest.mark.parametrize("grouped", [True, False])
    def test_accepted(self, grouped):
        """Everything else goes together."""
        other = not grouped
        check_allocation_options(
            partly_available=other, grouped=grouped, skip_overlapping=other
        )

    @pytest.mark.parametrize("quota", [1, 2, LARGEST_QUOTA])
    def test_quota(self, quota):
        """A quota is what an integer column holds."""
        check_quota(quota)

    @pytest.mark.parametrize(
        "quota", [0, -1, LARGEST_QUOTA + 1, True, 1.0, "2", None], ids=repr
    )
    def test_wrong_quota(self, quota):
        """Anything else is refused by what it is."""
        with pytest.raises(Misuse, match="whole number"):
            check_quota(quota)


class TestLength:
    @pytest.mark.parametrize(
        "length",
        [
            pytest.param(timedelta(minutes=5), id="five minutes"),
            pytest.param(timedelta(minutes=5) - TICK, id="five minutes, stored"),
            pytest.param(timedelta(hours=23, minutes=59), id="nearly a day"),
        ],
    )
    def test_accepted(self, length):
        """From five minutes to almost a day, at any time."""
        check_length((at("8:00"), at("8:00") + length), ZURICH)

    @pytest.mark.parametrize(
        "length",
        [
            pytest.param(timedelta(minutes=5) - 2 * TICK, id="a microsecond less"),
            pytest.param(timedelta(minutes=1), id="a minute"),
            pytest.param(timedelta(), id="no time"),
            pytest.param(timedelta(hours=-1), id="reversed"),
            pytest.param(timedelta(days=-3), id="reversed by days"),
        ],
    )
    def test_too_short(self, length):
        """Below five minutes is too short, and so is a reversed range."""
        with pytest.raises(ReservationTooShort):
            check_length((at("8:00"), at("8:00") + length), ZURICH)

    @pytest.mark.parametrize(
        "length",
        [
            pytest.param(DAY, id="24 hours, not from midnight"),
            pytest.param(DAY + timedelta(minutes=1), id="a minute more"),
            pytest.param(30 * DAY, id="a month"),
        ],
    )
    def test_too_long(self, length):
        """A day and more is too long."""
        with pytest.raises(ReservationTooLong):
            check_length((at("8:00"), at("8:00") + length), ZURICH)

    @pytest.mark.parametrize("day", ["2022-06-01", "2022-03-27", "2022-10-30"])
    @pytest.mark.parametrize("less", [timedelta(), TICK], ids=["displayed", "stored"])
    def test_whole_day(self, day, less):
        """From midnight to midnight may be reserved, unlike in Libres 1.x."""
        start = to_utc(local(day), ZURICH)
        end = to_utc(local(day) + DAY, ZURICH)
        check_length((start, end - less), ZURICH)


class TestReservable:
    @pytest.mark.parametrize(
        ("asked", "quota", "expected"),
        [
            pytest.param(match(busy=1), 1, AlreadyReservedError, id="taken"),
            pytest.param(match(quota=4, busy=2), 3, AlreadyReservedError, id="too few"),
            pytest.param(match("17:00", "19:00"), 1, TimerangeTooLong, id="beyond it"),
            pytest.param(
                match("7:59", "9:00"), 1, TimerangeTooLong, id="a minute early"
            ),
            pytest.param(match(quota=4, quota_limit=2), 3, QuotaOverLimit, id="limit"),
            pytest.param(
                match(approve_manually=True),
                2,
                QuotaImpossible,
                id="more than there are",
            ),
            pytest.param(match(), 0, InvalidQuota, id="no place"),
            pytest.param(match(), -1, InvalidQuota, id="fewer than none"),
            pytest.param(
                match("17:00", "19:00", busy=1),
                *(1, AlreadyReservedError),
                id="taken, before beyond it",
            ),
            pytest.param(
                match("17:00", "19:00", quota=4, quota_limit=1),
                *(2, TimerangeTooLong),
                id="beyond it, before the limit",
            ),
            pytest.param(
                match(quota=2, quota_limit=1, approve_manually=True),
                *(3, QuotaOverLimit),
                id="the limit, before more than there are",
            ),
            pytest.param(
                match(quota=2),
                *(3, AlreadyReservedError),
                id="too few, before more than there are",
            ),
            pytest.param(
                match(busy=1), 0, AlreadyReservedError, id="taken, before no place"
            ),
        ],
    )
    def test_refused(self, asked, quota, expected):
        """The first reason, in the order of the contract, is the error."""
        with pytest.raises(expected) as caught:
            check_reservable(asked, quota, own=True)
        assert type(caught.value) is expected

    @pytest.mark.parametrize(
        ("asked", "quota", "own"),
        [
            pytest.param(match(), 1, True, id="free"),
            pytest.param(match(quota=4, busy=2), 2, True, id="the last two"),
            pytest.param(
                match(busy=1, approve_manually=True), 1, True, id="may queue up"
            ),
            pytest.param(match("17:00", "19:00"), 1, False, id="beyond a blocking one"),
            pytest.param(match(quota=4, quota_limit=2), 2, True, id="the limit itself"),
            pytest.param(match(quota=4, quota_limit=0), 4, True, id="no limit"),
            pytest.param(match("8:00", "18:00"), 1, True, id="all of it"),
            pytest.param(
                match("9:00", "9:30", partly_available=False),
                1,
                True,
                id="a part of it",
            ),
        ],
    )
    def test_accepted(self, asked, quota, own):
        """What is free and lies within may be reserved."""
        check_reservable(asked, quota, own=own)

    def test_facts(self):
        """The errors know what was asked for, and what there is."""
        with pytest.raises(AlreadyReservedError) as taken:
            check_free(match(quota=4, busy=3), 2)
        assert (taken.value.quota, taken.value.free) == (2, 1)
        with pytest.raises(TimerangeTooLong) as beyond:
            check_contained(match("17:00", "19:00"))
        assert beyond.value.allocated_from == at("8:00")
        assert beyond.value.allocated_until == at("18:00")


class TestBlockable:
    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            pytest.param(match(quota=4, busy=1), AlreadyReservedError, id="one taken"),
            pytest.param(
                match(busy=1, approve_manually=True),
                AlreadyReservedError,
                id="manually",
            ),
            pytest.param(match("17:00", "19:00"), TimerangeTooLong, id="beyond it"),
            pytest.param(
                match("17:00", "19:00", busy=1), AlreadyReservedError, id="taken first"
            ),
        ],
    )
    def test_refused(self, asked, expected):
        """A blocker takes every place, so all have to be free."""
        with pytest.raises(expected):
            check_blockable(asked, own=True)

    @pytest.mark.parametrize(
        ("asked", "own"),
        [
            pytest.param(match(quota=4, quota_limit=1), True, id="limits do not count"),
            pytest.param(match("17:00", "19:00"), False, id="beyond a blocking one"),
        ],
    )
    def test_accepted(self, asked, own):
        """What is free from end to end may be blocked."""
        check_blockable(asked, own=own)


class TestMoved:
    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            pytest.param("8:00", "9:00", ("8:00", "9:00"), id="on the raster"),
            pytest.param("8:07", "8:52", ("8:00", "9:00"), id="off the raster"),
            pytest.param("8:00", "8:59:59.999999", ("8:00", "9:00"), id="stored"),
        ],
    )
    def test_table(self, start, end, expected):
        """An allocation comes to lie on its own raster."""
        found = moved_span(at(start), at(end), 15, ZURICH, whole_day=False)
        assert found == span(*expected)

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            pytest.param("9:00", "8:00", id="reversed"),
            pytest.param("8:00", "8:00", id="empty"),
        ],
    )
    def test_refused(self, start, end):
        """It cannot end before it begins, nor last no time."""
        with pytest.raises(InvalidAllocationError):
            moved_span(at(start), at(end), 15, ZURICH, whole_day=False)

    def test_whole_day(self):
        """It may be extended to the day of the zone."""
        noon = to_utc(local("2022-10-30 12:00"), ZURICH)
        found = moved_span(noon, noon, 15, ZURICH, whole_day=True)
        assert found.duration == timedelta(hours=25)


class TestDatesOrGroup:
    @pytest.mark.parametrize(
        ("dates", "group"),
        [
            pytest.param(None, None, id="neither"),
            pytest.param([], "", id="both empty"),
            pytest.param([(at("8:00"), at("9:00"))], GROUP, id="both"),
        ],
    )
    def test_refused(self, dates, group):
        """It is either dates or a group."""
        with pytest.raises(Misuse, match="either dates or a group"):
            check_dates_or_group(dates, group)

    def test_accepted(self):
        """One of both is enough."""
        check_dates_or_group([(at("8:00"), at("9:00"))], None)
        check_dates_or_group(None, HALL)
