"""Reserving: the checks in their order, the records they lead to, the tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from libres.db.models import Reservation
from libres.modules import errors

MONDAY = datetime.fromisoformat("2030-06-03")
TICK = timedelta(microseconds=1)
GUEST = "guest@example.org"


def at(text):
    """Read a time; without an offset it is naive, so local to the scheduler."""
    return datetime.fromisoformat(text)


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def minutes(start, end):
    """Make a naive range of that Monday, in minutes after 8:00."""
    eight = MONDAY + timedelta(hours=8)
    return eight + timedelta(minutes=start), eight + timedelta(minutes=end)


def reservations(scheduler):
    """All reservations of the scheduler, in the order they were written."""
    return scheduler.managed_reservations().order_by(Reservation.id).all()


def shown(reservation):
    """What a person reads on the ticket: naive local start and end."""
    return (
        reservation.display_start().replace(tzinfo=None),
        reservation.display_end().replace(tzinfo=None),
    )


def take(scheduler, *args, **kwargs):
    """Reserve and approve."""
    token = scheduler.reserve(*args, **kwargs)
    scheduler.approve_reservations(token)
    return token


TAKEN, FREE, MANUAL = hours(8, 10), hours(10, 12), hours(12, 14)
DAYS = TAKEN[0], TAKEN[1] + timedelta(days=2)


def wrong(reason, expected, dates, email=GUEST, **more):
    """Make a row of the table below, with its reason as the id."""
    return pytest.param(expected, dates, {"email": email, **more}, id=reason)


class TestOrderOfChecks:
    """Where two things are wrong at once, the earlier check speaks."""

    @pytest.fixture
    def house(self, scheduler):
        """A day with one taken, one limited and two manually approved hours."""
        scheduler.allocate(TAKEN)
        take(scheduler, GUEST, TAKEN)
        scheduler.allocate(FREE, quota=4, quota_limit=2)
        manual = {"approve_manually": True}
        scheduler.allocate(MANUAL, quota=4, quota_limit=2, **manual)
        scheduler.allocate(hours(16, 18), quota=2, **manual)
        return scheduler

    @pytest.mark.parametrize(
        ("expected", "dates", "more"),
        [
            wrong("address before any date", errors.InvalidEmailAddress, DAYS, "who"),
            wrong("too long before taken", errors.ReservationTooLong, DAYS),
            wrong("too short before taken", errors.ReservationTooShort, minutes(0, 4)),
            wrong(
                "taken before reaching out", errors.AlreadyReservedError, hours(7, 9)
            ),
            wrong("taken before no quota", errors.AlreadyReservedError, TAKEN, quota=0),
            wrong("reaching out", errors.TimerangeTooLong, hours(17, 19), quota=3),
            wrong("the earlier of two", errors.AlreadyReservedError, hours(9.5, 11)),
            wrong("reaching over two", errors.TimerangeTooLong, hours(11, 13), quota=3),
            wrong("too few places", errors.AlreadyReservedError, FREE, quota=5),
            wrong("over the limit", errors.QuotaOverLimit, FREE, quota=3),
            wrong("limit before impossible", errors.QuotaOverLimit, MANUAL, quota=5),
            wrong("impossible", errors.QuotaImpossible, hours(16, 18), quota=3),
            wrong("no quota", errors.InvalidQuota, FREE, quota=0),
            wrong("negative quota", errors.InvalidQuota, FREE, quota=-1),
            wrong("nothing there", errors.InvalidReservationError, hours(20, 21)),
            wrong(
                "nothing to hold a quota against",
                errors.InvalidReservationError,
                hours(20, 21),
                quota=0,
            ),
            wrong(
                "the first range is judged to its end",
                errors.AlreadyReservedError,
                [TAKEN, minutes(0, 4)],
            ),
            wrong(
                "before the second range is looked at",
                errors.ReservationTooShort,
                [minutes(0, 4), TAKEN],
            ),
        ],
    )
    def test_first_check_speaks(self, house, expected, dates, more):
        """Of several things that are wrong, the first in the order is reported."""
        with pytest.raises(errors.LibresError) as raised:
            house.reserve(dates=dates, **more)
        assert raised.type is expected

    @pytest.mark.parametrize(
        "given",
        [
            pytest.param({}, id="neither"),
            pytest.param({"dates": FREE, "group": uuid4()}, id="both"),
        ],
    )
    def test_dates_or_group(self, house, given):
        """Exactly one of dates and group is needed, whatever the address."""
        with pytest.raises(AssertionError):
            house.reserve("nobody", **given)

    def test_a_refusal_writes_nothing(self, house):
        """If one of several ranges is refused, none of them is written."""
        before = house.managed_reservations().count()
        with pytest.raises(errors.AlreadyReservedError):
            house.reserve(GUEST, [FREE, TAKEN])
        assert house.managed_reservations().count() == before


class TestLength:
    """How long and how short a reservation may be."""

    @pytest.fixture
    def always(self, scheduler):
        """A room that is open for the week around the day in question."""

        def around(date):
            start = date.replace(hour=0, minute=0, second=0, microsecond=0)
            opened = start - timedelta(days=2), start + timedelta(days=5)
            scheduler.allocate(opened, partly_available=True)
            return scheduler

        return around

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            pytest.param("2030-06-03 00:00", "2030-06-04 00:00", id="24 hour day"),
            pytest.param(
                "2030-06-03 00:00",
                "2030-06-03 23:59:59.999999",
                id="24 hour day, as it is stored",
            ),
            pytest.param("2030-03-31 00:00", "2030-04-01 00:00", id="23 hour day"),
            pytest.param("2030-10-27 00:00", "2030-10-28 00:00", id="25 hour day"),
            pytest.param("2030-06-03 01:00", "2030-06-04 00:55", id="below 24 hours"),
            pytest.param(
                "2030-03-30 12:00",
                "2030-03-31 12:00",
                id="noon to noon over the spring change is 23 hours",
            ),
            pytest.param("2030-06-03 08:00", "2030-06-03 08:05", id="five minutes"),
        ],
    )
    def test_accepted(self, always, start, end):
        """Less than 24 hours, or one whole day of any length, is fine."""
        scheduler = always(at(start))
        scheduler.reserve(GUEST, (at(start), at(end)))
        (reservation,) = reservations(scheduler)
        begin, close = shown(reservation)
        assert begin == at(start)
        assert close - at(end) in (timedelta(0), TICK)

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            pytest.param("2030-06-03 01:00", "2030-06-04 01:00", id="not a whole day"),
            pytest.param("2030-06-03 00:00", "2030-06-05 00:00", id="two whole days"),
            pytest.param(
                "2030-10-26 12:00",
                "2030-10-27 12:00",
                id="noon to noon over the autumn change is 25 hours",
            ),
            pytest.param(
                "2030-10-26 12:00",
                "2030-10-27 11:00",
                id="24 hours over the autumn change, 23 by the clock",
            ),
            pytest.param(
                "2030-10-27 00:00",
                "2030-10-28 01:00",
                id="longer than the longest day",
            ),
        ],
    )
    def test_too_long(self, always, start, end):
        """24 hours and more that are not one whole day are refused."""
        scheduler = always(at(start))
        with pytest.raises(errors.ReservationTooLong):
            scheduler.reserve(GUEST, (at(start), at(end)))

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            pytest.param("2030-06-03 08:00", "2030-06-03 08:04", id="four minutes"),
            pytest.param("2030-06-03 08:00", "2030-06-03 08:04:58", id="a bit less"),
            pytest.param("2030-06-03 08:00", "2030-06-03 08:00", id="no time at all"),
            pytest.param("2030-06-03 09:00", "2030-06-03 08:00", id="reversed"),
            pytest.param("2030-06-05 09:00", "2030-06-03 08:00", id="days reversed"),
        ],
    )
    def test_too_short(self, always, start, end):
        """Less than five minutes, or an end before the start, is refused."""
        scheduler = always(at(start))
        with pytest.raises(errors.ReservationTooShort):
            scheduler.reserve(GUEST, (at(start), at(end)))

    def test_group_of_a_five_minute_member(self, scheduler):
        """A group is reservable though one of its members lasts five minutes."""
        dates = [minutes(0, 5), minutes(5, 60)]
        members = scheduler.allocate(dates, grouped=True)
        token = take(scheduler, GUEST, group=members[0].group)
        assert scheduler.reserved_slots_by_reservation(token).count() == 2

    def test_whole_day_allocation_by_group(self, scheduler):
        """An allocation of a whole day of 24 hours is reservable by its group."""
        (day,) = scheduler.allocate(hours(0, 12), whole_day=True)
        token = take(scheduler, GUEST, group=day.group)
        assert scheduler.reserved_slots_by_reservation(token).count() == 1


class TestContained:
    def test_rasterised_range_must_be_contained(self, scheduler):
        """A range that leaves the allocation only once rasterised is refused."""
        scheduler.allocate(minutes(0, 60))
        with pytest.raises(errors.TimerangeTooLong):
            scheduler.reserve(GUEST, minutes(30, 63))

    def test_neighbours_are_not_touched(self, scheduler):
        """A range that ends where the next allocation starts belongs to one only."""
        first, _ = scheduler.allocate([hours(8, 9), hours(9, 10)])
        scheduler.reserve(GUEST, hours(8, 9))
        assert [r.target for r in reservations(scheduler)] == [first.group]

    @pytest.mark.parametrize(
        "dates",
        [
            pytest.param(hours(7, 8), id="ends where the allocation starts"),
            pytest.param(hours(10, 11), id="starts where the allocation ends"),
        ],
    )
    def test_touching_is_not_overlapping(self, scheduler, dates):
        """Beside an allocation there is nothing to reserve."""
        scheduler.allocate(hours(8, 10))
        with pytest.raises(errors.InvalidReservationError):
            scheduler.reserve(GUEST, dates)

    def test_times_are_rasterised(self, scheduler):
        """The reservation covers the steps of the allocation that it touches."""
        scheduler.allocate(hours(8, 10), partly_available=True, raster=15)
        scheduler.reserve(GUEST, minutes(7, 50))
        assert shown(reservations(scheduler)[0]) == minutes(0, 60)

    def test_part_of_an_indivisible_allocation(self, scheduler):
        """Within an allocation that is taken as a whole the narrow times are kept."""
        scheduler.allocate(hours(8, 10))
        scheduler.reserve(GUEST, minutes(30, 60))
        assert shown(reservations(scheduler)[0]) == minutes(30, 60)

    def test_other_resources_do_not_count(self, scheduler, scheduler_factory):
        """What is allocated on another resource cannot be reserved here."""
        scheduler_factory("elsewhere").allocate(hours(8, 10))
        with pytest.raises(errors.InvalidReservationError):
            scheduler.reserve(GUEST, hours(8, 10))


class TestPlaces:
    def test_sold_out(self, scheduler):
        """Once all places are approved, nothing more can be reserved."""
        scheduler.allocate(hours(8, 10), quota=2)
        take(scheduler, GUEST, hours(8, 10))
        take(scheduler, GUEST, hours(8, 10))
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.reserve(GUEST, hours(8, 10))

    def test_fewer_places_than_asked_for(self, scheduler):
        """A quota above the number of free places is refused."""
        scheduler.allocate(hours(8, 10), quota=3)
        take(scheduler, GUEST, hours(8, 10), quota=2)
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.reserve(GUEST, hours(8, 10), quota=2)

    def test_as_many_places_as_are_left(self, scheduler):
        """A quota of just the free places is accepted."""
        scheduler.allocate(hours(8, 10), quota=3)
        take(scheduler, GUEST, hours(8, 10))
        take(scheduler, GUEST, hours(8, 10), quota=2)
        assert scheduler.managed_reserved_slots().count() == 3

    def test_pending_ones_take_no_place(self, scheduler):
        """A pending reservation has no slots and is in nobody's way."""
        scheduler.allocate(hours(8, 10))
        scheduler.reserve(GUEST, hours(8, 10))
        scheduler.reserve(GUEST, hours(8, 10))
        assert scheduler.managed_reserved_slots().count() == 0
        assert len(reservations(scheduler)) == 2

    def test_manual_approval_queues(self, scheduler):
        """With manual approval the waiting list is open, though all is taken."""
        (allocation,) = scheduler.allocate(hours(8, 10), approve_manually=True)
        take(scheduler, GUEST, hours(8, 10))
        for _ in range(3):
            scheduler.reserve(GUEST, hours(8, 10))
        assert allocation.waitinglist_length == 3

    def test_other_part_is_free(self, scheduler):
        """The part of a partly available allocation that is free can be reserved."""
        scheduler.allocate(hours(8, 10), partly_available=True)
        take(scheduler, GUEST, hours(8, 9))
        take(scheduler, GUEST, hours(9, 10))
        assert len(reservations(scheduler)) == 2

    def test_part_of_a_taken_whole(self, scheduler):
        """An indivisible allocation is taken as a whole, by any part of it."""
        scheduler.allocate(hours(8, 10))
        take(scheduler, GUEST, hours(8, 9))
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.reserve(GUEST, hours(9, 10))


