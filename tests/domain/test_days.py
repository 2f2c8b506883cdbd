"""Zones and days: what the clocks of a zone say, as the contract has it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.domain.days import (
    DISTANT_FUTURE,
    DISTANT_PAST,
    UTC,
    WEEKDAYS,
    NotTimezoneAware,
    align_to_day,
    as_datetime,
    check_timezone,
    is_valid_length,
    is_whole_day,
    local_weekday,
    times_of_day,
    to_utc,
    to_zone,
    utcnow,
    weekday_numbers,
)
from libres.modules.errors import Misuse
from tests.domain import grid
from tests.domain.making import DAY, HOUR, TICK, local, quick, utc

ZURICH = "Europe/Zurich"
SPRING, AUTUMN = "2022-03-27", "2022-10-30"


class TestToUtc:
    @pytest.mark.parametrize(
        ("text", "zone", "expected"),
        [
            pytest.param("2022-06-01 12:00", ZURICH, "2022-06-01 10:00", id="summer"),
            pytest.param("2022-01-01 12:00", ZURICH, "2022-01-01 11:00", id="winter"),
            pytest.param(
                f"{AUTUMN} 02:30", ZURICH, f"{AUTUMN} 01:30", id="twice: the second"
            ),
            pytest.param(
                f"{SPRING} 02:30", ZURICH, f"{SPRING} 01:30", id="never: an hour later"
            ),
            pytest.param(
                "2022-04-03 01:45",
                "Australia/Lord_Howe",
                "2022-04-02 15:15",
                id="twice within half an hour: the second",
            ),
            pytest.param(
                "2022-09-11 00:30",
                "America/Santiago",
                "2022-09-11 04:30",
                id="never, at midnight",
            ),
            pytest.param(
                "2022-06-01 12:00", "UTC", "2022-06-01 12:00", id="UTC itself"
            ),
        ],
    )
    def test_naive(self, text, zone, expected):
        """A naive time is one of the zone; if in doubt, standard time."""
        assert to_utc(local(text), zone) == utc(expected)

    def test_aware(self):
        """An aware time is converted, whatever the zone."""
        noon = utc("2022-06-01 12:00")
        assert to_utc(to_zone(noon, "Asia/Kathmandu"), ZURICH) == noon
        assert to_utc(noon, ZURICH).utcoffset() == timedelta()

    @pytest.mark.parametrize(
        "wrong", [None, "2022-01-01", date(2022, 1, 1), 5], ids=str
    )
    def test_no_datetime(self, wrong):
        """Anything else than a datetime is refused by name."""
        with pytest.raises(TypeError, match=type(wrong).__name__):
            to_utc(wrong, ZURICH)

    @quick
    @given(
        st.datetimes(local("2000-01-01"), local("2037-01-01")),
        st.sampled_from([ZURICH, "America/Santiago", "Asia/Kathmandu"]),
    )
    def test_round_trip(self, moment, zone):
        """There and back is the same, and the clock agrees with zoneinfo."""
        moment = moment.replace(tzinfo=UTC)
        shown = to_zone(moment, zone)
        assert shown.replace(tzinfo=None) == grid.clock(moment, zone)
        assert to_utc(shown, zone) == moment

    @quick
    @given(
        st.sampled_from([ZURICH, "America/Santiago", "Australia/Lord_Howe"]),
        st.integers(1990, 2036),
        st.integers(-1500, 1500),
    )
    def test_near_a_change(self, zone, year, steps):
        """What a clock shows is read as that moment, or as the later one of two."""
        change, _ = grid.changes(zone, year)[0]
        moment = change.replace(tzinfo=UTC) + steps * grid.STEP
        shown = grid.clock(moment, zone)
        found = to_utc(shown, zone)
        assert found >= moment
        assert grid.clock(found, zone) == shown

    def test_naive_to_zone(self):
        """Only an aware time can be shown in a zone."""
        with pytest.raises(NotTimezoneAware):
            to_zone(local("2022-01-01"), ZURICH)


class TestZones:
    @pytest.mark.parametrize("name", [ZURICH, "UTC", "America/Argentina/Buenos_Aires"])
    def test_known(self, name):
        """The name of a zone is returned as it is."""
        assert check_timezone(name) == name

    @pytest.mark.parametrize(
        "wrong",
        ["", "Zurich", "Europe/Nowhere", "Zürich", "../UTC", None, 1, UTC],
        ids=repr,
    )
    def test_unknown(self, wrong):
        """Anything else is refused, with an example of a good name."""
        with pytest.raises(Misuse, match="use a name such as 'Europe/Zurich'"):
            check_timezone(wrong)

    def test_now(self):
        """The time is aware, in UTC."""
        assert utcnow().utcoffset() == timedelta()

    def test_distant(self):
        """The first and the last moment are aware."""
        assert DISTANT_PAST.replace(tzinfo=None) == datetime.min  # noqa: DTZ901 - meant
        assert DISTANT_FUTURE.replace(tzinfo=None) == datetime.max  # noqa: DTZ901


class TestWholeDay:
    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            pytest.param("2022-06-01 00:00", "2022-06-02 00:00", True, id="24 hours"),
            pytest.param(
                "2022-06-01 00:00", "2022-06-01 23:59:59", True, id="a second"
            ),
            pytest.param(
                "2022-06-01 00:00", "2022-06-01 23:59:59.999999", True, id="stored"
            ),
            pytest.param(
                "2022-06-01 00:00:00.5", "2022-06-02 00:00:00.5", True, id="fractions"
            ),
            pytest.param("2022-06-01 00:00", "2022-06-04 00:00", True, id="three days"),
            pytest.param("2022-06-01 00:00", "2022-06-01 23:59", False, id="a minute"),
            pytest.param("2022-06-01 00:00", "2022-06-01 00:00", False, id="no time"),
            pytest.param("2022-06-01 01:00", "2022-06-02 01:00", False, id="at one"),
            pytest.param("2022-06-01 00:01", "2022-06-02 00:00", False, id="too late"),
            pytest.param(f"{SPRING} 00:00", "2022-03-28 00:00", True, id="23 hours"),
            pytest.param(f"{AUTUMN} 00:00", "2022-10-31 00:00", True, id="25 hours"),
        ],
    )
    def test_table(self, start, end, expected):
        """It is the clock on the wall that counts."""
        first, last = (to_utc(local(text), ZURICH) for text in (start, end))
        assert is_whole_day(first, last, ZURICH) is expected

    def test_other_zone(self):
        """A day of one zone is none of another."""
        first, last = utc("2022-06-01 00:00"), utc("2022-06-02 00:00")
        assert is_whole_day(first, last, "UTC")
        assert not is_whole_day(first, last, ZURICH)

    def test_reversed(self):
        """An end before the start is refused in the words applications look for."""
        first, last = utc("2022-06-02 00:00"), utc("2022-06-01 00:00")
        with pytest.raises(ValueError, match="equal or greater than the start"):
            is_whole_day(first, last, ZURICH)


def aligned(start, end, zone=ZURICH):
    """The local times that a naive range is aligned to."""
    found = align_to_day(to_utc(local(start), zone), to_utc(local(end), zone), zone)
    return [grid.clock(each, zone).isoformat(" ") for each in found]


class TestAlign:
    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            pytest.param(
                *("2022-06-01 09:00", "2022-06-01 10:00"),
                ["2022-06-01 00:00:00", "2022-06-01 23:59:59.999999"],
                id="within a day",
            ),
            pytest.param(
                *("2022-06-01 00:00", "2022-06-01 23:59:59.999999"),
                ["2022-06-01 00:00:00", "2022-06-01 23:59:59.999999"],
                id="aligned already",
            ),
            pytest.param(
                *("2022-06-01 00:00", "2022-06-02 00:00"),
                ["2022-06-01 00:00:00", "2022-06-02 23:59:59.999999"],
                id="an end at midnight is in the next day",
            ),
            pytest.param(
                *(f"{SPRING} 09:00", f"{SPRING} 10:00"),
                [f"{SPRING} 00:00:00", f"{SPRING} 23:59:59.999999"],
                id="23 hours",
            ),
            pytest.param(
                *(f"{AUTUMN} 01:00", f"{AUTUMN} 04:00"),
                [f"{AUTUMN} 00:00:00", f"{AUTUMN} 23:59:59.999999"],
                id="25 hours",
            ),
        ],
    )
    def test_table(self, start, end, expected):
        """Start goes down to midnight, end goes up to the last moment of its day."""
        assert aligned(start, end) == expected

    def test_reversed(self):
        """A reversed range is refused."""
        with pytest.raises(ValueError, match="invalid range"):
            aligned("2022-06-02 09:00", "2022-06-01 10:00")

    @pytest.mark.parametrize(
        ("day", "hours"),
        [
            pytest.param(SPRING, 23, id="23 hours"),
            pytest.param(AUTUMN, 25, id="25 hours"),
            pytest.param("2022-06-01", 24, id="24 hours"),
        ],
    )
    def test_real_length(self, day, hours):
        """A day is as long as it really is."""
        nine = to_utc(local(f"{day} 09:00"), ZURICH)
        start, end = align_to_day(nine, nine + HOUR, ZURICH)
        assert end + TICK - start == hours * HOUR

    @quick
    @given(
        st.datetimes(local("2022-01-01"), local("2023-01-01")),
        st.timedeltas(timedelta(), timedelta(days=40)),
        st.sampled_from(
            [ZURICH, "Europe/London", "America/New_York", "Asia/Kathmandu"]
        ),
    )
    def test_twice(self, start, length, zone):
        """What is aligned is a whole day, stays as it is, and loses nothing."""
        start = start.replace(tzinfo=UTC)
        once = align_to_day(start, start + length, zone)
        assert align_to_day(*once, zone) == once
        assert is_whole_day(*once, zone)
        assert once[0] <= start
        assert start + length <= once[1]

    @pytest.mark.parametrize(
        ("zone", "day"),
        [
            pytest.param("America/Havana", "2022-11-06", id="Havana"),
            pytest.param("Atlantic/Azores", "2022-10-30", id="Azores"),
        ],
    )
    def test_midnight_twice(self, zone, day):
        """Where midnight comes twice, days in a row touch all the same."""
        noon = to_utc(local(f"{day} 12:00"), zone)
        _, end = align_to_day(noon - DAY, noon - DAY, zone)
        start, _ = align_to_day(noon, noon, zone)
        assert end + TICK == start


def valid_by_contract(start, end, zone):
    """Full hours below 24, or a whole day of at most 25 hours."""
    hours = (end - start).total_seconds() // 3600
    if hours < 24:
        return True
    first, last = (grid.clock(each, zone) for each in (start, end))
    first, last = (each.replace(microsecond=0) for each in (first, last))
    begins = first.time() == time(0)
    ends = last.time() in (time(0), time(23, 59, 59))
    return hours <= 25 and begins and ends


class TestValidLength:
    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            pytest.param("2022-01-01 00:00", "2022-01-02 00:00", True, id="whole day"),
            pytest.param(
                "2022-01-01 00:00", "2022-01-01 23:59:59.999999", True, id="stored"
            ),
            pytest.param("2022-01-01 01:00", "2022-01-02 01:00", False, id="at one"),
            pytest.param(
                "2022-01-01 01:00", "2022-01-02 00:59", True, id="a minute less"
            ),
            pytest.param("2016-10-30 00:00", "2016-10-31 00:00", True, id="25 hours"),
            pytest.param("2016-10-29 01:00", "2016-10-30 01:00", False, id="the eve"),
            pytest.param("2016-10-29 00:00", "2016-10-30 00:00", True, id="whole eve"),
            pytest.param("2022-01-01 00:00", "2022-01-03 00:00", False, id="two days"),
            pytest.param(f"{SPRING} 00:00", "2022-03-28 00:00", True, id="23 hours"),
            pytest.param("2022-01-02 00:00", "2022-01-01 00:00", True, id="reversed"),
        ],
    )
    def test_table(self, start, end, expected):
        """Less than 24 hours, or one whole day."""
        assert is_valid_length(local(start), local(end), ZURICH) is expected

    @quick
    @given(
        st.integers(-40, 40),
        st.sampled_from([23 * 60, 24 * 60 - 1, 24 * 60, 24 * 60 + 1, 25 * 60, 26 * 60]),
        st.sampled_from([timedelta(), TICK]),
    )
    def test_contract(self, quarters, minutes, less):
        """Around the end of summer time it is what the contract says."""
        start = utc("2022-10-29 22:00") + quarters * HOUR / 4
        end = start + timedelta(minutes=minutes) - less
        expected = valid_by_contract(start, end, ZURICH)
        assert is_valid_length(start, end, ZURICH) is expected

    @pytest.mark.parametrize(
        ("zone", "day"),
        [
            pytest.param("America/Santiago", "2022-09-10", id="Santiago"),
            pytest.param("Africa/Cairo", "2024-04-25", id="Cairo"),
            pytest.param("Asia/Beirut", "2025-03-29", id="Beirut"),
        ],
    )
    def test_before_a_missing_midnight(self, zone, day):
        """24 hours from midnight to midnight are a whole day, in every zone."""
        start = local(day)
        assert is_valid_length(start, start + DAY, zone)


class TestWeekdays:
    @pytest.mark.parametrize(
        ("days", "expected"),
        [
            pytest.param(None, set(), id="any"),
            pytest.param([], set(), id="an empty list"),
            pytest.param(["mo", "su"], {0, 6}, id="names"),
            pytest.param([0, 6], {0, 6}, id="numbers"),
            pytest.param({"mo", 1}, {0, 1}, id="both"),
            pytest.param(("we",) * 3, {2}, id="thrice"),
            pytest.param((d for d in ("sa", "su")), {5, 6}, id="a generator"),
        ],
    )
    def test_table(self, days, expected):
        """Names and numbers of weekdays become numbers."""
        assert weekday_numbers(days) == expected

    @pytest.mark.parametrize(
        "days",
        [["monday"], [7], [-1], [True], [None], [1.0], ["mo", "xx"]],
        ids=str,
    )
    def test_wrong(self, days):
        """Anything else is refused, with what would be right."""
        with pytest.raises(ValueError, match="mo, tu, we, th, fr, sa, su or 0 to 6"):
            weekday_numbers(days)

    @pytest.mark.parametrize("day", ["fr", 4, 0, "", "mo,tu", True], ids=repr)
    def test_single(self, day):
        """A single day is refused: 0 is Monday to some and nothing to others."""
        with pytest.raises(ValueError, match="a collection such as"):
            weekday_numbers(day)

    def test_names(self):
        """The names are in the order of the week."""
        assert list(WEEKDAYS) == ["mo", "tu", "we", "th", "fr", "sa", "su"]

    @pytest.mark.parametrize(
        ("zone", "expected"),
        [
            pytest.param("UTC", 0, id="Monday"),
            pytest.param("America/New_York", 6, id="still Sunday"),
            pytest.param("Pacific/Apia", 0, id="Monday afternoon"),
        ],
    )
    def test_local(self, zone, expected):
        """The weekday is that of the zone."""
        assert local_weekday(utc("2030-06-03 02:00"), zone) == expected


class TestTimesOfDay:
    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            pytest.param(
                *(time(8), time(9)),
                ("2022-06-01 08:00", "2022-06-01 09:00"),
                id="plain",
            ),
            pytest.param(
                *(time(22), time(2)),
                ("2022-06-01 22:00", "2022-06-02 02:00"),
                id="an end before the start is the next day's",
            ),
            pytest.param(
                *(time(8), time(8)),
                ("2022-06-01 08:00", "2022-06-01 08:00"),
                id="equal",
            ),
        ],
    )
    def test_table(self, start, end, expected):
        """Two times are put on the local date of a day."""
        day = to_zone(utc("2022-05-31 23:00"), ZURICH)
        found = times_of_day(day, start, end)
        assert [grid.clock(each, ZURICH) for each in found] == list(
            map(local, expected)
        )

    def test_flags(self):
        """What exists twice may be asked for in summer time."""
        day = to_zone(utc(f"{AUTUMN} 12:00"), ZURICH)
        first, _ = times_of_day(day, time(2, 30), time(4), is_dst=True)
        second, _ = times_of_day(day, time(2, 30), time(4))
        assert second - first == HOUR


class TestAsDatetime:
    def test_date(self):
        """A date is its first moment, naive."""
        assert as_datetime(date(2022, 6, 1)) == local("2022-06-01")

    def test_datetime(self):
        """A datetime is left alone."""
        moment = utc("2022-06-01 12:00")
        assert as_datetime(moment) is moment
