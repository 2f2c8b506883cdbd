"""Which spans hours, special days, rules and holidays give, on the clocks of zones."""

from __future__ import annotations

import pickle
import sys
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from libres.domain.spans import Span
from libres.modules.errors import Misuse
from libres.timetable.hours import (
    HolidaysMissingError,
    InvalidHours,
    SpecialDay,
    Weekly,
    opening_spans,
    public_holidays,
    ruled_spans,
)
from tests.domain.making import DAY, HOUR, STEP, quick

ZURICH = "Europe/Zurich"
MONDAY, TUESDAY, WEDNESDAY = (date(2026, 6, day) for day in (1, 2, 3))
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(1, 1, 3, tzinfo=UTC)
MORNING = (time(8), time(12))
NIGHT = (time(22), time(6))


def clock(text):
    """A time of day, as ``8:30``."""
    return time(*map(int, text.split(":")))


def daily(start, end, **validity):
    """The same hours on each day of the week."""
    return [Weekly(day, clock(start), clock(end), **validity) for day in range(7)]


def off(first, last=None, *times):
    """Closed, all day or at some times."""
    return SpecialDay(first, last or first, "off", *map(clock, times))


def extra(first, *times):
    """Open in addition, on one day."""
    return SpecialDay(first, first, "extra", *map(clock, times))


def told(spans, timezone=ZURICH):
    """Spans in words, on the clock of a zone."""
    zone = ZoneInfo(timezone)
    ends = [(span.start.astimezone(zone), span.end.astimezone(zone)) for span in spans]
    return [f"{start:%d. %H:%M} - {end:%d. %H:%M}" for start, end in ends]


def opened(weekly=(), special=(), first=MONDAY, last=None, timezone=ZURICH, **more):
    """The opening of some days, in words."""
    found = opening_spans(weekly, special, first, last or first, timezone, **more)
    return told(found, timezone)


def ruled(rule, start="2026-06-01T08:00", hours=4, first=MONDAY, last=WEDNESDAY):
    """What a rule gives, in words."""
    begin, duration = datetime.fromisoformat(start), timedelta(hours=hours)
    return told(ruled_spans(rule, begin, duration, first, last, ZURICH))


# Weekly hours -------------------------------------------------------------------------


