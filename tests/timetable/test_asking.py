"""What else can be asked, and what is no question."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from libres import conflicts
from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from libres.modules.errors import Misuse
from libres.timetable import (
    Event,
    InvalidSubject,
    InvalidWindow,
    Reason,
    Timetable,
    UnknownSubject,
)
from tests.fixtures.statements import counted
from tests.timetable.conftest import at, opened, span

MAIL = "ada@example.org"
HOUR = timedelta(hours=1)


def names(found):
    """The names of subjects."""
    return [each.name for each in found]


def ends(*pair):
    """The two ends of a span of hours."""
    found = span(*pair)
    return found.start, found.end


class TestWho:
    def test_tags(self, people):
        """Only those who have all the tags."""
        people.add("John", timezone="UTC", tags=["French", "piano"])
        people.add("Sara", timezone="UTC", tags=["piano"])
        assert names(people.who_is_free(ends(10, 11), tags=["piano"])) == [
            "John",
            "Sara",
        ]
        found = people.who_is_free(ends(10, 11), tags=["piano", "French"])
        assert names(found) == ["John"]

    def test_among(self, people):
        """Only those who are named."""
        assert names(people.who_is_free(ends(10, 11), among=["Sara"])) == ["Sara"]
        assert people.count_free(ends(10, 11), among=["Sara"]) == 1

    def test_pages(self, people):
        """A page, and the next one."""
        first = people.who_is_free(ends(10, 11), limit=1)
        assert names(first) == ["John"]
        rest = people.who_is_free(ends(10, 11), limit=1, after="John")
        assert names(rest) == ["Sara"]

    def test_least_booked(self, people):
        """Those first who have been reserved least."""
        new_scheduler(people.context, "John", "UTC").book(MAIL, ends(8, 9))
        found = people.who_is_free(ends(10, 11), order="least_booked")
        assert names(found) == ["Sara", "John"]

    def test_inactive(self, people):
        """Who is not active is not listed, until it is again."""
        people.set_active("John", active=False)
        assert names(people.who_is_free(ends(10, 11))) == ["Sara"]
        people.set_active("John", active=True)
        assert people.count_free(ends(10, 11)) == 2

    def test_buffer(self, people):
        """Nothing may be taken so long before and after."""
        new_scheduler(people.context, "John", "UTC").book(MAIL, ends(8, 9))
        half = timedelta(minutes=30)
        assert people.is_free("John", *ends(9, 10))
        assert not people.who_is_free(ends(9, 10), buffer=half)
        assert people.who_is_free(ends((9, 30), 10), buffer=half)
        assert not people.who_is_free(ends(9, 10), duration=HOUR, buffer=half)

    def test_pending(self, people):
        """What waits counts only if asked; what has expired never does."""
        room = new_scheduler(people.context, "John", "UTC")
        room.reserve(MAIL, ends(9, 10))
        assert people.is_free("John", *ends(9, 10))
        assert not people.is_free("John", *ends(9, 10), tentative=True)
        assert people.free("John", *ends(8, 12), tentative=True) == [
            span(8, 9),
            span(10, 12),
        ]

    def test_expired(self, people, clock):
        """A pending reservation of a session counts for a quarter of an hour."""
        room = new_scheduler(people.context, "John", "UTC")
        room.reserve(MAIL, ends(9, 10), session_id="0" * 32)
        assert not people.is_free("John", *ends(9, 10), tentative=True)
        clock.now += timedelta(minutes=16)
        assert people.is_free("John", *ends(9, 10), tentative=True)

    def test_quota(self, table):
        """With several places it is free until all are taken."""
        opened(table, "hall", (8, 12), quota=2)
        hall = new_scheduler(table.context, "hall", "UTC")
        hall.book(MAIL, ends(9, 11))
        assert table.is_free("hall", *ends(8, 12))
        hall.book(MAIL, ends(10, 12))
        assert table.free("hall", *ends(8, 12)) == [span(8, 10), span(11, 12)]

    def test_claims(self, people):
        """What is claimed exclusively is not free; what has expired is."""
        resource = str(people.subject("John").resource)
        claims = conflicts.Claims(people.context)
        claims.put("host.Car", 1, resource, ends(9, 10))
        claims.put("host.Idea", 1, resource, ends(11, 12), exclusive=False)
        claims.put("host.Cart", 1, resource, ends(12, 13), expires=at(0))
        assert people.free("John", *ends(8, 14)) == [span(8, 9), span(10, 14)]

    def test_expiring_claims(self, people):
        """The cache does not hide a claim that expires."""
        people.cache()
        claims = conflicts.Claims(people.context)
        resource = str(people.subject("John").resource)
        claims.put("host.Cart", 1, resource, ends(9, 10), expires=at(500_000))
        assert people.free("John", *ends(8, 11)) == [span(8, 9), span(10, 11)]
        assert names(people.who_is_free(ends(9, 10))) == []

    def test_contexts(self, people):
        """The same name in another context is somebody else."""
        other = create_default_registry().register_context("other")
        provider = people.session_provider
        other.set_service("session_provider", lambda _context: provider)
        table = Timetable(other)
        table.add("John", timezone="UTC")
        assert table.who_is_free(ends(10, 11)) == []
        assert names(people.who_is_free(ends(10, 11))) == ["John", "Sara"]

    @pytest.mark.parametrize("number", [1, 50])
    def test_statements(self, table, number):
        """Three statements at most, for one and for fifty."""
        some = [f"name {each}" for each in range(number)]
        table.add(*some, timezone="UTC")
        table.open(some, [ends(8, 12)])
        windows = [ends(8, 9)] * number
        with counted(table.session) as statements:
            assert len(table.who_is_free(windows, among=some)) == number
        assert len(statements) <= 3
        with counted(table.session) as statements:
            table.free(some[0], *ends(8, 9))
        assert len(statements) <= 3

    def test_long_ones(self, table):
        """Allocations of several days, and slots as long, are found."""
        table.add("barn", timezone="UTC")
        barn = new_scheduler(table.context, "barn", "UTC")
        barn.allocate((at(0, day=10), at(0, day=20)))
        assert table.is_free("barn", *ends(9, 10))
        barn.book(MAIL, ends(9, 10))
        assert not table.is_free("barn", *ends(9, 10))


class TestWhyNot:
    def test_reasons(self, people):
        """All that is in the way, by start."""
        room = new_scheduler(people.context, "John", "UTC")
        room.book(MAIL, ends(8, 9))
        room.add_blocker(ends(9, 10), reason="ill")
        resource = str(people.subject("John").resource)
        conflicts.Claims(people.context).put("host.Car", 1, resource, ends(11, 12))
        assert people.why_not("John", *ends(7, 13)) == [
            Reason("closed", span(7, 8)),
            Reason("reservation", span(8, 9), MAIL),
            Reason("blocker", span(9, 10), "ill"),
            Reason("claim", span(11, 12), "host.Car"),
        ]
        assert people.why_not("John", *ends(12, 13)) == []
        why = people.busy("John", *ends(7, 13), reasons=True)
        assert [each.kind for each in why] == ["reservation", "blocker", "claim"]
        why = people.busy("John", *ends(7, 9), reasons=True, within="window")
        assert [each.kind for each in why] == ["closed", "reservation"]


class TestAssign:
    def test_fair(self, table):
        """Everybody has about as much to do, and one thing at a time."""
        for name in ("ann", "bob", "cyd"):
            opened(table, name, (8, 12))
        events = [Event(f"event {n}", at(8 + n // 2), at(9 + n // 2)) for n in range(8)]
        made = table.assign(events)
        assert [each.event for each in made] == events
        chosen = [each.subjects[0] for each in made]
        assert sorted(map(chosen.count, set(chosen))) == [2, 3, 3]
        assert all(chosen[n] != chosen[n + 1] for n in range(0, 8, 2))

    def test_tags_and_numbers(self, table):
        """An event may need several, who have something."""
        for name in ("ann", "bob", "cyd"):
            opened(table, name, (8, 12))
        table.add("bob", "cyd", timezone="UTC", tags=["piano"])
        concert = Event("concert", at(8), at(9), needed=3, tags=["piano"])
        (made,) = table.assign([concert])
        assert (made.subjects, made.missing) == (["bob", "cyd"], 1)

    @pytest.mark.parametrize(
        "events",
        [None, "x", [1], [Event("", at(8), at(9))], [Event("a", at(9), at(8))]],
    )
    def test_bad_events(self, people, events):
        """Each is an error that says what is wrong."""
        with pytest.raises((InvalidWindow, InvalidSubject)):
            people.assign(events)


class TestMistakes:
    @pytest.mark.parametrize(
        ("act", "error"),
        [
            (lambda t: t.free("Jon", *ends(8, 9)), UnknownSubject),
            (lambda t: t.free(None, *ends(8, 9)), InvalidSubject),
            (lambda t: t.free("", *ends(8, 9)), InvalidSubject),
            (lambda t: t.free("a\x00b", *ends(8, 9)), InvalidSubject),
            (lambda t: t.free("\ud800", *ends(8, 9)), InvalidSubject),
            (lambda t: t.free("x" * 300, *ends(8, 9)), InvalidSubject),
            (lambda t: t.free("John", at(9), at(8)), InvalidWindow),
            (lambda t: t.free("John", *ends(8, 9), min_length=3), InvalidWindow),
            (lambda t: t.free("John", *ends(8, 9), raster=7), Misuse),
            (lambda t: t.busy("John", *ends(8, 9), within="day"), InvalidWindow),
            (lambda t: t.who_is_free(ends(8, 9), among="John"), InvalidSubject),
            (lambda t: t.who_is_free(ends(8, 9), tags="piano"), InvalidSubject),
            (lambda t: t.who_is_free(ends(8, 9), fraction=0), InvalidWindow),
            (lambda t: t.who_is_free(ends(8, 9), fraction=1.1), InvalidWindow),
            (lambda t: t.who_is_free(ends(8, 9), fraction="1"), InvalidWindow),
            (lambda t: t.who_is_free(ends(8, 9), duration=-HOUR), InvalidWindow),
            (lambda t: t.who_is_free(ends(8, 9), limit=0), InvalidWindow),
            (lambda t: t.who_is_free(ends(8, 9), order="age"), InvalidWindow),
            (
                lambda t: t.who_is_free(ends(8, 9), order="least_booked", after="a"),
                InvalidWindow,
            ),
            (lambda t: t.common(["John"], *ends(8, 9), quorum=0), InvalidWindow),
            (lambda t: t.next_free(["John"], None, after=at(8)), InvalidWindow),
            (lambda t: t.next_free(["John"], HOUR, after=at(8), n=0), InvalidWindow),
            (lambda t: t.heatmap(at(0), at(80_000), 5), InvalidWindow),
            (lambda t: t.heatmap(at(0), at(1), 7), Misuse),
            (lambda t: t.to_bits("John", "2015-11-14"), InvalidWindow),
            (lambda t: t.add("", timezone="UTC"), InvalidSubject),
            (lambda t: t.add("Ann", timezone="Mars/Base"), Misuse),
            (lambda t: t.add("Ann", timezone="UTC", tags=[1]), InvalidSubject),
            (lambda t: t.set_active("Ann", active=True), UnknownSubject),
        ],
    )
    def test_refused(self, people, act, error):
        """Each is an error, and the session can be used on."""
        with pytest.raises(error):
            act(people)
        assert people.count_free(ends(10, 11)) == 2

    def test_hostile_names(self, table):
        """A name may be any text."""
        name = "Robert'); DROP TABLE timetable_subjects;-- %(x)s :now \\ 🦉"
        opened(table, name, (8, 9))
        assert names(table.who_is_free(ends(8, 9))) == [name]
        assert table.remove(name)
        assert not table.remove(name)


@pytest.mark.parametrize("hours", [1, 4, 24, 30, 80])
@pytest.mark.parametrize("cached", [False, True], ids=["live", "cached"])
def test_taken_as_a_whole(table, hours, cached):
    """What is taken as a whole is one slot, found however long it is.

    Ours last a day at most, those of Libres 1.x may be longer.
    """
    table.add("hall", "barn", timezone="UTC")
    for name in ("hall", "barn"):
        room = new_scheduler(table.context, name, "UTC")
        [place] = room.allocate((at(8), at(8 + hours)), partly_available=False)
    if cached:
        table.cache()
    table.session.execute(
        text(
            'INSERT INTO reserved_slots (resource, start, "end", allocation_id, '
            "reservation_token, source_type, source_id, created) "
            "SELECT resource, _start, _end, id, gen_random_uuid(), 'blocker', 1, now() "
            "FROM allocations WHERE id = :id"
        ),
        {"id": place.id},
    )
    last = at(8 + hours) - timedelta(minutes=15)
    for start in (at(8), at(8) + timedelta(hours=hours / 2), last):
        found = table.who_is_free((start, start + timedelta(minutes=15)))
        assert names(found) == ["hall"]
    table.rollback()
