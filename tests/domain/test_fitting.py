"""What fits: against trying every start, and by example."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.domain.availability import Taken
from libres.domain.days import to_utc
from libres.domain.fitting import Hours, Opening, Wanted, fit_at, fits, nearest
from libres.domain.spans import Span
from tests.domain.making import (
    DAY,
    HOUR,
    MONDAY,
    allocated,
    at,
    local,
    master,
    quick,
    span,
    within,
)

MINUTE = timedelta(minutes=1)
OTHER = UUID("b6c5e2f0-0000-4000-8000-000000000003")
ALL_DAY = [Span(MONDAY - DAY, MONDAY + 2 * DAY)]


def taken(*spans):
    """What takes one place: texts such as 9:00-10:00."""
    return tuple(Taken(span(*each.split("-")), blocked=False) for each in spans)


def found(opening, minutes=60, windows=ALL_DAY, blocking=(), **wanted):
    """What fits, as pairs of times of that Monday, and how many places are left."""
    asked = Wanted(minutes * MINUTE, **wanted)
    return [
        (f"{each.span.start:%H:%M}", f"{each.span.end:%H:%M}", each.left)
        for each in fits(opening, asked, windows, blocking)
    ]


class TestParts:
    @pytest.mark.parametrize(
        ("busy", "minutes", "expected"),
        [
            pytest.param([], 60, ["08:00", "09:00", "10:00"], id="one after the other"),
            pytest.param([], 61, ["08:00", "09:15"], id="steps of the raster"),
            pytest.param(["8:00-8:30"], 60, ["08:30", "09:30"], id="after what ends"),
            pytest.param(["9:00-9:15"], 60, ["08:00", "09:15"], id="around it"),
            pytest.param(["8:30-9:00", "9:45-10:15"], 60, [], id="gaps too short"),
            pytest.param([], 180, ["08:00"], id="all of it"),
            pytest.param([], 181, [], id="longer than it"),
            pytest.param(["8:00-11:00"], 15, [], id="all is taken"),
        ],
    )
    def test_one_place(self, busy, minutes, expected):
        """From eight to eleven, in quarters."""
        opening = Opening(master("8:00", "11:00"), (taken(*busy),))
        assert [start for start, _, _ in found(opening, minutes)] == expected

    def test_places(self):
        """The same places have to be free for the whole of it."""
        opening = Opening(
            master("8:00", "10:00", quota=3), (taken("8:00-8:30"), taken("9:30-10:00"))
        )
        assert found(opening) == [("08:00", "09:00", 2), ("09:00", "10:00", 2)]
        assert found(opening, places=3) == [("08:30", "09:30", 3)]
        assert found(opening, 120) == [("08:00", "10:00", 1)]

    def test_limit(self):
        """More places than one reservation may take fit never."""
        opening = Opening(master("8:00", "9:00", quota=3, quota_limit=2))
        assert found(opening, places=2)
        assert not found(opening, places=3)

    def test_every_step(self):
        """Those that overlap are told if they are asked for."""
        opening = Opening(master("8:00", "9:30"), (taken("8:00-8:15"),))
        assert found(opening, every_step=True) == [
            ("08:15", "09:15", 1),
            ("08:30", "09:30", 1),
        ]

    def test_windows(self):
        """All of it lies within the hours, on the raster."""
        opening = Opening(master())
        windows = [Span(at("8:50:01"), at("10:30")), span("12:00", "12:59")]
        assert found(opening, windows=windows) == [("09:00", "10:00", 1)]

    def test_group(self):
        """What is reserved with its group is not offered by itself."""
        assert not found(Opening(master(in_group=True)))

    @quick
    @given(data=st.data())
    def test_against_trying(self, data):
        """Nothing that fits is missed: what is left out overlaps what is told."""
        raster, whole = data.draw(allocated())
        step = timedelta(minutes=raster)

        def places(span):
            some = data.draw(st.lists(within(span), max_size=4))
            return tuple((Taken(each, False),) for each in some)

        own = master(span=whole, raster=raster, quota=data.draw(st.integers(1, 3)))
        opening = Opening(own, places(whole)[: own.quota])
        other = data.draw(within(whole))
        raster2 = data.draw(st.sampled_from([5, 15, 60]))
        other = Span.rasterized(other.start, other.end, raster2)
        across = Opening(
            master(span=other, raster=raster2, resource=OTHER), places(other)[:1]
        )
        wanted = Wanted(data.draw(st.integers(1, 6)) * step)
        all_ = [*fits(opening, wanted, [whole], [across])]
        for one, following in pairwise(all_):
            assert one.span.end <= following.span.start
        start = whole.start
        while start + wanted.duration <= whole.end:
            tried = Span(start, start + wanted.duration)
            fit = fit_at(opening, tried, 1, [across])
            told = [each for each in all_ if each.span.overlaps(tried)]
            assert bool(told) >= bool(fit)
            assert fit is not None or tried not in [each.span for each in told]
            start += step


class TestWhole:
    @pytest.mark.parametrize(
        ("minutes", "window", "fit"),
        [
            pytest.param(60, ("8:00", "10:00"), True, id="more than is wanted"),
            pytest.param(120, ("8:00", "10:00"), True, id="as much"),
            pytest.param(121, ("8:00", "10:00"), False, id="not enough"),
            pytest.param(60, ("8:15", "10:00"), False, id="begins too early"),
            pytest.param(60, ("8:00", "9:45"), False, id="ends too late"),
        ],
    )
    def test_table(self, minutes, window, fit):
        """What is not partly available fits as a whole."""
        opening = Opening(master("8:00", "10:00", partly_available=False))
        expected = [("08:00", "10:00", 1)] if fit else []
        assert found(opening, minutes, [span(*window)]) == expected

    def test_taken(self):
        """It is taken if any of it is."""
        whole = master("8:00", "10:00", partly_available=False)
        assert not found(Opening(whole, (taken("8:00-10:00"),)))

    def test_too_long(self):
        """What may not be reserved at once is not offered: 24 hours are too long."""
        whole = Span(at("6:00"), at("6:00", 1))
        assert not found(Opening(master(span=whole, partly_available=False)))

    def test_day(self):
        """A whole day of its zone may be reserved."""
        whole = Span(at("22:00", -1), at("22:00"))
        opening = Opening(master(span=whole, partly_available=False))
        assert len(found(opening)) == 1


class TestBlocking:
    @pytest.mark.parametrize(
        ("values", "busy", "expected"),
        [
            pytest.param({}, [], ["08:00", "09:00"], id="free"),
            pytest.param({}, ["8:00-9:00"], ["09:00"], id="taken"),
            pytest.param({"raster": 60}, ["8:00-9:00"], ["09:00"], id="coarser"),
            pytest.param({"partly_available": False}, ["7:00-12:00"], [], id="whole"),
        ],
    )
    def test_table(self, values, busy, expected):
        """What is taken on the other resource is taken here."""
        across = Opening(
            master("7:00", "12:00", resource=OTHER, **values), (taken(*busy),)
        )
        opening = Opening(master("8:00", "10:00"))
        told = found(opening, blocking=[across])
        assert [start for start, _, _ in told] == expected

    def test_left(self):
        """The fewest places count."""
        across = Opening(master("7:00", "9:00", resource=OTHER, quota=2))
        opening = Opening(master("8:00", "10:00", quota=5))
        told = found(opening, blocking=[across])
        assert [left for _, _, left in told] == [2, 5]
        assert found(opening, blocking=[across], places=3) == [("09:00", "10:00", 5)]


class TestAt:
    @pytest.mark.parametrize(
        ("values", "asked", "expected"),
        [
            pytest.param({}, ("9:00", "10:00"), ("9:00", "10:00"), id="as it is"),
            pytest.param({}, ("9:05", "10:05"), ("9:00", "10:15"), id="on the raster"),
            pytest.param({}, ("7:45", "9:00"), None, id="leaves the allocation"),
            pytest.param({}, ("12:00", "13:00"), None, id="taken"),
            pytest.param(
                {"partly_available": False}, ("9:00", "10:00"), None, id="whole, taken"
            ),
            pytest.param({"in_group": True}, ("9:00", "10:00"), None, id="of a group"),
        ],
    )
    def test_table(self, values, asked, expected):
        """What would be reserved is told."""
        opening = Opening(master(**values), (taken("12:30-13:30"),))
        fit = fit_at(opening, span(*asked), 1)
        assert (fit and fit.span) == (expected and span(*expected))

    def test_whole(self):
        """What is not partly available is taken whole."""
        opening = Opening(master(partly_available=False))
        assert fit_at(opening, span("9:00", "10:00"), 1).span == span("8:00", "18:00")


class TestHours:
    WEEK = Span(
        datetime(2030, 6, 2, 22, tzinfo=UTC), datetime(2030, 6, 9, 22, tzinfo=UTC)
    )
    """Of Zurich."""

    def parts(self, *texts):
        """Local times of Zurich, as spans."""
        moments = [to_utc(local(each), "Europe/Zurich") for each in texts]
        return [Span(*each) for each in zip(moments[::2], moments[1::2], strict=True)]

    def within(self, days=(), begins=None, ends=None, asked=WEEK):
        """The parts of that week."""
        clocks = [each and time.fromisoformat(each) for each in (begins, ends)]
        return Hours(frozenset(days), *clocks).within(asked, "Europe/Zurich")

    def test_all(self):
        """Without a wish all of it is asked for."""
        assert self.within() == [self.WEEK]

    def test_days(self):
        """Days that touch are one part."""
        assert self.within([0, 1, 3]) == self.parts(
            "2030-06-03", "2030-06-05", "2030-06-06", "2030-06-07"
        )

    def test_times(self):
        """Times of day are local."""
        told = self.within([4], "09:00", "17:00")
        assert told == self.parts("2030-06-07T09:00", "2030-06-07T17:00")

    def test_night(self):
        """An end before the start is the next day's; the day is that of the start."""
        told = self.within([4], "22:00", "02:00")
        assert told == self.parts("2030-06-07T22:00", "2030-06-08T02:00")

    def test_night_before(self):
        """A night that began before what is asked for reaches into it."""
        asked = Span(self.WEEK.start, self.WEEK.start + HOUR)
        assert self.within((), "22:00", "02:00", asked) == [asked]

    def test_clocks(self):
        """On the day of a clock change the times of day are as on any other."""
        asked = Span(at("0:00", -200), at("0:00", -60))
        told = self.within([6], "09:00", "10:00", asked)
        sunday = self.parts("2030-03-31T09:00", "2030-03-31T10:00")
        assert sunday[0] in told
        assert {each.duration for each in told} == {HOUR}


class TestNearest:
    def test_order(self):
        """The same day first, then the days around at about the same time."""
        fits_ = [
            fit
            for day in (-2, -1, 0, 1)
            for fit in fits(
                Opening(master(span=span("8:00", "18:00", day))),
                Wanted(HOUR),
                [Span(at("0:00", -7), at("0:00", 7))],
            )
            if day or f"{fit.span.start:%H}" in ("08", "17")
        ]
        told = nearest(fits_, at("12:00"), "Europe/Zurich", 5)
        assert [each.span.start for each in told] == [
            at("8:00"),
            at("17:00"),
            at("12:00", -1),
            at("12:00", 1),
            at("11:00", -1),
        ]

    def test_apart(self):
        """What overlaps something nearer is left out."""
        opening = Opening(master(), (taken("11:45-12:30"),))
        every = fits(opening, Wanted(HOUR, every_step=True), ALL_DAY)
        told = nearest(every, at("12:00"), "Europe/Zurich", 3)
        assert [each.span for each in told] == [
            span("12:30", "13:30"),
            span("10:45", "11:45"),
            span("13:30", "14:30"),
        ]
