"""Blocking resources: a hall that is taken when one of its halves is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from libres.modules import errors

MONDAY = datetime.fromisoformat("2030-06-03")
GUEST = "guest@example.org"


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def aware(dates):
    """The same range with the offset of Zurich in summer."""
    zone = datetime.fromisoformat("2030-06-03 00:00+02:00").tzinfo
    return tuple(date.replace(tzinfo=zone) for date in dates)


@pytest.fixture
def half(scheduler_factory):
    """One half of the hall, which is taken when the hall is."""
    return scheduler_factory("half", blocking_names=("hall",))


@pytest.fixture
def hall(scheduler_factory):
    """The hall, which is taken when one of its halves is."""
    return scheduler_factory("hall", blocking_names={"half", "other half"})


def other_of(hall, half, which):
    """The scheduler that is *which* and the other one."""
    return (hall, half) if which == "hall" else (half, hall)


both_directions = pytest.mark.parametrize(
    "which",
    [
        pytest.param("hall", id="the half takes the hall"),
        pytest.param("half", id="the hall takes the half"),
    ],
)


class TestNames:
    @pytest.mark.parametrize(
        "names",
        [
            pytest.param(("half", "other half"), id="tuple"),
            pytest.param({"half", "other half"}, id="set"),
            pytest.param(frozenset(("half", "other half")), id="frozenset"),
        ],
    )
    def test_resources(self, scheduler_factory, names):
        """The blocking resources are those of the schedulers of these names."""
        hall = scheduler_factory("hall", blocking_names=names)
        resources = {scheduler_factory(name).resource for name in names}
        assert hall.blocking_resources == frozenset(resources)

    def test_none(self, scheduler):
        """Without names nothing blocks."""
        assert scheduler.blocking_resources == frozenset()


class TestReserve:
    @both_directions
    def test_taken(self, hall, half, which):
        """What the one has taken cannot be reserved on the other."""
        ours, theirs = other_of(hall, half, which)
        ours.allocate(hours(8, 10))
        theirs.allocate(hours(8, 10))
        theirs.book(GUEST, hours(8, 10))
        with pytest.raises(errors.AlreadyReservedError):
            ours.reserve(GUEST, hours(8, 10))

    def test_one_sided(self, scheduler_factory, half):
        """Who names no blocking resource is not blocked."""
        alone = scheduler_factory("hall")
        alone.allocate(hours(8, 10))
        half.allocate(hours(8, 10))
        half.book(GUEST, hours(8, 10))
        assert alone.book(GUEST, hours(8, 10))

    @pytest.mark.parametrize(
        "taken",
        [
            pytest.param(hours(10, 11), id="directly after"),
            pytest.param(hours(7, 8), id="directly before"),
        ],
    )
    def test_other_time(self, hall, half, taken):
        """What is taken at another time is in nobody's way."""
        hall.allocate(hours(8, 10))
        half.allocate(hours(6, 12), partly_available=True, raster=60)
        half.book(GUEST, taken)
        assert hall.book(GUEST, hours(8, 10))

    def test_part(self, hall, half):
        """One step of theirs that overlaps is enough."""
        hall.allocate(hours(8, 10))
        half.allocate(hours(6, 12), partly_available=True, raster=60)
        half.book(GUEST, hours(9, 10))
        with pytest.raises(errors.AlreadyReservedError):
            hall.reserve(GUEST, hours(8, 10))

    def test_need_not_contain(self, hall, half):
        """Their allocation need not contain our range."""
        hall.allocate(hours(8, 10))
        half.allocate(hours(9, 12))
        assert hall.book(GUEST, hours(8, 10))

    def test_not_ours_to_reserve(self, hall, half):
        """Where only they have an allocation, there is nothing to reserve."""
        half.allocate(hours(8, 10))
        with pytest.raises(errors.InvalidReservationError):
            hall.reserve(GUEST, hours(8, 10))

    @pytest.mark.parametrize(
        ("quota", "fits"),
        [
            pytest.param(1, True, id="as many as they have left"),
            pytest.param(2, False, id="more than they have left"),
        ],
    )
    def test_quota(self, hall, half, quota, fits):
        """They must have at least our quota of free places."""
        hall.allocate(hours(8, 10), quota=3)
        half.allocate(hours(8, 10), quota=2)
        half.book(GUEST, hours(8, 10))
        if fits:
            assert hall.book(GUEST, hours(8, 10), quota=quota)
        else:
            with pytest.raises(errors.AlreadyReservedError):
                hall.reserve(GUEST, hours(8, 10), quota=quota)

    @pytest.mark.parametrize(
        ("theirs", "expected"),
        [
            pytest.param(
                {"quota": 3, "quota_limit": 1},
                errors.QuotaOverLimit,
                id="over their limit",
            ),
            pytest.param(
                {"quota": 1, "approve_manually": True},
                errors.QuotaImpossible,
                id="more than their quota",
            ),
        ],
    )
    def test_their_limits(self, hall, half, theirs, expected):
        """Their limit and quota hold for us, too."""
        hall.allocate(hours(8, 10), quota=3)
        half.allocate(hours(8, 10), **theirs)
        with pytest.raises(errors.LibresError) as raised:
            hall.reserve(GUEST, hours(8, 10), quota=2)
        assert raised.type is expected

    def test_blocked_there(self, hall, half):
        """A blocker of theirs is in our way as well."""
        hall.allocate(hours(8, 10))
        half.allocate(hours(8, 10), quota=3)
        half.add_blocker(hours(8, 10))
        with pytest.raises(errors.AlreadyReservedError):
            hall.reserve(GUEST, hours(8, 10))

    def test_group(self, hall, half):
        """A group is refused if a blocking resource is taken at one member's time."""
        first, _ = hall.allocate([hours(8, 9), hours(10, 11)], grouped=True)
        half.allocate(hours(10, 11))
        half.book(GUEST, hours(10, 11))
        with pytest.raises(errors.AlreadyReservedError):
            hall.reserve(GUEST, group=first.group)

    def test_pending_there(self, hall, half):
        """Their pending reservations are in nobody's way."""
        hall.allocate(hours(8, 10))
        half.allocate(hours(8, 10))
        half.reserve(GUEST, hours(8, 10))
        assert hall.book(GUEST, hours(8, 10))

    def test_takes_nothing_there(self, hall, half):
        """Our reservation puts slots on our own resource only."""
        hall.allocate(hours(8, 10))
        half.allocate(hours(8, 10))
        hall.book(GUEST, hours(8, 10))
        assert half.managed_reserved_slots().count() == 0
        assert hall.managed_reserved_slots().count() == 1

    def test_removed_there(self, hall, half):
        """Once their reservation is removed, ours is possible."""
        hall.allocate(hours(8, 10))
        half.allocate(hours(8, 10))
        half.remove_reservation(half.book(GUEST, hours(8, 10))[0].token)
        assert hall.book(GUEST, hours(8, 10))


