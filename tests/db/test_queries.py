"""Queries that need no resource: sessions of visitors, ranges, counting slots."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from uuid import uuid4

import pytest
from sedate import NotTimezoneAware
from sqlalchemy.exc import MultipleResultsFound, NoResultFound, StatementError

from libres.db.models import Allocation, Reservation, ReservedSlot
from libres.db.queries import Queries
from libres.modules import errors, events

SUMMER = timezone(timedelta(hours=2))
MONDAY = datetime(2030, 6, 3, tzinfo=SUMMER)
MINUTE = timedelta(minutes=1)
GUEST = "guest@example.org"


def hours(start, end, day=0):
    """Make an aware range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


@pytest.fixture
def queries(context):
    """Queries of their own, not those of a scheduler."""
    return Queries(context)


@pytest.fixture
def shop(scheduler):
    """Four hours, three places each."""
    scheduler.allocate([hours(n, n + 1) for n in (8, 9, 10, 11)], quota=3)
    return scheduler


@pytest.fixture
def told():
    """The names of the events about reservations that end or are confirmed."""
    heard, undo = [], []
    for name in ("confirmed", "denied", "removed"):

        def listener(*_, name=name, **__):
            heard.append(name)

        event = getattr(events, f"on_reservations_{name}")
        event.append(listener)
        undo.append((event, listener))
    yield heard
    for event, listener in undo:
        event.remove(listener)


class TestBySession:
    def test_by_creation(self, shop, queries, clock):
        """The reservations of a session come in the order they were made."""
        cart = uuid4()
        tokens = []
        for n in (10, 8, 9):
            tokens.append(shop.reserve(GUEST, hours(n, n + 1), session_id=cart))
            clock.advance(MINUTE)
        assert [r.token for r in queries.reservations_by_session(cart)] == tokens

    def test_all_contexts(self, shop, context, queries):
        """A session is not bound to a resource or context."""
        other = context.registry.register_context("other")
        other.set_setting("dsn", context.get_setting("dsn"))
        cart = uuid4()
        shop.reserve(GUEST, hours(8, 9), session_id=cart)
        shop.commit()
        assert Queries(other).reservations_by_session(cart).count() == 1
        Queries(other).close()
        other.get_service("session_provider").stop_service()
        assert queries.reservations_by_session(cart).count() == 1

    @pytest.mark.parametrize(
        "nothing", [pytest.param(None, id="none"), pytest.param("", id="empty")]
    )
    def test_no_session(self, shop, queries, caplog, nothing):
        """No session id finds nothing, not everything, and is logged as a warning."""
        shop.reserve(GUEST, hours(8, 9))
        with caplog.at_level(logging.WARNING, logger="libres"):
            assert queries.reservations_by_session(nothing).all() == []
        assert [(r.name, r.levelname) for r in caplog.records] == [
            ("libres", "WARNING")
        ]

    def test_of_a_scheduler(self, shop):
        """A scheduler has queries of its own, on the same session."""
        cart = uuid4()
        shop.reserve(GUEST, hours(8, 9), session_id=cart)
        assert shop.queries.reservations_by_session(cart).count() == 1


