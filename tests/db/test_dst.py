"""Clock changes in five zones: ordinary hours, hours inside the change, whole days.

Every zone is there for a reason: Zurich is the reference, London has the same instants
at other hours, New York is west of Greenwich, Santiago changes at midnight, and on
Lord Howe the clock moves by half an hour only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import pytest
import pytz

from libres.db.models import Allocation, ReservedSlot
from libres.modules import errors

EMAIL = "test@example.org"
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Change:
    """A moment at which the clocks of a zone move on (positive) or back (negative)."""

    zone: str
    instant: datetime
    day: str
    minutes: int

    @property
    def length(self):
        """How much time is missing or comes twice."""
        return timedelta(minutes=abs(self.minutes))

    @property
    def whole_day(self):
        """What the day is long, from local midnight to local midnight."""
        return timedelta(hours=24, minutes=-self.minutes)

    def local(self, clock, days=0):
        """A naive time of the day of the change."""
        hour, minute = map(int, clock.split(":"))
        since = timedelta(days=days, hours=hour, minutes=minute)
        return datetime.fromisoformat(self.day) + since

    def utc(self, clock, days=0):
        """The instant of an ordinary local time."""
        return (
            pytz.timezone(self.zone).localize(self.local(clock, days)).astimezone(UTC)
        )

    @property
    def wall(self):
        """What the clock shows once it has been changed."""
        return self.instant.astimezone(pytz.timezone(self.zone)).replace(tzinfo=None)


def change(zone, instant, day, minutes):
    """A row of the table below."""
    moment = datetime.fromisoformat(f"{instant}+00:00")
    return pytest.param(Change(zone, moment, day, minutes), id=f"{zone} {minutes:+}")


# zone, instant in UTC, local day that is shorter or longer, minutes
GAPS = [
    change("Europe/Zurich", "2022-03-27 01:00", "2022-03-27", 60),
    change("Europe/London", "2022-03-27 01:00", "2022-03-27", 60),
    change("America/New_York", "2022-03-13 07:00", "2022-03-13", 60),
    change("America/Santiago", "2022-09-11 04:00", "2022-09-11", 60),
    change("Australia/Lord_Howe", "2022-10-01 15:30", "2022-10-02", 30),
]
FOLDS = [
    change("Europe/Zurich", "2022-10-30 01:00", "2022-10-30", -60),
    change("Europe/London", "2022-10-30 01:00", "2022-10-30", -60),
    change("America/New_York", "2022-11-06 06:00", "2022-11-06", -60),
    change("America/Santiago", "2022-04-03 03:00", "2022-04-02", -60),
    change("Australia/Lord_Howe", "2022-04-02 15:00", "2022-04-03", -30),
]
every_change = pytest.mark.parametrize("change", [*GAPS, *FOLDS])
every_gap = pytest.mark.parametrize("change", GAPS)
every_fold = pytest.mark.parametrize("change", FOLDS)


@pytest.fixture
def scheduler(scheduler_factory, change):
    """A scheduler in the zone of the change."""
    return scheduler_factory(timezone=change.zone)


def shown_hours(day):
    """Hours of a whole day by the clock, from midnight even if there is none."""
    midnight = datetime.combine(day.display_start().date(), time())
    return (day.display_end().replace(tzinfo=None) - midnight) / HOUR


def book(scheduler, dates):
    """Reserve and approve; return the token."""
    token = scheduler.reserve(EMAIL, dates)
    scheduler.approve_reservations(token)
    return token


class TestOrdinaryHours:
    @every_change
    @pytest.mark.parametrize("clock", ["9:00", "13:00"])
    def test_the_day_of_the_change(self, scheduler, change, clock):
        """At 9 and at 13 o'clock, the hour is where the clock says."""
        start = change.local(clock)
        (allocation,) = scheduler.allocate((start, start + HOUR))
        scheduler.commit()
        assert allocation.start == change.utc(clock)
        assert allocation.end == change.utc(clock) + HOUR - TICK
        assert allocation.display_start().replace(tzinfo=None) == start
        assert allocation.display_end().replace(tzinfo=None) == start + HOUR

    @every_change
    def test_the_days_around(self, scheduler, change):
        """The same time of day, on the eve, the day, and the day after."""
        starts = [change.local("9:00", days) for days in (-1, 0, 1)]
        masters = scheduler.allocate((start, start + HOUR) for start in starts)
        shown = [master.display_start().replace(tzinfo=None) for master in masters]
        assert shown == starts
        real = [change.utc("9:00", days) for days in (-1, 0, 1)]
        assert [master.start for master in masters] == real

    @every_change
    @pytest.mark.parametrize("clock", ["9:00", "13:00"])
    def test_reserve(self, scheduler, change, clock):
        """A naive reservation meets the naive allocation of the same hour."""
        start = change.local(clock)
        dates = (start, start + HOUR)
        scheduler.allocate(dates, partly_available=True, raster=30)
        token = book(scheduler, (start + HOUR / 2, start + HOUR))
        reservation = scheduler.reservations_by_token(token).one()
        assert reservation.display_start().replace(tzinfo=None) == start + HOUR / 2
        (slot,) = scheduler.reserved_slots_by_reservation(token).all()
        assert slot.start == change.utc(clock) + HOUR / 2
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.reserve(EMAIL, dates)

    @every_change
    def test_search(self, scheduler, change):
        """The daily window is the one of the clock, before and after the change."""
        starts = [change.local("9:00", days) for days in (-1, 0, 1)]
        masters = scheduler.allocate((start, start + HOUR) for start in starts)
        search = scheduler.search_allocations
        nine = change.local("9:00", -2), change.local("10:00", 2)
        assert search(*nine) == masters
        assert search(change.local("8:00", -2), change.local("9:00", 2)) == []
        assert search(change.local("10:00", -2), change.local("11:00", 2)) == []