class TestNaming:
    def test_token_is_a_uuid(self, scheduler):
        """What reserve returns is the token of the reservations it wrote."""
        scheduler.allocate(hours(8, 10))
        token = scheduler.reserve(GUEST, hours(8, 10))
        assert isinstance(token, UUID)
        assert reservations(scheduler)[0].token == token

    def test_own_idea_of_an_address(self, context, scheduler_factory):
        """The service email_validator decides what an address is."""
        context.set_service("email_validator", lambda _: lambda text: text == "me")
        scheduler = scheduler_factory("elsewhere")
        scheduler.allocate(hours(8, 10))
        with pytest.raises(errors.InvalidEmailAddress):
            scheduler.reserve(GUEST, hours(8, 10))
        assert scheduler.reserve(" me ", hours(8, 10))

    def test_address_is_stripped(self, scheduler):
        """Blanks around the address are not stored."""
        scheduler.allocate(hours(8, 10))
        scheduler.reserve(f"  {GUEST}\n", hours(8, 10))
        assert reservations(scheduler)[0].email == GUEST


class TestDates:
    """Dates come in many shapes and mean the same."""

    @pytest.mark.parametrize(
        "shaped",
        [
            pytest.param(lambda a, b: [a, b], id="list of ranges"),
            pytest.param(lambda a, b: (r for r in (a, b)), id="generator"),
            pytest.param(lambda a, b: (*a, *b), id="flat tuple"),
            pytest.param(lambda a, b: [[a], [b]], id="nested lists"),
        ],
    )
    def test_shapes(self, scheduler, shaped):
        """Any iterable of ranges gives one reservation per range, of one token."""
        scheduler.allocate([hours(8, 9), hours(9, 10)])
        token = scheduler.reserve(GUEST, shaped(hours(8, 9), hours(9, 10)))
        written = scheduler.reservations_by_token(token).order_by("start")
        assert [shown(r) for r in written] == [hours(8, 9), hours(9, 10)]

    def test_aware_dates_are_converted(self, scheduler):
        """Aware dates mean the same instants in the zone of the scheduler."""
        scheduler.allocate(hours(8, 10))
        dates = at("2030-06-03 06:00+00:00"), at("2030-06-03 04:00-04:00")
        scheduler.reserve(GUEST, dates)
        assert shown(reservations(scheduler)[0]) == hours(8, 10)