class TestWeekly:
    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            pytest.param("8:00", "12:00", ["02. 08:00 - 02. 12:00"], id="within a day"),
            pytest.param("8:00", "0:00", ["02. 08:00 - 03. 00:00"], id="to midnight"),
            pytest.param("0:00", "0:00", ["02. 00:00 - 03. 00:00"], id="all day"),
            pytest.param("0:00", "8:00", ["02. 00:00 - 02. 08:00"], id="from midnight"),
            pytest.param(
                "22:00",
                "6:00",
                ["02. 00:00 - 02. 06:00", "02. 22:00 - 03. 00:00"],
                id="two nights, cut at the ends of the day",
            ),
            pytest.param(
                "8:30:15",
                "8:30:16",
                ["02. 08:30 - 02. 08:30"],
                id="seconds count",
            ),
        ],
    )
    def test_times(self, start, end, expected):
        """An end that is not after the start is the next day's."""
        assert opened(daily(start, end), first=TUESDAY) == expected

    def test_weekday(self):
        """Hours hold on their weekday only."""
        found = opened([Weekly(1, *MORNING)], first=MONDAY, last=MONDAY + 13 * DAY)
        assert found == ["02. 08:00 - 02. 12:00", "09. 08:00 - 09. 12:00"]

    @pytest.mark.parametrize(
        ("validity", "days"),
        [
            pytest.param({}, ["01", "02", "03"], id="for ever"),
            pytest.param({"valid_from": TUESDAY}, ["02", "03"], id="from inclusive"),
            pytest.param({"valid_until": TUESDAY}, ["01", "02"], id="until inclusive"),
            pytest.param(
                {"valid_from": TUESDAY, "valid_until": TUESDAY}, ["02"], id="one day"
            ),
            pytest.param({"valid_from": MONDAY + 3 * DAY}, [], id="not yet"),
        ],
    )
    def test_validity(self, validity, days):
        """Hours hold from and until a day, both included."""
        found = opened(daily("8:00", "9:00", **validity), last=WEDNESDAY)
        assert [each[:2] for each in found] == days

    def test_validity_of_a_night(self):
        """A night belongs to the day on which it begins."""
        nights = daily("22:00", "6:00", valid_until=MONDAY)
        assert opened(nights, first=TUESDAY) == ["02. 00:00 - 02. 06:00"]

    @pytest.mark.parametrize(
        ("hours", "expected"),
        [
            pytest.param(
                ["8:00 12:00", "12:00 13:00"], ["01. 08:00 - 01. 13:00"], id="touching"
            ),
            pytest.param(
                ["8:00 12:00", "9:00 13:00"],
                ["01. 08:00 - 01. 13:00"],
                id="overlapping",
            ),
            pytest.param(
                ["13:00 14:00", "8:00 12:00"],
                ["01. 08:00 - 01. 12:00", "01. 13:00 - 01. 14:00"],
                id="apart, and sorted",
            ),
        ],
    )
    def test_joined(self, hours, expected):
        """Hours that touch or overlap are one span."""
        assert opened([Weekly(0, *map(clock, h.split())) for h in hours]) == expected

    def test_days_joined(self):
        """Whole days are one span."""
        found = opened(daily("0:00", "0:00"), last=WEDNESDAY)
        assert found == ["01. 00:00 - 04. 00:00"]

    def test_nothing(self):
        """Without hours it is never open."""
        assert opening_spans([], [], MONDAY, WEDNESDAY, ZURICH) == []

    def test_utc(self):
        """The result is in UTC, half-open."""
        (found,) = opening_spans([Weekly(0, *MORNING)], [], MONDAY, MONDAY, ZURICH)
        start = datetime(2026, 6, 1, 6, tzinfo=UTC)
        assert found == Span(start, start + 4 * HOUR)
        assert found.start.tzname() == found.end.tzname() == "UTC"


# Special days -------------------------------------------------------------------------


class TestSpecialDays:
    @pytest.mark.parametrize(
        ("special", "expected"),
        [
            pytest.param([off(MONDAY)], [], id="off all day"),
            pytest.param([off(date.min, date.max)], [], id="off for ever"),
            pytest.param(
                [off(MONDAY, None, "9:00", "10:00")],
                ["01. 08:00 - 01. 09:00", "01. 10:00 - 01. 12:00"],
                id="off for an hour",
            ),
            pytest.param(
                [off(MONDAY - DAY, None, "22:00", "9:00")],
                ["01. 09:00 - 01. 12:00"],
                id="off since the night before",
            ),
            pytest.param(
                [off(TUESDAY), off(MONDAY - DAY)],
                ["01. 08:00 - 01. 12:00"],
                id="off on other days",
            ),
            pytest.param(
                [extra(MONDAY, "14:00", "16:00")],
                ["01. 08:00 - 01. 12:00", "01. 14:00 - 01. 16:00"],
                id="extra",
            ),
            pytest.param(
                [extra(MONDAY, "12:00", "16:00")],
                ["01. 08:00 - 01. 16:00"],
                id="extra is joined",
            ),
            pytest.param(
                [extra(MONDAY - DAY, "22:00", "1:00")],
                ["01. 00:00 - 01. 01:00", "01. 08:00 - 01. 12:00"],
                id="extra of the night before",
            ),
            pytest.param(
                [extra(MONDAY, "9:00", "10:00"), off(MONDAY)],
                ["01. 09:00 - 01. 10:00"],
                id="extra beats off, in any order",
            ),
            pytest.param(
                [extra(MONDAY, "9:00", "10:00"), off(MONDAY, None, "8:00", "11:00")],
                ["01. 09:00 - 01. 10:00", "01. 11:00 - 01. 12:00"],
                id="extra beats off at the same time",
            ),
        ],
    )
    def test_powers(self, special, expected):
        """Extra beats off, and off beats the weekly hours."""
        assert opened([Weekly(0, *MORNING)], special) == expected

    def test_off_cuts_the_night(self):
        """A day that is off ends the night before at midnight."""
        found = opened(daily("22:00", "6:00"), [off(TUESDAY)], MONDAY, WEDNESDAY)
        assert found == [
            "01. 00:00 - 01. 06:00",
            "01. 22:00 - 02. 00:00",
            "03. 00:00 - 03. 06:00",
            "03. 22:00 - 04. 00:00",
        ]

    def test_each_day(self):
        """The times of special days hold on each of them."""
        special = SpecialDay(MONDAY, TUESDAY, "extra", *MORNING, reason="fair")
        found = opened(special=[special], last=WEDNESDAY)
        assert found == ["01. 08:00 - 01. 12:00", "02. 08:00 - 02. 12:00"]