class TestWholeDays:
    @every_change
    def test_length(self, scheduler, change):
        """A whole day has 23, 23½, 24½ or 25 real hours."""
        nine = change.local("9:00")
        (day,) = scheduler.allocate((nine, nine + HOUR), whole_day=True)
        scheduler.commit()
        assert day.end + TICK - day.start == change.whole_day

    @every_change
    def test_recognised(self, scheduler, change):
        """It is known as a whole day, also if it has no midnight to begin with."""
        nine = change.local("9:00")
        (day,) = scheduler.allocate((nine, nine + HOUR), whole_day=True)
        begins_at_one = change.zone == "America/Santiago" and change.minutes > 0
        assert day.display_start().hour == begins_at_one
        assert day.whole_day

    @every_change
    def test_reserved_at_once(self, scheduler, change):
        """A day as long as that may be reserved as a whole."""
        nine = change.local("9:00")
        (day,) = scheduler.allocate((nine, nine + HOUR), whole_day=True)
        token = book(scheduler, (day.start, day.end + TICK))
        reservation = scheduler.reservations_by_token(token).one()
        assert reservation.start == day.start
        assert reservation.end == day.end
        assert scheduler.managed_reserved_slots().count() == 1

    @every_change
    def test_neighbours(self, scheduler, change):
        """Three days in a row touch and do not overlap."""
        nines = [change.local("9:00", days) for days in (-1, 0, 1)]
        days = scheduler.allocate(((n, n + HOUR) for n in nines), whole_day=True)
        assert days[0].end + TICK == days[1].start
        assert days[1].end + TICK == days[2].start

    @every_change
    def test_number_of_slots(self, scheduler, change):
        """Partly available, the day has one slot for each real quarter."""
        nine = change.local("9:00")
        (day,) = scheduler.allocate(
            (nine, nine + HOUR), whole_day=True, partly_available=True, raster=15
        )
        quarters = change.whole_day / timedelta(minutes=15)
        assert day.count_slots() == quarters
        assert len(list(day.all_slots())) == quarters
        assert len(list(day.normalized_slots())) == shown_hours(day) * 4


