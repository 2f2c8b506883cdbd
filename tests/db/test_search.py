"""Searching: the daily window, and every option that narrows or widens the result."""

from __future__ import annotations

from datetime import datetime, timedelta
from unittest.mock import Mock

import pytest

MONDAY = datetime.fromisoformat("2030-06-03")
EMAIL = "test@example.org"


def at(text):
    """Read a time; without an offset it is naive, so local to the scheduler."""
    return datetime.fromisoformat(text)


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def week(start=0, end=23.75):
    """A search over the whole week, with a daily window in hours."""
    return hours(start, 0)[0], hours(0, end, 6)[1]


def book(scheduler, dates, quota=1):
    """Reserve and approve; return the token."""
    token = scheduler.reserve(EMAIL, dates, quota=quota)
    scheduler.approve_reservations(token)
    return token


def shown(allocation):
    """What a person reads on the wall: naive local start and end."""
    return (
        allocation.display_start().replace(tzinfo=None),
        allocation.display_end().replace(tzinfo=None),
    )


def is_extra(allocation):
    """Tell whether the search has added this for the sake of its group."""
    return hasattr(allocation, "is_extra_result")


class TestArguments:
    @pytest.mark.parametrize(
        ("dates", "options"),
        [
            pytest.param((None, None), {}, id="no dates"),
            pytest.param((MONDAY, None), {}, id="no end"),
            pytest.param((None, MONDAY), {}, id="no start"),
            pytest.param(week(), {"whole_day": "maybe"}, id="unknown whole_day"),
            pytest.param(week(), {"whole_day": True}, id="whole_day is no flag"),
            pytest.param(week(), {"groups": "maybe"}, id="unknown groups"),
        ],
    )
    def test_misuse(self, scheduler, dates, options):
        """Missing dates and unknown options are misuse, with a message."""
        with pytest.raises(AssertionError) as caught:
            scheduler.search_allocations(*dates, **options)
        assert str(caught.value)


class TestRange:
    def test_in_range_by_start(self, scheduler):
        """The result is a list, by start, of what lies in range."""
        dates = [hours(8, 10, day) for day in (3, 1, 2, 9)]
        scheduler.allocate(dates)
        found = scheduler.search_allocations(*week())
        assert isinstance(found, list)
        assert [shown(f) for f in found] == [hours(8, 10, day) for day in (1, 2, 3)]
        assert not any(map(is_extra, found))

    def test_nothing(self, scheduler):
        """A search without result gives an empty list."""
        assert scheduler.search_allocations(*week()) == []

    def test_masters_only(self, scheduler):
        """Mirrors are no results."""
        (master,) = scheduler.allocate(hours(8, 10), quota=3)
        book(scheduler, hours(8, 10), quota=2)
        assert scheduler.search_allocations(*week()) == [master]

    def test_own_only(self, scheduler_factory):
        """Other resources, blocking ones included, are not searched."""
        scheduler_factory(name="other").allocate(hours(8, 10))
        room = scheduler_factory(name="room", blocking_names=("other",))
        assert room.search_allocations(*week()) == []

    @pytest.mark.parametrize(
        ("start", "end", "found"),
        [
            pytest.param(8, 10, True, id="exactly"),
            pytest.param(9, 9.5, True, id="within"),
            pytest.param(7, 8.25, True, id="over the start"),
            pytest.param(9.75, 12, True, id="over the end"),
            pytest.param(0, 23.75, True, id="all day"),
            pytest.param(6, 8, False, id="until it starts"),
            pytest.param(10, 12, False, id="from when it ends"),
            pytest.param(18, 20, False, id="in the evening"),
        ],
    )
    def test_daily_window(self, scheduler, start, end, found):
        """On each day only the hours between the two times of day are searched."""
        masters = scheduler.allocate(hours(8, 10, day) for day in (1, 3, 5))
        expected = masters if found else []
        assert scheduler.search_allocations(*week(start, end)) == expected

    def test_window_is_taken_as_it_is(self, scheduler_factory):
        """The range is converted, the times of day are not."""
        scheduler = scheduler_factory(timezone="Europe/Zurich")
        early, late = scheduler.allocate([hours(8, 9, 1), hours(10, 11, 1)])
        aware = at("2030-06-03 08:00+00:00"), at("2030-06-05 09:00+00:00")
        assert scheduler.search_allocations(*aware) == [early]
        naive = at("2030-06-03 10:00"), at("2030-06-05 11:00")
        assert scheduler.search_allocations(*naive) == [late]

    @pytest.mark.parametrize(
        ("begin", "end", "dates", "found"),
        [
            pytest.param(0, 0, hours(8, 10, 1), False, id="no time at all"),
            pytest.param(0, 0, hours(0, 24, 1), True, id="the moment it begins"),
            pytest.param(22, 6, hours(23, 25, 1), True, id="over midnight"),
            pytest.param(22, 6, hours(23, 23.5, 1), False, id="before midnight"),
            pytest.param(22, 6, hours(21, 23, 1), True, id="over the first edge"),
            pytest.param(22, 6, hours(1, 2, 1), False, id="after midnight"),
        ],
    )
    @pytest.mark.parametrize("available_only", [False, True])
    def test_reversed_window(self, scheduler, begin, end, dates, found, available_only):
        """A window that ends before it begins holds what is at its first moment."""
        masters = scheduler.allocate(dates)
        result = scheduler.search_allocations(
            *week(begin, end), available_only=available_only
        )
        assert result == (masters if found else [])


