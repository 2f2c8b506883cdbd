"""Reservations and blockers as objects, and the models of applications."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar
from uuid import uuid4

import pytest

from libres.db.models import (
    Allocation,
    ORMBase,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
    blocker,
    reservation,
    timespan,
)
from libres.db.models.other import OtherModels
from libres.db.models.timespan import Timespan
from libres.db.models.timestamp import TimestampMixin

MONDAY = datetime.fromisoformat("2030-06-03")
NOON = datetime(2030, 6, 3, 10, tzinfo=UTC)
TICK = timedelta(microseconds=1)
GUEST = "guest@example.org"
MODELS = [Allocation, Reservation, ReservationBlocker, ReservedSlot]


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def naive(*dates):
    """The wall clock of each."""
    return tuple(date.replace(tzinfo=None) for date in dates)


class Priced:
    """A mixin of an application, with a name it has chosen itself."""

    is_cached = False

    @property
    def price(self):
        """What it costs, from the data."""
        return (self.data or {}).get("price", 0)


class AllocationOfTestModels(Priced, Allocation):
    """An application's own allocation."""

    __mapper_args__: ClassVar = {"polymorphic_identity": "test_models"}


class ReservationOfTestModels(Priced, Reservation):
    """An application's own reservation."""

    __mapper_args__: ClassVar = {"polymorphic_identity": "test_models"}


@pytest.fixture
def own(scheduler_factory):
    """A scheduler that makes the application's own records."""
    return scheduler_factory(
        allocation_cls=AllocationOfTestModels, reservation_cls=ReservationOfTestModels
    )


@pytest.fixture(params=["reservation", "blocker"])
def make(request, scheduler):
    """A function that makes a reservation, or else a blocker."""

    def reserve(dates=None, **more):
        token = scheduler.reserve(GUEST, dates, **more)
        return scheduler.reservations_by_token(token).one()

    def block(dates=None, **more):
        return scheduler.add_blocker(dates, **more)[0]

    return {"reservation": reserve, "blocker": block}[request.param]


class TestNames:
    def test_timespan(self):
        """A timespan is a named tuple, found in three modules."""
        span = Timespan(1, 2)
        assert span == (1, 2)
        assert (span.start, span.end) == (1, 2)
        assert timespan.Timespan is reservation.Timespan is blocker.Timespan

    @pytest.mark.parametrize("model", MODELS)
    def test_bases(self, model):
        """Each model stands on the common base and bears timestamps."""
        assert issubclass(model, ORMBase)
        assert issubclass(model, TimestampMixin)

    def test_other_models(self):
        """The mixin for other models finds them all."""
        models = OtherModels().models
        assert [getattr(models, m.__name__) for m in MODELS] == MODELS