class TestInsideTheChange:
    @every_gap
    def test_time_that_does_not_exist(self, scheduler, change):
        """In the gap a local time is read as standard time, so it moves on."""
        missing = change.wall - change.length / 2
        (allocation,) = scheduler.allocate((missing, missing + 2 * HOUR))
        assert allocation.start == change.instant + change.length / 2
        shown = allocation.display_start().replace(tzinfo=None)
        assert shown == missing + change.length

    @every_fold
    def test_time_that_exists_twice(self, scheduler, change):
        """In the fold a local time is the second one, in standard time."""
        twice = change.wall + change.length / 2
        (allocation,) = scheduler.allocate((twice, twice + 2 * HOUR))
        assert allocation.start == change.instant + change.length / 2
        assert allocation.display_start().replace(tzinfo=None) == twice

    @every_change
    def test_allocate_across(self, scheduler, change):
        """An aware range across the change has its real length."""
        dates = change.instant - HOUR, change.instant + HOUR
        (allocation,) = scheduler.allocate(dates, partly_available=True, raster=30)
        scheduler.commit()
        assert allocation.end + TICK - allocation.start == 2 * HOUR
        assert allocation.count_slots() == 4

    @every_change
    def test_reserve_both_sides(self, scheduler, change):
        """The hours before and after the change are two, even if named alike."""
        before = change.instant - change.length, change.instant
        after = change.instant, change.instant + change.length
        scheduler.allocate((before[0], after[1]), partly_available=True, raster=15)
        book(scheduler, before)
        with pytest.raises(errors.AlreadyReservedError):
            scheduler.reserve(EMAIL, before)
        book(scheduler, after)
        slots = scheduler.managed_reserved_slots().all()
        assert len(slots) == 2 * change.length / timedelta(minutes=15)

    @every_change
    def test_move_into_it(self, scheduler, change):
        """An allocation may be moved across the change."""
        (allocation,) = scheduler.allocate(
            (change.instant - 6 * HOUR, change.instant - 5 * HOUR)
        )
        new = change.instant - HOUR, change.instant + HOUR
        scheduler.move_allocation(allocation.id, *new)
        scheduler.commit()
        assert (allocation.start, allocation.end + TICK) == new


