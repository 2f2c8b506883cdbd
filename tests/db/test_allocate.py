"""Allocating: what is stored for a range, what is refused, what is skipped."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from libres.db.models import Allocation
from libres.modules import errors, events

MONDAY = datetime.fromisoformat("2030-06-03")
TICK = timedelta(microseconds=1)


def at(text):
    """Read a time; without an offset it is naive, so local to the scheduler."""
    return datetime.fromisoformat(text)


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def shown(allocation):
    """What a person reads on the wall: naive local start and end."""
    return (
        allocation.display_start().replace(tzinfo=None),
        allocation.display_end().replace(tzinfo=None),
    )


class AllocationOfTestAllocate(Allocation):
    """An application's own class."""

    __mapper_args__: ClassVar = {"polymorphic_identity": "test_allocate"}


@pytest.fixture
def told():
    """The (context, allocations) pairs that on_allocations_added was called with."""
    heard = []

    def listener(context, allocations):
        heard.append((context, list(allocations), [a.id for a in allocations]))

    events.on_allocations_added.append(listener)
    yield heard
    events.on_allocations_added.remove(listener)


class TestWhatIsStored:
    def test_naive_times_are_local_to_the_scheduler(self, scheduler_factory):
        """A naive range is taken to be in the zone of the scheduler."""
        scheduler = scheduler_factory(timezone="Europe/Zurich")
        (allocation,) = scheduler.allocate(hours(10, 12))
        assert allocation.start == at("2030-06-03 08:00+00:00")
        assert shown(allocation) == hours(10, 12)

    def test_aware_times_are_converted(self, scheduler_factory):
        """An aware range means the same instants in every zone."""
        scheduler = scheduler_factory(timezone="America/New_York")
        dates = at("2030-06-03 10:00+02:00"), at("2030-06-03 12:00+02:00")
        (allocation,) = scheduler.allocate(dates)
        assert shown(allocation) == hours(4, 6)

    def test_end_lacks_a_microsecond(self, scheduler):
        """The stored end is one microsecond before the end that was asked for."""
        (allocation,) = scheduler.allocate(hours(10, 12))
        assert allocation.end - allocation.start == timedelta(hours=2) - TICK

    def test_comes_back_aware_in_utc(self, scheduler):
        """Times that are read from the database are aware and in UTC."""
        scheduler.allocate(hours(10, 12))
        scheduler.commit()
        allocation = scheduler.managed_allocations().one()
        assert allocation.start.utcoffset() == timedelta(0)
        assert allocation.end == at("2030-06-03 11:59:59.999999+02:00")

    def test_record_belongs_to_the_scheduler(self, scheduler):
        """A master carries the scheduler's resource twice, and its zone."""
        (allocation,) = scheduler.allocate(hours(10, 12))
        assert allocation.resource == scheduler.resource
        assert allocation.mirror_of == scheduler.resource
        assert allocation.is_master
        assert allocation.timezone == scheduler.timezone

    def test_defaults(self, scheduler):
        """Without options: one place, no limit, taken as a whole, approved at once."""
        scheduler.allocate(hours(10, 12))
        scheduler.commit()
        allocation = scheduler.managed_allocations().one()
        assert allocation.quota == 1
        assert allocation.quota_limit == 0
        assert allocation.raster == 5
        assert allocation.partly_available is False
        assert allocation.approve_manually is False
        assert allocation.data == {}
        assert allocation.type == "generic"

    def test_options_are_kept(self, scheduler):
        """Every option is an attribute of the record."""
        scheduler.allocate(
            hours(10, 12),
            partly_available=True,
            raster=15,
            quota=4,
            quota_limit=2,
            data={"who": "anyone"},
            approve_manually=True,
        )
        scheduler.commit()
        allocation = scheduler.managed_allocations().one()
        assert allocation.partly_available is True
        assert allocation.raster == 15
        assert allocation.quota == 4
        assert allocation.quota_limit == 2
        assert allocation.data == {"who": "anyone"}
        assert allocation.approve_manually is True

    @pytest.mark.parametrize("quota", [None, 0])
    def test_no_quota_is_one_place(self, scheduler, quota):
        """Quota None or 0 means 1."""
        (allocation,) = scheduler.allocate(hours(10, 12), quota=quota)
        assert allocation.quota == 1

    def test_only_the_master_is_written(self, scheduler):
        """Mirrors are not recorded before something occupies them."""
        scheduler.allocate(hours(10, 12), quota=10)
        assert scheduler.managed_allocations().count() == 1

    def test_data_is_the_same_object(self, scheduler):
        """All records of a call share the data they were given."""
        data = {"a": 1}
        first, second = scheduler.allocate([hours(8, 9), hours(10, 12)], data=data)
        assert first.data == second.data == {"a": 1}

    def test_own_class(self, scheduler_factory):
        """A scheduler makes the class of allocations that it was given."""
        scheduler = scheduler_factory(allocation_cls=AllocationOfTestAllocate)
        scheduler.allocate(hours(10, 12))
        scheduler.commit()
        allocation = scheduler.managed_allocations().one()
        assert type(allocation) is AllocationOfTestAllocate
        assert allocation.type == "test_allocate"

    def test_nothing_is_committed(self, scheduler):
        """The caller commits: after a rollback nothing is there."""
        scheduler.allocate(hours(10, 12))
        scheduler.rollback()
        assert scheduler.managed_allocations().count() == 0

    def test_flushed_on_return(self, scheduler):
        """Ids are known when allocate returns, even without autoflush."""
        with scheduler.session.no_autoflush:
            masters = scheduler.allocate([hours(8, 9), hours(10, 12)])
            assert all(isinstance(master.id, int) for master in masters)
            assert scheduler.managed_allocations().count() == 2