class TestApprove:
    @both_directions
    @pytest.mark.parametrize(
        "manually",
        [
            pytest.param(False, id="approved at once"),
            pytest.param(True, id="approved manually"),
        ],
    )
    def test_taken_meanwhile(self, hall, half, which, manually):
        """What the one has taken meanwhile cannot be approved on the other."""
        ours, theirs = other_of(hall, half, which)
        ours.allocate(hours(8, 10), approve_manually=manually)
        theirs.allocate(hours(8, 10), approve_manually=manually)
        waiting = ours.reserve(GUEST, hours(8, 10))
        theirs.book(GUEST, hours(8, 10))
        with pytest.raises(errors.AlreadyReservedError) as raised:
            ours.approve_reservations(waiting)
        assert raised.value.reservation.token == waiting

    def test_mirror_left(self, hall, half):
        """A free place on a mirror of theirs is enough."""
        hall.allocate(hours(8, 10), quota=2)
        half.allocate(hours(8, 10), quota=3)
        half.book(GUEST, hours(8, 10), quota=2)
        assert hall.book(GUEST, hours(8, 10))

    def test_group(self, hall, half):
        """A group is refused if a blocking resource was taken meanwhile."""
        first, _ = hall.allocate([hours(8, 9), hours(10, 11)], grouped=True)
        half.allocate(hours(10, 11))
        waiting = hall.reserve(GUEST, group=first.group)
        half.book(GUEST, hours(10, 11))
        with pytest.raises(errors.AlreadyReservedError):
            hall.approve_reservations(waiting)

    def test_book(self, hall, half):
        """Booking sees a blocking resource that is approved manually."""
        hall.allocate(hours(8, 10))
        half.allocate(hours(8, 10), approve_manually=True)
        half.book(GUEST, hours(8, 10))
        with pytest.raises(errors.AlreadyReservedError):
            hall.book(GUEST, hours(8, 10))
        assert hall.managed_reservations().count() == 0