class TestDays:
    @pytest.mark.parametrize(
        ("days", "expected"),
        [
            pytest.param(["mo", "we"], [0, 2], id="names"),
            pytest.param([0, 2], [0, 2], id="numbers"),
            pytest.param(["su", 5], [5, 6], id="both"),
            pytest.param(("tu",), [1], id="tuple"),
            pytest.param([], [0, 1, 2, 3, 4, 5, 6], id="empty: any"),
            pytest.param(None, [0, 1, 2, 3, 4, 5, 6], id="none: any"),
        ],
    )
    def test_weekdays(self, scheduler, days, expected):
        """Only what starts on one of the weekdays is found."""
        scheduler.allocate(hours(8, 10, day) for day in range(7))
        found = scheduler.search_allocations(*week(), days=days)
        assert [f.display_start().weekday() for f in found] == expected

    def test_local_weekday(self, scheduler_factory):
        """The weekday is the local one: Monday 0:30 is Sunday in UTC."""
        scheduler = scheduler_factory(timezone="Europe/Zurich")
        (monday,) = scheduler.allocate(hours(0.5, 2))
        assert scheduler.search_allocations(*week(), days=["mo"]) == [monday]
        assert scheduler.search_allocations(*week(), days=["su"]) == []


class TestWholeDay:
    @pytest.mark.parametrize(
        ("whole_day", "expected"),
        [("any", [0, 1, 2]), ("yes", [1]), ("no", [0, 2])],
    )
    def test_whole_day(self, scheduler, whole_day, expected):
        """Whole days can be asked for, or the others."""
        scheduler.allocate([hours(8, 10), hours(0, 23, 2)])
        scheduler.allocate(hours(8, 10, 1), whole_day=True)
        found = scheduler.search_allocations(*week(), whole_day=whole_day)
        assert [f.display_start().weekday() for f in found] == expected


class TestMinspots:
    @pytest.mark.parametrize(
        ("minspots", "found"),
        [
            pytest.param(0, True, id="any number"),
            pytest.param(1, True, id="one place"),
            pytest.param(7, True, id="just enough"),
            pytest.param(8, False, id="one too many"),
            pytest.param(10, False, id="some are taken"),
            pytest.param(11, False, id="more than there are"),
        ],
    )
    def test_free_places(self, scheduler, minspots, found):
        """So many places must be free: of ten, three are taken."""
        masters = scheduler.allocate(hours(8, 10), quota=10)
        book(scheduler, hours(8, 10), quota=3)
        expected = masters if found else []
        result = scheduler.search_allocations(*week(), minspots=minspots)
        assert result == expected

    @pytest.mark.parametrize(("minspots", "found"), [(3, True), (4, False)])
    def test_limit(self, scheduler, minspots, found):
        """What nobody may reserve at once because of the limit is not found."""
        masters = scheduler.allocate(hours(8, 10), quota=10, quota_limit=3)
        result = scheduler.search_allocations(*week(), minspots=minspots)
        assert result == (masters if found else [])

    @pytest.mark.parametrize(("percent", "found"), [(100.0, 2), (49.0, 0)])
    def test_availability_may_be_replaced(self, scheduler, percent, found):
        """The availability is asked from the scheduler, once per candidate."""
        masters = scheduler.allocate([hours(8, 10), hours(12, 14)], quota=2)
        scheduler.availability = Mock(return_value=percent)
        result = scheduler.search_allocations(*week(), minspots=1)
        assert len(result) == found
        asked = [call.args for call in scheduler.availability.call_args_list]
        assert asked == [(master.start, master.end) for master in masters]


class TestAvailableOnly:
    def test_taken(self, scheduler):
        """What is taken is not found, what has a place is."""
        taken, free = scheduler.allocate([hours(8, 10), hours(8, 10, 1)], quota=2)
        book(scheduler, hours(8, 10), quota=2)
        book(scheduler, hours(8, 10, 1), quota=1)
        assert scheduler.search_allocations(*week(), available_only=True) == [free]
        assert scheduler.search_allocations(*week()) == [taken, free]

    def test_blocked(self, scheduler):
        """What is blocked is not available."""
        scheduler.allocate(hours(8, 10), quota=2)
        scheduler.add_blocker(hours(8, 10))
        assert scheduler.search_allocations(*week(), available_only=True) == []

    @pytest.mark.parametrize(
        ("start", "end", "found"),
        [(8, 10, True), (10, 11, False), (8, 12, False), (11, 12, True)],
    )
    def test_in_the_window(self, scheduler, start, end, found):
        """The time between the two times of day must be free in one place."""
        masters = scheduler.allocate(hours(8, 12), partly_available=True)
        book(scheduler, hours(10, 11))
        result = scheduler.search_allocations(*week(start, end), available_only=True)
        assert result == (masters if found else [])

    def test_blocking_resources(self, scheduler_factory):
        """What a blocking resource has taken is not available."""
        hall = scheduler_factory(name="hall")
        hall.allocate([hours(8, 10), hours(8, 10, 1)])
        room = scheduler_factory(name="room", blocking_names=("hall",))
        taken, free = room.allocate([hours(8, 10), hours(8, 10, 1)])
        book(hall, hours(8, 10))
        assert room.search_allocations(*week(), available_only=True) == [free]
        assert room.search_allocations(*week()) == [taken, free]