class TestHolidays:
    def test_closed(self):
        """A holiday closes the weekly hours of its day."""
        found = opened(daily("8:00", "12:00"), last=TUESDAY, holidays={MONDAY})
        assert found == ["02. 08:00 - 02. 12:00"]

    def test_ends_the_night(self):
        """A holiday begins at midnight, whatever was open before."""
        found = opened(daily("22:00", "6:00"), first=TUESDAY, holidays={TUESDAY})
        assert found == []

    def test_extra(self):
        """Extra hours hold on holidays, too."""
        special = [extra(MONDAY, "9:00", "10:00")]
        found = opened(daily("8:00", "12:00"), special, holidays={MONDAY})
        assert found == ["01. 09:00 - 01. 10:00"]

    @pytest.mark.parametrize(
        ("country", "subdivision", "expected"),
        [
            pytest.param("CH", None, [1], id="kept everywhere"),
            pytest.param("CH", "ZH", [1], id="of a canton"),
            pytest.param("CH", "LU", [1, 15], id="only of this canton"),
        ],
    )
    def test_known(self, country, subdivision, expected):
        """Holidays are those of the country and the subdivision, within the days."""
        pytest.importorskip("holidays", reason="needs the extra timetable")
        first, last = date(2026, 8, 1), date(2026, 8, 31)
        found = public_holidays(country, first, last, subdivision)
        assert found == {date(2026, 8, day) for day in expected}

    def test_both_ends(self):
        """The first and the last day count."""
        pytest.importorskip("holidays", reason="needs the extra timetable")
        found = public_holidays("CH", date(2025, 12, 25), date(2026, 1, 1))
        assert {date(2025, 12, 25), date(2026, 1, 1)} <= found

    @pytest.mark.parametrize(
        ("country", "subdivision", "told"),
        [
            pytest.param("XX", None, "country 'XX'", id="no such country"),
            pytest.param("JAN", None, "country 'JAN'", id="a constant of the package"),
            pytest.param("", None, "country ''", id="empty"),
            pytest.param(None, None, "country None", id="missing"),
            pytest.param(["CH"], None, "country", id="a list"),
            pytest.param("CH", "QQ", "no subdivision 'QQ'", id="no such canton"),
            pytest.param("CH", 1, "no subdivision 1", id="a number"),
        ],
    )
    def test_unknown(self, country, subdivision, told):
        """Unknown countries and subdivisions are refused in words."""
        pytest.importorskip("holidays", reason="needs the extra timetable")
        with pytest.raises(InvalidHours, match=told):
            public_holidays(country, MONDAY, MONDAY, subdivision)

    def test_not_installed(self, monkeypatch):
        """Without the package it says which extra brings it."""
        monkeypatch.setitem(sys.modules, "holidays", None)
        with pytest.raises(HolidaysMissingError, match=r"'libres\[timetable\]'"):
            public_holidays("CH", MONDAY, MONDAY)


# Clock changes ------------------------------------------------------------------------


