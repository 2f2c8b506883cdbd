"""Clock changes: those of zoneinfo, in every zone, and whole days around them."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import pytest
import pytz

from libres.domain.availability import Taken, timeline
from libres.domain.days import (
    Shift,
    align_to_day,
    is_valid_length,
    is_whole_day,
    shifts,
    shifts_of_year,
    shifts_within,
    to_utc,
)
from libres.domain.spans import Span
from tests.domain import grid
from tests.domain.making import DAY, HOUR, STEP, local, utc

YEAR = 2022
FREE = timedelta()


def found(name, start, end):
    """The clock changes between two moments, as plain tuples."""
    span = Span(utc(start), utc(end))
    return tuple((shift.at, shift.amount) for shift in shifts(span, name))


def in_year(name, year):
    """The clock changes of a year, as plain tuples."""
    return tuple((shift.at, shift.amount) for shift in shifts_of_year(name, year))


@cache
def changing(year):
    """The zones whose clocks change in a year, each way to do so once.

    Zones with the same offset and the same changes show the same time all year.
    """
    ways = {
        (grid.changes(name, year), grid.offset(utc(f"{year}-01-01"), name)): name
        for name in pytz.common_timezones
        if grid.changes(name, year)
    }
    return sorted(ways.values())


class TestZoneinfo:
    @pytest.mark.parametrize(
        ("year", "least"),
        [
            pytest.param(YEAR, 20, id="2022"),
            pytest.param(
                2011, 40, id="2011, when islands changed sides of the date line"
            ),
        ],
    )
    def test_every_zone(self, year, least):
        """In every zone with a clock change, moments and amounts are zoneinfo's."""
        wrong = {
            name: in_year(name, year)
            for name in changing(year)
            if in_year(name, year) != grid.changes(name, year)
        }
        assert wrong == {}
        assert len(changing(year)) > least

    @pytest.mark.parametrize("name", ["UTC", "Asia/Kathmandu", "Etc/GMT+5"])
    def test_none(self, name):
        """Where clocks never change, there is none."""
        assert in_year(name, YEAR) == ()


class TestNamed:
    @pytest.mark.parametrize(
        ("name", "year", "expected"),
        [
            pytest.param(
                *("Europe/Zurich", 2022),
                [("2022-03-27 01:00", 60), ("2022-10-30 01:00", -60)],
                id="the reference",
            ),
            pytest.param(
                *("Europe/London", 2022),
                [("2022-03-27 01:00", 60), ("2022-10-30 01:00", -60)],
                id="at one o'clock",
            ),
            pytest.param(
                *("America/New_York", 2022),
                [("2022-03-13 07:00", 60), ("2022-11-06 06:00", -60)],
                id="west of Greenwich",
            ),
            pytest.param(
                *("America/Santiago", 2022),
                [("2022-04-03 03:00", -60), ("2022-09-11 04:00", 60)],
                id="at midnight, in the south",
            ),
            pytest.param(
                *("Australia/Lord_Howe", 2022),
                [("2022-04-02 15:00", -30), ("2022-10-01 15:30", 30)],
                id="by half an hour",
            ),
            pytest.param(
                *("Africa/Casablanca", 2022),
                [("2022-03-27 02:00", -60), ("2022-05-08 02:00", 60)],
                id="back for Ramadan only",
            ),
            pytest.param(
                *("Africa/Casablanca", 2023),
                [("2023-03-19 02:00", -60), ("2023-04-23 02:00", 60)],
                id="Ramadan is earlier each year",
            ),
            pytest.param(
                *("Antarctica/Troll", 2022),
                [("2022-03-27 01:00", 120), ("2022-10-30 01:00", -120)],
                id="by two hours",
            ),
            pytest.param(
                *("Pacific/Apia", 2011),
                [
                    ("2011-04-02 14:00", -60),
                    ("2011-09-24 14:00", 60),
                    ("2011-12-30 10:00", 24 * 60),
                ],
                id="a day is skipped",
            ),
            pytest.param(
                *("Europe/Moscow", 2014),
                [("2014-10-25 22:00", -60)],
                id="once, for good",
            ),
        ],
    )
    def test_table(self, name, year, expected):
        """Clocks change by any amount, at any hour."""
        assert in_year(name, year) == tuple(
            (utc(moment), timedelta(minutes=minutes)) for moment, minutes in expected
        )


