"""Answers equal those of brute force on the grid of five minutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libres import conflicts, timetable
from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from libres.domain.spans import Span
from libres.modules.errors import LibresError
from libres.timetable import rules
from tests.timetable.conftest import at

STEP = timedelta(minutes=5)
STEPS = 3 * 24 * 12
"""Three days."""

MAIL = "ada@example.org"
NAMES = ("ann", "bob", "cyd")


@dataclass
class Model:
    """What is open and taken, per subject: steps, from the first day's midnight."""

    places: dict = field(default_factory=lambda: {name: {} for name in NAMES})
    taken: dict = field(default_factory=lambda: {name: {} for name in NAMES})
    inactive: set = field(default_factory=set)

    def is_free(self, name, step):
        """Tell whether a step has a place that is not taken."""
        places = self.places[name].get(step, 0)
        return name not in self.inactive and self.taken[name].get(step, 0) < places

    def free(self, name, start, end):
        """The free spans of a range of steps."""
        found = (step for step in range(start, end) if self.is_free(name, step))
        return rules.merged(stretch(step, step + 1) for step in found)

    def take(self, name, start, end, number=1):
        """Take so many places of some steps."""
        for step in range(start, end):
            self.taken[name][step] = self.taken[name].get(step, 0) + number


def stretch(start, end):
    """The time of some steps."""
    return Span(at(0) + start * STEP, at(0) + end * STEP)


def quarters(first, last):
    """Steps that begin quarters."""
    return st.integers(first // 3, last // 3).map(lambda number: number * 3)


SPAN = st.tuples(quarters(0, STEPS - 3), quarters(3, 24 * 12)).map(
    lambda each: (each[0], min(each[0] + max(each[1], 3), STEPS))
)
DEED = st.tuples(
    st.sampled_from(["open", "book", "wait", "block", "claim", "hold", "hide"]),
    st.sampled_from(NAMES),
    SPAN,
    st.integers(1, 3),
)


def do(table, model, deed):
    """Do something to the database, and to the model if it was not refused."""
    kind, name, (start, end), quota = deed
    room = new_scheduler(table.context, name, "UTC")
    ends = stretch(start, end)
    dates = ends.start, ends.end
    try:
        with table.session.begin_nested():
            if kind == "open":
                table.open([name], [dates], quota=quota)
            elif kind == "book":
                room.book(MAIL, dates)
            elif kind == "wait":
                room.reserve(MAIL, dates)
            elif kind == "block":
                room.add_blocker(dates)
            elif kind == "claim":
                claims = conflicts.Claims(table.context)
                claims.put("host.Car", f"{name}{start}-{end}", room.resource, dates)
            elif kind == "hold":
                claims = conflicts.Claims(table.context)
                claims.put("host.Idea", start, room.resource, dates, exclusive=False)
            else:
                table.set_active(name, active=False)
    except LibresError:
        return
    note(model, kind, name, start, end, quota)


def note(model, kind, name, start, end, quota):
    """Do the same to the model."""
    if kind == "open":
        model.places[name].update(dict.fromkeys(range(start, end), quota))
    elif kind == "book":
        model.take(name, start, end)
    elif kind in ("block", "claim"):
        model.take(name, start, end, 99)
    elif kind == "hide":
        model.inactive.add(name)


@pytest.fixture(scope="module")
def table(module_dsn):
    """A timetable whose subjects are added; each example is rolled back."""
    context = create_default_registry().register_context("brute")
    context.set_setting("dsn", module_dsn)
    made = timetable.setup(context)
    made.add(*NAMES, timezone="UTC")
    made.commit()
    yield made
    made.close()
    context.get_service("session_provider").stop_service()


class TestBruteForce:
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        st.lists(DEED, min_size=3, max_size=12), st.lists(SPAN, min_size=1, max_size=2)
    )
    def test_equal(self, table, deeds, windows):
        """Free times, whole windows, lengths, shares and counts."""
        model = Model()
        try:
            for deed in deeds:
                do(table, model, deed)
            self.compare(table, model, windows)
            table.cache()
            self.compare(table, model, windows)
        finally:
            table.rollback()

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        st.lists(DEED, min_size=3, max_size=12), st.lists(SPAN, min_size=1, max_size=1)
    )
    def test_kept(self, table, deeds, windows):
        """The cache follows each deed."""
        model = Model()
        try:
            table.cache()
            for deed in deeds:
                do(table, model, deed)
            assert table.verify_cache() == []
            self.compare(table, model, windows)
        finally:
            table.rollback()

    def compare(self, table, model, windows):
        """Ask for all of it."""
        asked = [stretch(*window) for window in windows]
        free = {
            name: [model.free(name, *window) for window in windows] for name in NAMES
        }
        for name in NAMES:
            found = [table.free(name, each.start, each.end) for each in asked]
            assert found == free[name]
        assert self.who(table, asked) == [
            name
            for name in NAMES
            if all(
                spans == [each] for spans, each in zip(free[name], asked, strict=True)
            )
        ]
        length = timedelta(minutes=30)
        assert self.who(table, asked, duration=length) == [
            name
            for name in NAMES
            if all(
                any(span.duration >= length for span in spans) for spans in free[name]
            )
        ]
        assert self.who(table, asked, fraction=0.5) == [
            name
            for name in NAMES
            if all(
                2 * sum((span.duration for span in spans), timedelta()) >= each.duration
                for spans, each in zip(free[name], asked, strict=True)
            )
        ]
        heat = table.heatmap(asked[0].start, asked[0].end, 5)
        assert list(heat.counts) == [
            sum(model.is_free(name, step) for name in NAMES)
            for step in range(*windows[0])
        ]

    def who(self, table, asked, **more):
        """The names of who is free."""
        return [each.name for each in table.who_is_free(asked, **more)]