class TestBlock:
    @both_directions
    def test_taken(self, hall, half, which):
        """What the one has taken cannot be blocked on the other."""
        ours, theirs = other_of(hall, half, which)
        ours.allocate(hours(8, 10))
        theirs.allocate(hours(8, 10), quota=2)
        theirs.book(GUEST, hours(8, 10))
        with pytest.raises(errors.AlreadyReservedError):
            ours.add_blocker(hours(8, 10))

    @both_directions
    def test_free(self, hall, half, which):
        """If all their places are free, ours can be blocked, and theirs stay."""
        ours, theirs = other_of(hall, half, which)
        ours.allocate(hours(8, 10))
        theirs.allocate(hours(8, 10), quota=2)
        assert ours.add_blocker(hours(8, 10))
        assert theirs.managed_reserved_slots().count() == 0


class TestAvailability:
    def test_wholly_free(self, hall, half):
        """With any quota, wholly free is 100."""
        hall.allocate(hours(8, 10), quota=4)
        half.allocate(hours(8, 10))
        assert hall.availability() == 100

    def test_nothing(self, hall):
        """Without allocations nothing is available."""
        assert hall.availability() == 0

    @both_directions
    def test_taken_there(self, hall, half, which):
        """What they have taken is not available to us."""
        ours, theirs = other_of(hall, half, which)
        ours.allocate(hours(8, 10))
        theirs.allocate(hours(8, 10))
        theirs.book(GUEST, hours(8, 10))
        assert ours.availability() == 0

    @pytest.mark.parametrize(
        ("ours", "theirs", "expected"),
        [
            pytest.param(0, 1, 75, id="one of their places"),
            pytest.param(1, 0, 75, id="one of our places"),
            pytest.param(1, 1, 50, id="one of each"),
            pytest.param(2, 2, 0, id="two of each"),
        ],
    )
    def test_quota(self, hall, half, ours, theirs, expected):
        """With a quota of four, each place that is taken anywhere is a quarter."""
        hall.allocate(hours(8, 10), quota=4)
        half.allocate(hours(8, 10), quota=4)
        if ours:
            hall.book(GUEST, hours(8, 10), quota=ours)
        if theirs:
            half.book(GUEST, hours(8, 10), quota=theirs)
        assert hall.availability() == expected

    def test_blocked_there(self, hall, half):
        """Where they are blocked, all our places are gone."""
        hall.allocate(hours(8, 10), quota=4)
        half.allocate(hours(8, 10))
        half.add_blocker(hours(8, 10))
        assert hall.availability() == 0

    def test_steps(self, hall, half):
        """Of a partly available allocation their share is gone."""
        hall.allocate(hours(8, 10), partly_available=True, raster=15)
        half.allocate(hours(8, 10), partly_available=True, raster=15)
        half.book(GUEST, hours(8.5, 9))
        assert hall.availability() == 75

    @pytest.mark.parametrize(
        ("taken", "expected"),
        [
            pytest.param([], 100, id="wholly free"),
            pytest.param([hours(8, 10)] * 2, 0, id="wholly taken"),
            pytest.param([hours(8, 9)], 75, id="a half of one place"),
        ],
    )
    def test_steps_and_quota(self, hall, half, taken, expected):
        """Partly available allocations with a quota are measured too."""
        hall.allocate(hours(8, 10), partly_available=True, raster=15, quota=2)
        half.allocate(hours(8, 10), quota=2)
        for dates in taken:
            hall.book(GUEST, dates)
        assert hall.availability() == expected

    def test_part_of_ours(self, hall, half):
        """All of ours that a range touches counts, also what is taken after it."""
        hall.allocate(hours(8, 12), partly_available=True)
        half.allocate(hours(10, 12))
        half.book(GUEST, hours(10, 12))
        ((_, shown, _),) = hall.allocations_with_availability_by_range(
            *aware(hours(8, 9))
        )
        assert hall.availability(*hours(8, 9)) == shown == 50

    def test_finer_steps_there(self, hall, half):
        """One of their places, taken twice within a step of ours, takes one of ours."""
        hall.allocate(hours(8, 10), partly_available=True, raster=60, quota=2)
        half.allocate(hours(8, 10), partly_available=True, raster=5)
        half.book(GUEST, hours(8, 8.25))
        half.book(GUEST, hours(8.5, 8.75))
        assert hall.availability() == 75
        assert hall.search_allocations(*hours(8, 10), minspots=1)