class TestRecords:
    def test_what_is_stored(self, scheduler):
        """A record says who, what, where, how many, and that it is pending."""
        (allocation,) = scheduler.allocate(hours(8, 10), quota=3)
        session_id = uuid4()
        token = scheduler.reserve(
            GUEST, hours(8, 10), data={"n": 1}, session_id=session_id, quota=2
        )
        stored = scheduler.session.query(Reservation).one()
        assert (stored.token, stored.email, stored.quota) == (token, GUEST, 2)
        assert (stored.status, stored.target_type) == ("pending", "allocation")
        assert (stored.target, stored.resource) == (
            allocation.group,
            scheduler.resource,
        )
        assert (stored.session_id, stored.data) == (session_id, {"n": 1})
        assert (stored.timezone, stored.type) == ("Europe/Zurich", "generic")

    def test_end_lacks_a_microsecond(self, scheduler):
        """The stored end is one microsecond before the end that was asked for."""
        scheduler.allocate(hours(8, 10))
        scheduler.reserve(GUEST, hours(8, 10))
        stored = reservations(scheduler)[0]
        assert stored.end - stored.start == timedelta(hours=2) - TICK

    def test_is_flushed(self, scheduler):
        """What reserve wrote has reached the database, also without autoflush."""
        scheduler.allocate(hours(8, 10))
        with scheduler.session.no_autoflush:
            scheduler.reserve(GUEST, hours(8, 10))
            assert scheduler.managed_reservations().count() == 1

    def test_group(self, scheduler):
        """By group there is one record, without times."""
        first, _ = scheduler.allocate([hours(8, 9), hours(9, 10)], grouped=True)
        scheduler.reserve(GUEST, group=first.group)
        (stored,) = reservations(scheduler)
        assert (stored.target_type, stored.target) == ("group", first.group)
        assert (stored.start, stored.end, stored.timezone) == (None, None, None)

    @pytest.mark.parametrize(
        "dates",
        [
            pytest.param(hours(8, 9), id="one member stands for the whole group"),
            pytest.param([hours(8, 9), hours(9, 10)], id="once per call and group"),
        ],
    )
    def test_dates_of_a_group(self, scheduler, dates):
        """Dates that lie in a grouped allocation reserve its group, once."""
        first, _ = scheduler.allocate([hours(8, 9), hours(9, 10)], grouped=True)
        scheduler.reserve(GUEST, dates)
        assert [(r.target_type, r.target) for r in reservations(scheduler)] == [
            ("group", first.group)
        ]

    def test_group_of_one(self, scheduler):
        """By the group of a single allocation the record is one of type group."""
        (single,) = scheduler.allocate(hours(8, 10))
        scheduler.reserve(GUEST, group=single.group)
        assert [r.target_type for r in reservations(scheduler)] == ["group"]

    def test_group_with_a_taken_member(self, scheduler):
        """A group of which one member is taken cannot be reserved."""
        first, _ = scheduler.allocate([hours(8, 9), hours(9, 10)], grouped=True)
        take(scheduler, GUEST, group=first.group)
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.reserve(GUEST, hours(8, 9))

    def test_unknown_group(self, scheduler):
        """A group that does not exist is refused and nothing is written."""
        with pytest.raises(errors.InvalidReservationError):
            scheduler.reserve(GUEST, group=uuid4())
        assert reservations(scheduler) == []