class TestClocks:
    @pytest.mark.parametrize(
        ("day", "times", "hours"),
        [
            pytest.param(SPRING, "8:00 12:00", 4, id="after the change"),
            pytest.param(SPRING, "0:00 0:00", 23, id="the short day"),
            pytest.param(AUTUMN, "0:00 0:00", 25, id="the long day"),
            pytest.param(SPRING, "2:00 3:00", 0, id="an hour that does not exist"),
            pytest.param(SPRING, "2:15 2:45", 0, id="within that hour"),
            pytest.param(SPRING, "1:00 2:30", 1, id="ends where the clocks go on"),
            pytest.param(SPRING, "2:30 4:00", 1, id="starts where the clocks go on"),
            pytest.param(AUTUMN, "2:00 3:00", 2, id="an hour that exists twice"),
            pytest.param(AUTUMN, "2:30 3:00", 1.5, id="starts with the first"),
            pytest.param(AUTUMN, "1:00 2:30", 2.5, id="ends with the second"),
            pytest.param(
                AUTUMN, "1:00 2:00", 2, id="ends with the second, even at 2:00"
            ),
            pytest.param(AUTUMN, "3:00 4:00", 1, id="three o'clock exists once"),
        ],
    )
    def test_length(self, day, times, hours):
        """Wall-clock times are read as they are on that day."""
        weekly = daily(*times.split())
        found = opening_spans(weekly, [], day, day, ZURICH)
        assert sum((each.duration for each in found), timedelta()) == hours * HOUR

    @pytest.mark.parametrize(
        ("day", "hours"),
        [
            pytest.param(SPRING, 7, id="clocks go forward"),
            pytest.param(AUTUMN, 9, id="clocks go back"),
            pytest.param(MONDAY, 8, id="clocks go on"),
        ],
    )
    def test_night(self, day, hours):
        """A night is from 22:00 to 06:00, however long that is."""
        weekly = [Weekly((day - DAY).weekday(), *NIGHT)]
        (found,) = opening_spans(weekly, [], day - DAY, day, ZURICH)
        assert found.duration == hours * HOUR

    @pytest.mark.parametrize(
        ("timezone", "day", "hours"),
        [
            pytest.param("America/Havana", date(2024, 11, 3), 25, id="two midnights"),
            pytest.param("America/Havana", date(2024, 3, 10), 23, id="no midnight"),
            pytest.param(
                "America/Sao_Paulo", date(2018, 2, 17), 25, id="23:00 to 24:00 twice"
            ),
            pytest.param("Pacific/Apia", date(2011, 12, 30), 0, id="no such day"),
            pytest.param(
                "Australia/Lord_Howe", date(2026, 4, 5), 24.5, id="half an hour"
            ),
            pytest.param(
                "Asia/Kathmandu", date(2026, 4, 5), 24, id="quarters of hours"
            ),
        ],
    )
    def test_whole_days(self, timezone, day, hours):
        """A day ends where the next begins; off takes it away, and no more."""
        weekly, span = daily("0:00", "0:00"), (day - DAY, day + DAY)
        (all_days,) = opening_spans(weekly, [], *span, timezone)
        others = opening_spans(weekly, [off(day)], *span, timezone)
        left = sum((each.duration for each in others), timedelta())
        assert all_days.duration - left == hours * HOUR


# Rules --------------------------------------------------------------------------------