class TestShapesOfDates:
    @pytest.mark.parametrize(
        "dates",
        [
            pytest.param([hours(8, 9), hours(10, 11)], id="list of tuples"),
            pytest.param((hours(8, 9), hours(10, 11)), id="tuple of tuples"),
            pytest.param([list(hours(8, 9)), list(hours(10, 11))], id="list of lists"),
            pytest.param((*hours(8, 9), *hours(10, 11)), id="flat"),
            pytest.param(iter([hours(8, 9), hours(10, 11)]), id="iterator, once only"),
        ],
    )
    def test_any_nesting(self, scheduler, dates):
        """Any iterable of ranges will do."""
        masters = scheduler.allocate(dates)
        assert [shown(m) for m in masters] == [hours(8, 9), hours(10, 11)]

    def test_a_generator(self, scheduler):
        """Ranges may be produced on the way."""
        masters = scheduler.allocate(hours(8, 9, day) for day in range(5))
        assert [shown(m) for m in masters] == [hours(8, 9, day) for day in range(5)]

    def test_one_range(self, scheduler):
        """A single range needs no list around it."""
        assert [shown(m) for m in scheduler.allocate(hours(8, 9))] == [hours(8, 9)]

    def test_in_the_order_given(self, scheduler):
        """The result has the order of the dates, not of time."""
        dates = [hours(8, 9, 2), hours(8, 9, 0), hours(8, 9, 1)]
        assert [shown(master) for master in scheduler.allocate(dates)] == dates


class TestGroups:
    def test_grouped(self, scheduler):
        """Grouped allocations share one group."""
        masters = scheduler.allocate([hours(8, 9), hours(10, 11)], grouped=True)
        assert len({master.group for master in masters}) == 1
        assert all(master.in_group for master in masters)

    def test_alone(self, scheduler):
        """Otherwise each allocation has a group to itself."""
        masters = scheduler.allocate([hours(8, 9), hours(10, 11)])
        assert len({master.group for master in masters}) == 2
        assert not any(master.in_group for master in masters)

    def test_two_calls_two_groups(self, scheduler):
        """A group ends with the call that made it."""
        (first,) = scheduler.allocate([hours(8, 9)], grouped=True)
        (second,) = scheduler.allocate([hours(10, 11)], grouped=True)
        assert first.group != second.group


