"""How much is left: percent and partitions, against the grid of five minutes."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.domain.availability import (
    Taken,
    average,
    percent_left,
    skipped_window,
    timeline,
)
from libres.domain.days import Shift, shifts_within
from libres.domain.spans import Span
from tests.domain import grid
from tests.domain.making import (
    DAY,
    HOUR,
    MONDAY,
    STEP,
    allocated,
    at,
    quick,
    span,
    utc,
    within,
)

ZONES = [
    "Europe/Zurich",
    "Europe/London",
    "America/Santiago",
    "Australia/Lord_Howe",
    "America/New_York",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "America/Havana",
]


def reserved(start, end):
    """A time that somebody has taken one place of."""
    return Taken(span(start, end), blocked=False)


def blocked(start, end):
    """A time at which every place is taken."""
    return Taken(span(start, end), blocked=True)


def agrees(found, expected):
    """Whether two lists of partitions say the same, but for the last digits."""
    return [(pytest.approx(percent, abs=1e-9), full) for percent, full in found] == (
        expected
    )


class TestPercentLeft:
    @pytest.mark.parametrize(
        ("total", "taken", "blocks", "expected"),
        [
            pytest.param(4, 0, 0, 100, id="nothing is taken"),
            pytest.param(4, 1, 0, 75, id="a quarter is"),
            pytest.param(4, 4, 0, 0, id="all is"),
            pytest.param(4, 1, 2, 50, id="blockers shrink the whole"),
            pytest.param(4, 0, 3, 100, id="what is not blocked is free"),
            pytest.param(4, 0, 4, 0, id="blocked from end to end"),
            pytest.param(4, 2, 2, 0, id="reserved or blocked, nothing left"),
            pytest.param(4, 9, 0, 0, id="more than there is: not below zero"),
            pytest.param(0, 0, 0, 0, id="nothing there"),
        ],
    )
    def test_table(self, total, taken, blocks, expected):
        """What is blocked counts as if it were not there."""
        assert percent_left(total, taken, blocks) == expected


class TestAverage:
    @pytest.mark.parametrize(
        ("percents", "records", "quota", "expected"),
        [
            pytest.param([50], 1, 1, 50, id="alone"),
            pytest.param([0, 50], 2, 2, 25, id="two records"),
            pytest.param([0], 1, 4, 75, id="no record is free"),
            pytest.param([], 0, 3, 100, id="no records at all"),
            pytest.param([], 0, 0, 0, id="no places at all"),
        ],
    )
    def test_table(self, percents, records, quota, expected):
        """Places that are no records yet are free."""
        assert average(percents, records=records, quota=quota) == expected


class TestPartly:
    @pytest.mark.parametrize(
        ("taken", "availability", "partitions"),
        [
            pytest.param([], 100, [(100, False)], id="one block if nothing is taken"),
            pytest.param(
                [reserved("8:30", "9:00")],
                75,
                [(25, False), (25, True), (50, False)],
                id="the example of the contract",
            ),
            pytest.param(
                [reserved("8:30", "9:00"), reserved("9:00", "9:30")],
                50,
                [(25, False), (50, True), (25, False)],
                id="equal neighbours are merged",
            ),
            pytest.param(
                [reserved("8:30", "9:00"), blocked("9:00", "9:30")],
                pytest.approx(200 / 3),
                [(25, False), (50, True), (25, False)],
                id="a blocker is shown as reserved, but shrinks the whole",
            ),
            pytest.param(
                [reserved("8:37", "8:38")],
                87.5,
                [(25, False), (12.5, True), (62.5, False)],
                id="a minute takes the step it lies in",
            ),
            pytest.param([reserved("6:00", "12:00")], 0, [(100, True)], id="beyond it"),
            pytest.param([reserved("6:00", "8:00")], 100, [(100, False)], id="before"),
            pytest.param([reserved("10:00", "12:00")], 100, [(100, False)], id="after"),
            pytest.param([blocked("8:00", "10:00")], 0, [(100, True)], id="blocked"),
        ],
    )
    def test_one_place(self, taken, availability, partitions):
        """From eight to ten, in quarters."""
        line = timeline(span("8:00", "10:00"), 15, taken, partly=True)
        assert line.availability == availability
        assert line.partitions == partitions

    @pytest.mark.parametrize(
        ("taken", "availability", "partitions"),
        [
            pytest.param(
                [reserved("8:00", "9:00")], 75, [(100, False)], id="one of two places"
            ),
            pytest.param(
                [reserved("8:00", "9:00")] * 2,
                50,
                [(50, True), (50, False)],
                id="both, for half of the time",
            ),
            pytest.param(
                [reserved("8:00", "9:00")] * 3,
                50,
                [(50, True), (50, False)],
                id="a third one changes nothing",
            ),
            pytest.param(
                [blocked("8:00", "9:00"), reserved("9:00", "10:00")],
                50,
                [(50, True), (50, False)],
                id="a blocker takes both",
            ),
            pytest.param(
                [reserved("8:00", "8:05"), reserved("8:10", "8:15")],
                93.75,
                [(100, False)],
                id="the worst moment of a step counts, not the sum",
            ),
            pytest.param(
                [reserved("8:00", end) for end in ("8:15", "8:20", "8:25")],
                75,
                [(25, True), (75, False)],
                id="whole steps and parts of them",
            ),
            pytest.param(
                [blocked("8:20", "8:25"), reserved("8:25", "8:30")],
                100,
                [(12.5, False), (12.5, True), (75, False)],
                id="a blocker takes the whole step",
            ),
        ],
    )
    def test_two_places(self, taken, availability, partitions):
        """A time is reserved if no place is left."""
        line = timeline(span("8:00", "10:00"), 15, taken, quota=2, partly=True)
        assert line.availability == availability
        assert line.partitions == partitions


class TestAsAWhole:
    @pytest.mark.parametrize(
        ("taken", "quota", "availability"),
        [
            pytest.param([], 3, 100, id="nothing"),
            pytest.param([reserved("8:00", "8:05")], 1, 0, id="five minutes take all"),
            pytest.param([reserved("8:00", "8:05")], 4, 75, id="of one place"),
            pytest.param(
                [reserved("8:00", "8:05"), reserved("9:00", "9:05")],
                4,
                75,
                id="the worst moment counts, not the sum",
            ),
            pytest.param(
                [reserved("8:00", "8:10"), reserved("8:05", "8:15")],
                4,
                50,
                id="two at one moment",
            ),
            pytest.param([blocked("9:55", "10:00")], 4, 0, id="a blocker takes all"),
            pytest.param([reserved("10:00", "11:00")], 1, 100, id="touching"),
        ],
    )
    def test_table(self, taken, quota, availability):
        """What is not partly available is one block: free, or not."""
        line = timeline(span("8:00", "10:00"), 15, taken, quota=quota, partly=False)
        assert line.availability == availability
        assert line.partitions == [(100, availability == 0)]


def zurich(start, end, raster, *taken, normalized):
    """The timeline of an allocation in Zurich, in times of UTC."""
    whole = Span(utc(start), utc(end))
    spans = [Span(utc(first), utc(last)) for first, last in taken]
    return timeline(
        whole,
        raster,
        [Taken(each, blocked=False) for each in spans],
        partly=True,
        shifts=shifts_within(whole, "Europe/Zurich") if normalized else (),
    )


AUTUMN = ("2022-10-29 22:00", "2022-10-30 03:00")
SPRING = ("2022-03-26 23:00", "2022-03-27 03:00")
BEFORE = ("2022-10-29 23:00", "2022-10-30 00:00")
SKIPPED = ("2022-10-30 00:00", "2022-10-30 01:00")
RAINY = ("2022-10-30 07:00", "2022-10-30 12:20")


class TestWorkedExamples:
    @pytest.mark.parametrize(
        ("whole", "raster", "taken", "normalized", "partitions", "availability"),
        [
            pytest.param(
                *(AUTUMN, 15, [BEFORE], True),
                *([(25, False), (25, True), (50, False)], 75),
                id="25 hours",
            ),
            pytest.param(
                *(AUTUMN, 15, [BEFORE], False),
                *([(20, False), (20, True), (60, False)], 80),
                id="25 hours, not normalised",
            ),
            pytest.param(
                *(AUTUMN, 15, [BEFORE, SKIPPED], True),
                *([(25, False), (25, True), (50, False)], 75),
                id="the skipped hour is taken: no change",
            ),
            pytest.param(
                *(AUTUMN, 15, [BEFORE, SKIPPED], False),
                *([(20, False), (40, True), (40, False)], 60),
                id="the skipped hour is taken, not normalised",
            ),
            pytest.param(
                *(SPRING, 15, [], True),
                *([(40, False), (20, True), (40, False)], 80),
                id="23 hours",
            ),
            pytest.param(
                *(SPRING, 15, [], False),
                *([(100, False)], 100),
                id="23 hours, not normalised",
            ),
            pytest.param(
                *(("2022-10-30 00:40", "2022-10-30 23:00"), 5, [RAINY], True),
                *([(25, False), (25, True), (50, False)], 75),
                id="begins within the skipped hour",
            ),
        ],
    )
    def test_table(self, whole, raster, taken, normalized, partitions, availability):
        """The examples of the contract, Europe/Zurich, in UTC."""
        line = zurich(*whole, raster, *taken, normalized=normalized)
        assert agrees(line.partitions, partitions)
        assert line.availability == pytest.approx(availability, abs=1e-9)


class TestSkippedWindow:
    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            pytest.param("8:00", "18:00", ("11:00", "12:00"), id="the first of both"),
            pytest.param("11:30", "18:00", ("11:30", "12:30"), id="begins within it"),
            pytest.param("11:00", "18:00", ("11:00", "12:00"), id="begins with it"),
            pytest.param("11:30", "12:10", ("11:30", "12:10"), id="ends within it"),
        ],
    )
    def test_table(self, start, end, expected):
        """At noon the clocks go back to eleven."""
        shift = Shift(at("12:00"), -HOUR)
        assert skipped_window(span(start, end), shift) == span(*expected)


seldom = st.sampled_from([False, False, False, True])


@st.composite
def scenes(draw):
    """An allocation, its raster, what is taken of it, and its number of places."""
    raster, whole = draw(allocated(longest=24))
    times = st.builds(Taken, within(whole), seldom)
    taken = draw(st.lists(times, max_size=6))
    return whole, raster, taken, draw(st.integers(1, 4))


@quick
@given(scenes(), st.booleans())
def test_brute_force(scene, partly):
    """Percent and partitions are what counting each five minutes gives."""
    whole, raster, taken, quota = scene
    line = timeline(whole, raster, taken, quota=quota, partly=partly)
    found = grid.left(whole, raster, taken, quota, partly=partly)
    assert line.availability == pytest.approx(grid.availability(found, quota), abs=1e-9)
    assert agrees(line.partitions, grid.partitions(found))


@quick
@given(scenes())
def test_shape(scene):
    """Partitions sum to a hundred and alternate; none of them is empty."""
    whole, raster, taken, quota = scene
    found = timeline(whole, raster, taken, quota=quota, partly=True).partitions
    assert abs(sum(percent for percent, _ in found) - 100) <= 1e-9
    assert all(percent > 0 for percent, _ in found)
    full = [is_full for _, is_full in found]
    assert all(one is not other for one, other in pairwise(full))


@quick
@given(scenes())
def test_order_of_taken(scene):
    """In which order things were taken plays no part."""
    whole, raster, taken, quota = scene
    one = timeline(whole, raster, taken, quota=quota, partly=True)
    other = timeline(whole, raster, taken[::-1], quota=quota, partly=True)
    assert one.partitions == other.partitions
    assert one.availability == other.availability


@st.composite
def around_changes(draw):
    """A zone and, near a clock change, an allocation and what is taken of it."""
    name = draw(st.sampled_from(ZONES))
    moment, _ = draw(st.sampled_from(grid.changes(name, 2022)))
    raster = draw(st.sampled_from([5, 15, 60]))
    step = timedelta(minutes=raster)
    first = moment.replace(minute=0) + draw(st.integers(-20, 4)) * step
    whole = Span(first, first + draw(st.integers(1, 40)) * step)
    times = st.builds(Taken, within(whole), st.just(value=False))
    return name, raster, whole, draw(st.lists(times, max_size=4))


@quick
@given(around_changes(), st.integers(1, 2))
def test_normalised(drawn, quota):
    """Around a clock change it is what the clocks show, cell by cell."""
    name, raster, whole, taken = drawn
    moved = shifts_within(whole, name)
    line = timeline(whole, raster, taken, quota=quota, partly=True, shifts=moved)
    found = grid.left(whole, raster, taken, quota, partly=True)
    shown = grid.on_the_wall(whole, found, name)
    assert line.availability == pytest.approx(grid.availability(shown, quota), abs=1e-9)
    assert agrees(line.partitions, grid.partitions(shown))


def test_long_and_full():
    """Five years, every second hour taken: the sum is still exact."""
    whole = Span(MONDAY, MONDAY + 5 * 365 * DAY)
    hours = int(whole.duration / HOUR)
    taken = [
        Taken(Span(whole.start + n * HOUR, whole.start + (n + 1) * HOUR), blocked=False)
        for n in range(0, hours, 20)
    ]
    line = timeline(
        whole, 5, taken, partly=True, shifts=shifts_within(whole, "Europe/Zurich")
    )
    assert len(line.partitions) >= 2 * len(taken) - 10
    assert abs(sum(percent for percent, _ in line.partitions) - 100) <= 1e-9


def test_one_third():
    """Where a hundred cannot be divided, the last block has the rest."""
    taken = [reserved("8:00", "8:05")]
    found = timeline(span("8:00", "8:35"), 5, taken, partly=True).partitions
    assert agrees(found, [(100 / 7, True), (600 / 7, False)])
    assert sum(percent for percent, _ in found) == 100


@pytest.mark.parametrize("number", range(2, 30))
def test_rest(number):
    """The rest has the right sign: blocks of uneven lengths sum to a hundred."""
    taken, start = [], at("8:00")
    for step in range(number):
        end = start + (1 + step % 7) * STEP
        taken += [Taken(Span(start, end), blocked=False)] if step % 2 else []
        start = end
    found = timeline(Span(at("8:00"), start), 5, taken, partly=True).partitions
    assert len(found) == number
    assert sum(percent for percent, _ in found) == 100


class TestChangeAtTheEnd:
    """An allocation from eight to ten, of which the clocks change at ten."""

    @pytest.mark.parametrize(
        ("hours", "partitions"),
        [
            pytest.param(1, [(200 / 3, False), (100 / 3, True)], id="a missing hour"),
            pytest.param(-1, [(100, False)], id="a repeated hour"),
            pytest.param(-2, [(50, True), (50, False)], id="as much as there is"),
            pytest.param(-3, [(50, True), (50, False)], id="more than there is"),
        ],
    )
    def test_table(self, hours, partitions):
        """What is missing follows; what nothing would be left by does not count."""
        line = timeline(
            span("8:00", "10:00"),
            15,
            [reserved("8:00", "9:00")] if hours < -1 else [],
            partly=True,
            shifts=[Shift(at("10:00"), hours * HOUR)],
        )
        assert agrees(line.partitions, partitions)
