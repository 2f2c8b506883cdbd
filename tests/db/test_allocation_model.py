"""Allocation and ReservedSlot as objects: dates, slots, availability, siblings."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from uuid import UUID, uuid4

import pytest
import pytz

from libres.db.models import Allocation, ReservedSlot

DAY = "2030-06-03"
RESOURCE = UUID("11111111-2222-4333-8444-555555555555")
TICK = timedelta(microseconds=1)


def at(text):
    """Read a time: '08:00' of the day, or a whole one, in UTC without an offset."""
    moment = datetime.fromisoformat(text if "-" in text else f"{DAY} {text}")
    return moment if moment.tzinfo else moment.replace(tzinfo=pytz.UTC)


def make(start="08:00", end="10:00", *, raster=15, timezone="UTC", partly=True):
    """Make an allocation that no session knows."""
    return Allocation(
        resource=RESOURCE,
        start=at(start),
        end=at(end),
        raster=raster,
        timezone=timezone,
        partly_available=partly,
    )


def take(allocation, start, end, source_type="reservation"):
    """Occupy the slots between two times."""
    for slot_start, slot_end in allocation.all_slots(at(start), at(end)):
        slot = ReservedSlot()
        slot.resource = allocation.resource
        slot.start = slot_start
        slot.end = slot_end
        slot.source_type = source_type
        slot.source_id = 1
        slot.reservation_token = RESOURCE
        allocation.reserved_slots.append(slot)


def naive(*moments):
    """Drop the zone, for a look at the wall clock."""
    return tuple(moment.replace(tzinfo=None) for moment in moments)


def wall(start, end, day=DAY):
    """Two naive times of the day."""
    return naive(at(f"{day} {start}"), at(f"{day} {end}"))


class TestConstructor:
    def test_blank(self):
        """A blank allocation shows None for what is unset and counts as master."""
        blank = Allocation()
        unset = (blank.resource, blank.start, blank.end, blank.raster, blank.timezone)
        assert unset == (None,) * 5
        assert blank.is_master
        assert blank.is_transient

    def test_any_mapped_attribute(self):
        """Every mapped attribute is accepted as keyword, in any order."""
        made = Allocation(
            group=RESOURCE, data={"a": 1}, mirror_of=RESOURCE, type="generic"
        )
        assert (made.group, made.mirror_of) == (RESOURCE, RESOURCE)
        assert (made.data, made.type) == ({"a": 1}, "generic")

    def test_unknown_keyword(self):
        """Anything else is a TypeError."""
        with pytest.raises(TypeError):
            Allocation(nonsense=1)

    def test_naive_date_without_zone(self):
        """A naive start cannot be placed without a zone."""
        with pytest.raises(AssertionError):
            Allocation(start=naive(at("08:00"))[0])


class TestDates:
    def test_naive_dates_take_the_zone(self):
        """A naive date is put into the zone of the allocation."""
        allocation = Allocation(timezone="Europe/Zurich")
        allocation.start, allocation.end = wall("10:00", "12:00")
        assert (allocation.start, allocation.end + TICK) == (at("08:00"), at("10:00"))

    @pytest.mark.parametrize("name", ["start", "end"])
    def test_naive_date_needs_a_zone(self, name):
        """Without a zone, setting a naive date is misuse."""
        with pytest.raises(AssertionError):
            setattr(Allocation(), name, wall("10:00", "12:00")[0])

    def test_rasterised_by_five_minutes_at_first(self):
        """As long as no raster is set, 5 minutes are taken."""
        allocation = Allocation(start=at("08:07"), end=at("09:52"))
        assert (allocation.start, allocation.end + TICK) == (at("08:05"), at("09:55"))

    def test_raster_moves_dates(self):
        """Setting the raster rasterises the dates that are there."""
        allocation = Allocation(start=at("08:07"), end=at("09:52"))
        allocation.raster = 60
        assert (allocation.start, allocation.end + TICK) == (at("08:00"), at("10:00"))

    def test_raster_is_set_once(self):
        """A second raster is misuse."""
        with pytest.raises(AssertionError):
            make(raster=15).raster = 30

    def test_display_dates(self):
        """Displayed are the zone of the allocation and an end without the gap."""
        allocation = make(timezone="Europe/Zurich")
        displayed = allocation.display_start(), allocation.display_end()
        assert naive(*displayed) == wall("10:00", "12:00")
        assert displayed == (at("08:00"), at("10:00"))

    def test_display_dates_elsewhere(self):
        """Another zone may be asked for."""
        allocation = make(timezone="Europe/Zurich")
        zone = "America/New_York"
        displayed = allocation.display_start(zone), allocation.display_end(zone)
        assert naive(*displayed) == wall("04:00", "06:00")

    def test_display_needs_a_zone(self):
        """Without any zone nothing can be displayed."""
        allocation = Allocation(start=at("08:00"), end=at("10:00"))
        for display in (allocation.display_start, allocation.display_end):
            with pytest.raises(AssertionError):
                display()

    @pytest.mark.parametrize(
        ("start", "end", "timezone", "expected"),
        [
            pytest.param("00:00", "2030-06-04", "UTC", True, id="one day"),
            pytest.param("00:00", "23:59", "UTC", True, id="rasterised to midnight"),
            pytest.param("00:00", "2030-06-06", "UTC", True, id="three days"),
            pytest.param("00:00", "2030-06-04 12:00", "UTC", False, id="1.5 days"),
            pytest.param("01:00", "2030-06-04 01:00", "UTC", False, id="at 1:00"),
            pytest.param("00:00", "23:00", "UTC", False, id="23 ordinary hours"),
            pytest.param(
                "2030-06-02 22:00", "22:00", "Europe/Zurich", True, id="local midnight"
            ),
            pytest.param("00:00", "2030-06-04", "Asia/Tokyo", False, id="not local"),
            pytest.param(
                "2022-03-26 23:00", "2022-03-27 22:00", "Europe/Zurich", True, id="23h"
            ),
            pytest.param(
                "2022-10-29 22:00", "2022-10-30 23:00", "Europe/Zurich", True, id="25h"
            ),
        ],
    )
    def test_whole_day(self, start, end, timezone, expected):
        """A whole day runs from local midnight to local midnight."""
        allocation = make(start, end, raster=5, timezone=timezone)
        assert allocation.whole_day is expected

    @pytest.mark.parametrize(
        ("end", "error"), [("08:00", AssertionError), ("07:00", ValueError)]
    )
    def test_whole_day_of_nothing(self, end, error):
        """No day can be told from dates that are equal or reversed."""
        with pytest.raises(error):
            _ = make("08:00", end).whole_day


DESCRIBES = (
    *("resource", "mirror_of", "group", "quota", "quota_limit", "data"),
    *("partly_available", "approve_manually", "timezone", "_start", "_end", "_raster"),
)


class TestEquality:
    def test_same_place_and_start(self):
        """Allocations are equal by resource and start, nothing else."""
        assert make(end="10:00") == make(end="11:00", raster=5)

    def test_differences(self):
        """Another start, resource or kind of thing is unequal."""
        other = make()
        other.resource = uuid4()
        assert make() != make(start="08:15")
        assert make() != other
        assert make() != "an allocation"

    def test_hash_by_identity(self):
        """Equal allocations remain two members of a set."""
        assert len({make(), make()}) == 2

    def test_copy(self):
        """A copy has what describes the allocation, but no identity and no slots."""
        origin = make(timezone="Europe/Zurich")
        origin.id, origin.group, origin.mirror_of = 5, uuid4(), RESOURCE
        origin.quota, origin.quota_limit, origin.approve_manually = 3, 2, True
        origin.data = {"a": 1}
        take(origin, "08:00", "09:00")
        copy = origin.copy()
        for name in DESCRIBES:
            assert getattr(copy, name) == getattr(origin, name), name
        assert copy.id is None
        assert copy.reserved_slots == []
        assert copy.is_transient


class TestComparing:
    @pytest.mark.parametrize(
        ("start", "end", "overlaps", "contains"),
        [
            pytest.param("08:00", "10:00", True, True, id="the same"),
            pytest.param("08:30", "09:00", True, True, id="within"),
            pytest.param("07:00", "08:00", False, False, id="just before"),
            pytest.param("10:00", "11:00", False, False, id="just after"),
            pytest.param("07:00", "08:05", True, False, id="over the start"),
            pytest.param("09:45", "10:05", True, False, id="over the end"),
            pytest.param("07:00", "11:00", True, False, id="around"),
            pytest.param("08:03", "09:58", True, True, id="within, rasterised"),
            pytest.param("07:50", "09:00", True, False, id="rasterised over the start"),
            pytest.param("10:14", "11:00", False, False, id="rasterised: just after"),
        ],
    )
    def test_ranges(self, start, end, overlaps, contains):
        """Ranges are rasterised, then compared with the allocation."""
        allocation = make()
        assert allocation.overlaps(at(start), at(end)) is overlaps
        assert allocation.contains(at(start), at(end)) is contains

    def test_naive_ranges_are_local(self):
        """Naive ranges are in the zone of the allocation."""
        allocation = make(timezone="Europe/Zurich")
        assert allocation.contains(*wall("10:00", "12:00"))
        assert not allocation.overlaps(*wall("08:00", "10:00"))

    @pytest.mark.parametrize("method", ["overlaps", "contains", "align_dates"])
    def test_zone_is_needed(self, method):
        """Without a zone a range cannot be placed."""
        allocation = Allocation(start=at("08:00"), end=at("10:00"))
        with pytest.raises(AssertionError):
            getattr(allocation, method)(*wall("08:00", "09:00"))

    def test_align_dates(self):
        """Missing dates are the allocation's, ones outside are cut to it."""
        allocation = make()
        whole = (allocation.start, allocation.end)
        assert allocation.align_dates() == whole
        assert allocation.align_dates(at("07:00"), at("11:00")) == whole
        assert allocation.align_dates(start=at("08:07")) == (at("08:07"), whole[1])
        assert allocation.align_dates(end=at("09:07")) == (whole[0], at("09:07"))