class TestRaster:
    @pytest.mark.parametrize(
        ("raster", "start", "end"),
        [
            pytest.param(5, "10:05", "11:55", id="5 minutes"),
            pytest.param(10, "10:00", "12:00", id="10 minutes"),
            pytest.param(15, "10:00", "12:00", id="15 minutes"),
            pytest.param(30, "10:00", "12:00", id="30 minutes"),
            pytest.param(60, "10:00", "12:00", id="one hour"),
        ],
    )
    def test_span_grows_to_the_raster(self, scheduler, raster, start, end):
        """A start moves back, an end moves on, to the next step."""
        dates = at("2030-06-03 10:07:20"), at("2030-06-03 11:51:40")
        (allocation,) = scheduler.allocate(dates, partly_available=True, raster=raster)
        assert shown(allocation) == (at(f"2030-06-03 {start}"), at(f"2030-06-03 {end}"))

    def test_not_partly_available_is_rasterised_too(self, scheduler):
        """The raster counts for allocations taken as a whole as well."""
        (allocation,) = scheduler.allocate(
            (at("2030-06-03 10:07"), at("2030-06-03 11:53")), raster=30
        )
        assert shown(allocation) == hours(10, 12)

    def test_on_the_raster_stays(self, scheduler):
        """Times on the raster are not moved."""
        (allocation,) = scheduler.allocate(hours(10.25, 11.75), raster=15)
        assert shown(allocation) == hours(10.25, 11.75)

    @pytest.mark.parametrize("raster", [0, 1, 7, 20, 45, 61, -5, 1440])
    def test_invalid_raster(self, scheduler, raster):
        """A raster other than the five is misuse, reported with the number."""
        with pytest.raises(AssertionError, match=str(raster)):
            scheduler.allocate(hours(10, 12), raster=raster)
        assert scheduler.managed_allocations().count() == 0


class TestWholeDay:
    def test_aligned(self, scheduler):
        """whole_day makes a range begin and end at local midnight."""
        (allocation,) = scheduler.allocate(hours(10, 12), whole_day=True)
        assert shown(allocation) == hours(0, 24)
        assert allocation.whole_day

    def test_several_days(self, scheduler):
        """A range over three days becomes three whole days."""
        dates = hours(10, 11)[0], hours(10, 11, 2)[1]
        (allocation,) = scheduler.allocate(dates, whole_day=True)
        assert shown(allocation) == hours(0, 72)

    def test_midnight_counts_as_the_day_that_begins(self, scheduler):
        """An end of exactly 00:00 is aligned to the end of that day."""
        (allocation,) = scheduler.allocate(hours(0, 24), whole_day=True)
        assert shown(allocation) == hours(0, 48)

    def test_local_midnight(self, scheduler_factory):
        """The day is the scheduler's, whatever zone the dates came in."""
        scheduler = scheduler_factory(timezone="America/New_York")
        dates = at("2030-06-03 00:00+00:00"), at("2030-06-03 01:00+00:00")
        (allocation,) = scheduler.allocate(dates, whole_day=True)
        assert shown(allocation) == hours(0, 24, -1)

    def test_reversed(self, scheduler):
        """A reversed range is no day."""
        start, end = hours(10, 12)
        with pytest.raises(ValueError, match=r"\w"):
            scheduler.allocate((end, start), whole_day=True)

    def test_the_same_day_twice(self, scheduler):
        """Two ranges that become the same day overlap."""
        with pytest.raises(errors.InvalidAllocationError):
            scheduler.allocate([hours(8, 9), hours(10, 11)], whole_day=True)


