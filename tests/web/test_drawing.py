"""What stands in which row of a column: days of 23, 24 and 25 hours."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4

import pytest

from libres.domain.days import to_utc, to_zone
from libres.domain.places import Master
from libres.domain.spans import Span
from libres.web.drawing import MOST_ROWS, columns, scale, told_time, told_times
from libres.web.showing import Part

ZURICH = "Europe/Zurich"
SPRING = date(2026, 3, 29)
AUTUMN = date(2026, 10, 25)
PLAIN = date(2026, 11, 30)


def part(day, start, end, zone=ZURICH, days=0):
    """A part between two times of the clock."""
    first = to_utc(datetime.combine(day, time.fromisoformat(start)), zone)
    last = datetime.combine(day + timedelta(days=days), time.fromisoformat(end))
    span = Span(first, to_utc(last, zone))
    resource = uuid4()
    master = Master(1, resource, uuid4(), span, 15, zone, 1, 0, True, False)
    return Part(master, span, 1, is_blocked=False, held=())


def column(day, *parts, zone=ZURICH):
    """The column of a day."""
    (found,) = columns([parts], [(day, zone)])
    return found


@pytest.mark.parametrize(
    ("day", "hours", "why"),
    [
        (PLAIN, 24, "nothing happens"),
        (SPRING, 23, "an hour is missing"),
        (AUTUMN, 25, "an hour comes twice"),
    ],
)
def test_length(day, hours, why):
    """A whole day has as many rows as hours pass in it."""
    found = column(day, part(day, "00:00", "00:00", days=1))
    (drawn,) = found.drawn
    assert (drawn.first, drawn.last) == (0, 12 * hours), why
    assert found.rows == 12 * hours
    assert found.hours == hours
    assert found.is_changed == (hours != 24)


def test_missing_hour():
    """In spring two o'clock is not there, and nothing is drawn for it."""
    found = column(SPRING, part(SPRING, "01:00", "04:00"))
    assert [tick.label for tick in found.ticks] == ["01:00", "03:00"]
    assert found.rows == 24


def test_repeated_hour():
    """In autumn two o'clock comes twice, and is told with its zone."""
    found = column(AUTUMN, part(AUTUMN, "01:00", "04:00"))
    assert [tick.label for tick in found.ticks] == ["01:00", "02:00", "02:00", "03:00"]
    assert found.rows == 48
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    told = [told_time(to_zone(first + timedelta(hours=n), ZURICH)) for n in range(3)]
    assert told == ["02:30 CEST", "02:30 CET", "03:30"]


def test_begins_in_repeated_hour():
    """What begins in the first of two hours is drawn from there."""
    start = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00 CEST
    each = part(AUTUMN, "02:00", "04:00")
    span = Span(to_zone(start, "UTC"), each.span.end)
    early = Part(each.master, span, 1, is_blocked=False, held=())
    found = column(AUTUMN, early)
    assert (found.drawn[0].first, found.drawn[0].last) == (0, 36)


def test_aligned():
    """What lies after a change stands in the row of the same time on other days."""
    parts = [part(SPRING, "08:00", "10:00"), part(PLAIN, "08:00", "12:00")]
    found = columns([parts[:1], parts[1:]], [(SPRING, ZURICH), (PLAIN, ZURICH)])
    assert [each.drawn[0].first for each in found] == [0, 0]
    assert [each.rows for each in found] == [48, 48]


def test_side_by_side():
    """Resources of several zones show the same hours, each of its own clock."""
    tokyo = part(PLAIN, "09:00", "10:00", "Asia/Tokyo")
    zurich = part(PLAIN, "08:00", "11:00")
    found = columns([[tokyo], [zurich]], [(PLAIN, "Asia/Tokyo"), (PLAIN, ZURICH)])
    assert [(e.drawn[0].first, e.drawn[0].last) for e in found] == [(12, 24), (0, 36)]


def test_other_days():
    """What lies on another day is not drawn, not even if it touches."""
    found = column(PLAIN, part(date(2026, 11, 29), "22:00", "00:00", days=1))
    assert found.drawn == ()
    assert found.rows == 120


def test_over_midnight():
    """What began the day before is drawn from midnight, and says so."""
    (drawn,) = column(PLAIN, part(date(2026, 11, 29), "22:00", "02:00", days=1)).drawn
    assert drawn.is_continued
    assert (drawn.times, drawn.first, drawn.last) == ("00:00 to 02:00", 0, 24)


@pytest.mark.parametrize(
    "zone", ["Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana", "Asia/Beirut"]
)
@pytest.mark.parametrize("month", range(1, 13))
def test_zones(zone, month):
    """Wherever clocks go, whatever is drawn lies in its column, and in order."""
    for number in range(1, 29):
        day = date(2026, month, number)
        found = column(day, part(day, "00:00", "00:00", zone, days=1), zone=zone)
        (drawn,) = found.drawn
        assert 0 <= drawn.first < drawn.last <= found.rows <= MOST_ROWS
        assert found.ticks[-1].last == found.rows


def test_scale():
    """Every row has its classes."""
    assert f".to-{MOST_ROWS}{{" in scale()
    assert ".from-0{grid-row-start:1}" in scale()


def test_told():
    """Times are told with days only if there are several."""
    first = datetime(2026, 11, 30, 22, 0, tzinfo=UTC)
    assert told_times(first, first + timedelta(hours=2)) == "22:00 to 24:00"
    assert (
        told_times(first, first + timedelta(hours=3))
        == "Mon 30 Nov 22:00 to Tue 1 Dec 01:00"
    )
