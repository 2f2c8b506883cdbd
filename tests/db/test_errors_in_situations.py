"""One table: in which situation exactly which class of error is raised."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from libres.modules import errors

MONDAY = datetime.fromisoformat("2030-06-03")
GUEST = "guest@example.org"


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


OPEN, TAKEN, WAITING, MANY, GROUPED, MANUAL, PARTS = (
    hours(n, n + 1) for n in (8, 9, 10, 11, 12, 14, 16)
)
NOWHERE, DAYS = hours(20, 21), hours(8, 8 + 48)


class House:
    """A day of which every hour is in another state."""

    def __init__(self, room):
        self.room = room
        self.open, self.taken, self.waiting = room.allocate([OPEN, TAKEN, WAITING])
        (self.booked,) = room.book(GUEST, TAKEN)
        self.pending = room.reservations_by_token(room.reserve(GUEST, WAITING)).one()
        (self.many,) = room.allocate(MANY, quota=4, quota_limit=2)
        self.members = room.allocate([GROUPED, hours(13, 14)], grouped=True)
        self.group = self.members[0].group
        room.allocate(MANUAL, quota=2, approve_manually=True)
        room.allocate(hours(16, 18), partly_available=True)
        (self.part,) = room.book(GUEST, PARTS)
        room.book(GUEST, (PARTS[1], PARTS[1] + timedelta(minutes=30)))


@pytest.fixture
def house(scheduler):
    """The house in its states."""
    return House(scheduler)


def row(reason, expected, act, marks=()):
    """Make a row of a table, with its reason as the id."""
    return pytest.param(expected, act, id=reason, marks=marks)


ALLOCATING = [
    row(
        "partly available in a group",
        errors.InvalidAllocationError,
        lambda h: h.room.allocate(NOWHERE, partly_available=True, grouped=True),
    ),
    row(
        "skipping in a group",
        errors.InvalidAllocationError,
        lambda h: h.room.allocate(NOWHERE, skip_overlapping=True, grouped=True),
    ),
    row(
        "ranges that overlap each other",
        errors.InvalidAllocationError,
        lambda h: h.room.allocate([hours(20, 22), hours(21, 23)]),
    ),
    row(
        "end before start",
        errors.InvalidAllocationError,
        lambda h: h.room.allocate(NOWHERE[::-1]),
    ),
    row(
        "no time at all",
        errors.InvalidAllocationError,
        lambda h: h.room.allocate(hours(20, 20)),
    ),
    row(
        "something in the way",
        errors.OverlappingAllocationError,
        lambda h: h.room.allocate(hours(7, 9)),
    ),
    row("a raster of 7", AssertionError, lambda h: h.room.allocate(NOWHERE, raster=7)),
    row(
        "whole days, reversed",
        ValueError,
        lambda h: h.room.allocate(hours(20, -20), whole_day=True),
    ),
]

MOVING = [
    row(
        "onto another one",
        errors.OverlappingAllocationError,
        lambda h: h.room.move_allocation(h.open.id, *MANY),
    ),
    row(
        "end before start",
        errors.InvalidAllocationError,
        lambda h: h.room.move_allocation(h.open.id, *NOWHERE[::-1]),
    ),
    row(
        "away from a reservation",
        errors.AffectedReservationError,
        lambda h: h.room.move_allocation(h.taken.id, *NOWHERE),
    ),
    row(
        "away from a pending reservation",
        errors.AffectedPendingReservationError,
        lambda h: h.room.move_allocation(h.waiting.id, *NOWHERE),
    ),
    row(
        "an unknown one",
        NoResultFound,
        lambda h: h.room.move_allocation(10**6, *NOWHERE),
    ),
    row("nowhere", AssertionError, lambda h: h.room.move_allocation(h.open.id)),
    row("nothing", AssertionError, lambda h: h.room.move_allocation(None, *NOWHERE)),
    row("no quota", AssertionError, lambda h: h.room.change_quota(h.many, 0)),
    row(
        "too low a quota",
        errors.AffectedReservationError,
        lambda h: (
            h.room.book(GUEST, MANY, quota=2),
            h.room.change_quota(h.many, 1),
        ),
    ),
]

REMOVING = [
    row(
        "a taken one",
        errors.AffectedReservationError,
        lambda h: h.room.remove_allocation(h.taken.id),
    ),
    row(
        "one somebody waits for",
        errors.AffectedPendingReservationError,
        lambda h: h.room.remove_allocation(h.waiting.id),
    ),
    row("nothing named", NotImplementedError, lambda h: h.room.remove_allocation()),
    row("an unknown one", NoResultFound, lambda h: h.room.remove_allocation(id=10**6)),
]

RESERVING = [
    row("neither dates nor group", AssertionError, lambda h: h.room.reserve(GUEST)),
    row(
        "dates and group",
        AssertionError,
        lambda h: h.room.reserve(GUEST, OPEN, h.group),
    ),
    row("no address", errors.InvalidEmailAddress, lambda h: h.room.reserve("", OPEN)),
    row("days", errors.ReservationTooLong, lambda h: h.room.reserve(GUEST, DAYS)),
    row(
        "end before start",
        errors.ReservationTooShort,
        lambda h: h.room.reserve(GUEST, OPEN[::-1]),
    ),
    row("taken", errors.AlreadyReservedError, lambda h: h.room.reserve(GUEST, TAKEN)),
    row(
        "reaching beyond",
        errors.TimerangeTooLong,
        lambda h: h.room.reserve(GUEST, hours(7, 9)),
    ),
    row(
        "over the limit",
        errors.QuotaOverLimit,
        lambda h: h.room.reserve(GUEST, MANY, quota=3),
    ),
    row(
        "more than there are",
        errors.QuotaImpossible,
        lambda h: h.room.reserve(GUEST, MANUAL, quota=3),
    ),
    row(
        "no quota",
        errors.InvalidQuota,
        lambda h: h.room.reserve(GUEST, OPEN, quota=0),
    ),
    row(
        "nothing there",
        errors.InvalidReservationError,
        lambda h: h.room.reserve(GUEST, NOWHERE),
    ),
    row(
        "unknown group",
        errors.InvalidReservationError,
        lambda h: h.room.reserve(GUEST, group=uuid4()),
    ),
    row(
        "double in a session",
        errors.OverlappingReservationError,
        lambda h: [h.room.reserve(GUEST, OPEN, session_id=s) for s in [uuid4()] * 2],
    ),
]

APPROVING = [
    row(
        "unknown token",
        errors.InvalidReservationToken,
        lambda h: h.room.approve_reservations(uuid4()),
    ),
    row(
        "taken meanwhile",
        errors.AlreadyReservedError,
        lambda h: (
            h.room.book(GUEST, WAITING),
            h.room.approve_reservations(h.pending.token),
        ),
    ),
    row(
        "nothing left to take",
        errors.NotReservableError,
        lambda h: (
            h.room.managed_allocations().filter_by(group=h.waiting.group).delete(),
            h.room.approve_reservations(h.pending.token),
        ),
        marks=pytest.mark.damaged("deletes an allocation that is waited for"),
    ),
    row(
        "no place left",
        errors.AlreadyReservedError,
        lambda h: h.room.reservation_targets(h.taken.start, h.taken.end),
    ),
]

CHANGING = [
    row(
        "no dates",
        AssertionError,
        lambda h: h.room.change_reservation(h.part.token, h.part.id, None, None),
    ),
    row(
        "unknown reservation",
        NoResultFound,
        lambda h: h.room.change_reservation(uuid4(), 1, *OPEN),
    ),
    row(
        "reaching beyond",
        errors.TimerangeTooLong,
        lambda h: h.room.change_reservation(h.part.token, h.part.id, *hours(17, 19)),
    ),
    row(
        "onto another one",
        errors.AlreadyReservedError,
        lambda h: h.room.change_reservation(h.part.token, h.part.id, *hours(17, 18)),
    ),
    row(
        "to nothing",
        errors.ReservationTooShort,
        lambda h: h.room.change_reservation(h.part.token, h.part.id, *hours(17, 17)),
    ),
    row(
        "an approved group",
        MultipleResultsFound,
        lambda h: [
            h.room.change_reservation(r.token, r.id, *hours(12, 12.5))
            for r in h.room.book(GUEST, group=h.group)
        ],
    ),
    row(
        "a pending group",
        AssertionError,
        lambda h: [
            h.room.change_reservation(r.token, r.id, *hours(12, 12.5))
            for r in h.room.reservations_by_token(h.room.reserve(GUEST, group=h.group))
        ],
    ),
]

BLOCKING = [
    row("neither dates nor group", AssertionError, lambda h: h.room.add_blocker()),
    row("days", errors.ReservationTooLong, lambda h: h.room.add_blocker(DAYS)),
    row(
        "no time",
        errors.ReservationTooShort,
        lambda h: h.room.add_blocker(hours(8, 8)),
    ),
    row("taken", errors.AlreadyReservedError, lambda h: h.room.add_blocker(TAKEN)),
    row(
        "reaching beyond",
        errors.TimerangeTooLong,
        lambda h: h.room.add_blocker(hours(7, 9)),
    ),
    row(
        "nothing there",
        errors.InvalidReservationError,
        lambda h: h.room.add_blocker(NOWHERE),
    ),
    row(
        "unknown group",
        errors.NotReservableError,
        lambda h: h.room.add_blocker(group=uuid4()),
    ),
    row(
        "change without dates",
        AssertionError,
        lambda h: h.room.change_blocker(uuid4(), 1, None, None),
    ),
    row(
        "change of an unknown one",
        NoResultFound,
        lambda h: h.room.change_blocker(uuid4(), 1, *OPEN),
    ),
    row(
        "change of a group",
        MultipleResultsFound,
        lambda h: [
            h.room.change_blocker(b.token, b.id, *hours(12, 12.5))
            for b in h.room.add_blocker(group=h.group)
        ],
    ),
]

ASKING = [
    row(
        "empty session",
        errors.NoReservationsToConfirm,
        lambda h: h.room.queries.confirm_reservations_for_session(uuid4()),
    ),
    row(
        "no session",
        AssertionError,
        lambda h: h.room.queries.confirm_reservations_for_session(None),
    ),
    row(
        "not in the session",
        NoResultFound,
        lambda h: h.room.queries.remove_reservation_from_session(uuid4(), uuid4()),
    ),
    row("unknown id", NoResultFound, lambda h: h.room.allocation_by_id(10**6)),
    row("unknown date", NoResultFound, lambda h: h.room.allocation_by_date(*NOWHERE)),
    row(
        "date of several",
        MultipleResultsFound,
        lambda h: h.room.allocation_by_date(*hours(8, 10)),
    ),
    row(
        "reservations of an unknown one",
        NoResultFound,
        lambda h: h.room.reservations_by_allocation(10**6),
    ),
    row("no token", AssertionError, lambda h: h.room.reserved_slots_by_type(None)),
    row(
        "an odd search",
        AssertionError,
        lambda h: h.room.search_allocations(*OPEN, whole_day="maybe"),
    ),
    row(
        "a search without end",
        AssertionError,
        lambda h: h.room.search_allocations(OPEN[0], None),
    ),
    row(
        "an odd group search",
        AssertionError,
        lambda h: h.room.search_allocations(*OPEN, groups="maybe"),
    ),
    row(
        "places at another time",
        AssertionError,
        lambda h: h.room.free_allocations_count(h.many, *NOWHERE),
    ),
]

CONFIGURING = [
    row(
        "a context of this name exists",
        errors.ContextAlreadyExists,
        lambda h: h.room.context.registry.register_context("master"),
    ),
    row(
        "no context of this name",
        errors.UnknownContext,
        lambda h: h.room.context.registry.get_context("nobody"),
    ),
    row(
        "a locked context",
        errors.ContextIsLocked,
        lambda h: h.room.context.registry.master_context.set_setting("dsn", ""),
    ),
    row(
        "no service of this name",
        errors.UnknownService,
        lambda h: h.room.context.get_service("nothing"),
    ),
    row(
        "a zone that is no name",
        AssertionError,
        lambda h: type(h.room)(h.room.context, "room", None),
    ),
]


def named(*tables):
    """Join tables, each row's id preceded by the name of its table."""
    return [
        pytest.param(*one.values, id=f"{name}: {one.id}", marks=one.marks)
        for name, rows in tables
        for one in rows
    ]