class TestRules:
    @pytest.mark.parametrize(
        ("rule", "days"),
        [
            pytest.param("FREQ=DAILY", ["01", "02", "03"], id="every day"),
            pytest.param("RRULE:FREQ=DAILY", ["01", "02", "03"], id="with its name"),
            pytest.param("FREQ=WEEKLY;BYDAY=TU", ["02"], id="a weekday"),
            pytest.param("FREQ=DAILY;COUNT=2", ["01", "02"], id="so often"),
            pytest.param("FREQ=DAILY;UNTIL=20260602T080000", ["01", "02"], id="until"),
            pytest.param("FREQ=DAILY;INTERVAL=2", ["01", "03"], id="every other day"),
            pytest.param("FREQ=MONTHLY;BYMONTHDAY=15", [], id="on other days"),
            pytest.param(
                "RRULE:FREQ=DAILY\nEXDATE:20260602T080000", ["01", "03"], id="but one"
            ),
        ],
    )
    def test_days(self, rule, days):
        """A rule says on which days."""
        assert [each[:2] for each in ruled(rule)] == days

    @pytest.mark.parametrize(
        ("start", "hours", "expected"),
        [
            pytest.param("2026-06-01T08:00", 1, "02. 08:00 - 02. 09:00", id="naive"),
            pytest.param(
                "2026-06-01T06:00+00:00", 1, "02. 08:00 - 02. 09:00", id="aware"
            ),
            pytest.param(
                "2007-06-01T08:00", 1, "02. 08:00 - 02. 09:00", id="of long ago"
            ),
            pytest.param(
                "2026-06-01T22:00", 4, "02. 00:00 - 02. 02:00", id="the night before"
            ),
            pytest.param(
                "2026-05-01T08:00", 40, "02. 00:00 - 03. 00:00", id="longer than a day"
            ),
        ],
    )
    def test_start(self, start, hours, expected):
        """The start is read on the clock, the result ends with the days asked about."""
        found = ruled("FREQ=DAILY", start, hours, TUESDAY, TUESDAY)
        assert found[0] == expected

    @pytest.mark.parametrize(
        ("start", "day", "hours"),
        [
            pytest.param("2026-03-27T22:00", SPRING, 7, id="clocks go forward"),
            pytest.param("2026-10-23T22:00", AUTUMN, 9, id="clocks go back"),
        ],
    )
    def test_clocks(self, start, day, hours):
        """Eight hours that begin at 22:00 end at 06:00."""
        begin = datetime.fromisoformat(start)
        args = ("FREQ=DAILY;COUNT=2", begin, 8 * HOUR, day - DAY, day, ZURICH)
        assert ruled_spans(*args)[-1].duration == hours * HOUR

    def test_joined(self):
        """Times that touch are one span."""
        assert ruled("FREQ=HOURLY;COUNT=3", hours=1) == ["01. 08:00 - 01. 11:00"]

    @pytest.mark.parametrize(
        ("rule", "told"),
        [
            pytest.param("", "A rule is a text", id="empty"),
            pytest.param(None, "A rule is a text", id="missing"),
            pytest.param("X" * 2000, "A rule is a text", id="too long"),
            pytest.param("FREQ=NEVER", "no rule of RFC 5545", id="no frequency"),
            pytest.param("8 o'clock", "no rule of RFC 5545", id="words"),
            pytest.param("FREQ=DAILY;BYHOUR=30", "no rule of RFC 5545", id="no hour"),
            pytest.param(
                "FREQ=DAILY;INTERVAL=0;BYMONTH=2", "does not go on", id="stands still"
            ),
            pytest.param("FREQ=DAILY;INTERVAL=-1", "does not go on", id="backwards"),
            pytest.param("FREQ=DAILY;COUNT=0", "does not go on", id="never"),
            pytest.param(
                "DTSTART:20260601T080000\nRRULE:FREQ=DAILY", "as start", id="two starts"
            ),
            pytest.param(
                "FREQ=MINUTELY;INTERVAL=1440;BYHOUR=3", "cannot be told", id="no time"
            ),
            pytest.param("FREQ=SECONDLY", "more than 10000", id="too many times"),
        ],
    )
    def test_bad_rules(self, rule, told):
        """Rules that are none, or have too many times, are refused in words."""
        with pytest.raises(InvalidHours, match=told):
            ruled(rule)

    def test_too_old(self):
        """A rule that has too many times before the days is refused."""
        with pytest.raises(InvalidHours, match="start later"):
            ruled("FREQ=MINUTELY", "2020-06-01T08:00")

    @pytest.mark.parametrize(
        ("start", "duration", "told"),
        [
            pytest.param(MONDAY, HOUR, "a datetime", id="a date"),
            pytest.param("8:00", HOUR, "a datetime", id="a text"),
            pytest.param(LONG_AGO, HOUR, "years", id="the year 1"),
            pytest.param(NOON, 0 * HOUR, "above zero", id="no time"),
            pytest.param(NOON, -HOUR, "above zero", id="negative"),
            pytest.param(NOON, 400 * DAY, "366 days", id="over a year"),
            pytest.param(NOON, 60, "timedelta", id="a number"),
        ],
    )
    def test_bad_times(self, start, duration, told):
        """A start is a datetime, a duration a timedelta above zero."""
        with pytest.raises(InvalidHours, match=told):
            ruled_spans("FREQ=DAILY", start, duration, MONDAY, MONDAY, ZURICH)


