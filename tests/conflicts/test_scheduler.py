"""Questions count what schedulers have reserved, though nothing is mirrored."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from libres import conflicts
from libres.conflicts import OPEN, Period, Proposal
from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from tests.conflicts.times import SOURCE, at, hours
from tests.fixtures.statements import counted

MAIL = "ada@example.org"
SETTING = "conflicts_ask_scheduler"


@pytest.fixture
def room(claims):
    """A room that is open from 9 to 17, in steps of 15 minutes; nothing is mirrored."""
    claims.context.set_setting(SETTING, True)
    return opened(claims.context, "Room 201")


def opened(context, name, **options):
    """Open a resource from 9 to 17."""
    room = new_scheduler(context, name, "UTC")
    room.allocate(hours(9, 17), partly_available=True, raster=15, **options)
    return room


def approved(room, *dates, **more):
    """Reserve and approve some hours; return the token."""
    token = room.reserve(MAIL, [hours(*date) for date in dates], **more)
    room.approve_reservations(token)
    return token


def asked(room, start, end, **more):
    """A proposal for the resource of a scheduler."""
    return Proposal(resource=room.resource, during=hours(start, end), **more)


def told(claims):
    """What is told of claims, whether they have rows or not."""
    return [
        (
            each.source,
            each.source_id,
            each.resource,
            each.during,
            each.capacity,
            each.places,
            each.label,
        )
        for each in claims
    ]


class TestCheck:
    def test_reserved(self, room, claims):
        """Approved it is found, in one piece and half-open; removed it is not."""
        token = approved(room, (9, 10))
        (found,) = claims.check(asked(room, 9, 11))
        assert found.during == Period(*hours(9, 10))
        assert (found.source, found.label) == ("libres.Reservation", MAIL)
        assert found.id < 0
        assert claims.check(asked(room, 10, 11)) == []
        room.remove_reservation(token)
        assert claims.check(asked(room, 9, 11)) == []

    def test_blocked(self, room, claims):
        """A blocker is found."""
        room.add_blocker(hours(9, 10), reason="paint")
        (found,) = claims.check(asked(room, 9, 11))
        assert (found.source, found.label) == ("libres.Blocker", "paint")

    def test_pending(self, room, claims):
        """What is not approved takes nothing."""
        room.reserve(MAIL, hours(9, 10))
        assert claims.check(asked(room, 9, 11)) == []

    def test_beside_claims(self, room, claims):
        """What hosts have claimed comes as well, by start."""
        claims.put(SOURCE, 1, room.resource, hours(8, 9))
        approved(room, (9, 10), (11, 12))
        claims.put(SOURCE, 2, room.resource, hours(10, 11))
        found = claims.check(asked(room, 8, 12))
        assert [each.during.start.hour for each in found] == [8, 9, 10, 11]

    def test_own_record(self, room, claims):
        """A reservation is not in its own way."""
        token = approved(room, (9, 10))
        number = room.reservations_by_token(token).one().id
        own = asked(room, 9, 11, source="libres.Reservation", source_id=number)
        assert claims.check(own) == []

    def test_places(self, room, claims):
        """With a quota, a proposal with a capacity meets it when it is full."""
        hall = opened(claims.context, "hall", quota=3)
        approved(hall, (9, 10), quota=2)
        assert claims.check(asked(hall, 9, 10, capacity=3)) == []
        (found,) = claims.check(asked(hall, 9, 10, capacity=3, places=2))
        assert (found.capacity, found.places) == (3, 2)
        assert claims.check(asked(hall, 9, 10)) == [found]

    def test_two_full_records(self, room, claims):
        """Two of them are two, though neither has a row."""
        hall = opened(claims.context, "hall", quota=2)
        approved(hall, (9, 10))
        approved(hall, (9, 10))
        assert len(claims.check(asked(hall, 9, 10, capacity=2))) == 2

    def test_pairs_and_numbers(self, room, claims):
        """A reservation has all numbers, and no pairs."""
        approved(room, (9, 10))
        assert claims.check(asked(room, 9, 10, span=(1, 2)))
        assert not claims.check(asked(room, 9, 10, span=(1, 2)), missing="ignore")
        assert not claims.check(asked(room, 9, 10, dims={"lane": 2}))

    def test_no_end(self, room, claims):
        """A question without an end finds what comes."""
        approved(room, (9, 10))
        ever = Proposal(resource=room.resource, during=(OPEN, OPEN))
        assert len(claims.check(ever)) == 1

    @pytest.mark.parametrize("name", ["truck", "0" * 36, "'; DROP TABLE x; --"])
    def test_other_names(self, room, claims, name):
        """Resources that are not the scheduler's are asked as ever."""
        made = claims.put(SOURCE, 1, name, hours(9, 10))
        assert claims.check(Proposal(resource=name, during=hours(9, 10))) == [made]

    def test_whole(self, room, claims):
        """A whole meets what is reserved of its parts."""
        approved(room, (9, 10))
        claims.arrange(str(room.resource), within="building")
        assert claims.check(Proposal(resource="building", during=hours(9, 10)))

    def test_not_asked(self, room, claims):
        """Without the setting only claims count."""
        approved(room, (9, 10))
        claims.context.set_setting(SETTING, False)
        assert claims.check(asked(room, 9, 10)) == []

    def test_statements(self, room, claims):
        """It stays one statement, for many proposals as well."""
        approved(room, (9, 10))
        with counted(claims.session) as statements:
            claims.check_many([asked(room, 9, 10)] * 50)
        assert len(statements) == 1