class TestSlots:
    def test_partly_available(self):
        """A partly available allocation has one slot for each step of its raster."""
        slots = list(make(end="09:00").all_slots())
        starts = [at(f"08:{minute:02}") for minute in (0, 15, 30, 45)]
        quarter = timedelta(minutes=15) - TICK
        assert slots == [(start, start + quarter) for start in starts]

    def test_of_a_range(self):
        """Slots of a range are those it touches, cut to the allocation."""
        starts = [start for start, _ in make().all_slots(at("09:40"), at("23:00"))]
        assert starts == [at("09:30"), at("09:45")]

    def test_as_a_whole(self):
        """Otherwise there is one slot, whatever the range."""
        allocation = make(partly=False)
        whole = [(allocation.start, allocation.end)]
        assert list(allocation.all_slots()) == whole
        assert list(allocation.all_slots(at("08:30"), at("09:00"))) == whole

    def test_count(self):
        """Slots are counted as they are made."""
        assert make().count_slots() == 8
        assert make().count_slots(at("08:30"), at("09:30") - TICK) == 4
        assert make(partly=False).count_slots() == 1

    def test_free(self):
        """Free slots are those at whose start nothing is reserved."""
        allocation = make(end="09:00")
        take(allocation, "08:15", "08:45")
        free = [start for start, _ in allocation.free_slots()]
        assert free == [at("08:00"), at("08:45")]
        assert allocation.free_slots(at("08:15"), at("08:30")) == []

    @pytest.mark.parametrize(
        ("dates", "expected"),
        [
            pytest.param(("08:00", "08:30"), True, id="before what is taken"),
            pytest.param(("08:30", "08:45"), False, id="within"),
            pytest.param(("08:00", "08:31"), False, id="the step counts"),
            pytest.param(("09:00", "10:00"), True, id="after it"),
            pytest.param((), False, id="all of it"),
            pytest.param(("09:00",), False, id="half a range means all of it"),
        ],
    )
    def test_is_available(self, dates, expected):
        """A range is available if none of its slots is taken."""
        allocation = make()
        take(allocation, "08:30", "09:00")
        assert allocation.is_available(*map(at, dates)) is expected

    def test_is_available_elsewhere(self):
        """To ask for a time outside is misuse."""
        with pytest.raises(AssertionError):
            make().is_available(at("12:00"), at("13:00"))

    def test_whole_is_taken_by_any_slot(self):
        """What is not partly available is taken in every range of it."""
        allocation = make(partly=False)
        take(allocation, "08:00", "10:00")
        assert not allocation.is_available(at("08:30"), at("09:00"))


