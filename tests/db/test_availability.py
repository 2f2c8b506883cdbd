"""How much is free: of a resource, by day, of each allocation, under blocking."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libres.db.queries import Queries

MONDAY = datetime.fromisoformat("2030-06-03")
EMAIL = "test@example.org"
PARTLY = {"partly_available": True, "raster": 15}


def at(text):
    """Read an aware time."""
    return datetime.fromisoformat(text)


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    midnight = MONDAY + timedelta(days=day)
    return midnight + timedelta(hours=start), midnight + timedelta(hours=end)


def book(scheduler, dates, quota=1):
    """Reserve and approve; return the token."""
    token = scheduler.reserve(EMAIL, dates, quota=quota)
    scheduler.approve_reservations(token)
    return token


DAY = hours(0, 24)
AWARE_WEEK = at("2030-06-03 00:00+02:00"), at("2030-06-10 00:00+02:00")


class HideTuesday:
    """An exposure that hides one day of the week."""

    def is_allocation_exposed(self, allocation):
        return allocation.display_start().weekday() != 1


class TestScheduler:
    def test_nothing_allocated(self, scheduler):
        """Where nothing is allocated nothing is available."""
        assert scheduler.availability() == 0
        assert scheduler.availability(*DAY) == 0

    def test_free(self, scheduler):
        """What nobody has reserved is wholly available, whatever its quota."""
        scheduler.allocate(hours(8, 10))
        scheduler.allocate(hours(10, 12), quota=5)
        scheduler.allocate(hours(12, 14), **PARTLY)
        assert scheduler.availability(*DAY) == 100

    def test_half(self, scheduler):
        """Every allocation weighs the same, long or short."""
        scheduler.allocate([hours(8, 10), hours(10, 20)])
        book(scheduler, hours(8, 10))
        assert scheduler.availability(*DAY) == 50

    def test_quota_is_the_weight(self, scheduler):
        """Every place weighs the same, stored or not."""
        scheduler.allocate(hours(8, 10), quota=3)
        scheduler.allocate(hours(10, 12))
        book(scheduler, hours(8, 10))
        assert scheduler.availability(*DAY) == pytest.approx(75)
        book(scheduler, hours(10, 12))
        assert scheduler.availability(*DAY) == pytest.approx(50)
        book(scheduler, hours(8, 10), quota=2)
        assert scheduler.availability(*DAY) == 0

    def test_partly_available(self, scheduler):
        """Of a partly available allocation the free part counts."""
        scheduler.allocate(hours(8, 12), **PARTLY)
        book(scheduler, hours(8, 9))
        assert scheduler.availability(*DAY) == pytest.approx(75)

    def test_blockers_shrink_the_whole(self, scheduler):
        """What is blocked is deducted; what is blocked wholly is not available."""
        scheduler.allocate(hours(8, 12), **PARTLY)
        scheduler.add_blocker(hours(8, 10))
        book(scheduler, hours(10, 11))
        assert scheduler.availability(*DAY) == pytest.approx(50)
        scheduler.add_blocker(hours(11, 12))
        assert scheduler.availability(*DAY) == 0

    def test_range(self, scheduler):
        """Only allocations that overlap the range count."""
        scheduler.allocate(hours(8, 10, day) for day in range(4))
        book(scheduler, hours(8, 10, 1))
        assert scheduler.availability(*hours(0, 24)) == 100
        assert scheduler.availability(*hours(0, 24, 1)) == 0
        assert scheduler.availability(*hours(9, 33)) == 50

    def test_for_all_time(self, scheduler):
        """Missing dates are the beginning and the end of time."""
        scheduler.allocate(hours(8, 10, day) for day in (-5000, 0, 1, 5000))
        book(scheduler, hours(8, 10, 1))
        assert scheduler.availability() == 75
        assert scheduler.availability(start=hours(0, 1, 1)[0]) == 50
        assert scheduler.availability(end=hours(0, 24)[1]) == 100

    def test_pending_is_free(self, scheduler):
        """Only what is approved takes anything away."""
        scheduler.allocate(hours(8, 10))
        scheduler.reserve(EMAIL, hours(8, 10))
        assert scheduler.availability(*DAY) == 100

    def test_exposed_only(self, context, scheduler_factory):
        """Hidden allocations do not count."""
        context.set_service("exposure", lambda _: HideTuesday())
        scheduler = scheduler_factory()
        scheduler.allocate([hours(8, 10), hours(8, 10, 1)])
        book(scheduler, hours(8, 10))
        assert scheduler.availability() == 0

    @settings(
        max_examples=8,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)))
    def test_brute_force(self, scheduler_factory, booked, blocked):
        """Availability is what counting quarters by hand gives."""
        name = str(uuid4())
        plain = scheduler_factory(name=name)
        blocking = scheduler_factory(name=name, blocking_names=(str(uuid4()),))
        plain.allocate(hours(8, 10), **PARTLY)
        quarters = {n: hours(8 + n / 4, 8.25 + n / 4) for n in range(8)}
        if booked - blocked:
            book(plain, [quarters[n] for n in booked - blocked])
        if blocked:
            plain.add_blocker([quarters[n] for n in blocked])
        total = 8 - len(blocked)
        free = total - len(booked - blocked)
        expected = 100 * free / total if total else 0
        assert plain.availability(*DAY) == pytest.approx(expected)
        assert blocking.availability(*DAY) == pytest.approx(expected)
        ((_, one, parts),) = plain.allocations_with_availability_by_range(*DAY)
        ((_, other, same),) = blocking.allocations_with_availability_by_range(*DAY)
        assert one == pytest.approx(expected)
        assert other == pytest.approx(expected)
        assert parts == same
        taken = sum(percent for percent, reserved in parts if reserved)
        assert taken == pytest.approx(100 * len(booked | blocked) / 8)


class TestQueries:
    def test_by_allocations(self, scheduler):
        """Missing mirrors are free; the sum is divided by the quotas."""
        scheduler.allocate(hours(8, 10), quota=4)
        scheduler.allocate(hours(10, 12))
        book(scheduler, hours(8, 10), quota=2)
        records = scheduler.managed_allocations().all()
        assert len(records) == 3
        availability = Queries.availability_by_allocations(records)
        assert availability == pytest.approx(60)

    def test_by_allocations_without_master(self, scheduler):
        """Mirrors alone, or nothing, give 0."""
        scheduler.allocate(hours(8, 10), quota=2)
        book(scheduler, hours(8, 10), quota=2)
        mirrors = [a for a in scheduler.managed_allocations() if not a.is_master]
        assert Queries.availability_by_allocations(mirrors) == 0
        assert Queries.availability_by_allocations([]) == 0

    def test_by_range(self, context, scheduler_factory):
        """Allocations of all the resources given are put together."""
        one, other = scheduler_factory(name="one"), scheduler_factory(name="other")
        one.allocate(hours(8, 10))
        other.allocate(hours(8, 10), quota=3)
        book(one, hours(8, 10))
        by_range = Queries(context).availability_by_range
        resources = [one.resource, other.resource]
        assert by_range(*AWARE_WEEK, resources) == pytest.approx(75)
        assert by_range(*AWARE_WEEK, resources[:1]) == 0
        assert by_range(*AWARE_WEEK, resources[1:]) == 100
        assert by_range(*AWARE_WEEK, []) == 0

    def test_by_range_exposed_only(self, context, scheduler_factory):
        """Hidden allocations do not count."""
        context.set_service("exposure", lambda _: HideTuesday())
        scheduler = scheduler_factory()
        scheduler.allocate([hours(8, 10), hours(8, 10, 1)])
        book(scheduler, hours(8, 10, 1))
        by_range = Queries(context).availability_by_range
        assert by_range(*AWARE_WEEK, [scheduler.resource]) == 100

    def test_by_day(self, context, scheduler_factory):
        """Each day has its availability and the resources that are there."""
        one, other = scheduler_factory(name="one"), scheduler_factory(name="other")
        one.allocate([hours(8, 10), hours(8, 10, 2)], quota=2)
        other.allocate([hours(8, 10)])
        book(one, hours(8, 10), quota=2)
        book(one, hours(8, 10, 2))
        by_day = Queries(context).availability_by_day(
            *AWARE_WEEK, [one.resource, other.resource]
        )
        assert by_day == {
            date(2030, 6, 3): (
                pytest.approx(100 / 3),
                {one.resource, other.resource},
            ),
            date(2030, 6, 5): (50, {one.resource}),
        }

    def test_by_day_in_utc(self, context, scheduler_factory):
        """The day is the one in UTC: 0:30 local is the day before."""
        scheduler = scheduler_factory(timezone="Europe/Zurich")
        scheduler.allocate(hours(0.5, 2, 3))
        by_day = Queries(context).availability_by_day(*AWARE_WEEK, [scheduler.resource])
        assert list(by_day) == [date(2030, 6, 5)]

    def test_by_day_exposed_only(self, context, scheduler_factory):
        """Days on which nothing is exposed are missing."""
        context.set_service("exposure", lambda _: HideTuesday())
        scheduler = scheduler_factory()
        scheduler.allocate(hours(8, 10, day) for day in range(3))
        by_day = Queries(context).availability_by_day(*AWARE_WEEK, [scheduler.resource])
        assert set(by_day) == {date(2030, 6, 3), date(2030, 6, 5)}


def rows(scheduler, start, end, **options):
    """What the generator gives, as a list."""
    return list(scheduler.allocations_with_availability_by_range(start, end, **options))


@pytest.fixture(params=[(), ("hall",)], ids=["alone", "with blocking names"])
def room(request, scheduler_factory):
    """A room, once by itself and once with a blocking resource that is empty."""
    return scheduler_factory(name="room", blocking_names=request.param)


class TestWithAvailability:
    def test_by_start(self, room):
        """Masters come by start, each with availability and partitions."""
        later, first = room.allocate([hours(10, 12), hours(8, 10)])
        book(room, hours(8, 10))
        assert rows(room, *DAY) == [
            (first, 0, [(100.0, True)]),
            (later, 100, [(100.0, False)]),
        ]

    def test_nothing(self, room):
        """Without allocations nothing comes."""
        assert rows(room, *DAY) == []

    def test_aware_dates(self, room):
        """Dates may be aware as well."""
        masters = room.allocate([hours(8, 10), hours(8, 10, 9)])
        assert [row[0] for row in rows(room, *AWARE_WEEK)] == masters[:1]

    def test_partly_available(self, room):
        """Partitions and availability are those of the allocation."""
        (allocation,) = room.allocate(hours(8, 10), **PARTLY)
        book(room, hours(8.5, 9))
        ((found, availability, partitions),) = rows(room, *DAY)
        assert found is allocation
        assert availability == pytest.approx(75)
        assert partitions == [(25.0, False), (25.0, True), (50.0, False)]
        assert partitions == allocation.availability_partitions()

    def test_quota(self, room):
        """With several places, their average is the availability."""
        room.allocate(hours(8, 10), quota=4)
        book(room, hours(8, 10))
        ((_, availability, _),) = rows(room, *DAY)
        assert availability == pytest.approx(75)
        book(room, hours(8, 10), quota=3)
        ((_, availability, partitions),) = rows(room, *DAY)
        assert (availability, partitions) == (0, [(100.0, True)])

    def test_blocked(self, room):
        """What is blocked wholly is not available."""
        room.allocate(hours(8, 10), quota=3)
        room.add_blocker(hours(8, 10))
        ((_, availability, partitions),) = rows(room, *DAY)
        assert (availability, partitions) == (0, [(100.0, True)])

    def test_blocked_in_part(self, room):
        """A blocker counts as reserved in partitions, but shrinks the whole."""
        room.allocate(hours(8, 12), **PARTLY)
        room.add_blocker(hours(8, 10))
        book(room, hours(11, 12))
        ((_, availability, partitions),) = rows(room, *DAY)
        assert availability == pytest.approx(50)
        assert partitions == [(50.0, True), (25.0, False), (25.0, True)]

    @pytest.mark.parametrize(
        ("normalize", "expected"), [(True, (80, 3)), (False, (100, 1))]
    )
    def test_normalised(self, room, normalize, expected):
        """On the day of the change the missing hour is shown, if asked for."""
        span = at("2022-03-26 23:00+00:00"), at("2022-03-27 03:00+00:00")
        room.allocate(span, **PARTLY)
        ((_, availability, partitions),) = rows(room, *span, normalize_dst=normalize)
        assert (round(availability, 9), len(partitions)) == expected


class TestExposureOfRows:
    @pytest.mark.parametrize(("names", "days"), [((), [0, 1]), (("hall",), [0])])
    def test_exposure(self, context, scheduler_factory, names, days):
        """Only with blocking resources are hidden allocations left out."""
        context.set_service("exposure", lambda _: HideTuesday())
        room = scheduler_factory(name="room", blocking_names=names)
        room.allocate([hours(8, 10), hours(8, 10, 1)])
        found = rows(room, *AWARE_WEEK)
        assert [row[0].display_start().weekday() for row in found] == days


@pytest.fixture
def hall(scheduler_factory):
    """A hall that is allocated all week and blocks the room."""
    hall = scheduler_factory(name="hall")
    hall.allocate([hours(6, 22, day) for day in range(7)], **PARTLY)
    return hall


@pytest.fixture
def part(hall, scheduler_factory):  # noqa: ARG001 (the hall comes first)
    """A room that is not available while the hall is taken."""
    return scheduler_factory(name="part", blocking_names=("hall",))


class TestBlockingResources:
    def test_free(self, part):
        """Wholly free is 100, whatever the quotas."""
        part.allocate(hours(8, 10), quota=4)
        part.allocate(hours(10, 12))
        assert part.availability(*DAY) == 100

    def test_nothing_allocated(self, part):
        """Where nothing is allocated nothing is available."""
        assert part.availability(*DAY) == 0.0

    def test_taken_as_a_whole(self, part, hall):
        """The smallest overlap takes an allocation that cannot be split."""
        part.allocate(hours(8, 10))
        book(hall, hours(9.75, 10.25))
        ((_, availability, partitions),) = rows(part, *DAY)
        assert (availability, partitions) == (0, [(100.0, True)])
        assert part.availability(*DAY) == 0

    def test_next_to_it(self, part, hall):
        """What ends when the allocation begins takes nothing."""
        part.allocate(hours(8, 10))
        book(hall, hours(6, 8))
        book(hall, hours(10, 12))
        assert part.availability(*DAY) == 100

    def test_partly_available(self, part, hall):
        """The hall's slots make holes in the room's allocation."""
        part.allocate(hours(8, 12), **PARTLY)
        book(hall, hours(9, 10))
        book(part, hours(11, 12))
        ((allocation, availability, partitions),) = rows(part, *DAY)
        assert availability == pytest.approx(50)
        assert [reserved for _, reserved in partitions] == [False, True, False, True]
        assert [percent for percent, _ in partitions] == pytest.approx([25.0] * 4)
        assert allocation.availability == pytest.approx(75)

    def test_finer_raster(self, scheduler_factory):
        """Five minutes within a step of the own raster take the step."""
        fine = scheduler_factory(name="fine")
        fine.allocate(hours(8, 12), partly_available=True, raster=5)
        part = scheduler_factory(name="part", blocking_names=("fine",))
        part.allocate(hours(8, 10), **PARTLY)
        book(fine, hours(8.25, 8.25 + 1 / 12))
        ((_, availability, _),) = rows(part, *DAY)
        assert availability == pytest.approx(87.5)

    def test_blocked_by_a_blocker(self, part, hall):
        """A blocker on the hall shrinks the whole of the room."""
        part.allocate(hours(8, 12), **PARTLY)
        hall.add_blocker(hours(8, 10))
        book(hall, hours(10, 11))
        assert part.availability(*DAY) == pytest.approx(50)
        hall.add_blocker(hours(11, 12))
        assert part.availability(*DAY) == 0

    def test_quota(self, part, hall):
        """The most that is used at any moment is what is missing."""
        part.allocate(hours(8, 10), quota=4)
        book(part, hours(8, 10))
        book(hall, hours(8, 9))
        ((_, availability, partitions),) = rows(part, *DAY)
        assert availability == pytest.approx(50)
        assert partitions == [(100.0, False)]

    def test_quotas_weigh(self, part, hall):
        """Every place weighs the same."""
        part.allocate(hours(8, 10), quota=3)
        part.allocate(hours(10, 12))
        book(hall, hours(10, 11))
        assert part.availability(*DAY) == pytest.approx(75)

    def test_partly_available_with_quota(self, part, hall):
        """Several places that may be taken in parts go from 100 down to 0."""
        part.allocate(hours(8, 12), quota=2, **PARTLY)
        seen = [part.availability(*DAY)]
        book(part, hours(8, 10))
        seen.append(part.availability(*DAY))
        hall.add_blocker(hours(8, 12))
        seen.append(part.availability(*DAY))
        assert seen[0] == 100
        assert 0 < seen[1] < 100
        assert seen[2] == 0
        ((_, _, partitions),) = rows(part, *DAY)
        assert partitions == [(100.0, True)]

    def test_two_blocking_resources(self, part, hall, scheduler_factory):
        """What any of the blocking resources has taken is taken."""
        other = scheduler_factory(name="other")
        other.allocate(hours(6, 22), **PARTLY)
        both = scheduler_factory(name="part", blocking_names=("hall", "other"))
        part.allocate(hours(8, 12), **PARTLY)
        book(hall, hours(8, 9))
        book(other, hours(9, 10))
        assert both.availability(*DAY) == pytest.approx(50)
        assert part.availability(*DAY) == pytest.approx(75)

    def test_for_all_time(self, part, hall):
        """Missing dates are the beginning and the end of time."""
        part.allocate(hours(8, 10, day) for day in (0, 1, 5000))
        book(hall, hours(8, 10, 1))
        assert part.availability() == pytest.approx(100 * 2 / 3)


def used(counts):
    """The steps that are used at all."""
    return {start: count for start, count in counts.items() if count}


class TestReservedSlotsByRange:
    def test_counts(self, room):
        """Five-minute steps and how many slots cover each; ends are exclusive."""
        room.allocate(hours(8, 10), quota=3, **PARTLY)
        book(room, hours(8, 8.25), quota=2)
        counts, blocked = room.reserved_slots_by_range(*hours(6, 12))
        start = at("2030-06-03 08:00+02:00")
        steps = [start + timedelta(minutes=5 * step) for step in range(3)]
        assert used(counts) == dict.fromkeys(steps, 2)
        assert blocked == set()

    def test_blocked(self, room):
        """Steps covered by a blocker are a set of their own."""
        room.allocate(hours(8, 10), **PARTLY)
        room.add_blocker(hours(8, 8.25))
        counts, blocked = room.reserved_slots_by_range(*AWARE_WEEK)
        start = at("2030-06-03 08:00+02:00")
        assert blocked == {start + timedelta(minutes=5 * step) for step in range(3)}
        assert used(counts) == {}

    def test_blocking_resources(self, part, hall):
        """Slots of blocking resources are added."""
        part.allocate(hours(8, 10), quota=2)
        book(part, hours(8, 10))
        book(hall, hours(9, 10))
        counts, _ = part.reserved_slots_by_range(*hours(8, 10))
        assert len(used(counts)) == 24
        assert counts[at("2030-06-03 08:55+02:00")] == 1
        assert counts[at("2030-06-03 09:00+02:00")] == 2

    def test_range(self, room):
        """Only steps of the range are told."""
        room.allocate(hours(8, 10))
        book(room, hours(8, 10))
        counts, _ = room.reserved_slots_by_range(*hours(9, 9.25))
        assert len(used(counts)) == 3
