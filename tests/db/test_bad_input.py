"""What callers get wrong: a helpful error, nothing half written, and on it goes.

Misuse never ends in an AttributeError, a KeyError or an error of the database.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytz
from sqlalchemy.exc import NoResultFound

from libres.modules import errors

MONDAY = datetime.fromisoformat("2030-06-03")
EMAIL = "test@example.org"
SAID = (errors.LibresError, AssertionError, TypeError, ValueError)
HUGE = 2**40


def at(text):
    """Read a time; without an offset it is naive, so local to the scheduler."""
    return datetime.fromisoformat(text)


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    midnight = MONDAY + timedelta(days=day)
    return midnight + timedelta(hours=start), midnight + timedelta(hours=end)


TEXTS = ("2030-06-03 10:00", "2030-06-03 12:00")


def records(scheduler):
    """What there is of everything."""
    return [
        scheduler.managed_allocations().count(),
        scheduler.managed_reserved_slots().count(),
        scheduler.managed_reservations().count(),
        scheduler.managed_blockers().count(),
    ]


@contextmanager
def refused(scheduler, *expected, rollback=False):
    """Expect an error that says something, after which all is as before.

    With *rollback* the error is allowed to come from the database.
    """
    before = records(scheduler)
    scheduler.commit()
    with pytest.raises(expected or SAID) as caught:
        yield caught
    assert str(caught.value).strip()
    if rollback:
        scheduler.rollback()
    assert not scheduler.session.new
    assert records(scheduler) == before
    scheduler.allocate(hours(20, 21, 300))
    scheduler.commit()
    assert records(scheduler) == [before[0] + 1, *before[1:]]


@pytest.fixture
def room(scheduler):
    """A room with one allocation of three places."""
    scheduler.allocate(hours(8, 12), quota=3, partly_available=True)
    return scheduler


class TestWrongTypes:
    @pytest.mark.parametrize(
        ("method", "arguments", "options"),
        [
            pytest.param("allocate", (None,), {}, id="allocate nothing"),
            pytest.param("allocate", (5,), {}, id="allocate a number"),
            pytest.param("allocate", (TEXTS,), {}, id="allocate texts"),
            pytest.param("allocate", ((1, 2),), {}, id="allocate numbers"),
            pytest.param("allocate", ((None, None),), {}, id="allocate no dates"),
            pytest.param(
                "allocate", (hours(14, 15),), {"raster": "15"}, id="a text as raster"
            ),
            pytest.param(
                "allocate", (hours(14, 15),), {"quota": "three"}, id="a text as quota"
            ),
            pytest.param(
                "allocate", (hours(14, 15),), {"quota": 2.5}, id="half a place"
            ),
            pytest.param(
                "allocate", (hours(14, 15),), {"quota": -1}, id="less than no place"
            ),
            pytest.param("reserve", (None, hours(8, 9)), {}, id="nobody reserves"),
            pytest.param("reserve", (5, hours(8, 9)), {}, id="a number reserves"),
            pytest.param("reserve", (EMAIL,), {}, id="reserve nothing"),
            pytest.param("reserve", (EMAIL, []), {}, id="reserve an empty list"),
            pytest.param("reserve", (EMAIL, 5), {}, id="reserve a number"),
            pytest.param("reserve", (EMAIL, TEXTS), {}, id="reserve texts"),
            pytest.param("reserve", (EMAIL, (None, None)), {}, id="reserve no dates"),
            pytest.param(
                "reserve", (EMAIL, hours(8, 9), uuid4()), {}, id="dates and group"
            ),
            pytest.param(
                "reserve", (EMAIL, hours(8, 9)), {"quota": "2"}, id="reserve 'two'"
            ),
            pytest.param(
                "reserve", (EMAIL, hours(8, 9)), {"quota": 0}, id="reserve no place"
            ),
            pytest.param(
                "reserve", (EMAIL, hours(8, 9)), {"quota": -1}, id="reserve minus one"
            ),
            pytest.param("add_blocker", (), {}, id="block nothing"),
            pytest.param("add_blocker", ([],), {}, id="block an empty list"),
            pytest.param("add_blocker", (TEXTS,), {}, id="block texts"),
            pytest.param("availability", TEXTS, {}, id="availability of texts"),
            pytest.param("search_allocations", TEXTS, {}, id="search texts"),
            pytest.param("search_allocations", (1, 2), {}, id="search numbers"),
            pytest.param(
                "search_allocations", hours(8, 12), {"days": ["xx"]}, id="no weekday"
            ),
            pytest.param(
                "search_allocations", hours(8, 12), {"days": [7]}, id="an eighth day"
            ),
            pytest.param(
                "search_allocations",
                hours(8, 12),
                {"minspots": "many"},
                id="a text as minspots",
            ),
            pytest.param("remove_unused_allocations", TEXTS, {}, id="remove texts"),
            pytest.param(
                "remove_unused_allocations",
                hours(0, 24),
                {"days": ["xx"]},
                id="remove on no weekday",
            ),
            pytest.param("allocations_in_range", TEXTS, {}, id="texts as range"),
            pytest.param("reservation_targets", TEXTS, {}, id="texts as targets"),
            pytest.param("reserved_slots_by_range", TEXTS, {}, id="slots of texts"),
        ],
    )
    def test_refused(self, room, method, arguments, options):
        """The mistake is said before anything is sent to the database."""
        with refused(room):
            getattr(room, method)(*arguments, **options)

    @pytest.mark.parametrize("quota", ["2", 2.5, [], object()])
    def test_quota(self, room, quota):
        """A quota is a whole number."""
        master = room.managed_allocations().one()
        with refused(room):
            room.change_quota(master, quota)
        assert master.quota == 3

    @pytest.mark.parametrize("dates", [TEXTS, (1, 2), (MONDAY, "later")])
    def test_move(self, room, dates):
        """An allocation can be moved to dates only."""
        master = room.managed_allocations().one()
        with refused(room):
            room.move_allocation(master.id, *dates)
        assert (master.display_start().hour, master.display_end().hour) == (8, 12)

    @pytest.mark.parametrize("timezone", [None, 5, pytz.UTC])
    def test_timezone(self, scheduler_factory, timezone):
        """The zone of a scheduler is a name."""
        with pytest.raises(AssertionError) as caught:
            scheduler_factory(timezone=timezone)
        assert str(caught.value)

    def test_unknown_timezone(self, scheduler_factory):
        """A zone that does not exist is named in the error."""
        with pytest.raises((*SAID, pytz.UnknownTimeZoneError), match="Mars/Olympus"):
            scheduler_factory(timezone="Mars/Olympus").allocate(hours(8, 10))


class TestImpossibleTimes:
    def test_reversed_by_the_clock(self, scheduler_factory):
        """A start within the gap moves on, and may pass the end."""
        scheduler = scheduler_factory(timezone="Europe/Zurich")
        dates = at("2030-03-31 02:45"), at("2030-03-31 03:15")
        with refused(scheduler, errors.InvalidAllocationError):
            scheduler.allocate(dates)

    def test_reserved_backwards_by_the_clock(self, scheduler_factory):
        """The same holds for a reservation."""
        scheduler = scheduler_factory(timezone="Europe/Zurich")
        scheduler.allocate((at("2030-03-31"), at("2030-04-01")), partly_available=True)
        dates = at("2030-03-31 02:45"), at("2030-03-31 03:15")
        with refused(scheduler, errors.ReservationTooShort):
            scheduler.reserve(EMAIL, dates)

    @pytest.mark.parametrize(
        "dates",
        [
            pytest.param(hours(10, 9), id="reversed"),
            pytest.param(hours(9, 9), id="empty"),
            pytest.param(hours(9, 9.05), id="three minutes"),
            pytest.param([hours(8, 9), hours(11, 10)], id="the second of two"),
        ],
    )
    @pytest.mark.parametrize("method", ["reserve", "add_blocker"])
    def test_too_short(self, room, method, dates):
        """What takes no time can be neither reserved nor blocked."""
        leading = (EMAIL,) if method == "reserve" else ()
        with refused(room, errors.ReservationTooShort):
            getattr(room, method)(*leading, dates)

    def test_remove_backwards(self, room):
        """Within a reversed range there is nothing to remove."""
        assert room.remove_unused_allocations(*reversed(hours(0, 24))) == 0
        assert room.managed_allocations().count() == 1

    def test_last_days_of_time(self, scheduler):
        """The year 9999 is a year like any other."""
        dates = at("9999-12-30 10:00"), at("9999-12-30 12:00")
        (allocation,) = scheduler.allocate(dates, partly_available=True)
        scheduler.approve_reservations(scheduler.reserve(EMAIL, dates))
        scheduler.commit()
        assert allocation.availability == 0
        assert scheduler.availability() == 0

    def test_all_time(self, room):
        """The largest range there is may be asked for."""
        ever = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        assert room.allocations_in_range(*ever).count() == 1
        assert len(room.search_allocations(*ever)) == 1
        assert len(list(room.allocations_with_availability_by_range(*ever))) == 1


class TestHugeNumbers:
    def test_quota_beyond_the_column(self, scheduler):
        """A quota that cannot be stored is refused."""
        with refused(scheduler, Exception, rollback=True):
            scheduler.allocate(hours(8, 10), quota=HUGE)

    def test_raised_beyond_the_column(self, room):
        """Nor can it be raised to that."""
        master = room.managed_allocations().one()
        with refused(room, Exception, rollback=True):
            room.change_quota(master, HUGE)
            room.commit()
        assert master.quota == 3

    def test_reserve_more_than_there_is(self, room):
        """More places than there are cannot be reserved."""
        with refused(room, errors.AlreadyReservedError, errors.QuotaImpossible):
            room.reserve(EMAIL, hours(8, 9), quota=HUGE)

    def test_many_places(self, scheduler):
        """A stadium works like a room."""
        (master,) = scheduler.allocate(hours(8, 10), quota=20_000)
        token = scheduler.reserve(EMAIL, hours(8, 10), quota=2)
        scheduler.approve_reservations(token)
        assert scheduler.availability() == pytest.approx(100 * 19_998 / 20_000)
        assert scheduler.managed_allocations().count() == 2
        assert master.quota == 20_000

    @pytest.mark.parametrize("number", [HUGE, -HUGE])
    def test_ids(self, room, number):
        """An id beyond the column is an unknown id."""
        for unknown in (
            room.allocation_by_id,
            room.remove_allocation,
            room.reservations_by_allocation,
        ):
            with refused(room, NoResultFound):
                unknown(number)
            room.remove_unused_allocations(*hours(0, 24, 300))
        assert room.allocations_by_ids([number]).all() == []

    def test_minspots(self, room):
        """More places than there are find nothing."""
        assert room.search_allocations(*hours(8, 12), minspots=HUGE) == []


QUOTES = 'Robert\'); DROP TABLE allocations; -- "%s" %(a)s :b {c} \\ `d` ${e}'
NASTY = [
    pytest.param(QUOTES, id="quotes and placeholders"),
    pytest.param("🎷 Ça va? Ω \u202ereversed\u202c ﷽", id="emoji and directions"),
    pytest.param("line\nbreak\ttab\r\x1b[31m", id="control characters"),
    pytest.param("x" * 100_000, id="long"),
]
UNSTORABLE = [
    pytest.param("a\x00b", id="NUL"),
    pytest.param("\ud800", id="half a character"),
    pytest.param(float("nan"), id="not a number"),
    pytest.param(object(), id="no JSON"),
    pytest.param({1, 2}, id="a set"),
]


class TestHostileText:
    @pytest.mark.parametrize("text", NASTY)
    def test_data_of_allocations(self, scheduler, text):
        """Any text is kept as it is, as key and as value."""
        scheduler.allocate(hours(8, 10), data={text: [text, {text: text}]})
        scheduler.commit()
        stored = scheduler.managed_allocations().one().data
        assert stored == {text: [text, {text: text}]}

    @pytest.mark.parametrize("text", NASTY)
    def test_data_of_reservations(self, room, text):
        """The same holds for reservations, also when their data are changed."""
        token = room.reserve(EMAIL, hours(8, 9), data={text: 1})
        room.commit()
        assert room.reservations_by_token(token).one().data == {text: 1}
        room.change_reservation_data(token, {"changed": text})
        room.commit()
        assert room.reservations_by_token(token).one().data == {"changed": text}

    @pytest.mark.parametrize("text", NASTY)
    def test_reason_of_blockers(self, room, text):
        """The reason of a blocker is free text."""
        (blocker,) = room.add_blocker(hours(8, 9), reason=text)
        room.commit()
        assert blocker.reason == text

    @pytest.mark.parametrize("text", [*NASTY, "a\x00b", ""])
    def test_names_of_schedulers(self, scheduler_factory, text):
        """Any text is the name of a resource of its own."""
        scheduler, other = scheduler_factory(name=text), scheduler_factory(name="room")
        scheduler.allocate(hours(8, 10))
        other.allocate(hours(8, 10))
        assert scheduler.managed_allocations().count() == 1
        assert scheduler.resource != other.resource

    @pytest.mark.parametrize(
        "address", ["o'brien@example.org", 'a"b%s@example.org', "🎷@exämple.org"]
    )
    def test_addresses(self, room, address):
        """Quotes, percent signs and emoji may be in an address."""
        token = room.reserve(address, hours(8, 9))
        room.commit()
        assert room.reservations_by_token(token).one().email == address

    @pytest.mark.parametrize("address", ["", " ", "a@b", "a b", "@", "x" * 300])
    def test_no_address(self, room, address):
        """What is no address is refused."""
        with refused(room, errors.InvalidEmailAddress):
            room.reserve(address, hours(8, 9))

    def test_nul_in_an_address(self, room):
        """An address that PostgreSQL cannot store is not stored."""
        with refused(room, Exception, rollback=True):
            room.reserve("a\x00b@example.org", hours(8, 9))

    @pytest.mark.parametrize("value", UNSTORABLE)
    def test_data_that_cannot_be_stored(self, scheduler, value):
        """The error comes when allocating, and after a rollback all is well."""
        with refused(scheduler, Exception, rollback=True):
            scheduler.allocate(hours(8, 10), data={"a": value})

    @pytest.mark.parametrize("value", UNSTORABLE)
    def test_reservation_that_cannot_be_stored(self, room, value):
        """The same holds when reserving: it flushes."""
        with refused(room, Exception, rollback=True):
            room.reserve(EMAIL, hours(8, 9), data={"a": value})

    def test_nul_in_a_reason(self, room):
        """The same holds when blocking."""
        with refused(room, Exception, rollback=True):
            room.add_blocker(hours(8, 9), reason="a\x00b")

    @pytest.mark.parametrize("group", ["no-uuid", QUOTES, 5])
    def test_group_that_is_no_uuid(self, room, group):
        """What cannot be a group is not reserved."""
        with refused(room, Exception, rollback=True):
            room.reserve(EMAIL, group=group)


class TestAllOrNothing:
    @pytest.mark.parametrize(
        ("last", "error"),
        [
            pytest.param(hours(11, 12), errors.AlreadyReservedError, id="taken"),
            pytest.param(hours(11, 13), errors.TimerangeTooLong, id="reaching out"),
            pytest.param(hours(8, 40), errors.ReservationTooLong, id="too long"),
        ],
    )
    @pytest.mark.parametrize("method", ["reserve", "add_blocker"])
    def test_last_of_several(self, scheduler, method, last, error):
        """If the last range is refused the first is not written."""
        scheduler.allocate([hours(8, 12), hours(14, 16)], partly_available=True)
        if error is errors.AlreadyReservedError:
            scheduler.approve_reservations(scheduler.reserve(EMAIL, hours(11, 12)))
        leading = (EMAIL,) if method == "reserve" else ()
        with refused(scheduler, error):
            getattr(scheduler, method)(*leading, [hours(14, 15), last])

    def test_allocate(self, room):
        """If the last range overlaps, none is allocated."""
        with refused(room, errors.OverlappingAllocationError):
            room.allocate([hours(14, 15), hours(16, 17), hours(11, 13)])

    @pytest.mark.parametrize("method", ["reserve", "add_blocker"])
    def test_nothing_there(self, room, method):
        """Where nothing is allocated nothing can be reserved or blocked."""
        leading = (EMAIL,) if method == "reserve" else ()
        with refused(room, errors.InvalidReservationError):
            getattr(room, method)(*leading, hours(14, 15))