class TestConfirm:
    def test_all(self, shop, queries, told):
        """Confirmed reservations leave their session and stay otherwise."""
        cart, other = uuid4(), uuid4()
        for n in (8, 9):
            shop.reserve(GUEST, hours(n, n + 1), session_id=cart)
        shop.reserve(GUEST, hours(10, 11), session_id=other)
        queries.confirm_reservations_for_session(cart)
        ids = [r.session_id for r in shop.managed_reservations().order_by("start")]
        assert ids == [None, None, other]
        assert told == ["confirmed"]

    def test_one_token(self, shop, queries):
        """With a token only its reservations are confirmed."""
        cart = uuid4()
        first = shop.reserve(GUEST, hours(8, 9), session_id=cart)
        second = shop.reserve(GUEST, hours(9, 10), session_id=cart)
        queries.confirm_reservations_for_session(cart, first)
        (left,) = queries.reservations_by_session(cart)
        assert left.token == second

    @pytest.mark.parametrize("nothing", [pytest.param(None, id="none")])
    def test_session_needed(self, queries, nothing):
        """Without a session id there is nothing to confirm by mistake."""
        with pytest.raises(AssertionError):
            queries.confirm_reservations_for_session(nothing)

    def test_nothing_to_confirm(self, shop, queries, told):
        """An empty session cannot be confirmed, nor can a foreign token."""
        cart = uuid4()
        shop.reserve(GUEST, hours(8, 9), session_id=cart)
        with pytest.raises(errors.NoReservationsToConfirm):
            queries.confirm_reservations_for_session(uuid4())
        with pytest.raises(errors.NoReservationsToConfirm):
            queries.confirm_reservations_for_session(cart, uuid4())
        assert told == []


class TestRemoveFromSession:
    def test_pending(self, shop, queries, told):
        """A reservation is taken out of the session, without event."""
        cart = uuid4()
        first = shop.reserve(GUEST, hours(8, 9), session_id=cart)
        second = shop.reserve(GUEST, hours(9, 10), session_id=cart)
        queries.remove_reservation_from_session(cart, first)
        assert [r.token for r in shop.managed_reservations()] == [second]
        assert told == []

    def test_approved(self, shop, queries):
        """Its slots go with it, those of other tokens stay."""
        cart = uuid4()
        first = shop.book(GUEST, hours(8, 9), session_id=cart)[0].token
        second = shop.book(GUEST, hours(8, 9), session_id=uuid4())[0].token
        queries.remove_reservation_from_session(cart, first)
        slots = shop.managed_reserved_slots().all()
        assert [s.reservation_token for s in slots] == [second]

    def test_others_are_touched(self, shop, queries, clock):
        """The others of the session count as used just now, so they do not expire."""
        cart = uuid4()
        first = shop.reserve(GUEST, hours(8, 9), session_id=cart)
        shop.reserve(GUEST, hours(9, 10), session_id=cart)
        shop.reserve(GUEST, hours(10, 11), session_id=uuid4())
        clock.advance(MINUTE)
        queries.remove_reservation_from_session(cart, first)
        shop.commit()
        touched, other = shop.managed_reservations().order_by(Reservation.start)
        assert (touched.modified, other.modified) == (clock.now, None)

    @pytest.mark.parametrize(
        "given",
        [
            pytest.param((None, uuid4()), id="no session"),
            pytest.param((uuid4(), None), id="no token"),
        ],
    )
    def test_both_needed(self, queries, given):
        """Both session and token are needed."""
        with pytest.raises(AssertionError):
            queries.remove_reservation_from_session(*given)

    def test_not_in_this_session(self, shop, queries):
        """A reservation of another session is not found."""
        token = shop.reserve(GUEST, hours(8, 9), session_id=uuid4())
        with pytest.raises(NoResultFound):
            queries.remove_reservation_from_session(uuid4(), token)

    def test_several(self, shop, queries):
        """A token of several reservations does not say which one to remove."""
        cart = uuid4()
        token = shop.reserve(GUEST, [hours(8, 9), hours(9, 10)], session_id=cart)
        with pytest.raises(MultipleResultsFound):
            queries.remove_reservation_from_session(cart, token)