class TestConstructors:
    @pytest.mark.parametrize("model", MODELS)
    def test_blank(self, model):
        """A blank object can be made and filled attribute by attribute."""
        record = model()
        record.resource = uuid4()
        assert record.resource.version == 4

    @pytest.mark.parametrize(
        ("model", "values"),
        [
            pytest.param(
                Allocation,
                {"group": uuid4(), "data": {"a": 1}, "mirror_of": uuid4(), "quota": 3},
                id="allocation",
            ),
            pytest.param(
                Reservation,
                {"quota": 2, "email": GUEST, "token": uuid4(), "start": NOON},
                id="reservation",
            ),
            pytest.param(
                ReservedSlot,
                {"end": NOON, "start": NOON, "source_type": "blocker", "source_id": 1},
                id="slot",
            ),
            pytest.param(
                ReservationBlocker,
                {"reason": "paint", "token": uuid4(), "target_type": "group"},
                id="blocker",
            ),
        ],
    )
    def test_keywords(self, model, values):
        """Any mapped attribute is a keyword, in any order."""
        for given in (values, dict(reversed(values.items()))):
            record = model(**given)
            assert {name: getattr(record, name) for name in given} == given

    @pytest.mark.parametrize("model", MODELS)
    def test_unknown_keyword(self, model):
        """What is no attribute is refused."""
        with pytest.raises(TypeError):
            model(nonsense=1)

    @pytest.mark.damaged("the slot is no reservation's")
    def test_slot_by_hand(self, scheduler):
        """A slot can be made by hand and appended to an allocation."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        slot = ReservedSlot()
        slot.resource = allocation.resource
        slot.start, slot.end = allocation.start, allocation.end
        slot.source_type, slot.source_id = "reservation", 1
        slot.reservation_token = uuid4()
        allocation.reserved_slots.append(slot)
        scheduler.commit()
        assert scheduler.managed_reserved_slots().one() is slot
        assert slot.allocation is allocation
        assert not allocation.is_available()


class TestDisplay:
    def test_in_its_zone(self, make, scheduler):
        """Displayed are the times of its zone, without the missing microsecond."""
        scheduler.allocate(hours(8, 12), partly_available=True)
        record = make(hours(8, 10))
        assert naive(record.display_start(), record.display_end()) == hours(8, 10)
        assert record.display_start().utcoffset() == timedelta(hours=2)

    def test_in_another_zone(self, make, scheduler):
        """Displayed are the times of any zone that is asked for."""
        scheduler.allocate(hours(8, 12), partly_available=True)
        record = make(hours(8, 10))
        assert naive(record.display_start("UTC"), record.display_end("UTC")) == (
            hours(6, 8)
        )

    def test_group(self, make, scheduler):
        """A record of a group has no times to be displayed."""
        dates = [hours(8, 9), hours(9, 10)]
        first, _ = scheduler.allocate(dates, grouped=True)
        record = make(group=first.group)
        with pytest.raises(AssertionError):
            record.display_start("UTC")
        with pytest.raises(AssertionError):
            record.display_end("UTC")


class TestTimespans:
    def test_allocation(self, make, scheduler):
        """A record on an allocation has one timespan, its end made whole."""
        scheduler.allocate(hours(8, 12), partly_available=True)
        record = make(hours(8, 10))
        (span,) = record.timespans()
        assert isinstance(span, Timespan)
        assert span == (record.start, record.end + TICK)

    def test_without_session(self):
        """The timespan of a record on an allocation needs no database."""
        record = Reservation(target_type="allocation", start=NOON, end=NOON - TICK)
        assert record.timespans() == [(NOON, NOON)]

    def test_group(self, make, scheduler):
        """A record of a group has one per member, by start, ends as stored."""
        dates = [hours(10, 11), hours(8, 9)]
        members = scheduler.allocate(dates, grouped=True)
        record = make(group=members[0].group)
        assert record.timespans() == [(m.start, m.end) for m in reversed(members)]

    @pytest.mark.parametrize("model", [Reservation, ReservationBlocker])
    def test_unknown_type(self, model):
        """Another type of target has no timespans."""
        with pytest.raises(NotImplementedError):
            model(target_type="elsewhere").timespans()


class TestTargets:
    def test_masters(self, scheduler):
        """The targets of a reservation are the masters of the group, by start."""
        dates = [hours(10, 11), hours(8, 9)]
        late, early = scheduler.allocate(dates, grouped=True, quota=2)
        (record,) = scheduler.book(GUEST, group=late.group, quota=2)
        assert record._target_allocations().all() == [early, late]

    def test_detached(self, scheduler):
        """A detached reservation cannot ask for its targets."""
        scheduler.allocate(hours(8, 10))
        (record,) = scheduler.book(GUEST, hours(8, 10))
        scheduler.session.expunge(record)
        with pytest.raises(AssertionError):
            record._target_allocations()

    def test_of_a_blocker(self, scheduler):
        """The targets of a blocker are masters, and mirrors if asked for."""
        (master,) = scheduler.allocate(hours(8, 10), quota=3)
        (record,) = scheduler.add_blocker(hours(8, 10))
        assert record.target_allocations().all() == [master]
        assert record.target_allocations(masters_only=False).count() == 3

    @pytest.mark.parametrize(
        ("manually", "expected"),
        [
            pytest.param((False, False), True, id="none of them"),
            pytest.param((True, True), False, id="all of them"),
        ],
    )
    def test_autoapprovable(self, scheduler, manually, expected):
        """A reservation is approvable at once if no target wants manual approval."""
        dates = [hours(8, 9), hours(10, 11)]
        members = scheduler.allocate(dates, grouped=True)
        for member, manual in zip(members, manually, strict=True):
            member.approve_manually = manual
        token = scheduler.reserve(GUEST, group=members[0].group)
        record = scheduler.reservations_by_token(token).one()
        assert record.autoapprovable is expected

    def test_one_manual_member(self, scheduler):
        """One member that wants manual approval is enough."""
        dates = [hours(8, 9), hours(10, 11)]
        members = scheduler.allocate(dates, grouped=True)
        members[1].approve_manually = True
        token = scheduler.reserve(GUEST, group=members[0].group)
        assert not scheduler.reservations_by_token(token).one().autoapprovable


class TestTitles:
    def test_reservation(self):
        """The title of a reservation is its address."""
        assert Reservation(email=GUEST).title == GUEST

    @pytest.mark.parametrize(
        "reason", [pytest.param("paint", id="given"), pytest.param(None, id="none")]
    )
    def test_blocker(self, reason):
        """The title of a blocker is its reason, if it has one."""
        assert ReservationBlocker(reason=reason).title == reason


class TestSlots:
    def test_display_without_session(self):
        """A slot that was never stored displays its times in any zone."""
        allocation = Allocation(raster=15, timezone="Europe/Zurich")
        slot = ReservedSlot(allocation=allocation, start=NOON)
        slot.end = NOON + timedelta(minutes=15) - TICK
        assert slot.display_start() == NOON
        assert slot.display_end() == NOON + timedelta(minutes=15)
        assert slot.display_start().utcoffset() == timedelta(hours=2)
        assert slot.display_start("UTC").utcoffset() == timedelta(0)

    def test_equality(self):
        """Slots are equal by start and resource, compared as text."""
        resource = uuid4()
        slot = ReservedSlot(resource=resource, start=NOON)
        assert slot == ReservedSlot(resource=str(resource), start=NOON)
        assert slot != ReservedSlot(resource=uuid4(), start=NOON)
        assert slot != ReservedSlot(resource=resource, start=NOON + TICK)
        assert len({slot, ReservedSlot(resource=resource, start=NOON)}) == 2


class TestOwnModels:
    def test_generic(self, scheduler):
        """Without own classes, records are of the generic type."""
        scheduler.allocate(hours(8, 10))
        scheduler.book(GUEST, hours(8, 10))
        assert scheduler.managed_allocations().one().type == "generic"
        assert scheduler.managed_reservations().one().type == "generic"

    def test_made(self, own):
        """The scheduler makes and finds records of the application's classes."""
        (allocation,) = own.allocate(hours(8, 10), data={"price": 7})
        (booked,) = own.book(GUEST, hours(8, 10), data={"price": 7})
        own.commit()
        own.session.expunge_all()
        for query, expected in (
            (own.managed_allocations(), AllocationOfTestModels),
            (own.managed_reservations(), ReservationOfTestModels),
        ):
            record = query.one()
            assert type(record) is expected
            assert (record.type, record.price) == ("test_models", 7)
        assert type(allocation) is AllocationOfTestModels
        assert type(booked) is ReservationOfTestModels

    def test_mirrors(self, own):
        """Mirrors are of the same class, and so are imaginary ones."""
        (allocation,) = own.allocate(hours(8, 10), quota=3)
        own.book(GUEST, hours(8, 10), quota=2)
        siblings = allocation.siblings()
        assert {type(s) for s in siblings} == {AllocationOfTestModels}
        assert {a.type for a in own.managed_allocations()} == {"test_models"}

    def test_by_blockers(self, own):
        """Mirrors that a blocker brings into being are of the same class."""
        own.allocate(hours(8, 10), quota=3)
        own.add_blocker(hours(8, 10))
        assert [a.type for a in own.managed_allocations()] == ["test_models"] * 3

    def test_changed(self, own):
        """A changed reservation is of the same class."""
        own.allocate(hours(8, 12), partly_available=True)
        (booked,) = own.book(GUEST, hours(8, 9))
        changed = own.change_reservation(booked.token, booked.id, *hours(9, 10))
        assert type(changed) is ReservationOfTestModels

    def test_found_by_others(self, own, scheduler):
        """A scheduler without own classes finds what it is all the same."""
        own.allocate(hours(8, 10))
        (found,) = scheduler.search_allocations(*hours(8, 10))
        assert type(found) is AllocationOfTestModels

    def test_clone(self, own):
        """A clone has the same own classes."""
        twin = own.clone()
        assert twin.allocation_cls is AllocationOfTestModels
        assert twin.reservation_cls is ReservationOfTestModels

    def test_free_attributes(self, own):
        """Instances take attributes that are no columns."""
        (allocation,) = own.allocate(hours(8, 10))
        allocation.is_cached = allocation.note = "mine"
        own.commit()
        assert (allocation.is_cached, allocation.note) == ("mine", "mine")
