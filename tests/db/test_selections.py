"""The query methods: what each selects, and that callers can go on from there."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Query

from libres.db.models import (
    Allocation,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
)
from libres.modules import errors

MONDAY = datetime.fromisoformat("2030-06-03")
TICK = timedelta(microseconds=1)
EMAIL = "test@example.org"
UNKNOWN = uuid4()


def at(text):
    """Read an aware time."""
    return datetime.fromisoformat(text)


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    midnight = MONDAY + timedelta(days=day)
    return midnight + timedelta(hours=start), midnight + timedelta(hours=end)


def book(scheduler, dates=None, **options):
    """Reserve and approve; return the token."""
    token = scheduler.reserve(EMAIL, dates, **options)
    scheduler.approve_reservations(token)
    return token


def naive(rows):
    """Ranges on the wall clock, without zone."""
    return [
        (start.replace(tzinfo=None), end.replace(tzinfo=None)) for start, end in rows
    ]


@pytest.fixture
def house(scheduler_factory):
    """A room with one of everything, beside a hall that blocks it and a stranger."""
    return House(scheduler_factory)


class House:
    """Three resources; the room has a master with a mirror, a group and a blocker."""

    def __init__(self, scheduler_factory):
        self.hall = scheduler_factory(name="hall")
        self.stranger = scheduler_factory(name="stranger")
        self.room = scheduler_factory(name="room", blocking_names=("hall",))
        for other in (self.hall, self.stranger):
            other.allocate([hours(6, 22, day) for day in range(3)], quota=3)
        (self.master,) = self.room.allocate(hours(8, 10), quota=2)
        self.group = self.room.allocate(
            [hours(8, 10, 1), hours(12, 14, 1)], grouped=True
        )
        (self.closed,) = self.room.allocate(hours(8, 10, 2))
        self.approved = book(self.room, hours(8, 10), quota=2)
        self.pending = self.room.reserve(EMAIL, group=self.group[0].group)
        (self.blocker,) = self.room.add_blocker(hours(8, 10, 2), reason="paint")
        self.elsewhere = book(self.hall, hours(6, 22, 1))
        book(self.stranger, hours(6, 22))
        self.room.commit()


# name, arguments, entity, how many rows; of the house above
QUERIES = {
    "managed_allocations": (lambda _: (), Allocation, 5),
    "blocking_allocations": (lambda _: (), Allocation, 3),
    "visible_allocations": (lambda _: (), Allocation, 8),
    "managed_reserved_slots": (lambda _: (), ReservedSlot, 3),
    "managed_reservations": (lambda _: (), Reservation, 2),
    "visible_reservations": (lambda _: (), Reservation, 3),
    "managed_blockers": (lambda _: (), ReservationBlocker, 1),
    "visible_blockers": (lambda _: (), ReservationBlocker, 1),
    "allocations_by_ids": (lambda h: ([h.master.id, h.closed.id],), Allocation, 2),
    "allocations_by_group": (lambda h: (h.group[0].group,), Allocation, 2),
    "allocations_by_groups": (
        lambda h: ([h.group[0].group, h.master.group],),
        Allocation,
        3,
    ),
    "allocations_in_range": (lambda _: hours(0, 24), Allocation, 1),
    "allocations_by_reservation": (lambda h: (h.approved,), Allocation, 2),
    "allocations_by_blocker": (lambda h: (h.blocker.token,), Allocation, 1),
    "reservations_by_token": (lambda h: (h.approved,), Reservation, 1),
    "blockers_by_token": (lambda h: (h.blocker.token,), ReservationBlocker, 1),
    "reservations_by_group": (lambda h: (h.group[0].group,), Reservation, 1),
    "reservations_by_allocation": (lambda h: (h.master.id,), Reservation, 1),
    "reserved_slots_by_type": (lambda h: (h.approved,), ReservedSlot, 2),
    "reserved_slots_by_reservation": (lambda h: (h.approved,), ReservedSlot, 2),
    "reserved_slots_by_blocker": (lambda h: (h.blocker.token,), ReservedSlot, 1),
    "change_reservation_time_candidates": (lambda _: (), Reservation, 0),
}


class TestQueriesInGeneral:
    @pytest.fixture
    def cases(self, house):
        """Each query of the table above, its entity and the number of its rows."""
        return [
            (name, getattr(house.room, name)(*arguments(house)), entity, count)
            for name, (arguments, entity, count) in QUERIES.items()
        ]

    def test_rows(self, cases):
        """Each is a legacy Query over the model, and finds what it should."""
        for name, query, entity, count in cases:
            assert isinstance(query, Query), name
            found = query.all()
            assert len(found) == count, name
            assert all(isinstance(row, entity) for row in found), name
            assert list(query) == found, name

    def test_filter_and_count(self, cases):
        """Each can be counted and filtered further."""
        for name, query, entity, count in cases:
            assert query.count() == count, name
            assert query.filter(entity.resource == UNKNOWN).all() == [], name
            assert query.filter(entity.resource.isnot(None)).count() == count, name

    def test_columns(self, cases):
        """Each can be narrowed to columns, and be part of another query."""
        for name, query, entity, count in cases:
            column = query.order_by(None).with_entities(entity.resource)
            assert len(column.all()) == count, name
            related = entity.resource.in_(column.scalar_subquery())
            rows = query.session.query(entity).filter(related).all()
            assert bool(rows) is bool(count), name

    def test_first(self, cases):
        """The first row is one of them, or None."""
        for name, query, _, count in cases:
            first = query.first()
            assert (first in query.all()) if count else first is None, name

    def test_ids_as_text(self, cases):
        """UUID columns are compared with hex strings as well."""
        for name, query, entity, count in cases:
            texts = [row.resource.hex for row in query]
            assert query.filter(entity.resource.in_(texts)).count() == count, name


class TestBulk:
    @pytest.mark.parametrize(
        "name",
        ["managed_allocations", "visible_allocations", "allocations_by_group"],
    )
    def test_update(self, house, name):
        """Rows are updated in bulk, and loaded objects know it."""
        arguments, entity, count = QUERIES[name]
        query = getattr(house.room, name)(*arguments(house))
        changed = query.update({entity.quota_limit: 7}, "fetch")
        assert changed == count
        assert {allocation.quota_limit for allocation in query} == {7}

    @pytest.mark.damaged("deletes one half of what belongs together")
    @pytest.mark.parametrize(
        "name",
        [
            "managed_reserved_slots",
            "reserved_slots_by_reservation",
            "reserved_slots_by_blocker",
            "managed_reservations",
            "reservations_by_token",
            "reservations_by_group",
            "managed_blockers",
            "blockers_by_token",
        ],
    )
    def test_delete(self, house, name):
        """Rows are deleted in bulk, with the fetch strategy of some hosts."""
        arguments, _, count = QUERIES[name]
        query = getattr(house.room, name)(*arguments(house))
        assert query.delete("fetch") == count
        assert query.all() == []

    def test_lazy(self, scheduler):
        """A query is evaluated when it is used, and again each time."""
        query = scheduler.managed_allocations()
        assert query.count() == 0
        (allocation,) = scheduler.allocate(hours(8, 10))
        assert query.one() is allocation
        scheduler.remove_allocation(allocation.id)
        assert query.all() == []


class TestAllocations:
    def test_by_id(self, house):
        """Exactly one of our own allocations."""
        assert house.room.allocation_by_id(house.master.id) is house.master
        foreign = house.hall.managed_allocations().first()
        for unknown in (foreign.id, -1, 0):
            with pytest.raises(NoResultFound):
                house.room.allocation_by_id(unknown)

    def test_by_ids(self, house):
        """By start, whatever the order of the ids; foreign ids find nothing."""
        ids = [house.closed.id, house.group[0].id, house.master.id]
        expected = [house.master, house.group[0], house.closed]
        assert house.room.allocations_by_ids(ids).all() == expected
        assert house.hall.allocations_by_ids(ids).all() == []
        assert house.room.allocations_by_ids([]).all() == []

    def test_by_group(self, house):
        """Mirrors are of the group as well, if asked for."""
        group = house.master.group
        assert house.room.allocations_by_group(group).all() == [house.master]
        both = house.room.allocations_by_group(group, masters_only=False)
        assert both.count() == 2
        assert house.hall.allocations_by_group(group).count() == 0
        groups = [group, house.closed.group]
        all_records = house.room.allocations_by_groups(groups, masters_only=False)
        assert all_records.count() == 3

    @pytest.mark.parametrize(
        ("options", "count"),
        [
            pytest.param({}, 1, id="masters of our own"),
            pytest.param({"masters_only": False}, 2, id="and mirrors"),
            pytest.param({"managed_only": False}, 2, id="and of blocking ones"),
            pytest.param(
                {"masters_only": False, "managed_only": False}, 3, id="everything"
            ),
        ],
    )
    def test_in_range(self, house, options, count):
        """Masters, mirrors, and those of the blocking resources."""
        query = house.room.allocations_in_range(*hours(9, 9.5), **options)
        assert query.count() == count

    @pytest.mark.parametrize(
        ("start", "end", "count"),
        [(6, 8, 1), (6, 7.999, 0), (10, 12, 0), (9.999, 12, 1), (8, 10, 1), (9, 9, 1)],
    )
    def test_in_range_edges(self, house, start, end, count):
        """The range is a closed interval and is not rasterised."""
        query = house.room.allocations_in_range(*hours(start, end))
        assert query.count() == count

    def test_in_aware_range(self, house):
        """Aware dates are converted."""
        start, end = at("2030-06-03 06:00+00:00"), at("2030-06-03 07:00+00:00")
        assert house.room.allocations_in_range(start, end).one() is house.master

    def test_by_date(self, house):
        """The one allocation at that time."""
        assert house.room.allocation_by_date(*hours(8, 10)) is house.master
        with pytest.raises(NoResultFound):
            house.room.allocation_by_date(*hours(18, 20))

    def test_mirrors_by_master(self, house):
        """The other places, stored or not, quota - 1 of them."""
        mirrors = house.room.allocation_mirrors_by_master(house.master)
        assert mirrors == house.master.siblings()[1:]
        assert len(mirrors) == 1
        assert house.room.allocation_mirrors_by_master(house.closed) == []

    def test_manual_approval(self, scheduler):
        """Approval is required if any of the ids needs it."""
        (plain,) = scheduler.allocate(hours(8, 10))
        (manual,) = scheduler.allocate(hours(10, 12), approve_manually=True)
        assert scheduler.manual_approval_required([plain.id, manual.id]) is True
        assert scheduler.manual_approval_required([plain.id]) is False
        assert scheduler.manual_approval_required([]) is False


class TestDates:
    def test_by_group(self, house):
        """The stored times of the masters of a group."""
        dates = house.room.allocation_dates_by_group(house.group[0].group)
        assert sorted(tuple(row) for row in dates) == [
            (master.start, master.end) for master in house.group
        ]
        assert house.room.allocation_dates_by_group(UNKNOWN) == []

    def test_by_ids(self, scheduler):
        """The times of each, by start, ends less a microsecond."""
        second, first = scheduler.allocate(
            [hours(12, 14), hours(8, 10)], partly_available=True
        )
        dates = scheduler.allocation_dates_by_ids([second.id, first.id])
        assert naive(dates) == [
            (start, end - TICK) for start, end in (hours(8, 10), hours(12, 14))
        ]

    def test_by_ids_limited(self, scheduler):
        """Times of the day limit what is partly available."""
        (allocation,) = scheduler.allocate(hours(8, 14), partly_available=True)
        dates = scheduler.allocation_dates_by_ids([allocation.id], time(9), time(18))
        start, end = hours(9, 14)
        assert naive(dates) == [(start, end - TICK)]

    def test_by_ids_of_a_whole_day(self, scheduler):
        """A whole day is 0:00 to 24:00."""
        (day,) = scheduler.allocate(hours(9, 10), partly_available=True, whole_day=True)
        start, end = hours(0, 24)
        assert naive(scheduler.allocation_dates_by_ids([day.id])) == [
            (start, end - TICK)
        ]


class TestByReservation:
    def test_allocations_once_each(self, scheduler):
        """Each allocation is given once; counted are the slots."""
        (allocation,) = scheduler.allocate(
            hours(8, 10), partly_available=True, raster=15
        )
        token = book(scheduler, hours(8, 9))
        query = scheduler.allocations_by_reservation(token)
        assert query.all() == [allocation]
        assert query.one() is allocation
        assert query.count() == 4

    def test_pending_has_none(self, house):
        """As long as a reservation is pending it has no allocations."""
        assert house.room.allocations_by_reservation(house.pending).all() == []

    def test_of_one_record(self, scheduler):
        """An id restricts to one of the reservations of a token."""
        first, second = scheduler.allocate([hours(8, 10), hours(12, 14)])
        token = book(scheduler, [hours(8, 10), hours(12, 14)])
        ids = {r.target: r.id for r in scheduler.reservations_by_token(token)}
        query = scheduler.allocations_by_reservation(token, ids[second.group])
        assert query.all() == [second]
        assert scheduler.allocations_by_reservation(token).count() == 2
        assert scheduler.reservations_by_token(token, ids[first.group]).count() == 1
        slots = scheduler.reserved_slots_by_reservation(token, ids[first.group])
        assert [slot.allocation_id for slot in slots] == [first.id]

    def test_unknown(self, house):
        """What is unknown gives empty queries."""
        room = house.room
        assert room.reservations_by_token(UNKNOWN).all() == []
        assert room.reservations_by_token(house.approved, 0).count() == 1
        assert room.blockers_by_token(UNKNOWN).all() == []
        assert room.allocations_by_reservation(UNKNOWN).all() == []
        assert room.reserved_slots_by_reservation(UNKNOWN).all() == []
        assert room.reservations_by_group(UNKNOWN).all() == []

    def test_unknown_allocation(self, house):
        """Reservations of an unknown allocation cannot be told."""
        with pytest.raises(NoResultFound):
            house.room.reservations_by_allocation(-1)

    def test_by_group_with_the_same_token(self, scheduler):
        """Reservations that share a token with one of the group come along."""
        group = scheduler.allocate([hours(8, 9), hours(10, 11)], grouped=True)
        scheduler.allocate(hours(12, 14))
        scheduler.reserve(EMAIL, [hours(8, 9), hours(12, 14)])
        assert scheduler.reservations_by_group(group[0].group).count() == 2
        assert scheduler.reservations_by_allocation(group[1].id).count() == 2

    def test_slots_by_type(self, house):
        """Slots of a token, all or of one type."""
        by_type = house.room.reserved_slots_by_type
        assert by_type(house.approved, "reservation").count() == 2
        assert by_type(house.approved, "blocker").count() == 0
        assert by_type(house.blocker.token, "blocker").count() == 1
        assert by_type(house.elsewhere).count() == 0

    @pytest.mark.parametrize("token", [None, ""])
    def test_a_token_is_needed(self, scheduler, token):
        """Slots of no token at all are not to be had."""
        with pytest.raises(AssertionError):
            scheduler.reserved_slots_by_type(token)


class TestPlaces:
    def test_free_count(self, scheduler):
        """The number of places that are free in the range."""
        (master,) = scheduler.allocate(hours(8, 12), quota=3, partly_available=True)
        book(scheduler, hours(8, 10), quota=2)
        assert scheduler.free_allocations_count(master, *hours(9, 11)) == 1
        assert scheduler.free_allocations_count(master, *hours(10, 12)) == 3
        with pytest.raises(AssertionError):
            scheduler.free_allocations_count(master, *hours(14, 16))

    def test_targets(self, scheduler):
        """For each master in range the first place that is free."""
        first, second = scheduler.allocate([hours(8, 10), hours(10, 12)], quota=2)
        book(scheduler, hours(8, 10))
        start, end = at("2030-06-03 08:00+02:00"), at("2030-06-03 12:00+02:00")
        targets = scheduler.reservation_targets(start, end)
        by_start = sorted(targets, key=lambda target: target.start)
        assert by_start == [first.siblings()[1], second]

    def test_no_target(self, scheduler):
        """A master without a free place is in the way of all."""
        scheduler.allocate([hours(8, 10), hours(10, 12)])
        book(scheduler, hours(8, 10))
        start, end = at("2030-06-03 08:00+02:00"), at("2030-06-03 12:00+02:00")
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.reservation_targets(start, end)

    def test_no_allocation_no_target(self, scheduler):
        """Where nothing is allocated there are no targets."""
        start, end = at("2030-06-03 08:00+02:00"), at("2030-06-03 12:00+02:00")
        assert scheduler.reservation_targets(start, end) == []


class TestExtinguish:
    def test_own_records_only(self, house):
        """Everything of our own is deleted, nothing of others."""
        house.room.extinguish_managed_records()
        house.room.commit()
        assert house.room.managed_allocations().count() == 0
        assert house.room.managed_reserved_slots().count() == 0
        assert house.room.managed_reservations().count() == 0
        assert house.room.managed_blockers().count() == 0
        assert house.hall.managed_allocations().count() == 3
        assert house.stranger.managed_reserved_slots().count() == 1