class TestFree:
    def test_free_between(self, room, claims):
        """What is reserved is not free."""
        approved(room, (9, 10))
        free = claims.free_between(room.resource, at(8), at(12))
        assert free == [Period(*hours(8, 9)), Period(*hours(10, 12))]

    def test_suggest(self, room, claims):
        """What is reserved is not suggested."""
        approved(room, (9, 10))
        (other,) = claims.suggest(asked(room, 9, 10), 1)
        assert not claims.check(other)


class TestMirror:
    def test_same_answers(self, room, claims):
        """Mirrored or not, the answers are the same."""
        hall = opened(claims.context, "hall", quota=3)
        choose = Random(7)  # noqa: S311 - nothing is secret
        for _ in range(12):
            place = choose.choice([room, hall])
            start = choose.randrange(9, 16)
            if place.availability(*hours(start, start + 1)) == 100:
                approved(place, (start, start + 1))
        hall.add_blocker(hours(16, 17))
        wanted = [
            Proposal(resource=place.resource, during=(begin, begin + length))
            for place in (room, hall)
            for begin in (at(8) + n * timedelta(minutes=20) for n in range(30))
            for length in (timedelta(minutes=5), timedelta(hours=3))
        ]
        before = [told(each.conflicts) for each in claims.check_many(wanted)]
        conflicts.setup(claims.context, mirror_reservations=True)
        after = [told(each.conflicts) for each in claims.check_many(wanted)]
        assert before == after
        assert any(before)

    def test_once(self, room, claims):
        """What is mirrored comes once."""
        claims.setup(mirror_reservations=True)
        approved(room, (9, 10))
        (found,) = claims.check(asked(room, 9, 10))
        assert found.id > 0


def test_before_the_core(empty_dsn):
    """Claims can be set up before the core has its tables."""
    context = create_default_registry().register_context("other")
    context.set_setting("dsn", empty_dsn)
    claims = conflicts.setup(context)
    new_scheduler(context, "room", "UTC").setup_database()
    context.set_setting(SETTING, True)
    room = opened(context, "room")
    approved(room, (9, 10))
    assert claims.check(asked(room, 9, 10))
    claims.close()
    context.get_service("session_provider").stop_service()