class TestExpiry:
    @pytest.fixture
    def cart(self, shop, clock):
        """A session with one pending reservation, made just now."""
        cart = uuid4()
        shop.reserve(GUEST, hours(8, 9), session_id=cart)
        shop.commit()
        assert shop.managed_reservations().one().created == clock.now
        return cart

    @pytest.mark.parametrize(
        ("minutes", "expired"),
        [
            pytest.param(14, False, id="still used"),
            pytest.param(15, False, id="exactly a quarter of an hour"),
            pytest.param(16, True, id="more than a quarter of an hour"),
        ],
    )
    def test_quarter_of_an_hour(self, queries, cart, clock, minutes, expired):
        """By default a session expires after more than fifteen minutes."""
        clock.advance(minutes * MINUTE)
        found = queries.find_expired_reservation_sessions(None)
        assert found == ([cart] if expired else [])

    def test_given_date(self, queries, cart, clock):
        """A session has expired if it was used last before the given date."""
        assert queries.find_expired_reservation_sessions(clock.now) == []
        later = clock.now + timedelta(microseconds=1)
        assert queries.find_expired_reservation_sessions(later) == [cart]

    def test_modified_counts(self, shop, queries, cart, clock):
        """A session in which something was modified has been used."""
        clock.advance(20 * MINUTE)
        shop.managed_reservations().one().email = "new@example.org"
        shop.commit()
        assert queries.find_expired_reservation_sessions(None) == []
        clock.advance(20 * MINUTE)
        assert queries.find_expired_reservation_sessions(None) == [cart]

    def test_latest_counts(self, shop, queries, cart, clock):
        """The latest of its reservations keeps a session alive."""
        clock.advance(20 * MINUTE)
        shop.reserve(GUEST, hours(9, 10), session_id=cart)
        shop.commit()
        assert queries.find_expired_reservation_sessions(None) == []

    @pytest.mark.parametrize(
        "kind",
        [
            pytest.param("approved", id="approved"),
            pytest.param("confirmed", id="without session"),
        ],
    )
    def test_not_considered(self, shop, queries, cart, clock, kind):
        """Only what is pending and in a session can expire."""
        if kind == "approved":
            shop.approve_reservations(shop.managed_reservations().one().token)
        else:
            queries.confirm_reservations_for_session(cart)
        shop.commit()
        clock.advance(60 * MINUTE)
        assert queries.find_expired_reservation_sessions(None) == []
        assert queries.remove_expired_reservation_sessions() == []
        assert shop.managed_reservations().count() == 1

    def test_removed(self, shop, queries, cart, clock, told):
        """Expired sessions are removed and named, others stay; there is no event."""
        clock.advance(20 * MINUTE)
        fresh = shop.reserve(GUEST, hours(9, 10), session_id=uuid4())
        assert queries.remove_expired_reservation_sessions() == [cart]
        assert [r.token for r in shop.managed_reservations()] == [fresh]
        assert told == []

    def test_removed_with_slots(self, shop, queries, cart, clock):
        """What is approved in an expired session goes too, with its slots."""
        shop.book(GUEST, hours(9, 10), session_id=cart)
        other = shop.book(GUEST, hours(9, 10))[0].token
        shop.commit()
        clock.advance(20 * MINUTE)
        assert queries.remove_expired_reservation_sessions() == [cart]
        assert [r.token for r in shop.managed_reservations()] == [other]
        assert [s.reservation_token for s in shop.managed_reserved_slots()] == [other]

    def test_removed_before(self, queries, cart, clock):
        """The date can be given."""
        date = clock.now - MINUTE
        assert queries.remove_expired_reservation_sessions(date) == []
        date = clock.now + MINUTE
        assert queries.remove_expired_reservation_sessions(date) == [cart]