# Mistakes -----------------------------------------------------------------------------


class TestMistakes:
    @pytest.mark.parametrize(
        ("values", "told"),
        [
            pytest.param((7, *MORNING), "weekday", id="an eighth day"),
            pytest.param((-1, *MORNING), "weekday", id="before Monday"),
            pytest.param((True, *MORNING), "weekday", id="a bool"),
            pytest.param(("mo", *MORNING), "weekday", id="a name"),
            pytest.param((0.0, *MORNING), "weekday", id="a float"),
            pytest.param((0, "8:00", time(12)), "times", id="a text"),
            pytest.param((0, time(8), None), "times", id="no end"),
            pytest.param((0, time(8, tzinfo=UTC), time(12)), "zone", id="with a zone"),
            pytest.param((0, time(8), time(8)), "whole day", id="24 hours from 8:00"),
            pytest.param((0, *MORNING, "today"), "a date", id="a text as day"),
            pytest.param((0, *MORNING, LONG_AGO), "a date", id="a datetime"),
            pytest.param((0, *MORNING, TUESDAY, MONDAY), "before", id="reversed"),
        ],
    )
    def test_weekly(self, values, told):
        """Wrong weekly hours cannot be made."""
        with pytest.raises(InvalidHours, match=told):
            Weekly(*values)

    @pytest.mark.parametrize(
        ("values", "told"),
        [
            pytest.param((TUESDAY, MONDAY, "off"), "before", id="reversed"),
            pytest.param((None, MONDAY, "off"), "a date", id="no first day"),
            pytest.param((MONDAY, LONG_AGO, "off"), "a date", id="a datetime"),
            pytest.param((MONDAY, MONDAY, "closed"), "'off' or", id="another kind"),
            pytest.param((MONDAY, MONDAY, []), "'off' or", id="a list as kind"),
            pytest.param((MONDAY, MONDAY, "extra"), "needs times", id="extra all day"),
            pytest.param((MONDAY, MONDAY, "off", time(8)), "both", id="no end"),
            pytest.param((MONDAY, MONDAY, "off", None, time(8)), "both", id="no start"),
            pytest.param(
                (MONDAY, MONDAY, "off", time(8), time(8)), "whole day", id="24 hours"
            ),
            pytest.param(
                (MONDAY, MONDAY, "extra", "8:00", "9:00"), "times", id="texts as times"
            ),
            pytest.param(
                (MONDAY, MONDAY, "off", None, None, 5),
                "reason",
                id="a number as reason",
            ),
        ],
    )
    def test_special(self, values, told):
        """Wrong special days cannot be made."""
        with pytest.raises(InvalidHours, match=told):
            SpecialDay(*values)

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            pytest.param({"last": MONDAY - DAY}, "before", id="reversed"),
            pytest.param({"first": "2026-06-01"}, "a date", id="a text"),
            pytest.param({"last": NOON}, "a date", id="a datetime"),
            pytest.param({"last": date(2046, 6, 1)}, "20 years", id="over 20 years"),
            pytest.param({"first": date.min, "last": date.min}, "years", id="year 1"),
            pytest.param(
                {"first": date.max, "last": date.max}, "years", id="year 9999"
            ),
            pytest.param({"weekly": None}, "list of weekly", id="no list"),
            pytest.param({"weekly": "8-12"}, "list of weekly", id="a text as list"),
            pytest.param({"weekly": [(0, *MORNING)]}, "is a Weekly", id="a tuple"),
            pytest.param({"special": [MONDAY]}, "is a SpecialDay", id="a day"),
            pytest.param({"holidays": None}, "set of dates", id="no holidays"),
            pytest.param({"holidays": "CH"}, "public_holidays", id="a country"),
            pytest.param({"timezone": "Mars"}, "timezone", id="no zone"),
        ],
    )
    def test_question(self, changes, told):
        """Wrong questions are refused in words."""
        values = {"weekly": [], "special": [], "first": MONDAY, "last": MONDAY}
        with pytest.raises(Misuse, match=told):
            opening_spans(**values | {"timezone": ZURICH} | changes)

    @pytest.mark.parametrize(
        "ask",
        [
            pytest.param(
                lambda *days: ruled_spans("FREQ=DAILY", NOON, HOUR, *days, ZURICH),
                id="rules",
            ),
            pytest.param(lambda *days: public_holidays("CH", *days), id="holidays"),
        ],
    )
    def test_same_days(self, ask):
        """Rules and holidays are asked about the same kind of days."""
        with pytest.raises(InvalidHours, match="before"):
            ask(TUESDAY, MONDAY)

    def test_twenty_years(self):
        """Twenty years can be asked about at once."""
        found = opened([Weekly(0, *MORNING)], last=date(2046, 5, 31))
        assert len(found) == 1044

    def test_message(self):
        """The error says what hours are, and survives being sent to another process."""
        error = pickle.loads(pickle.dumps(InvalidHours()))  # noqa: S301 - our own
        assert str(error).startswith("These are no hours")


