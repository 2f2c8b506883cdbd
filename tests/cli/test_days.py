"""How sessions become days, and days become allocations."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.cli.schedule.days import Day, Span, days_by_room, days_of, plan, span_of
from tests.cli.schedules import BERLIN, row

UTC_ZONE = ZoneInfo("UTC")
DAY = "2030-01-0"


def span(start: str, end: str) -> Span:
    return Span(*(datetime.fromisoformat(f"{t}+00:00") for t in (start, end)))


@pytest.mark.parametrize(
    ("sessions", "days", "why"),
    [
        ([("1T10:00", "1T11:00")], [("1T10:00", "1T11:00")], "one session, one day"),
        (
            [("1T10:00", "1T11:00"), ("1T23:00", "2T02:00")],
            [("1T10:00", "2T02:00")],
            "a day may run past midnight",
        ),
        (
            [("1T10:00", "1T11:00"), ("2T05:00", "2T05:30"), ("2T10:00", "2T11:00")],
            [("1T10:00", "2T05:30"), ("2T10:00", "2T11:00")],
            "the small hours belong to the evening before",
        ),
        (
            [("1T22:00", "2T06:00"), ("2T06:00", "2T07:00")],
            [("1T22:00", "2T06:00"), ("2T06:00", "2T07:00")],
            "dawn divides what only touches",
        ),
        (
            [("1T22:00", "2T07:00"), ("2T06:30", "2T08:00"), ("2T09:00", "2T10:00")],
            [("1T22:00", "2T08:00"), ("2T09:00", "2T10:00")],
            "what meets the night before belongs to it",
        ),
        (
            [("1T22:00", "2T06:03"), ("2T06:04", "2T08:00")],
            [("1T22:00", "2T08:00")],
            "what shares a step of the raster does meet",
        ),
        (
            [("3T10:00", "3T11:00"), ("1T10:00", "1T11:00")],
            [("1T10:00", "1T11:00"), ("3T10:00", "3T11:00")],
            "the order of the file does not matter",
        ),
        (
            [("1T10:03", "1T10:58")],
            [("1T10:00", "1T11:00")],
            "days begin and end on the raster",
        ),
    ],
)
def test_days(
    sessions: list[tuple[str, str]], days: list[tuple[str, str]], why: str
) -> None:
    """Each case is one rule of the module's docstring."""
    rows = [row(f"{DAY}{start}", f"{DAY}{end}") for start, end in sessions]
    found = [each.span for each in days_of(rows, UTC_ZONE)]
    assert found == [span(f"{DAY}{start}", f"{DAY}{end}") for start, end in days], why


def test_dawn_is_that_of_the_zone() -> None:
    """Five in the morning in Tokyo is an evening in Berlin."""
    rows = [
        row("2030-01-01T18:00:00+00:00", "2030-01-01T19:00:00+00:00"),
        row("2030-01-01T20:00:00+00:00", "2030-01-01T21:00:00+00:00"),
    ]
    tokyo = days_of(rows, ZoneInfo("Asia/Tokyo"))
    assert [each.date for each in tokyo] == [date(2030, 1, 1)]
    rows.append(row("2030-01-01T21:30:00+00:00", "2030-01-01T22:00:00+00:00"))
    tokyo = days_of(rows, ZoneInfo("Asia/Tokyo"))
    assert [each.date for each in tokyo] == [date(2030, 1, 1), date(2030, 1, 2)]
    assert [each.date for each in days_of(rows, BERLIN)] == [date(2030, 1, 1)]


def test_rooms_keep_the_order_of_the_file() -> None:
    """The report shows them as the file does."""
    rows = [
        row(f"{DAY}1T10:00", f"{DAY}1T11:00", room=room) for room in ("b", "a", "b")
    ]
    assert list(days_by_room(rows, UTC_ZONE)) == ["b", "a"]


times = st.datetimes(datetime(2030, 3, 30), datetime(2030, 4, 2))  # noqa: DTZ001 - hypothesis wants them naive
lengths = st.timedeltas(timedelta(minutes=5), timedelta(hours=24))


@given(st.lists(st.tuples(times, lengths), max_size=12))
def test_days_never_overlap_and_leave_no_session_out(
    sessions: list[tuple[datetime, timedelta]],
) -> None:
    """Also across the beginning of summer time, and whatever meets whatever."""
    rows = [
        row(start.isoformat(), (start + length).isoformat())
        for start, length in sessions
    ]
    days = days_of(rows, BERLIN)
    assert all(a.span.end <= b.span.start for a, b in pairwise(days))
    for each in map(span_of, rows):
        holding = [d for d in days if d.span.start <= each.start < d.span.end]
        assert [d.span.end >= each.end for d in holding] == [True]


@pytest.mark.parametrize(
    ("wished", "existing", "new", "grown"),
    [
        ([("1T10", "1T12")], {}, [("1T10", "1T12")], {}),
        ([("1T10", "1T12")], {7: ("1T10", "1T12")}, [], {}),
        ([("1T10", "1T12")], {7: ("1T08", "1T20")}, [], {}),
        ([("1T10", "1T12")], {7: ("1T11", "1T13")}, [], {7: ("1T10", "1T13")}),
        ([("1T10", "1T12")], {7: ("1T12", "1T13")}, [("1T10", "1T12")], {}),
        ([("1T10", "1T14")], {7: ("1T10", "1T11"), 8: ("1T12", "1T13")}, [], {}),
        (
            [("1T08", "1T12"), ("1T13", "1T18"), ("2T10", "2T11")],
            {7: ("1T10", "1T15")},
            [("2T10", "2T11")],
            {7: ("1T08", "1T18")},
        ),
    ],
    ids=[
        "nothing is there",
        "the same is there",
        "more is there",
        "it grows",
        "touching is not meeting",
        "two are there and stay",
        "two days in one",
    ],
)
def test_plan(
    wished: list[tuple[str, str]],
    existing: dict[int, tuple[str, str]],
    new: list[tuple[str, str]],
    grown: dict[int, tuple[str, str]],
) -> None:
    """Days are fitted to what the room holds, so that a file can be loaded again."""

    def on(pair: tuple[str, str]) -> Span:
        return span(*(f"{DAY}{text}:00" for text in pair))

    days = [Day(date(2030, 1, 1), on(pair)) for pair in wished]
    found = plan(days, {key: on(pair) for key, pair in existing.items()})
    assert found.new == tuple(map(on, new))
    assert found.grown == {key: on(pair) for key, pair in grown.items()}