class TestBetween:
    @pytest.mark.parametrize(
        ("start", "end", "number"),
        [
            pytest.param("2022-03-27 00:00", "2022-03-27 02:00", 1, id="across it"),
            pytest.param("2022-03-27 01:00", "2022-03-27 02:00", 0, id="begins with"),
            pytest.param("2022-03-27 00:00", "2022-03-27 01:00", 1, id="ends with it"),
            pytest.param("2022-03-27 00:00", "2022-03-27 00:59", 0, id="before it"),
            pytest.param("2022-01-01 00:00", "2023-01-01 00:00", 2, id="a year"),
            pytest.param("2021-12-31 12:00", "2022-01-01 12:00", 0, id="New Year"),
            pytest.param("2021-06-01 00:00", "2022-06-01 00:00", 2, id="across years"),
            pytest.param("2022-04-01 00:00", "2022-01-01 00:00", 0, id="reversed"),
        ],
    )
    def test_table(self, start, end, number):
        """Those after the start and until the end of a span lie between."""
        assert len(found("Europe/Zurich", start, end)) == number

    def test_value(self):
        """A clock change is a value."""
        day = Span(utc("2022-03-27 00:00"), utc("2022-03-28 00:00"))
        (shift,) = shifts(day, "Europe/Zurich")
        assert shift == Shift(utc("2022-03-27 01:00"), HOUR)
        assert shift.is_gap

    def test_order(self):
        """They come in order of time, over many years."""
        changes = found("Europe/Zurich", "1990-01-01", "1999-01-01")
        moments = [moment for moment, _ in changes]
        assert moments == sorted(moments)
        assert len(moments) == 18


SPRING, AUTUMN = "2022-03-27", "2022-10-30"


class TestWithin:
    @pytest.mark.parametrize(
        ("start", "end", "number"),
        [
            pytest.param(f"{SPRING} 00:00", f"{SPRING} 02:00", 1, id="gap, across it"),
            pytest.param(f"{SPRING} 01:00", f"{SPRING} 02:00", 0, id="begins with gap"),
            pytest.param(f"{AUTUMN} 00:00", f"{AUTUMN} 02:00", 1, id="fold, across it"),
            pytest.param(
                f"{AUTUMN} 01:00", f"{AUTUMN} 02:00", 0, id="begins with fold"
            ),
            pytest.param(f"{SPRING} 00:00", f"{SPRING} 01:00", 1, id="ends with gap"),
            pytest.param(f"{AUTUMN} 00:00", f"{AUTUMN} 01:00", 1, id="ends with fold"),
        ],
    )
    def test_part_of_a_day(self, start, end, number):
        """A span shows those between the times that are displayed."""
        whole = Span(utc(start), utc(end))
        assert len(shifts_within(whole, "Europe/Zurich")) == number

    @pytest.mark.parametrize(
        ("name", "day", "number"),
        [
            pytest.param("America/Santiago", "2022-09-10", 0, id="Santiago, the eve"),
            pytest.param("America/Santiago", "2022-09-11", 1, id="Santiago, the day"),
            pytest.param("Africa/Cairo", "2024-04-25", 0, id="Cairo, the eve"),
            pytest.param("Africa/Cairo", "2024-04-26", 1, id="Cairo, the day"),
            pytest.param("Pacific/Apia", "2011-12-29", 0, id="Apia, before none"),
        ],
    )
    def test_missing_midnight(self, name, day, number):
        """Who lacks the first hour is the day itself, not the complete day before."""
        first = local(day)
        whole = Span(to_utc(first, name), to_utc(first + DAY, name))
        assert len(shifts_within(whole, name)) == number


@cache
def days_around(name, year):
    """The whole local days around each clock change, that of the change included."""
    return list(_days_around(name, year))


def _days_around(name, year):
    for moment, _ in grid.changes(name, year):
        midnight = grid.clock(moment, name).replace(hour=0, minute=0, second=0)
        for number in (-2, -1, 0, 1):
            day = midnight + number * DAY
            span = Span(to_utc(day, name), to_utc(day + DAY, name))
            if not span.is_empty:  # as the day that Apia has never seen
                yield day, span


