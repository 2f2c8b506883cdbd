"""What calendars are told, without a database: times, ids, words, and the file."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from libres.domain.days import shifts_of_year, to_utc, to_zone
from libres.domain.spans import Span
from libres.web.directory import Place
from libres.web.feeds import events, ics
from libres.web.feeds.events import Wish, is_ambiguous, plain, times, uid_of
from libres.web.feeds.values import Feed

HOUR = timedelta(hours=1)
STEP = timedelta(minutes=15)
SINCE = datetime(2024, 12, 2, tzinfo=UTC)
WINDOW = Span(datetime(2024, 9, 3, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC))
"""In the past, of which all that know zones tell the same."""
TOKEN = UUID(int=1)
HALL = UUID(int=2)

ZONES = (
    pytest.param("Europe/Zurich", id="an hour, at two and three"),
    pytest.param("America/New_York", id="west of Greenwich"),
    pytest.param("Australia/Lord_Howe", id="half an hour, south"),
    pytest.param("Pacific/Chatham", id="12:45 and 13:45"),
    pytest.param("America/St_Johns", id="-3:30, seldom on the hour"),
    pytest.param("Asia/Kathmandu", id="5:45, never moved"),
    pytest.param("Africa/Casablanca", id="by the moon, back before forward"),
    pytest.param("Europe/Dublin", id="winter is the exception by law"),
    pytest.param("Antarctica/Troll", id="two hours"),
    pytest.param("Asia/Beirut", id="midnight does not exist"),
    pytest.param("America/Havana", id="midnight twice"),
    pytest.param("America/Santiago", id="eleven twice, at midnight"),
    pytest.param("Etc/GMT+5", id="a fixed offset"),
    pytest.param("Etc/UTC", id="another name of UTC"),
)


def feed(kind="resource", level="details"):
    """A feed of the hall."""
    return Feed(UUID(int=3), kind, "hall", level, SINCE - HOUR, None)


def place(timezone="Europe/Zurich", title="The hall"):
    """The hall."""
    return Place("hall", title, timezone)


def wish(span, timezone="Europe/Zurich", **values):
    """A reservation of the hall."""
    given = {
        "id": 7,
        "token": TOKEN,
        "resource": HALL,
        "span": span,
        "timezone": timezone,
        "status": "approved",
        "sequence": 0,
        "modified": SINCE - HOUR,
        "email": "ada@example.org",
        "title": None,
        "quota": 1,
    }
    return Wish(**{**given, **values})


def span_in(timezone, start, end):
    """A span by its wall clock."""
    ends = (to_utc(datetime.fromisoformat(each), timezone) for each in (start, end))
    return Span(*ends)


def written(*wishes, where=None, of=None):
    """The file that tells of wishes."""
    where, of = where or place(), of or feed()
    calendar = events.calendar(
        where.title, wishes, {HALL: where}, of, since=SINCE, window=WINDOW
    )
    return ics.written(calendar)


def read(file):
    """The events in a file, by id."""
    return {str(each["uid"]): each for each in Calendar.from_ical(file).events}


def one(file):
    """The only event in a file."""
    (found,) = read(file).values()
    return found


# Times --------------------------------------------------------------------------------


def around(timezone):
    """Spans of half a day and an hour that begin around each clock change."""
    shifts = [each for year in (2024, 2025) for each in shifts_of_year(timezone, year)]
    moments = [shift.at for shift in shifts if WINDOW.start < shift.at < WINDOW.end]
    for moment in moments or [SINCE]:
        for number in range(-16, 17):
            start = moment + number * STEP
            yield Span(start, start + HOUR)
            yield Span(start, start + 11 * HOUR)


def moments(event):
    """The start and end of an event that has times, in UTC."""
    return event.start.astimezone(UTC), event.end.astimezone(UTC)


@pytest.mark.parametrize("timezone", ZONES)
@pytest.mark.parametrize("by", ["name", "description"])
def test_read_back(timezone, by):
    """What is read back is what is reserved, across clock changes.

    By who knows the zone by its name, and by who goes by its description in the file.
    """
    wishes = [
        wish(span, timezone, id=number)
        for number, span in enumerate(around(timezone))
        if not events.are_whole_days(span, timezone)
    ]
    file = written(*wishes, where=place(timezone))
    if by == "description":
        file = file.replace(timezone.encode(), f"Z{timezone.encode().hex()}".encode())
    found = read(file)
    told = {each.uid: moments(found[each.uid]) for each in wishes}
    assert told == {each.uid: (each.span.start, each.span.end) for each in wishes}


@pytest.mark.parametrize("timezone", ZONES)
def test_whole_days(timezone):
    """Each local day of two years is told as a date, though not all have 24 hours."""
    first = date(2024, 9, 4)
    days = [first + timedelta(days=number) for number in range(480)]
    zone = ZoneInfo(timezone)
    ends = [datetime(*day.timetuple()[:3], tzinfo=zone).astimezone(UTC) for day in days]
    for day, start, end in zip(days, ends, ends[1:], strict=False):
        shown = times(Span(start, end), timezone)
        assert shown[:2] == (day, day + timedelta(days=1))


@pytest.mark.parametrize(
    ("timezone", "start", "end", "shown"),
    [
        pytest.param(
            "Europe/Zurich",
            "2024-12-02T00:00",
            "2024-12-04T00:00",
            (date(2024, 12, 2), date(2024, 12, 4)),
            id="two days, the last one excluded",
        ),
        pytest.param(
            "Pacific/Apia",
            "2011-12-29T00:00",
            "2011-12-31T00:00",
            (date(2011, 12, 29), date(2011, 12, 31)),
            id="a day was left out of the calendar",
        ),
        pytest.param(
            "Europe/Zurich",
            "2024-12-02T00:00",
            "2024-12-02T23:45",
            None,
            id="a quarter of an hour is missing",
        ),
        pytest.param(
            "America/Havana",
            "2025-11-02T00:00",
            "2025-11-03T00:00",
            None,
            id="begins with the second midnight",
        ),
        pytest.param(
            "UTC", "2024-12-02T00:00", "2024-12-02T12:00", None, id="half a day"
        ),
    ],
)
def test_days(timezone, start, end, shown):
    """Only what takes days from their first moment to their last is told as dates."""
    found = times(span_in(timezone, start, end), timezone)[:2]
    assert isinstance(found[0], datetime) if shown is None else found == shown


def test_dates_in_file():
    """Dates are written as such, and need no zone."""
    span = span_in("Europe/Zurich", "2025-03-30T00:00", "2025-03-31T00:00")
    file = written(wish(span))
    assert b"DTSTART;VALUE=DATE:20250330\r\n" in file
    assert b"DTEND;VALUE=DATE:20250331\r\n" in file
    assert b"VTIMEZONE" not in file


def test_zone_in_file():
    """The zone of a time is described, with clock changes of the window."""
    span = span_in("Europe/Zurich", "2024-12-02T09:00", "2024-12-02T10:00")
    file = written(wish(span))
    assert b"DTSTART;TZID=Europe/Zurich:20241202T090000\r\n" in file
    (zone,) = Calendar.from_ical(file).walk("VTIMEZONE")
    offsets = {each["tzoffsetto"].td for each in zone.walk("DAYLIGHT")}
    assert offsets == {2 * HOUR}
    assert {str(each["tzname"]) for each in zone.walk("STANDARD")} == {"CET"}
    assert b"RDATE:20250330T020000\r\n" in file  # on the clock that ends then
    assert b"RDATE:20251026T030000\r\n" in file


def test_zones_in_file():
    """A person's reservations are in the zones of their resources, each described."""
    span = Span(SINCE, SINCE + HOUR)
    zones = ("Europe/Zurich", "Asia/Kathmandu", "UTC", "Europe/Zurich")
    wishes = [wish(span, zone, id=number) for number, zone in enumerate(zones)]
    found = Calendar.from_ical(written(*wishes)).walk("VTIMEZONE")
    assert [each.tz_name for each in found] == ["Asia/Kathmandu", "Europe/Zurich"]