class TestSlotsByRange:
    def test_steps(self, scheduler, queries):
        """Slots are counted in steps of five minutes, whatever the raster."""
        scheduler.allocate(hours(8, 10), partly_available=True, raster=30)
        scheduler.book(GUEST, hours(8.5, 9))
        reserved, blocked = queries.reserved_slots_by_range(
            *hours(8, 10), scheduler.resource, frozenset()
        )
        first = hours(8.5, 9)[0]
        assert reserved == {first + n * timedelta(minutes=5): 1 for n in range(6)}
        assert blocked == set()

    def test_clipped(self, scheduler, queries):
        """Only steps of the rasterised range are counted."""
        scheduler.allocate(hours(8, 10))
        scheduler.book(GUEST, hours(8, 10))
        start = hours(9, 10)[0]
        dates = start + timedelta(minutes=2), start + timedelta(minutes=7)
        reserved, _ = queries.reserved_slots_by_range(
            *dates, scheduler.resource, frozenset()
        )
        assert set(reserved) == {start, start + timedelta(minutes=5)}

    def test_mirrors_count(self, scheduler, queries):
        """The number of a step is the quota used up, mirrors included."""
        scheduler.allocate(hours(8, 9), quota=3)
        scheduler.book(GUEST, hours(8, 9), quota=2)
        reserved, _ = queries.reserved_slots_by_range(
            *hours(8, 9), scheduler.resource, frozenset()
        )
        assert set(reserved.values()) == {2}

    def test_blockers(self, scheduler, queries):
        """Steps under a blocker are named, and not counted as reserved."""
        scheduler.allocate(hours(8, 9), partly_available=True, raster=60)
        scheduler.add_blocker(hours(8, 9))
        reserved, blocked = queries.reserved_slots_by_range(
            *hours(8, 10), scheduler.resource, frozenset()
        )
        start = hours(8, 9)[0]
        assert blocked == {start + n * timedelta(minutes=5) for n in range(12)}
        assert not any(reserved.values())

    def test_blocking_resources(self, scheduler, scheduler_factory, queries):
        """Slots of the blocking resources are added."""
        other = scheduler_factory("other")
        for room in (scheduler, other):
            room.allocate(hours(8, 9))
            room.book(GUEST, hours(8, 9))
        reserved, _ = queries.reserved_slots_by_range(
            *hours(8, 9), scheduler.resource, frozenset((other.resource,))
        )
        assert set(reserved.values()) == {2}


class TestRanges:
    @pytest.fixture
    def both(self, scheduler, scheduler_factory):
        """An allocation from 8 to 10 on each of two resources, one with mirrors."""
        (first,) = scheduler.allocate(hours(8, 10), quota=2)
        scheduler.book(GUEST, hours(8, 10), quota=2)
        (second,) = scheduler_factory("other").allocate(hours(8, 10))
        return first, second

    @pytest.mark.parametrize(
        ("dates", "count"),
        [
            pytest.param(hours(8, 10), 3, id="all of it"),
            pytest.param(hours(9, 9.5), 3, id="inside"),
            pytest.param(hours(7, 11), 3, id="around"),
            pytest.param(hours(7, 8), 3, id="touching the start, closed interval"),
            pytest.param(hours(10, 11), 0, id="after the stored end"),
            pytest.param(hours(6, 7), 0, id="before"),
        ],
    )
    @pytest.mark.usefixtures("both")
    def test_all_allocations(self, queries, dates, count):
        """Allocations of any resource are found, masters and mirrors."""
        found = queries.all_allocations_in_range(*dates)
        assert found.count() == count

    def test_restricts_a_query(self, both, scheduler):
        """A query of the caller is restricted to a range, and goes on."""
        query = scheduler.session.query(Allocation).filter_by(quota=1)
        found = Queries.allocations_in_range(query, *hours(9, 12))
        assert found.filter(Allocation.id > 0).all() == [both[1]]
        assert Queries.allocations_in_range(query, *hours(11, 12)).all() == []

    def test_several_ranges(self, scheduler):
        """A query of the caller is restricted to any of several ranges."""
        dates = [hours(n, n + 1) for n in (8, 10, 12)]
        first, _, third = scheduler.allocate(dates)
        found = Queries.overlapping_allocations(
            scheduler.managed_allocations(), [hours(8.5, 8.75), hours(12.5, 14)]
        )
        assert set(found) == {first, third}

    def test_aware_only(self, queries):
        """Queries knows no zone, so it refuses naive dates."""
        naive = (date.replace(tzinfo=None) for date in hours(8, 10))
        with pytest.raises(StatementError) as raised:
            queries.all_allocations_in_range(*naive).all()
        assert isinstance(raised.value.orig, NotTimezoneAware)