class TestRefused:
    @pytest.mark.parametrize(
        ("dates", "options"),
        [
            pytest.param(
                hours(8, 9),
                {"partly_available": True, "grouped": True},
                id="partly available and grouped exclude each other",
            ),
            pytest.param(
                hours(8, 9),
                {"skip_overlapping": True, "grouped": True},
                id="a group with holes is no group",
            ),
            pytest.param(
                hours(9, 8),
                {"partly_available": True, "grouped": True, "whole_day": True},
                id="options are judged before the dates",
            ),
            pytest.param([hours(8, 10), hours(9, 11)], {}, id="overlapping ranges"),
            pytest.param([hours(8, 10), hours(8, 10)], {}, id="the same range twice"),
            pytest.param(
                [hours(8, 10), hours(9, 9.5)], {}, id="one range within another"
            ),
            pytest.param(
                [hours(9, 11), hours(12, 13), hours(8, 10)], {}, id="in any order"
            ),
            pytest.param(
                [hours(8, 10), hours(9, 11)],
                {"skip_overlapping": True},
                id="skipping is for what exists already",
            ),
            pytest.param(
                [hours(8, 9.1), hours(9.2, 10)],
                {"raster": 30},
                id="overlapping once rasterised",
            ),
            pytest.param(hours(10, 8), {}, id="reversed"),
            pytest.param(hours(10, 10), {}, id="empty"),
            pytest.param(
                [hours(8, 9), hours(12, 11)], {}, id="the second one is reversed"
            ),
            pytest.param(hours(10, 10), {"raster": 60}, id="empty, on the raster"),
        ],
    )
    def test_invalid(self, scheduler, dates, options):
        """What makes no sense is refused and nothing is written."""
        with pytest.raises(errors.InvalidAllocationError) as caught:
            scheduler.allocate(dates, **options)
        assert type(caught.value) is errors.InvalidAllocationError
        assert str(caught.value)
        assert scheduler.managed_allocations().count() == 0

    def test_a_moment_within_a_step_is_that_step(self, scheduler):
        """A range without length, off the raster, becomes the step around it."""
        (allocation,) = scheduler.allocate(hours(10.2, 10.2), raster=15)
        assert shown(allocation) == hours(10, 10.25)

    @pytest.mark.parametrize(
        "dates",
        [
            pytest.param(hours(10, 12), id="the same"),
            pytest.param(hours(9, 10.5), id="over the start"),
            pytest.param(hours(11.5, 13), id="over the end"),
            pytest.param(hours(10.5, 11), id="within"),
            pytest.param(hours(9, 13), id="around"),
            pytest.param([hours(8, 9), hours(11, 13)], id="the second of two"),
        ],
    )
    def test_overlapping_an_existing_one(self, scheduler, dates):
        """What exists is in the way, and nothing of the call is written."""
        (existing,) = scheduler.allocate(hours(10, 12))
        with pytest.raises(errors.OverlappingAllocationError) as caught:
            scheduler.allocate(dates)
        assert caught.value.existing is existing
        assert scheduler.managed_allocations().all() == [existing]

    def test_overlap_says_what_was_asked_for(self, scheduler):
        """The error carries the rasterised range, in UTC."""
        scheduler.allocate(hours(10, 12))
        with pytest.raises(errors.OverlappingAllocationError) as caught:
            scheduler.allocate([hours(8, 9), hours(11.3, 13.2)], raster=15)
        assert caught.value.start == at("2030-06-03 09:15+00:00")
        assert caught.value.end == at("2030-06-03 11:15+00:00") - TICK
        assert caught.value.start.utcoffset() == timedelta(0)
        assert str(caught.value)

    def test_overlap_by_the_raster_alone(self, scheduler):
        """Ranges that only meet once they are rasterised overlap."""
        scheduler.allocate(hours(10, 11.1))
        with pytest.raises(errors.OverlappingAllocationError):
            scheduler.allocate(hours(11.4, 12), raster=30)

    def test_neighbours_do_not_overlap(self, scheduler):
        """One range may begin where another one ends."""
        scheduler.allocate([hours(8, 10), hours(10, 12)])
        scheduler.allocate([hours(12, 13), hours(7, 8)])
        assert scheduler.managed_allocations().count() == 4

    def test_other_resources_do_not_matter(self, scheduler_factory):
        """Another resource may be allocated at the same time."""
        scheduler_factory(name="one").allocate(hours(10, 12))
        (other,) = scheduler_factory(name="other").allocate(hours(10, 12))
        assert shown(other) == hours(10, 12)


class TestSkipping:
    def test_leaves_out_what_overlaps(self, scheduler):
        """With skip_overlapping only the ranges that are free are allocated."""
        scheduler.allocate(hours(10, 12))
        dates = [hours(8, 9), hours(9, 10.5), hours(11.5, 13), hours(13, 14)]
        masters = scheduler.allocate(dates, skip_overlapping=True)
        assert [shown(master) for master in masters] == [hours(8, 9), hours(13, 14)]
        assert scheduler.managed_allocations().count() == 3

    def test_everything(self, scheduler):
        """If every range is skipped the result is empty."""
        scheduler.allocate(hours(10, 12))
        assert scheduler.allocate(hours(9, 13), skip_overlapping=True) == []