class TestSessions:
    @pytest.fixture
    def shop(self, scheduler):
        """Four hours, two places each."""
        scheduler.allocate([hours(n, n + 1) for n in (8, 9, 10, 11)], quota=2)
        return scheduler

    def test_double_in_one_session(self, shop):
        """The same target and start twice in one session is refused, unwritten."""
        session_id = uuid4()
        shop.reserve(GUEST, hours(8, 9), session_id=session_id)
        with pytest.raises(errors.OverlappingReservationError):
            shop.reserve(GUEST, hours(8, 9), session_id=session_id)
        assert len(reservations(shop)) == 1

    def test_double_group_in_one_session(self, shop):
        """A group may be in a session once."""
        days = [hours(8, 9, day=1), hours(8, 9, day=2)]
        group = shop.allocate(days, grouped=True)[0].group
        session_id = uuid4()
        shop.reserve(GUEST, group=group, session_id=session_id)
        with pytest.raises(errors.OverlappingReservationError):
            shop.reserve(GUEST, group=group, session_id=session_id)

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            pytest.param(None, None, id="no session"),
            pytest.param(None, uuid4(), id="only one in a session"),
            pytest.param(uuid4(), uuid4(), id="different sessions"),
        ],
    )
    def test_doubles_elsewhere(self, shop, first, second):
        """Outside of one and the same session, doubles may be pending."""
        shop.reserve(GUEST, hours(8, 9), session_id=first)
        shop.reserve(GUEST, hours(8, 9), session_id=second)
        assert len(reservations(shop)) == 2

    def test_token_per_call(self, shop):
        """Without being asked, every call gets a token of its own."""
        cart = {"session_id": uuid4()}
        tokens = {shop.reserve(GUEST, hours(n, n + 1), **cart) for n in (8, 9)}
        assert len(tokens) == 2

    def test_single_token(self, shop, clock):
        """A single token per session is that of the session's oldest reservation."""
        cart = {"session_id": uuid4()}
        oldest = shop.reserve(GUEST, hours(8, 9), **cart)
        clock.advance(timedelta(minutes=1))
        shop.reserve(GUEST, hours(9, 10), **cart)
        clock.advance(timedelta(minutes=1))
        cart["single_token_per_session"] = True
        assert shop.reserve(GUEST, hours(10, 11), **cart) == oldest
        assert shop.reserve(GUEST, hours(11, 12), **cart) == oldest

    def test_single_token_of_other_sessions(self, shop):
        """Sessions do not share tokens."""
        one = {"single_token_per_session": True}
        tokens = {
            shop.reserve(GUEST, hours(8, 9), session_id=cart, **one)
            for cart in (uuid4(), uuid4())
        }
        assert len(tokens) == 2

    def test_single_token_without_session(self, shop):
        """Without a session there is nothing to share a token with."""
        one = {"single_token_per_session": True}
        tokens = {shop.reserve(GUEST, hours(n, n + 1), **one) for n in (8, 9)}
        assert len(tokens) == 2