class TestAvailability:
    @pytest.mark.parametrize(
        ("quota", "taken", "expected"),
        [
            pytest.param(1, 0, 100, id="free"),
            pytest.param(1, 1, 0, id="taken"),
            pytest.param(4, 1, 75, id="one of four"),
            pytest.param(4, 4, 0, id="four of four"),
        ],
    )
    def test_by_allocations(self, scheduler, quota, taken, expected):
        """Places that are not records yet count as free."""
        scheduler.allocate(hours(8, 10), quota=quota)
        if taken:
            scheduler.book(GUEST, hours(8, 10), quota=taken)
        scheduler.session.expire_all()
        records = scheduler.managed_allocations().all()
        assert Queries.availability_by_allocations(records) == expected

    def test_of_nothing(self):
        """Without allocations nothing is available."""
        assert Queries.availability_by_allocations([]) == 0

    def test_by_range(self, scheduler, scheduler_factory, queries):
        """The availability of several resources is weighed by their quotas."""
        other = scheduler_factory("other")
        scheduler.allocate(hours(8, 10), quota=3)
        other.allocate(hours(8, 10))
        other.book(GUEST, hours(8, 10))
        resources = [scheduler.resource, other.resource]
        assert queries.availability_by_range(*hours(8, 10), resources) == 75
        assert queries.availability_by_range(*hours(8, 10), [uuid4()]) == 0

    def test_by_day(self, scheduler, queries):
        """Each day with allocations has its availability and its resources."""
        scheduler.allocate([hours(8, 10), hours(8, 10, day=2)])
        scheduler.book(GUEST, hours(8, 10, day=2))
        ours = {scheduler.resource}
        dates = hours(0, 24)[0], hours(0, 24, day=5)[1]
        assert queries.availability_by_day(*dates, [scheduler.resource]) == {
            hours(8, 10)[0].date(): (100, ours),
            hours(8, 10, day=2)[0].date(): (0, ours),
        }

    def test_by_day_in_utc(self, scheduler, queries):
        """The day is the one on which the allocation starts in UTC."""
        scheduler.allocate(hours(1, 3))
        found = queries.availability_by_day(*hours(0, 24), [scheduler.resource])
        assert list(found) == [(MONDAY - timedelta(days=1)).date()]


class TestLegacyQueries:
    """What the specification calls a query goes on being one."""

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("managed_allocations", id="allocations"),
            pytest.param("managed_reserved_slots", id="slots"),
            pytest.param("managed_reservations", id="reservations"),
            pytest.param("managed_blockers", id="blockers"),
        ],
    )
    def test_goes_on(self, scheduler, name):
        """It is lazy, evaluated again on each use, counted, updated and deleted."""
        scheduler.allocate([hours(8, 9), hours(9, 10)])
        query = getattr(scheduler, name)()
        before = query.count()
        scheduler.book(GUEST, hours(8, 9))
        scheduler.add_blocker(hours(9, 10))
        after = {"managed_reserved_slots": 2, "managed_allocations": 2}.get(name, 1)
        assert before == (2 if name == "managed_allocations" else 0)
        assert query.count() == len(query.all()) == after

    def test_combined(self, shop):
        """It is a subquery, yields rows and is deleted by the caller."""
        shop.book(GUEST, hours(8, 9))
        groups = shop.managed_allocations().with_entities(Allocation.group)
        targets = shop.managed_reservations().filter(
            Reservation.target.in_(groups.scalar_subquery())
        )
        ((email,),) = targets.with_entities(Reservation.email)
        assert email == GUEST
        shop.session.query(ReservedSlot).delete("fetch")
        assert targets.order_by(None).delete("fetch") == 1