@pytest.mark.parametrize(
    ("expected", "act"),
    named(
        ("allocate", ALLOCATING),
        ("move", MOVING),
        ("remove", REMOVING),
        ("reserve", RESERVING),
        ("approve", APPROVING),
        ("change", CHANGING),
        ("block", BLOCKING),
        ("ask", ASKING),
        ("configure", CONFIGURING),
    ),
)
def test_situation(house, expected, act):
    """Each situation has exactly its class, with a message in words."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the row says which
        act(house)
    if issubclass(expected, errors.LibresError):
        assert raised.type is expected
    else:
        assert issubclass(raised.type, expected)
        assert not issubclass(raised.type, errors.LibresError)
    words = str(raised.value).split()
    assert len(words) >= 4


class TestFacts:
    """What an error knows is an attribute."""

    def test_overlapping_allocation(self, house):
        """The error names the refused range and the allocation in the way."""
        with pytest.raises(errors.OverlappingAllocationError) as raised:
            house.room.allocate(hours(7, 8.5))
        error = raised.value
        assert error.existing is house.open
        assert error.start == house.open.start - timedelta(hours=1)
        assert error.end == house.open.end - timedelta(minutes=30)

    def test_affected_slot(self, house):
        """The error names the first slot in the way."""
        with pytest.raises(errors.AffectedReservationError) as raised:
            house.room.remove_allocation(house.taken.id)
        assert raised.value.existing.source_id == house.booked.id

    def test_affected_by_quota(self, house):
        """A quota too low names the first slot in the way."""
        house.room.book(GUEST, MANY, quota=2)
        with pytest.raises(errors.AffectedReservationError) as raised:
            house.room.change_quota(house.many, 1)
        places = house.room.managed_allocations().filter_by(group=house.many.group)
        assert raised.value.existing.allocation_id in {a.id for a in places}

    def test_affected_pending(self, house):
        """The error names the pending reservation in the way."""
        with pytest.raises(errors.AffectedPendingReservationError) as raised:
            house.room.remove_allocation(house.waiting.id)
        assert raised.value.existing.id == house.pending.id
