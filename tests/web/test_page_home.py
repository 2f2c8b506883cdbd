"""The first page: what is free today."""

from __future__ import annotations

import pytest

from libres.web import Place
from libres.web.directory import Directory
from tests.web.conftest import at
from tests.web.forms import Tab


@pytest.fixture
def tab(app, clock):
    """Somebody's browser, on the Monday at nine."""
    clock.now = at("09:00")
    return Tab(app)


def reserve(context, place, start, end):
    """Take a time."""
    dates = [(at(start), at(end))]
    scheduler = place.scheduler(context)
    context.transaction(lambda: scheduler.book("ada@example.org", dates))


def test_free(tab):
    """What can be reserved today is shown with how much of it is left."""
    page = tab.open("/").text
    assert "The hall" in page
    assert "Monday 30 November" in page
    assert "08:00 to 18:00" in page
    assert "100 % free" in page


def test_partly_taken(tab, context, place):
    """A time of which a part is taken says how much is left; by whom is not told."""
    reserve(context, place, "10:00", "15:00")
    page = tab.open("/").text
    assert "50 % free" in page
    assert "ada@" not in page


def test_taken(tab, context, place):
    """A time that is taken says so in words, not in colour only."""
    reserve(context, place, "08:00", "18:00")
    assert "nothing free" in tab.open("/").text


def test_over(tab, clock):
    """What is over is not offered."""
    clock.now = at("18:00")
    page = tab.open("/").text
    assert "<strong>over</strong>" in page
    assert "100 % free" not in page


def test_no_allocation(tab, clock):
    """A day without allocations says so."""
    clock.now = at("09:00", 6)
    assert "Nothing to reserve today." in tab.open("/").text


def test_day_of_the_zone(tab, context, clock):
    """Which day it is, is said by the clock where the resource is."""
    far = Place("far", "Far away", "Pacific/Auckland")
    context.transaction(lambda: Directory(context).put(far))
    clock.now = at("20:00")
    assert "Tuesday 1 December" in tab.open("/").text


def test_several_times(tab, context, clock):
    """Of many times of a day some are shown, and the others counted."""
    clock.now = at("09:00", 6)
    many = Place("many", "Many", "UTC")

    def fill():
        Directory(context).put(many)
        hours = [
            (at(f"{each:02}:00", 6), at(f"{each + 1:02}:00", 6))
            for each in range(8, 14)
        ]
        many.scheduler(context).allocate(hours)

    context.transaction(fill)
    page = tab.open("/").text
    assert "11:00 to 12:00" in page
    assert "12:00 to 13:00" not in page
    assert "and 2 more" in page


def test_many(tab, context):
    """Of many resources some are shown, with a way to the others."""

    def fill():
        for number in range(60):
            Directory(context).put(Place(f"room {number}", f"Room {number:02}", "UTC"))

    context.transaction(fill)
    first = tab.open("/").text
    assert "Room 00" in first
    assert "Room 59" not in first
    assert 'href="/?from=40"' in first
    second = tab.open("/", **{"from": 40}).text
    assert "Room 59" in second
    assert 'href="/?from=0"' in second


@pytest.mark.parametrize("first", ["-1", "x", "1" * 400, "1" * 5000, "\0"])
def test_hostile_query(tab, first):
    """Whatever is asked for, there is a page."""
    assert tab.open("/", **{"from": first}).status_code == 200


def test_hostile_title(tab, context):
    """A title is text, whatever it is."""
    hostile = Place("hostile", "<script>alert(1)</script>", "UTC")
    context.transaction(lambda: Directory(context).put(hostile))
    page = tab.open("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_nothing(tab, context):
    """Without resources the page says so."""
    context.transaction(lambda: Directory(context).remove("hall"))
    assert "nothing to reserve here" in tab.open("/").text