@pytest.mark.parametrize(
    ("clock", "ambiguous"),
    [
        pytest.param("23:59", False, id="before"),
        pytest.param("00:00", True, id="the first time at two"),
        pytest.param("00:59", True, id="the last minute of summer"),
        pytest.param("01:00", True, id="the second time at two"),
        pytest.param("01:59", True, id="its last minute"),
        pytest.param("02:00", False, id="three is there only once"),
    ],
)
def test_ambiguous(clock, ambiguous):
    """In the hour that comes twice, both are ambiguous, and nothing else is."""
    day = 25 if clock == "23:59" else 26
    moment = datetime.fromisoformat(f"2025-10-{day}T{clock}+00:00")
    assert is_ambiguous(moment, "Europe/Zurich") is ambiguous
    shown = times(Span(moment, moment + timedelta(seconds=1)), "Europe/Zurich")
    assert shown[2] == ("UTC" if ambiguous else "Europe/Zurich")


def test_gap():
    """Where clocks are put forward every moment has a time of its own."""
    (shift,) = [each for each in shifts_of_year("Europe/Zurich", 2025) if each.is_gap]
    for number in range(-12, 12):
        assert not is_ambiguous(shift.at + number * STEP, "Europe/Zurich")


# Ids and words ------------------------------------------------------------------------


