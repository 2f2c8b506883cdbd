"""What allocating, asking and searching cost: the same for 1 and for 50 of anything."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from libres.db.queries import Queries
from libres.db.scheduler import Scheduler
from libres.modules import errors
from tests.fixtures.statements import counted

MONDAY = datetime.fromisoformat("2030-06-03")
EMAIL = "test@example.org"
MANY = 50


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    midnight = MONDAY + timedelta(days=day)
    return midnight + timedelta(hours=start), midnight + timedelta(hours=end)


RANGE = (MONDAY, MONDAY + timedelta(days=2 * MANY))
AWARE = tuple(datetime.fromisoformat(f"{moment.isoformat()}+00:00") for moment in RANGE)


def spent(scheduler, operation):
    """Count what an operation sends in a session that has just begun."""
    scheduler.commit()
    scheduler.close()
    with counted(scheduler.session) as statements:
        operation(scheduler)
    return len(statements)


def approve(scheduler, dates=None, **options):
    """Reserve and approve."""
    token = scheduler.reserve(EMAIL, dates, **options)
    scheduler.approve_reservations(token)


def free(scheduler, number):
    """So many allocations, one a day."""
    scheduler.allocate(hours(8, 10, day) for day in range(number))


def booked(scheduler, number):
    """So many allocations, each of them taken."""
    free(scheduler, number)
    approve(scheduler, [hours(8, 10, day) for day in range(number)])


def mirrors(scheduler, number):
    """One allocation of so many places, and one more, all taken but one."""
    scheduler.allocate(hours(8, 10), quota=number + 1)
    approve(scheduler, hours(8, 10), quota=number)


def members(scheduler, number):
    """A group of so many members beside the first, taken by someone."""
    masters = scheduler.allocate(
        [hours(8, 10, day) for day in range(number + 1)], grouped=True, quota=2
    )
    approve(scheduler, group=masters[0].group)


def slots(scheduler, number):
    """One allocation of which so many slots are taken, each by somebody else."""
    scheduler.allocate(hours(8, 16), partly_available=True, raster=5)
    steps = [8 + step / 12 for step in range(number)]
    approve(scheduler, [(hours(at, at + 1 / 12)) for at in steps])


def blockers(scheduler, number):
    """So many allocations of two places, each of them blocked."""
    scheduler.allocate([hours(8, 10, day) for day in range(number)], quota=2)
    scheduler.add_blocker([hours(8, 10, day) for day in range(number)])


SCENARIOS = [free, booked, mirrors, members, slots, blockers]


class NightsHidden:
    """An exposure other than the default."""

    def is_allocation_exposed(self, allocation):
        return allocation.display_start().hour >= 6


def search(**options):
    """A search over the whole range."""
    start, end = RANGE[0], RANGE[1] - timedelta(minutes=15)

    def operation(scheduler):
        scheduler.search_allocations(start, end, **options)

    return operation


def rows(scheduler):
    """Every allocation with its availability."""
    list(scheduler.allocations_with_availability_by_range(*RANGE))


def rows_as_they_are(scheduler):
    """The same, without normalisation."""
    list(scheduler.allocations_with_availability_by_range(*RANGE, normalize_dst=False))


def availability_by_range(scheduler):
    """Through Queries, for the own resource and the blocking ones."""
    resources = [scheduler.resource, *scheduler.blocking_resources]
    Queries(scheduler.context).availability_by_range(*AWARE, resources)


def availability_by_day(scheduler):
    """Through Queries, day by day."""
    resources = [scheduler.resource, *scheduler.blocking_resources]
    Queries(scheduler.context).availability_by_day(*AWARE, resources)


READING = {
    "availability": (1, lambda scheduler: scheduler.availability(*RANGE)),
    "availability for all time": (1, lambda scheduler: scheduler.availability()),
    "availability_by_range": (1, availability_by_range),
    "availability_by_day": (1, availability_by_day),
    "allocations_with_availability_by_range": (2, rows),
    "the same, not normalised": (2, rows_as_they_are),
    "search": (3, search()),
    "search days": (3, search(days=["mo", "tu"])),
    "search minspots": (3, search(minspots=1)),
    "search available_only": (3, search(available_only=True)),
    "search whole_day": (3, search(whole_day="no")),
    "search groups=yes": (3, search(groups="yes")),
    "search groups=no": (3, search(groups="no")),
    "search strict": (3, search(strict=True)),
    "search with everything": (
        3,
        search(days=["mo"], minspots=1, available_only=True, whole_day="no"),
    ),
}


def over_budget(one, many, more=()):
    """What reading costs too much, or not the same for one and for many.

    *more* are the budgets that differ from those of the table above.
    """
    budgets = {name: budget for name, (budget, _) in READING.items()} | dict(more)
    costs = {
        name: (spent(one, operation), spent(many, operation))
        for name, (_, operation) in READING.items()
    }
    return {
        name: (cost, f"budget {budgets[name]}")
        for name, cost in costs.items()
        if cost[0] != cost[1] or max(cost) > budgets[name]
    }


@pytest.fixture(params=SCENARIOS, ids=lambda scenario: scenario.__name__)
def one_and_many(request, scheduler_factory):
    """Two schedulers with the same scenario, of 1 and of 50."""
    schedulers = scheduler_factory(name="one"), scheduler_factory(name="many")
    for scheduler, number in zip(schedulers, (1, MANY), strict=True):
        request.param(scheduler, number)
    return schedulers


class TestReading:
    def test_alone(self, one_and_many):
        """Availability takes 1 statement, rows of it 2, a search 3."""
        assert over_budget(*one_and_many) == {}

    def test_blocking(self, one_and_many, scheduler_factory):
        """With blocking resources availability takes 2; the rest is the same."""
        beside = []
        for blocking in one_and_many:
            name = blocking.name
            beside.append(
                scheduler_factory(name=f"beside {name}", blocking_names=(name,))
            )
            free(beside[-1], 1 if name == "one" else MANY)
        more = {"availability": 2, "availability for all time": 2}
        assert over_budget(*beside, more) == {}

    def test_exposure(self, one_and_many, context, scheduler_factory):
        """With an exposure of its own, availability takes 2 statements."""
        context.set_service("exposure", lambda _: NightsHidden())
        hiding = [scheduler_factory(name=s.name) for s in one_and_many]
        more = {name: 2 for name in READING if name.startswith("availability")}
        assert over_budget(*hiding, more) == {}


class TestConstruct:
    def test_scheduler(self, context, scheduler):
        """To construct a scheduler sends nothing, nor do its plain properties."""

        def construct(_):
            names = tuple(f"hall {number}" for number in range(MANY))
            made = Scheduler(context, "another", "Europe/Zurich", blocking_names=names)
            assert len(made.clone().blocking_resources) == MANY
            assert made.resource != scheduler.resource

        assert spent(scheduler, construct) == 0


class TestAllocate:
    @pytest.mark.parametrize("number", [1, MANY, 1000])
    @pytest.mark.parametrize(
        "options",
        [
            pytest.param({}, id="plain"),
            pytest.param({"quota": MANY, "data": {"a": 1}}, id="quota"),
            pytest.param({"grouped": True}, id="grouped"),
            pytest.param({"skip_overlapping": True}, id="skipping"),
        ],
    )
    def test_dates(self, scheduler, options, number):
        """However many dates: one statement to look, one to write."""
        dates = [hours(8, 10, day) for day in range(number)]
        cost = spent(scheduler, lambda s: s.allocate(dates, **options))
        assert cost == 2

    def test_beyond_a_thousand(self, scheduler):
        """One statement more for each further thousand rows."""
        dates = [hours(8, 10, day) for day in range(2001)]
        assert spent(scheduler, lambda s: s.allocate(dates)) <= 4

    @pytest.mark.parametrize("number", [1, MANY])
    def test_skipping_what_is_there(self, scheduler, number):
        """However many matches are skipped, and however many places they have."""
        mirrors(scheduler, MANY)
        dates = [hours(9, 11, day) for day in range(number)]
        cost = spent(scheduler, lambda s: s.allocate(dates, skip_overlapping=True))
        assert cost <= 2

    def test_refused(self, scheduler):
        """An overlap is found with the one statement that looks for all."""
        free(scheduler, MANY)

        def overlap(scheduler):
            dates = [hours(11, 12, day) for day in range(MANY - 1)]
            with pytest.raises(errors.OverlappingAllocationError):
                scheduler.allocate([*dates, hours(9, 11, MANY - 1)])

        assert spent(scheduler, overlap) <= 2


def stored_mirrors(scheduler, number):
    """One allocation with so many mirrors that are free again."""
    scheduler.allocate(hours(8, 10), quota=number)
    token = scheduler.reserve(EMAIL, hours(8, 10), quota=number)
    scheduler.approve_reservations(token)
    scheduler.remove_reservation(token)


def free_members(scheduler, number):
    """A group of so many members that nobody has reserved."""
    dates = [hours(8, 10, day) for day in range(number)]
    scheduler.allocate(dates, grouped=True)


class TestRemoveUnused:
    @pytest.mark.parametrize(
        "scenario", [*SCENARIOS, stored_mirrors, free_members], ids=lambda s: s.__name__
    )
    @pytest.mark.parametrize(
        "options", [{}, {"days": ["mo"]}, {"exclude_groups": True}], ids=str
    )
    def test_three(self, scheduler_factory, scenario, options):
        """Three statements, whatever there is to remove."""
        costs = []
        for number in (1, MANY):
            scheduler = scheduler_factory(name=str(number))
            scenario(scheduler, number)
            costs.append(
                spent(
                    scheduler, lambda s: s.remove_unused_allocations(*RANGE, **options)
                )
            )
        assert max(costs) <= 3