# Brute force --------------------------------------------------------------------------

CHANGES = [
    (ZURICH, SPRING),
    (ZURICH, AUTUMN),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
]
"""Zones, and days on which their clocks are moved: by an hour, and by half an hour."""


class Grid:
    """The clock of a zone, looked at every five minutes around a day."""

    def __init__(self, timezone, day):
        first = datetime.combine(day, time(), tzinfo=UTC) - 5 * DAY
        self.moments = [first + number * STEP for number in range(10 * DAY // STEP)]
        zone = ZoneInfo(timezone)
        self.walls = [
            moment.astimezone(zone).replace(tzinfo=None, fold=0)
            for moment in self.moments
        ]
        self.days = sorted({wall.date() for wall in self.walls})[2:-2]

    def first_at(self, wall):
        """The first step at which the clock shows this or more."""
        return next(n for n, shown in enumerate(self.walls) if shown >= wall)

    def last_at(self, wall):
        """The last step at which the clock shows this; or the first with more."""
        same = [n for n, shown in enumerate(self.walls) if shown == wall]
        return same[-1] if same else self.first_at(wall)

    def steps(self, day, start, end):
        """The steps of some hours."""
        until = day if start < end else day + DAY
        return set(
            range(
                self.first_at(datetime.combine(day, start)),
                self.last_at(datetime.combine(until, end)),
            )
        )

    def steps_of(self, days):
        """The steps at which the clock shows one of these days."""
        return {n for n, shown in enumerate(self.walls) if shown.date() in days}

    def opening(self, weekly, special, first, last, holidays):
        """What is open, step by step."""
        usual, taken, added = set(), self.steps_of(holidays), set()
        for day in self.days:
            for each in weekly:
                if each.weekday == day.weekday() and (
                    (each.valid_from or day) <= day <= (each.valid_until or day)
                ):
                    usual |= self.steps(day, each.start, each.end)
            for each in special:
                if each.first <= day <= each.last:
                    steps = taken if each.kind == "off" else added
                    steps |= (
                        self.steps_of({day})
                        if each.start is None
                        else self.steps(day, each.start, each.end)
                    )
        asked = {day for day in self.days if first <= day <= last}
        return ((usual - taken) | added) & self.steps_of(asked)

    def spans(self, steps):
        """Neighbouring steps as one span."""
        starts = sorted(n for n in steps if n - 1 not in steps)
        ends = sorted(n + 1 for n in steps if n + 1 not in steps)
        return [
            Span(self.moments[start], self.moments[end])
            for start, end in zip(starts, ends, strict=True)
        ]


GRIDS = {change: Grid(*change) for change in CHANGES}

clocks = st.one_of(
    st.builds(time, st.integers(0, 4), st.integers(0, 11).map(lambda n: n * 5)),
    st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 55])),
)
"""Times on the grid; many of them where clocks are moved."""

