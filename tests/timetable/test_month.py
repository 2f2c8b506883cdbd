"""T18: a month of many, a third of it booked, equals a check without any statement.

The specification asks for 10,000 subjects; that many are filled and checked by
``python -m benchmarks.timetable``, in minutes, and here are 200.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from benchmarks.timetable import filling
from benchmarks.timetable.checking import brute_force
from libres import timetable
from libres.context.registry import create_default_registry

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def month(module_dsn):
    """A timetable of 200 subjects, as the benchmark fills it."""
    context = create_default_registry().register_context("month")
    context.set_setting("dsn", module_dsn)
    made = timetable.setup(context)
    names = filling.subjects(made, 200)
    filling.open_days(made, names, days=31)
    filling.reserve(made, 33)
    made.commit()
    yield made
    made.close()
    context.get_service("session_provider").stop_service()


WINDOWS = [
    (day, start, length)
    for day in (0, 10, 25)
    for start, length in ((8, 3), (11, 3), (9.25, 3), (14, 0.25), (7, 8), (23, 3))
]


class TestMonth:
    @pytest.mark.parametrize("source", ["rows", "cache"])
    def test_equal(self, month, source):
        """Whole windows, by day and over midnight."""
        if source == "cache":
            month.cache()
        found = [self.who(month, *window) for window in WINDOWS]
        assert found == [
            brute_force(month.session, self.window(*window)) for window in WINDOWS
        ]
        assert 5 < len(found[0]) < 100
        month.rollback()

    def test_a_third(self, month):
        """About a third of what is open is booked."""
        opened, booked = month.session.execute(
            text(
                "SELECT (SELECT sum(_end - _start) FROM allocations), "
                '(SELECT sum("end" - start) FROM reserved_slots)'
            )
        ).one()
        assert 0.30 < booked / opened < 0.36

    def who(self, month, *window):
        """The names of who is free."""
        return {each.name for each in month.who_is_free(self.window(*window))}

    def window(self, day, start, length):
        """A window, so many hours after midnight of a day."""
        begin = filling.START + timedelta(days=day) + start * HOUR
        return begin, begin + length * HOUR