HOUR = ("08:00", "09:00")
ALL_DAY = ("2030-06-03 00:00", "2030-06-04 00:00")


class TestLimitTimespan:
    @pytest.mark.parametrize(
        ("span", "start", "end", "expected"),
        [
            pytest.param(HOUR, (8, 0), (9, 0), ("08:00", "09:00"), id="exactly"),
            pytest.param(HOUR, (7, 0), (10, 0), ("08:00", "09:00"), id="cut"),
            pytest.param(HOUR, (8, 30), (10, 0), ("08:30", "09:00"), id="end cut"),
            pytest.param(HOUR, (8, 30), (0, 0), ("08:30", "09:00"), id="to midnight"),
            pytest.param(HOUR, (8, 30), (8, 40), ("08:30", "08:45"), id="rasterised"),
            pytest.param(HOUR, (5, 0), (6, 0), ("08:00", "08:00"), id="before it"),
            pytest.param(HOUR, (10, 0), (11, 0), ("09:00", "09:00"), id="after it"),
            pytest.param(ALL_DAY, (0, 0), (23, 59), ALL_DAY, id="the whole day"),
            pytest.param(ALL_DAY, (0, 0), (0, 0), ("00:00", "00:00"), id="no time"),
            pytest.param(
                ALL_DAY, (8, 30), (0, 0), ("08:30", ALL_DAY[1]), id="until 24:00"
            ),
        ],
    )
    def test_examples(self, span, start, end, expected):
        """Two times of the day are cut to the allocation and its raster."""
        limited = make(*span).limit_timespan(time(*start), time(*end))
        assert limited == tuple(map(at, expected))

    def test_in_another_zone(self):
        """The times may be those of another zone."""
        start, end = make().limit_timespan(time(10, 30), time(13), "Europe/Zurich")
        assert naive(start, end) == wall("10:30", "12:00")

    def test_as_a_whole(self):
        """What is not partly available has no other times than its own."""
        limited = make(partly=False).limit_timespan(time(8, 30), time(9))
        assert limited == (at("08:00"), at("10:00"))

    def test_other_types(self):
        """Only times of the day can be combined with the date."""
        with pytest.raises(AssertionError):
            make().limit_timespan(at("08:00"), at("09:00"))

    def test_time_that_does_not_exist(self):
        """A time within the gap is refused on request."""
        day = make("2022-03-26 23:00", "2022-03-27 22:00", timezone="Europe/Zurich")
        with pytest.raises(pytz.NonExistentTimeError):
            day.limit_timespan(time(2, 30), time(5), raise_non_existent=True)
        start, _ = day.limit_timespan(time(2, 30), time(5))
        assert start == at("2022-03-27 01:30")

    def test_time_that_exists_twice(self):
        """A time that comes twice is the second one, or is_dst, or refused."""
        day = make("2022-10-29 22:00", "2022-10-30 23:00", timezone="Europe/Zurich")
        with pytest.raises(pytz.AmbiguousTimeError):
            day.limit_timespan(time(2, 30), time(5), raise_ambiguous=True)
        second, _ = day.limit_timespan(time(2, 30), time(5))
        first, _ = day.limit_timespan(time(2, 30), time(5), is_dst=True)
        assert (first, second) == (at("2022-10-30 00:30"), at("2022-10-30 01:30"))


class TestReservedSlot:
    def test_display_dates(self):
        """A slot is displayed in the zone of its allocation, or in another one."""
        allocation = make(timezone="Europe/Zurich")
        take(allocation, "08:15", "08:30")
        (slot,) = allocation.reserved_slots
        assert naive(slot.display_start(), slot.display_end()) == wall("10:15", "10:30")
        assert naive(slot.display_end("UTC")) == naive(at("08:30"))
        assert slot.allocation is allocation

    def test_equality(self):
        """Slots are equal by start and resource, a text being as good as a UUID."""
        one, same, other = ReservedSlot(), ReservedSlot(), ReservedSlot()
        one.resource, same.resource, other.resource = RESOURCE, str(RESOURCE), RESOURCE
        one.start, same.start, other.start = at("08:00"), at("08:00"), at("08:15")
        assert one == same
        assert one != other
        assert len({one, same}) == 2
