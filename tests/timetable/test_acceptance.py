"""The acceptance checks of the specification, T1 to T17 (T18 is in `test_month`)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from libres.db import new_scheduler
from libres.domain.spans import Span
from libres.modules.errors import NotTimezoneAware
from libres.timetable import InvalidWindow, Opportunity, UnknownSubject
from tests.timetable.conftest import at, opened, span

MAIL = "ada@example.org"
DAY = date(2015, 11, 14)


def who(table, *windows, **more):
    """The names of who is free."""
    return [
        each.name for each in table.who_is_free([span(*w) for w in windows], **more)
    ]


def free(table, name):
    """When somebody is free on the example's day."""
    return table.free(name, at(0), at(24))


class TestExample:
    def test_free(self, people):
        """T1: one interval."""
        assert free(people, "John") == [span(8, 14)]

    @pytest.mark.parametrize(
        ("window", "found"),
        [
            pytest.param((8, 11), ["John"], id="T2"),
            pytest.param((10, 11), ["John", "Sara"], id="T3"),
            pytest.param((10, (11, 15)), ["John"], id="T4"),
        ],
    )
    def test_who(self, people, window, found):
        """Who is free during the whole of it."""
        assert who(people, window) == found

    def test_in_two_pieces(self, table):
        """T5: pieces that touch are one."""
        opened(table, "John", (8, 10), (10, 14))
        assert free(table, "John") == [span(8, 14)]
        assert who(table, (8, 11)) == ["John"]

    def test_with_a_gap(self, table):
        """T6: with a gap it is not free during the whole of it."""
        opened(table, "Pam", (10, (10, 15)), ((10, 30), (10, 45)))
        assert who(table, (10, (10, 45))) == []

    def test_only_a_part(self, table):
        """T7: free for a part is not free."""
        opened(table, "Tim", (9, (9, 30)))
        assert who(table, (8, 11)) == []

    def test_reserved(self, people):
        """T8, T9: what is reserved is not free, until it is removed."""
        room = new_scheduler(people.context, "John", "UTC")
        token = room.reserve(MAIL, (at(9), at(9, 30)))
        assert free(people, "John") == [span(8, 14)]
        room.approve_reservations(token)
        assert free(people, "John") == [span(8, 9), span((9, 30), 14)]
        assert who(people, (8, 11)) == []
        assert who(people, ((9, 30), 11)) == ["John"]
        room.remove_reservation(token)
        assert free(people, "John") == [span(8, 14)]

    def test_rounded_outwards(self, table):
        """T10: a window is rounded as reservations are."""
        opened(table, "Tim", (9, (9, 30)))
        assert who(table, ((9, 10), (9, 40))) == []
        assert who(table, ((9, 10), (9, 20))) == ["Tim"]

    def test_bits(self, people):
        """T11: a sign for each quarter."""
        assert people.to_bits("John", DAY) == "0" * 32 + "1" * 24 + "0" * 40

    def test_from_bits(self, people):
        """The other way round: what is missing is opened, the rest is closed."""
        bits = "0" * 40 + "1" * 16 + "0" * 40
        made = people.from_bits("John", DAY, bits)
        assert (made.opened, made.cut) == (0, 1)
        assert people.to_bits("John", DAY) == bits
        made = people.from_bits("John", DAY, "1" * 96)
        assert made.opened == 2
        assert people.to_bits("John", DAY) == "1" * 96
        for wrong in ("1" * 92, "2" * 96, None):
            with pytest.raises(InvalidWindow, match="has 96 quarters"):
                people.from_bits("John", DAY, wrong)

    def test_two_windows(self, table):
        """T12: free in all windows."""
        opened(table, "both", (8, 10), (15, 18))
        opened(table, "one", (8, 12))
        assert who(table, (9, 10), (16, 17)) == ["both"]

    def test_over_midnight(self, table):
        """T13: a day ends nothing."""
        opened(table, "Owl", (22, 26))
        assert who(table, ((23, 30), (24, 30))) == ["Owl"]

    @pytest.mark.parametrize(
        ("day", "quarters", "hours"),
        [(date(2026, 3, 29), 92, 23), (date(2026, 10, 25), 100, 25)],
    )
    def test_clock_changes(self, table, day, quarters, hours):
        """T14: days of 23 and 25 hours have so many quarters."""
        zone = ZoneInfo("Europe/Zurich")
        table.add("John", timezone="Europe/Zurich")
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001
        start, end = midnight, midnight + timedelta(days=1)
        table.open(["John"], [(start, end)], timezone="Europe/Zurich")
        assert table.to_bits("John", day) == "1" * quarters
        (found,) = table.free(
            "John", start.replace(tzinfo=zone), end.replace(tzinfo=zone)
        )
        assert found.duration == timedelta(hours=hours)

    @pytest.mark.parametrize(
        ("window", "error"),
        [
            pytest.param((at(11), at(10)), InvalidWindow, id="reversed"),
            pytest.param((at(10), at(10)), InvalidWindow, id="empty"),
            pytest.param([], InvalidWindow, id="none"),
            pytest.param(None, InvalidWindow, id="None"),
            pytest.param("10-11", InvalidWindow, id="text"),
            pytest.param((at(10), None), InvalidWindow, id="no end"),
            pytest.param([(at(10), at(11))] * 10_000, InvalidWindow, id="many"),
            pytest.param((at(0), at(90_000)), InvalidWindow, id="long"),
            pytest.param(
                (datetime(1, 1, 1, tzinfo=ZoneInfo("UTC")), at(1)),
                InvalidWindow,
                id="first",
            ),
            pytest.param(
                tuple(each.replace(tzinfo=None) for each in (at(10), at(11))),
                NotTimezoneAware,
                id="naive",
            ),
        ],
    )
    def test_bad_windows(self, people, window, error):
        """T15: each is an error that says what is wrong."""
        with pytest.raises(error):
            people.who_is_free(window)

    def test_common(self, people):
        """T16: when all are free, or one of them."""
        both = people.common(
            ["John", "Sara"], at(8), at(14), min_length=timedelta(minutes=30)
        )
        assert [each.span for each in both] == [span(10, 11)]
        assert both[0].subjects == ["John", "Sara"]
        (one,) = people.common(["John", "Sara"], at(8), at(14), quorum=1)
        assert (one.span, one.subjects, one.others) == (span(8, 14), ["John"], ["Sara"])

    def test_next_free(self, people):
        """T17: the next time."""
        half = timedelta(minutes=30)
        found = people.next_free(["Sara"], half, after=at(10, 15))
        assert found == [Opportunity("Sara", span((10, 15), (10, 45)))]

    def test_unknown(self, people):
        """A name that is not there is an error, an empty list is nobody."""
        with pytest.raises(UnknownSubject, match="Jon"):
            people.who_is_free((at(9), at(10)), among=["Jon"])
        assert people.who_is_free((at(9), at(10)), among=[]) == []


def test_spans_are_spans(people):
    """What comes back is half-open, and aware."""
    assert free(people, "John") == [Span(at(8), at(14))]