def test_uid():
    """An id is the same as long as token and id are, and shows neither."""
    morning = wish(Span(SINCE, SINCE + HOUR))
    moved = replace(morning, span=Span(SINCE + HOUR, SINCE + 2 * HOUR), sequence=1)
    assert morning.uid == moved.uid != replace(morning, id=8).uid
    assert TOKEN.hex not in morning.uid
    assert uid_of(TOKEN, 7) == "c5c4b86b5a08d81e55cf3e49d5cb75dd@libres"


def test_uid_of_groups():
    """Each time of a group has an id of its own, which its start decides."""
    first = wish(Span(SINCE, SINCE + HOUR), is_group=True)
    second = replace(first, span=Span(SINCE + 5 * HOUR, SINCE + 6 * HOUR))
    elsewhere = Span(to_zone(SINCE, "Asia/Tokyo"), SINCE + HOUR)
    assert first.uid == replace(first, span=elsewhere).uid != second.uid


@pytest.mark.parametrize(
    ("status", "told", "summary", "transp"),
    [
        ("pending", "TENTATIVE", "Requested", "OPAQUE"),
        ("approved", "CONFIRMED", "Reserved", "OPAQUE"),
        ("cancelled", "CANCELLED", "Reserved", "TRANSPARENT"),
    ],
)
def test_status(status, told, summary, transp):
    """What waits is tentative; what was removed is cancelled, and takes no time."""
    found = one(
        written(
            wish(Span(SINCE, SINCE + HOUR), status=status, sequence=3),
            of=feed(level="busy"),
        )
    )
    assert (found["status"], found["summary"]) == (told, summary)
    assert (found["transp"], found["sequence"]) == (transp, 3)


def test_busy_tells_nothing():
    """The level busy tells of times alone."""
    said = {"title": "Secret meeting", "email": "spy@example.org", "quota": 3}
    file = written(wish(Span(SINCE, SINCE + HOUR), **said), of=feed(level="busy"))
    for word in (b"Secret", b"spy", b"3 places", b"LOCATION", b"DESCRIPTION"):
        assert word not in file


def test_details():
    """The level details tells what it is called, where it is, by whom and how much."""
    found = one(written(wish(Span(SINCE, SINCE + HOUR), title="Chess", quota=2)))
    assert (found["summary"], found["location"]) == ("Chess", "The hall")
    assert found["description"] == "ada@example.org\n2 places"


def test_untitled():
    """Without a title it is called by its e-mail; by its resource, to its person."""
    untitled = wish(Span(SINCE, SINCE + HOUR), title=" ")
    assert one(written(untitled))["summary"] == "ada@example.org"
    assert one(written(untitled, of=feed("person")))["summary"] == "The hall"