class TestGroups:
    @pytest.mark.parametrize(
        ("groups", "expected"), [("any", [0, 1, 2]), ("yes", [0, 1]), ("no", [2])]
    )
    def test_groups(self, scheduler, groups, expected):
        """Members of groups can be asked for, or the others."""
        scheduler.allocate([hours(8, 10), hours(8, 10, 1)], grouped=True)
        scheduler.allocate(hours(8, 10, 2))
        found = scheduler.search_allocations(*week(), groups=groups)
        assert [f.display_start().weekday() for f in found] == expected

    def test_other_members_are_added(self, scheduler):
        """The rest of a group comes along, marked as extra, all by start."""
        scheduler.allocate([hours(8, 10, day) for day in (-9, 1, 9)], grouped=True)
        (alone,) = scheduler.allocate(hours(8, 10, 2))
        found = scheduler.search_allocations(*week())
        assert [shown(f) for f in found] == [hours(8, 10, day) for day in (-9, 1, 2, 9)]
        assert [is_extra(f) for f in found] == [True, False, False, True]
        assert found[0].is_extra_result is True
        assert found[2] is alone

    def test_members_that_did_not_match(self, scheduler):
        """A member that an option has dropped comes back as extra."""
        masters = scheduler.allocate([hours(8, 10), hours(8, 10, 1)], grouped=True)
        found = scheduler.search_allocations(*week(), days=["tu"])
        assert found == masters
        assert [is_extra(f) for f in found] == [True, False]

    def test_strict(self, scheduler):
        """A strict search finds no more than what matches."""
        _, tuesday = scheduler.allocate([hours(8, 10), hours(8, 10, 1)], grouped=True)
        found = scheduler.search_allocations(*week(), days=["tu"], strict=True)
        assert found == [tuesday]
        assert not is_extra(tuesday)

    def test_mark_does_not_stay(self, scheduler):
        """What was extra once is an ordinary result when it matches itself."""
        masters = scheduler.allocate([hours(8, 10), hours(8, 10, 1)], grouped=True)
        scheduler.search_allocations(*week(), days=["tu"])
        found = scheduler.search_allocations(*week())
        assert found == masters
        assert not any(map(is_extra, found))

    def test_extras_are_masters(self, scheduler):
        """Mirrors of other members do not come along."""
        masters = scheduler.allocate(
            [hours(8, 10), hours(8, 10, 1)], grouped=True, quota=2
        )
        token = scheduler.reserve(EMAIL, group=masters[0].group, quota=2)
        scheduler.approve_reservations(token)
        assert scheduler.search_allocations(*week(), days=["tu"]) == masters


class Weekdays:
    """An exposure that hides some days of the week."""

    def __init__(self, *hidden):
        self.hidden = hidden

    def is_allocation_exposed(self, allocation):
        return allocation.display_start().weekday() not in self.hidden


class TestExposure:
    def test_hidden(self, context, scheduler_factory):
        """What is not exposed is not found."""
        context.set_service("exposure", lambda _: Weekdays(0))
        scheduler = scheduler_factory()
        _, tuesday = scheduler.allocate([hours(8, 10), hours(8, 10, 1)])
        assert scheduler.search_allocations(*week()) == [tuesday]

    def test_cached(self, context, scheduler_factory):
        """The exposure is asked for once, until the cache is cleared."""
        scheduler = scheduler_factory()
        masters = scheduler.allocate([hours(8, 10), hours(8, 10, 1)])
        assert scheduler.search_allocations(*week()) == masters
        context.set_service("exposure", lambda _: Weekdays(0))
        assert scheduler.search_allocations(*week()) == masters
        scheduler.clear_cache()
        assert scheduler.search_allocations(*week()) == masters[1:]

    def test_extras(self, context, scheduler_factory):
        """Members of a group that are not exposed do not come along."""
        context.set_service("exposure", lambda _: Weekdays(0))
        scheduler = scheduler_factory()
        masters = scheduler.allocate(
            [hours(8, 10, day) for day in range(3)], grouped=True
        )
        found = scheduler.search_allocations(*week(), days=["tu"])
        assert found == masters[1:]