times = st.tuples(clocks, clocks).filter(
    lambda each: each[0] != each[1] or each[0] == time()
)


@st.composite
def questions(draw):
    """A change of clocks, and all that can be said about the days around it."""
    change = draw(st.sampled_from(CHANGES))
    near = st.integers(-2, 2).map(lambda n: change[1] + n * DAY)
    pairs = st.tuples(near, near).map(sorted)
    maybe = st.one_of(st.just((None, None)), pairs)
    weekly = st.builds(
        lambda day, hours, valid: Weekly(day, *hours, *valid),
        st.integers(0, 6),
        times,
        maybe,
    )
    special = st.one_of(
        st.builds(lambda days: SpecialDay(*days, "off"), pairs),
        st.builds(
            lambda days, kind, hours: SpecialDay(*days, kind, *hours),
            pairs,
            st.sampled_from(["off", "extra"]),
            times,
        ),
    )
    return (
        change,
        draw(st.lists(weekly, max_size=8)),
        draw(st.lists(special, max_size=3)),
        *draw(pairs),
        draw(st.frozensets(near, max_size=1)),
    )


def asked(question):
    """The answer to such a question."""
    (timezone, _), weekly, special, first, last, holidays = question
    return opening_spans(weekly, special, first, last, timezone, holidays)


NIGHTS = [
    (change, daily("22:00", "2:15"), [], change[1] - DAY, change[1], frozenset())
    for change in CHANGES
]


class TestBruteForce:
    @quick
    @given(question=questions())
    @example(question=NIGHTS[0])
    @example(question=NIGHTS[1])
    @example(question=NIGHTS[2])
    @example(question=NIGHTS[3])
    def test_grid(self, question):
        """The answer is what looking at the clock every five minutes gives."""
        change, *rest = question
        grid = GRIDS[change]
        assert asked(question) == grid.spans(grid.opening(*rest))

    @quick
    @given(question=questions())
    def test_apart(self, question):
        """Spans are sorted, not empty, and do not touch."""
        found = asked(question)
        assert all(each.start < each.end for each in found)
        assert all(one.end < other.start for one, other in pairwise(found))

    @quick
    @given(question=questions())
    def test_day_by_day(self, question):
        """Asked day by day, it is open as long as if asked at once."""
        *rest, first, last, holidays = question
        days = [first + number * DAY for number in range((last - first).days + 1)]
        parts = [asked((*rest, day, day, holidays)) for day in days]
        lengths = [span.duration for spans in parts for span in spans]
        whole = [span.duration for span in asked(question)]
        assert sum(lengths, timedelta()) == sum(whole, timedelta())

    @quick
    @given(
        change=st.sampled_from(CHANGES),
        hours=times,
        length=st.integers(0, 2),
    )
    def test_rule(self, change, hours, length):
        """A daily rule gives what daily hours give."""
        (timezone, day), (start, end) = change, hours
        begin = datetime.combine(day - 3 * DAY, start)
        until = datetime.combine(begin.date() + (end <= start) * DAY, end)
        days = (day, day + length * DAY)
        weekly = [Weekly(number, start, end) for number in range(7)]
        found = ruled_spans("FREQ=DAILY", begin, until - begin, *days, timezone)
        assert found == opening_spans(weekly, [], *days, timezone)