class TestPartitions:
    @pytest.mark.parametrize(
        "given",
        [
            pytest.param(hours(8, 10), id="naive"),
            pytest.param(aware(hours(8, 10)), id="aware"),
        ],
    )
    def test_steps(self, hall, half, given):
        """What they have taken is drawn as reserved on our allocation."""
        (ours,) = hall.allocate(hours(8, 10), partly_available=True, raster=15)
        half.allocate(hours(8, 10), partly_available=True, raster=15)
        half.book(GUEST, hours(8.5, 9))
        (found,) = hall.allocations_with_availability_by_range(*given)
        assert found == (ours, 75, [(25.0, False), (25.0, True), (50.0, False)])

    def test_whole(self, hall, half):
        """An indivisible allocation is reserved whole by a part of theirs."""
        hall.allocate(hours(8, 10))
        half.allocate(hours(8, 10), partly_available=True, raster=15)
        half.book(GUEST, hours(8.5, 9))
        dates = hours(8, 10)
        ((_, availability, partitions),) = hall.allocations_with_availability_by_range(
            *dates
        )
        assert (availability, partitions) == (0, [(100.0, True)])

    def test_ordered(self, hall):
        """Allocations come by their start."""
        hall.allocate([hours(n, n + 1) for n in (12, 8, 10)])
        found = hall.allocations_with_availability_by_range(*hours(0, 24))
        assert [a.display_start().hour for a, _, _ in found] == [8, 10, 12]

    def test_own_only(self, hall, half):
        """Only our own masters are listed."""
        (ours,) = hall.allocate(hours(8, 10), quota=2)
        half.allocate(hours(8, 10), quota=2)
        hall.book(GUEST, hours(8, 10), quota=2)
        found = hall.allocations_with_availability_by_range(*hours(8, 10))
        assert [allocation for allocation, _, _ in found] == [ours]


class TestSearch:
    def test_own_only(self, hall, half):
        """Only our own allocations are found."""
        (ours,) = hall.allocate(hours(8, 10))
        half.allocate(hours(8, 10))
        assert hall.search_allocations(*hours(8, 10)) == [ours]

    @both_directions
    def test_available_only(self, hall, half, which):
        """What they have taken is not found among the available ones."""
        ours, theirs = other_of(hall, half, which)
        _, free = ours.allocate([hours(8, 9), hours(9, 10)])
        theirs.allocate([hours(8, 9), hours(9, 10)])
        theirs.book(GUEST, hours(8, 9))
        assert ours.search_allocations(*hours(8, 10), available_only=True) == [free]

    def test_available_only_quota(self, hall, half):
        """One free place of theirs is enough to be found."""
        (found,) = hall.allocate(hours(8, 10), quota=2)
        half.allocate(hours(8, 10), quota=2)
        half.book(GUEST, hours(8, 10))
        assert hall.search_allocations(*hours(8, 10), available_only=True) == [found]


class TestQueries:
    @pytest.fixture
    def allocated(self, hall, half):
        """One allocation on each, at the same time."""
        return hall.allocate(hours(8, 10))[0], half.allocate(hours(8, 10))[0]

    def test_allocations(self, hall, allocated):
        """Managed, blocking and visible allocations are ours, theirs and both."""
        ours, theirs = allocated
        assert hall.managed_allocations().all() == [ours]
        assert hall.blocking_allocations().all() == [theirs]
        assert set(hall.visible_allocations()) == {ours, theirs}

    @pytest.mark.usefixtures("allocated")
    def test_reservations(self, hall, half):
        """Visible reservations are ours and theirs."""
        tokens = {s.reserve(GUEST, hours(8, 10)) for s in (hall, half)}
        assert {r.token for r in hall.visible_reservations()} == tokens
        assert hall.managed_reservations().count() == 1

    def test_in_range(self, hall, allocated):
        """Allocations in range can include theirs."""
        ours, theirs = allocated
        dates = hours(8, 10)
        assert hall.allocations_in_range(*dates).all() == [ours]
        everybody = hall.allocations_in_range(*dates, managed_only=False)
        assert set(everybody) == {ours, theirs}

    @pytest.mark.parametrize(
        "given",
        [
            pytest.param(hours(8, 10), id="naive"),
            pytest.param(aware(hours(8, 10)), id="aware"),
        ],
    )
    @pytest.mark.usefixtures("allocated")
    def test_slots_by_range(self, hall, half, given):
        """Slots are counted over us and them, blocked steps are named."""
        half.book(GUEST, hours(8, 10))
        reserved, blocked = hall.reserved_slots_by_range(*given)
        assert (set(reserved.values()), len(reserved), blocked) == ({1}, 24, set())