HOSTILE = [
    pytest.param("a;b,c\\d:e", id="what separates"),
    pytest.param("x\r\nEND:VEVENT\r\nBEGIN:VALARM\r\nSUMMARY:y", id="lines"),
    pytest.param("x\u2028END:VCALENDAR\u2029\x0b\x0c\x85y", id="other ends of lines"),
    pytest.param("\x00\x07\x1b[31m", id="control characters"),
    pytest.param("\ud800 half", id="half a character"),
    pytest.param("<script>alert(1)</script>", id="markup"),
    pytest.param("日本語🎉é" * 60, id="long, of several octets"),
    pytest.param('";TZID="Mars', id="parameters"),
]


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile(title):
    """A title is text, whatever it says: nothing else of the file changes."""
    span = Span(SINCE, SINCE + HOUR)
    hostile = wish(span, "UTC", title=title, email=title)
    file = written(hostile, where=place(title=title))
    found = one(file)
    assert found["summary"] == plain(title)
    name = re.sub(rb"\\(.)", rb"\1", Calendar.from_ical(file)["name"].to_ical())
    assert name.decode() == plain(title)
    assert found["dtstart"].dt == SINCE
    assert file.count(b"\r\nBEGIN:") + 1 == file.count(b"\r\nEND:") == 2
    file.decode("utf-8")
    assert max(len(line) for line in file.split(b"\r\n")) <= 75
    assert file.count(b"\n") == file.count(b"\r\n")


@pytest.mark.parametrize(
    "timezone", ["Europe/Zurich", "America/Argentina/Buenos_Aires"]
)
def test_lines(timezone):
    """Lines end with CR and LF, and have 75 octets at most."""
    wishes = [wish(Span(SINCE, SINCE + HOUR), timezone, title="long " * 40)]
    file = written(*wishes, where=place(timezone))
    assert file.endswith(b"END:VCALENDAR\r\n")
    assert max(map(len, file.split(b"\r\n"))) == 75
    assert file.count(b"\n") == file.count(b"\r\n")


# Versions -----------------------------------------------------------------------------


def told(*wishes, window=WINDOW, since=SINCE):
    """What a feed tells of wishes."""
    return events.calendar(
        "hall", wishes, {HALL: place()}, feed(), since=since, window=window
    )


def test_etag():
    """It is another one for whatever is told otherwise, else the same."""
    morning = wish(Span(SINCE, SINCE + HOUR))
    before = told(morning).etag
    assert told(replace(morning)).etag == before
    others = (
        told(),
        told(replace(morning, sequence=1)),
        told(replace(morning, title="Chess")),
        told(replace(morning, status="pending")),
        told(morning, window=Span(WINDOW.start, WINDOW.end + 24 * HOUR)),
    )
    assert len({before, *(each.etag for each in others)}) == 6


def test_modified():
    """It has changed with the last reservation, or when the window has moved on."""
    late = SINCE + 5 * HOUR
    morning = wish(Span(SINCE, SINCE + HOUR))
    assert told(morning).modified == SINCE
    assert told(morning, replace(morning, modified=late)).modified == late


@pytest.mark.parametrize(
    ("after", "settled"),
    [
        pytest.param(timedelta(seconds=59), False, id="somebody may be writing"),
        pytest.param(timedelta(seconds=61), True, id="nobody is any more"),
    ],
)
def test_settled(after, settled):
    """A date is told only when nothing earlier can be committed any more."""
    found = told().settled(SINCE + after)
    assert found == (SINCE if settled else None)


# Free and busy ------------------------------------------------------------------------


def test_freebusy():
    """Busy times are joined; what is only asked for is told where it is not busy."""
    hours = [SINCE + number * HOUR for number in range(6)]
    busy = [Span(hours[1], hours[2]), Span(hours[0], hours[1])]
    asked = [Span(hours[1], hours[4])]
    found = events.freebusy(feed(), busy, asked, since=SINCE, window=WINDOW)
    assert found.busy == (Span(hours[0], hours[2]),)
    assert found.tentative == (Span(hours[2], hours[4]),)
    file = ics.written_freebusy(found)
    (read,) = Calendar.from_ical(file).walk("VFREEBUSY")
    times = {each.params["FBTYPE"]: each.dt for each in read["freebusy"]}
    assert times == {
        "BUSY": (hours[0], hours[2]),
        "BUSY-TENTATIVE": (hours[2], hours[4]),
    }
    assert read["dtstart"].dt == WINDOW.start


def test_freebusy_in_window():
    """Times end where the window does; none is no property."""
    busy = [Span(WINDOW.start - HOUR, WINDOW.start + HOUR)]
    found = events.freebusy(feed(), busy, [], since=SINCE, window=WINDOW)
    assert found.busy == (Span(WINDOW.start, WINDOW.start + HOUR),)
    empty = events.freebusy(feed(), [], [], since=SINCE, window=WINDOW)
    assert b"FREEBUSY;" not in ics.written_freebusy(empty)
    assert empty.etag != found.etag