class TestNormalised:
    """Three real hours before the change to three after it, the first hour taken."""

    def rows(self, scheduler, change, *taken, days=0):
        """Allocate, reserve, and ask for the one row of availability."""
        start = change.instant - 3 * HOUR - timedelta(days=days)
        end = change.instant + 3 * HOUR
        scheduler.allocate((start, end), partly_available=True, raster=15)
        for span in taken:
            book(scheduler, span)
        scheduler.commit()
        (row,) = scheduler.allocations_with_availability_by_range(start, end)
        (plain,) = scheduler.allocations_with_availability_by_range(
            start, end, normalize_dst=False
        )
        return row, plain

    def shares(self, *parts):
        """Partitions from (duration, reserved) pairs."""
        total = sum((length for length, _ in parts), timedelta())
        return [
            (pytest.approx(100 * (length / total)), reserved)
            for length, reserved in parts
        ]

    @every_fold
    def test_fold(self, scheduler, change):
        """The time that comes twice is shown once."""
        begin = change.instant - 3 * HOUR
        row, plain = self.rows(scheduler, change, (begin, begin + HOUR))
        shown = 6 * HOUR - change.length
        assert row[2] == self.shares((HOUR, True), (shown - HOUR, False))
        assert row[1] == pytest.approx(100 - 100 * (HOUR / shown))
        assert plain[2] == self.shares((HOUR, True), (5 * HOUR, False))
        assert plain[1] == pytest.approx(100 * 5 / 6)

    @every_fold
    def test_skipped_time_does_not_count(self, scheduler, change):
        """What is taken within the time left out changes nothing."""
        begin = change.instant - 3 * HOUR
        skipped = change.instant - change.length, change.instant
        row, plain = self.rows(scheduler, change, (begin, begin + HOUR), skipped)
        shown = 6 * HOUR - change.length
        assert row[2] == self.shares((HOUR, True), (shown - HOUR, False))
        assert row[1] == pytest.approx(100 - 100 * (HOUR / shown))
        taken = HOUR + change.length
        assert plain[1] == pytest.approx(100 - 100 * (taken / (6 * HOUR)))

    @every_gap
    def test_gap(self, scheduler, change):
        """The time that does not exist is shown as reserved."""
        row, plain = self.rows(scheduler, change)
        gap = (change.length, True)
        assert row[2] == self.shares((3 * HOUR, False), gap, (3 * HOUR, False))
        shown = 6 * HOUR + change.length
        assert row[1] == pytest.approx(100 * (6 * HOUR / shown))
        assert plain[1:] == (100, [(100.0, False)])

    @every_change
    def test_on_a_later_day(self, scheduler, change):
        """The change is found on any day of a long allocation."""
        row, _ = self.rows(scheduler, change, days=1)
        before, after = 27 * HOUR, 3 * HOUR
        if change.minutes > 0:
            gap = (change.length, True)
            assert row[2] == self.shares((before, False), gap, (after, False))
        else:
            assert (row[1], row[2]) == (100, [(100.0, False)])
            assert len(list(row[0].normalized_slots())) == 120 - change.length / (
                timedelta(minutes=15)
            )

    @every_change
    def test_blocking_resources_agree(self, scheduler_factory, change):
        """With blocking resources that are free the answer is the same."""
        alone = scheduler_factory(timezone=change.zone)
        beside = scheduler_factory(timezone=change.zone, blocking_names=("hall",))
        begin = change.instant - 3 * HOUR
        row, plain = self.rows(alone, change, (begin, begin + HOUR))
        span = begin, change.instant + 3 * HOUR
        ask = beside.allocations_with_availability_by_range
        assert [tuple(r) for r in ask(*span)] == [
            (row[0], pytest.approx(row[1]), row[2])
        ]
        assert [tuple(r) for r in ask(*span, normalize_dst=False)] == [
            (plain[0], pytest.approx(plain[1]), plain[2])
        ]

    @every_change
    def test_not_partly_available(self, scheduler, change):
        """What is taken as a whole is not normalised."""
        span = change.instant - 3 * HOUR, change.instant + 3 * HOUR
        scheduler.allocate(span)
        (row,) = scheduler.allocations_with_availability_by_range(*span)
        assert tuple(row)[1:] == (100, [(100.0, False)])

    @every_change
    def test_whole_day(self, scheduler, change):
        """The whole day is shown by the clock, with one hour of it taken."""
        nine = change.local("9:00")
        (day,) = scheduler.allocate(
            (nine, nine + HOUR), whole_day=True, partly_available=True, raster=15
        )
        book(scheduler, (change.local("13:00"), change.local("14:00")))
        scheduler.commit()
        ((_, availability, parts),) = scheduler.allocations_with_availability_by_range(
            day.start, day.end
        )
        shown = shown_hours(day)
        missing = max(0, shown - change.whole_day / HOUR)
        assert availability == pytest.approx(100 - 100 * (1 + missing) / shown)
        assert parts[-1] == (pytest.approx(100 * 10 / shown), False)
        assert parts[-2] == (pytest.approx(100 / shown), True)
        assert sum(percent for percent, _ in parts) == pytest.approx(100, abs=1e-9)

    @every_fold
    def test_begins_within_the_fold(self, change):
        """Beginning in the time that is left out, its own first part is left out."""
        start = change.instant - change.length / 2
        allocation = Allocation(
            start=start,
            end=change.instant + 6 * HOUR,
            raster=15,
            timezone=change.zone,
            partly_available=True,
        )
        starts = [slot_start for slot_start, _ in allocation.normalized_slots()]
        assert starts[0] == start + change.length
        assert starts == sorted(starts)
        slot = ReservedSlot()
        slot.start, slot.end = starts[0], starts[0] + timedelta(minutes=15) - TICK
        slot.source_type = "reservation"
        allocation.reserved_slots.append(slot)
        partitions = allocation.availability_partitions()
        assert partitions[0] == (pytest.approx(100 / len(starts)), True)