@cache
def aligned_around(name, year):
    """The same days as they are allocated, from their first moment to their last."""
    noons = [(day, to_utc(day + 12 * HOUR, name)) for day, _ in days_around(name, year)]
    return [
        (day, Span.from_stored(*align_to_day(noon, noon, name))) for day, noon in noons
    ]


def shown(span, name, taken=()):
    """The timeline of a span, as the clocks show it."""
    moved = shifts_within(span, name)
    return timeline(span, 5, taken, partly=True, shifts=moved)


def length(line):
    """How long the blocks of a timeline last."""
    return sum((block.duration for block in line.blocks), FREE)


class TestWholeDays:
    @pytest.mark.parametrize(
        "days",
        [
            pytest.param(days_around, id="from naive to naive midnight"),
            pytest.param(aligned_around, id="aligned"),
        ],
    )
    def test_duration(self, days):
        """In every zone, whole days of any length are shown as 24 hours."""
        wrong = {
            (name, day): shown_length
            for name in changing(YEAR)
            for day, span in days(name, YEAR)
            if (shown_length := length(shown(span, name))) != DAY
        }
        assert wrong == {}

    def test_share(self):
        """In every zone, five minutes at noon are their share of 24 hours."""
        wrong = {}
        for name in changing(YEAR):
            for day, span in aligned_around(name, YEAR):
                noon = to_utc(day + 12 * HOUR, name)
                taken = [Taken(Span(noon, noon + STEP), blocked=False)]
                partitions = shown(span, name, taken).partitions
                full = [percent for percent, is_full in partitions if is_full]
                if all(abs(percent - 100 / 288) > 1e-9 for percent in full):
                    wrong[name, day] = partitions
        assert wrong == {}

    def test_in_a_row(self):
        """In every zone, aligned days touch each other, whatever the clocks do."""
        wrong = {}
        for name in changing(YEAR):
            days = dict(aligned_around(name, YEAR))
            for day, span in days.items():
                following = days.get(day + DAY, span)
                if following is not span and following.start != span.end:
                    wrong[name, day] = following.start - span.end
        assert wrong == {}

    def test_whole(self):
        """In every zone, aligned days are whole days, and may be reserved at once."""
        wrong = {
            (name, day)
            for name in changing(YEAR)
            for day, span in aligned_around(name, YEAR)
            if not is_whole_day(span.start, span.end, name)
            or not (
                is_valid_length(span.start, span.end, name)
                or span.duration > 25 * HOUR  # which is too long by contract
            )
        }
        assert wrong == set()

    @pytest.mark.parametrize(
        ("name", "day", "missing"),
        [
            pytest.param("America/Santiago", "2022-09-10", False, id="the eve"),
            pytest.param("America/Santiago", "2022-09-11", True, id="the day"),
        ],
    )
    def test_missing_midnight(self, name, day, missing):
        """The day that lacks its first hour is shown with it, as taken."""
        first = local(day)
        span = Span(to_utc(first, name), to_utc(first + DAY, name))
        gap = [(pytest.approx(100 / 24), True), (pytest.approx(2300 / 24), False)]
        assert shown(span, name).partitions == (gap if missing else [(100, False)])


class TestExtremes:
    @pytest.mark.parametrize("name", ["UTC", "Europe/Zurich", "Asia/Tokyo"])
    def test_first_year(self, name):
        """East of Greenwich, and there, the year 1 has no clock changes."""
        assert found(name, "0001-01-01 00:00", "0001-12-31 00:00") == ()

    def test_first_summer_in_the_west(self):
        """West of Greenwich, the summer of the year 1 has none either."""
        assert found("America/New_York", "0001-06-01 00:00", "0001-07-01 00:00") == ()

    @pytest.mark.parametrize("name", ["UTC", "Europe/Zurich", "America/New_York"])
    def test_last_year(self, name):
        """Nor has the year 9999, until its last day."""
        assert found(name, "9999-01-01 00:00", "9999-12-31 00:00") == ()

    def test_thirty_years(self):
        """Thirty years have sixty clock changes that cancel out."""
        amounts = [a for _, a in found("Europe/Zurich", "2000-01-01", "2030-01-01")]
        assert len(amounts) == 60
        assert sum(amounts, FREE) == FREE
