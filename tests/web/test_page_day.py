"""A day across resources, as on the wall of a reception."""

from html import unescape

import pytest

from libres.web import Place
from libres.web.directory import Directory
from tests.fixtures.statements import counted_on
from tests.web.conftest import at


@pytest.fixture
def rooms(context, place):  # noqa: ARG001 - one more than are made
    """Sees to it that there are so many rooms, each with a reservation of somebody."""

    def make(number, known=0):
        def fill():
            for each in range(known, number):
                room = Place(f"room {each}", f"Room <{each}>", "UTC")
                Directory(context).put(room)
                scheduler = room.scheduler(context)
                allocated = (at("08:00"), at("12:00"))
                scheduler.allocate(allocated, partly_available=True)
                taken = (at("09:00"), at("10:00"))
                scheduler.book("bob@example.org", taken, data={"title": "Board"})

        context.transaction(fill)

    return make


def shown(client, path="/day", **query):
    """The page of the day of the tests."""
    found = client.get(path, **{"day": "2026-11-30", **query})
    assert found.status_code == 200, found.text
    return found.text


def test_side_by_side(anyone, rooms):
    """All resources are shown, their names as text."""
    rooms(2)
    text = shown(anyone)
    assert "Room &lt;0&gt;" in text
    assert "Room &lt;1&gt;" in text
    assert "The hall" in text
    assert text.count('class="part taken') == 2


def test_whose(anyone, booker, reader, rooms):
    """Whose it is, is told to those who may read, and to nobody else."""
    rooms(1)
    assert "Board" in shown(reader)
    assert "Board" not in shown(anyone)
    assert "Board" not in shown(booker)
    assert "bob@" not in shown(anyone)


def test_choose(anyone, rooms):
    """What is free leads to its week, where it is chosen."""
    rooms(1)
    text = unescape(shown(anyone))
    assert "/week/room%200?day=2026-11-30&start=2026-11-30T08:00:00%2B00:00" in text


def test_today(anyone, clock):
    """Without a day it is today."""
    clock.now = at("12:00", 3)
    text = anyone.get("/day").text
    assert "Thu 3 Dec 2026" in text
    assert "day=2026-12-02" in text
    assert "day=2026-12-04" in text


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "x", "<script>"])
def test_nonsense(anyone, clock, day):
    """A day that is none is today."""
    clock.now = at("12:00", 3)
    assert "Thu 3 Dec 2026" in anyone.get("/day", day=day).text


def test_nothing_yet(anyone, context):
    """Without resources the page says so."""
    context.transaction(lambda: Directory(context).remove("hall"))
    assert "nothing to reserve" in shown(anyone)


def test_polled(anyone, context, place):
    """Who asks again gets 304 until something changes."""
    path, day = "/day/rooms", "2026-11-30"
    first = anyone.get(path, day=day)
    known = {"If-None-Match": first.headers["ETag"]}
    assert anyone.get(path, day=day, headers=known).status_code == 304
    taken = (at("09:00"), at("10:00"))
    context.transaction(lambda: place.scheduler(context).book("bob@example.org", taken))
    again = anyone.get(path, day=day, headers=known)
    assert again.status_code == 200
    assert "taken" in again.text
    assert "<html" not in again.text


def test_statements(context, reader, rooms):
    """A day takes as many statements for 20 rooms as for one."""

    def counting(number, known=0):
        rooms(number, known)
        engine = context.get_service("session_provider").read_only_engine
        with counted_on(engine) as statements:
            shown(reader)
        return len(statements)

    assert counting(1) == counting(20, known=1) <= 5
