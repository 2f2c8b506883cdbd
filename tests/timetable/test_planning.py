"""Hours become allocations, again and again, and nobody loses a reservation."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest

from libres.db import new_scheduler
from libres.db.models.timestamp import TimestampMixin
from libres.timetable import (
    InvalidHours,
    InvalidSubject,
    InvalidWindow,
    SpecialDay,
    UnknownSubject,
    Weekly,
)
from tests.timetable.conftest import at, span

MAIL = "ada@example.org"
SATURDAY = date(2015, 11, 14)
SUNDAY = date(2015, 11, 15)
MORNING = Weekly(5, time(8), time(12))
AFTERNOON = Weekly(5, time(13), time(17))


@pytest.fixture
def ann(table):
    """A timetable with Ann, who works on Saturdays."""
    table.add("Ann", timezone="UTC")
    table.set_hours(["Ann"], [MORNING, AFTERNOON])
    return table


def applied(table, until=SATURDAY):
    """Apply Ann's hours; what became of allocations."""
    made = table.apply_template(["Ann"], until, since=SATURDAY)
    return made.opened, made.cut, made.outside


def free(table):
    """When Ann is free that Saturday."""
    return table.free("Ann", at(0), at(24))


class TestApply:
    def test_opens(self, ann):
        """What is missing is allocated; done again, it does nothing."""
        assert applied(ann) == (2, 0, [])
        assert free(ann) == [span(8, 12), span(13, 17)]
        assert applied(ann) == (0, 0, [])

    def test_every_week(self, ann):
        """Until the last day."""
        assert applied(ann, date(2015, 12, 31)) == (14, 0, [])

    def test_longer(self, ann):
        """Longer hours add the rest only."""
        applied(ann)
        ann.set_hours(["Ann"], [Weekly(5, time(7), time(17))])
        assert applied(ann) == (2, 0, [])
        assert free(ann) == [span(7, 17)]

    def test_shorter(self, ann):
        """Shorter hours take time back."""
        applied(ann)
        ann.set_hours(["Ann"], [Weekly(5, time(9), time(11))])
        assert applied(ann) == (0, 2, [])
        assert free(ann) == [span(9, 11)]

    def test_reserved(self, ann):
        """What is reserved stays, and is told while it lies outside."""
        applied(ann)
        new_scheduler(ann.context, "Ann", "UTC").book(MAIL, (at(8), at(9)))
        ann.set_hours(["Ann"], [AFTERNOON])
        assert applied(ann) == (0, 0, [("Ann", span(8, 9))])
        assert ann.busy("Ann", at(0), at(24)) == [span(8, 9)]

    def test_exceptions(self, ann):
        """Off and extra hours of a day."""
        ann.add_exceptions(
            ["Ann"],
            [
                SpecialDay(SATURDAY, SATURDAY, "off", reason="ill"),
                SpecialDay(SATURDAY, SUNDAY, "extra", time(20), time(21)),
            ],
        )
        assert applied(ann, SUNDAY) == (2, 0, [])
        assert free(ann) == [span(20, 21)]
        assert ann.remove_exceptions(["Ann"], SATURDAY, SATURDAY) == 2
        assert applied(ann, SUNDAY) == (2, 2, [])

    def test_holidays(self, ann):
        """Holidays are off, given as days or by a country."""
        made = ann.apply_template(
            ["Ann"], SATURDAY, since=SATURDAY, holidays={SATURDAY}
        )
        assert made.opened == 0
        boxing_day = date(2015, 12, 26)
        made = ann.apply_template(
            ["Ann"], boxing_day, since=boxing_day, holidays="GB-ENG"
        )
        assert made.opened == 0

    def test_clock_change(self, table):
        """Eight o'clock stays eight o'clock."""
        table.add("Ann", timezone="Europe/Zurich")
        table.set_hours(["Ann"], [Weekly(6, time(8), time(9))])
        first, last = date(2026, 3, 22), date(2026, 3, 29)
        table.apply_template(["Ann"], last, since=first)
        found = table.free(
            "Ann", at(0) + timedelta(days=3600), at(0) + timedelta(days=4000)
        )
        assert [each.start.hour for each in found] == [7, 6]

    def test_stored(self, ann):
        """What was said can be read again."""
        day = SpecialDay(SATURDAY, SUNDAY, "off", time(8), time(9), "dentist")
        ann.add_exceptions(["Ann"], [day])
        assert ann.hours("Ann") == ([MORNING, AFTERNOON], [day])


class TestExtend:
    def test_ahead(self, ann, clock):
        """All who have hours are open for the time ahead, and only those."""
        table = ann
        table.add("Bob", timezone="UTC")
        table.add("Cyd", timezone="UTC")
        table.set_hours(["Cyd"], [MORNING])
        table.set_active("Cyd", active=False)
        today = TimestampMixin.timestamp().date()
        made = table.extend_horizon(13)
        assert (made.opened, made.cut) == (4, 0)
        assert table.extend_horizon(13).opened == 0
        clock.now += timedelta(days=7)
        assert table.extend_horizon(13).opened == 2
        assert TimestampMixin.timestamp().date() == today + timedelta(days=7)

    def test_progress(self, ann):
        """Long work tells how far it is."""
        told = []
        ann.extend_horizon(7, progress=lambda *done: told.append(done))
        assert told == [(1, 1)]


class TestMistakes:
    @pytest.mark.parametrize(
        ("act", "error"),
        [
            (lambda t: t.set_hours(["Ann"], ["8-12"]), InvalidSubject),
            (lambda t: t.set_hours(["Ann"], MORNING), InvalidSubject),
            (lambda t: t.set_hours(["Bob"], [MORNING]), UnknownSubject),
            (lambda t: t.add_exceptions(["Ann"], [MORNING]), InvalidSubject),
            (lambda t: t.apply_template(["Ann"], "2015-11-14"), InvalidWindow),
            (lambda t: t.apply_template(["Ann"], date(2000, 1, 1)), InvalidWindow),
            (
                lambda t: t.apply_template(
                    ["Ann"], SATURDAY, since=SATURDAY, holidays="Atlantis"
                ),
                InvalidHours,
            ),
            (lambda t: t.extend_horizon(0), InvalidWindow),
        ],
    )
    def test_refused(self, ann, act, error):
        """Each is an error, and nothing is lost."""
        with pytest.raises(error):
            act(ann)
        assert ann.hours("Ann") == ([MORNING, AFTERNOON], [])