class TestWatched:
    """A host that listens to its session, or to records, is shown the new ones."""

    @pytest.fixture
    def options(self):
        """Something in every column."""
        return {"quota": 3, "quota_limit": 2, "data": {"a": [1]}, "raster": 15}

    def stored(self, scheduler):
        """What is in the table, without what differs by nature."""
        unlike = {"id", "created", "resource", "mirror_of", "group"}
        columns = [each for each in Allocation.__table__.c if each.name not in unlike]
        query = scheduler.managed_allocations().with_entities(*columns)
        return query.order_by(Allocation._start).all()

    def test_same_rows(self, scheduler_factory, options):
        """The rows are the same, whether somebody listens or not."""
        quiet, watched = scheduler_factory("quiet"), scheduler_factory("watched")
        dates = [hours(8, 10, day=1), hours(8, 10)]
        quiet.allocate(dates, **options)
        with listening(watched.session, "after_flush", lambda *_: None):
            watched.allocate(dates, **options)
        assert len(self.stored(quiet)) == 2
        assert self.stored(quiet) == self.stored(watched)

    @pytest.mark.parametrize("name", ["before_flush", "after_flush"])
    def test_flush(self, scheduler, options, name):
        """They are new in a flush."""
        seen = []
        with listening(scheduler.session, name, lambda s, *_: seen.extend(s.new)):
            written = scheduler.allocate(hours(8, 10), **options)
        assert seen == written

    @pytest.mark.parametrize("name", ["before_insert", "after_insert"])
    def test_record(self, scheduler, options, name):
        """Each is announced."""
        seen = []
        with listening(Allocation, name, lambda _m, _c, record: seen.append(record)):
            written = scheduler.allocate(hours(8, 10), **options)
        assert seen == written

    def test_quiet(self, scheduler, options):
        """What nobody listens to is there as usual: clean, with its id, and ours."""
        (written,) = scheduler.allocate(hours(8, 10), **options)
        assert written in scheduler.session
        assert not scheduler.session.dirty
        written.data["a"] = 2
        scheduler.commit()
        assert scheduler.allocation_by_id(written.id).data == {"a": 2}


@contextmanager
def listening(target, name, listener):
    """Listen to an event of SQLAlchemy for a while."""
    event.listen(target, name, listener)
    try:
        yield
    finally:
        event.remove(target, name, listener)


class TestEvent:
    def test_told_at_the_end(self, context, scheduler, told):
        """Listeners get the context and the new masters, their ids known."""
        masters = scheduler.allocate([hours(8, 9), hours(10, 12)])
        ((heard_context, allocations, ids),) = told
        assert heard_context is context
        assert allocations == masters
        assert all(ids)

    def test_told_if_all_was_skipped(self, scheduler, told):
        """With every range skipped, listeners are told of an empty list."""
        scheduler.allocate(hours(10, 12))
        scheduler.allocate(hours(10, 12), skip_overlapping=True)
        assert [allocations for _, allocations, _ in told[1:]] == [[]]

    @pytest.mark.parametrize("dates", [[], (), iter(())], ids=["list", "tuple", "iter"])
    def test_silent_without_dates(self, scheduler, told, dates):
        """Nothing to allocate: an empty list, and no event."""
        assert scheduler.allocate(dates) == []
        assert told == []

    def test_silent_if_refused(self, scheduler, told):
        """What was refused is not told."""
        with pytest.raises(errors.InvalidAllocationError):
            scheduler.allocate(hours(10, 8))
        assert told == []


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=12))
def test_masters_never_overlap(scheduler_factory, wanted):
    """A range is refused exactly if it shares a 5-minute step with an earlier one."""
    scheduler = scheduler_factory(name=str(uuid4()))
    taken = set()
    for first, count in wanted:
        steps = set(range(first, first + count))
        dates = hours(first / 12, (first + count) / 12)
        if steps & taken:
            with pytest.raises(errors.OverlappingAllocationError):
                scheduler.allocate(dates)
        else:
            scheduler.allocate(dates)
            taken |= steps
