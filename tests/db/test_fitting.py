"""The first times that fit, and alternatives, on the database."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from libres.db.operations.fitting import alternatives, first_fitting
from libres.modules.errors import Misuse, NotTimezoneAware
from tests.fixtures.statements import counted

EMAIL = "test@example.org"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MONDAY = datetime(2030, 6, 3, tzinfo=UTC)


def at(hours, day=0):
    """A moment of that week, in UTC."""
    return MONDAY + day * DAY + hours * HOUR


@pytest.fixture
def make(scheduler_factory):
    """Make schedulers in UTC, open from 8 to 12 on some days."""

    def make(name, days=range(5), blocking_names=(), **terms):
        made = scheduler_factory(name, "UTC", blocking_names=blocking_names)
        terms = {"partly_available": True, "raster": 15, **terms}
        made.allocate([(at(8, day), at(12, day)) for day in days], **terms)
        return made

    return make


def starts(found):
    """Names and starts."""
    return [(each.name, each.start) for each in found]


def test_first(make):
    """The first of several resources are told by start, then in their order."""
    attic, hall = make("attic"), make("hall", range(1, 3))
    attic.book(EMAIL, (at(8), at(11.5)))
    found = first_fitting([hall, attic], HOUR, MONDAY, at(0, 5), limit=3)
    assert starts(found) == [
        ("hall", at(8, 1)),
        ("attic", at(8, 1)),
        ("hall", at(9, 1)),
    ]


def test_bookable(make):
    """What is told can be booked as it is, also under what blocks it."""
    hall = make("hall", quota=2)
    half = make("half", blocking_names=["hall"], raster=5)
    hall.book(EMAIL, (at(8), at(9)), quota=2)
    half.book(EMAIL, (at(10), at(10.5)))
    found = first_fitting(half, HOUR, MONDAY, at(0, 1))
    assert [(each.start, each.places_left) for each in found] == [
        (at(9), 1),
        (at(10.5), 1),
    ]
    for each in found:
        half.book(EMAIL, (each.start, each.end))
    assert not first_fitting(half, HOUR, MONDAY, at(0, 1))


def test_hours(make):
    """Days and times of day are those of each resource."""
    found = first_fitting(
        make("hall"),
        HOUR,
        MONDAY,
        at(0, 5),
        days=["we", 3],
        begins=time(9, 20),
        ends=time(11),
    )
    assert starts(found) == [("hall", at(9.5, 2)), ("hall", at(9.5, 3))]


def test_zone(scheduler_factory):
    """Times are told in the zone of the resource."""
    room = scheduler_factory("room", "Europe/Zurich")
    room.allocate((at(8), at(10)), partly_available=True)
    (found,) = first_fitting(
        room, HOUR, MONDAY, at(0, 1), begins=time(11), ends=time(12)
    )
    assert found.start.isoformat() == "2030-06-03T11:00:00+02:00"
    assert found.start == at(9)


def test_group(make):
    """Groups are not offered, as each is reserved as a whole."""
    room = make("room", partly_available=False, grouped=True)
    assert not first_fitting(room, HOUR, MONDAY, at(0, 5))
    lone = make("lone", [0], partly_available=False, grouped=True)
    assert len(first_fitting(lone, HOUR, MONDAY, at(0, 5))) == 1


def test_exposure(make, context):
    """What may not be seen is not offered."""
    make("hall")

    class Odd:
        """Shows what lasts until a day that is odd."""

        @staticmethod
        def is_allocation_exposed(allocation):
            return allocation.display_start().day % 2 == 1

    context.set_service("exposure", lambda _: Odd())
    hall = make("attic")
    found = first_fitting(hall, 4 * HOUR, MONDAY, at(0, 5))
    assert [each.start.day for each in found] == [3, 5, 7]


def test_far(make):
    """What lies far ahead is found, and nothing beyond the end."""
    far = make("far", [200, 300])
    assert starts(first_fitting(far, 4 * HOUR, MONDAY, at(0, 400))) == [
        ("far", at(8, 200)),
        ("far", at(8, 300)),
    ]
    assert not first_fitting(far, HOUR, MONDAY, at(8.5, 200))


def test_across_horizon(scheduler_factory):
    """What begins before a look-ahead ends, and ends after it, comes in its turn."""
    night = scheduler_factory("night", "UTC")
    night.allocate((at(20, 6), at(30, 6)))
    room = scheduler_factory("room", "UTC")
    room.allocate((at(23, 6), at(24, 6)), partly_available=True)
    found = first_fitting([room, night], HOUR, MONDAY, at(0, 30), limit=1)
    assert starts(found) == [("night", at(20, 6))]


@pytest.mark.parametrize("number", [1, 20])
def test_statements(make, number):
    """Two statements, however many resources and bookings there are."""
    rooms = [make(f"room {each}") for each in range(number)]
    for room in rooms:
        room.book(EMAIL, (at(8), at(9)))
    with counted(rooms[0].session) as statements:
        assert first_fitting(rooms, HOUR, MONDAY, at(0, 100), limit=1)
    assert len(statements) == 2
    with counted(rooms[0].session) as statements:
        assert not first_fitting(rooms, 5 * HOUR, MONDAY, at(0, 400))
    assert len(statements) == 8
    with counted(rooms[0].session) as statements:
        alternatives(rooms[0], at(8), at(9), others=rooms[1:])
    assert len(statements) == (4 if number > 1 else 2)


def test_nothing(make):
    """Without resources, or time, nothing fits; without a duration nothing can."""
    hall = make("hall")
    assert first_fitting([], HOUR, MONDAY, at(0, 5)) == []
    assert first_fitting(hall, HOUR, at(0, 5), MONDAY) == []
    with pytest.raises(Misuse):
        first_fitting(hall, 0 * HOUR, MONDAY, at(0, 5))
    with pytest.raises(Misuse):
        first_fitting(hall, HOUR, MONDAY, at(0, 5), places=0)
    with pytest.raises(NotTimezoneAware):
        first_fitting(hall, HOUR, MONDAY.replace(tzinfo=None), at(0, 5))


class TestAlternatives:
    def test_here(self, make):
        """The same day first, then the days around."""
        hall = make("hall")
        hall.book(EMAIL, (at(8, 1), at(10.25, 1)))
        found = alternatives(hall, at(9, 1), at(10.5, 1), limit=3)
        assert [each.start for each in found.here] == [
            at(10.25, 1),
            at(9, 0),
            at(9, 2),
        ]
        assert {each.end - each.start for each in found.here} == {1.5 * HOUR}

    def test_elsewhere(self, make):
        """Others are told at the same time only, on their own raster."""
        hall, attic = make("hall"), make("attic", raster=60)
        cellar = make("cellar")
        cellar.book(EMAIL, (at(10), at(10.5)))
        found = alternatives(hall, at(9.5), at(10.5), others=[attic, cellar])
        (told,) = found.elsewhere
        assert (told.name, told.start, told.end) == ("attic", at(9), at(11))

    def test_now(self, make):
        """What lies in the past is none, unless what was wanted does, too."""
        hall = make("hall")
        wanted = at(8, 2), at(12, 2)
        hall.book(EMAIL, wanted)
        late = alternatives(hall, *wanted, now=at(9, 1))
        assert [each.start for each in late.here] == [at(8, 3), at(8, 4)]
        past = alternatives(hall, *wanted, now=at(0, 100))
        assert len(past.here) == 4

    def test_places(self, make):
        """As many places as are wanted are free."""
        hall = make("hall", [0], quota=2)
        hall.book(EMAIL, (at(8), at(10)))
        found = alternatives(hall, at(8), at(10), places=2)
        assert [(each.start, each.places_left) for each in found.here] == [(at(10), 2)]
