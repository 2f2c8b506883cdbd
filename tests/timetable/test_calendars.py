"""iCalendar files, written and read."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from libres.domain.spans import Span
from libres.modules.errors import LibresError, Misuse
from libres.timetable import calendars
from libres.timetable.calendars import InvalidCalendar, Labelled, busy_times
from tests.timetable.conftest import at, opened, span

WINDOW = Span(at(0), at(24 * 7))
"""A week from the example's Saturday."""

ZONE = "Europe/Zurich"


def event(*lines):
    """A calendar with one event of these lines."""
    return calendar("BEGIN:VEVENT", "UID:1", *lines, "END:VEVENT")


def calendar(*lines):
    """A calendar of these lines."""
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""))


def read(text, window=WINDOW, timezone=ZONE):
    """The busy times of a calendar."""
    return [each.span for each in busy_times(text, window, timezone)]


def on(year, month, day):
    """The two days around a clock change, and the day before."""
    first = datetime(year, month, day, tzinfo=ZoneInfo("UTC"))
    return Span(first - timedelta(days=1), first + timedelta(days=2))


def hours(found):
    """Start and length of times, in UTC."""
    return [(f"{each.start:%d. %H:%M}", each.duration) for each in found]


HOUR = timedelta(hours=1)


NINE = "DTSTART:20151114T090000Z"
TEN = "DTEND:20151114T100000Z"


class TestRead:
    @pytest.mark.parametrize(
        ("lines", "found"),
        [
            pytest.param((NINE, TEN), [(9, 10)], id="UTC"),
            pytest.param((NINE, "DURATION:PT30M"), [(9, (9, 30))], id="duration"),
            pytest.param((NINE,), [], id="no length"),
            pytest.param(
                ("DTSTART:20151114T090000", "DTEND:20151114T100000"),
                [(8, 9)],
                id="floating",
            ),
            pytest.param(
                ("DTSTART;TZID=America/New_York:20151114T090000", "DURATION:PT1H"),
                [(14, 15)],
                id="zone",
            ),
            pytest.param(("DTSTART;VALUE=DATE:20151115",), [(23, 47)], id="whole day"),
            pytest.param(
                ("DTSTART;VALUE=DATE:20151115", "DTEND;VALUE=DATE:20151117"),
                [(23, 71)],
                id="whole days",
            ),
            pytest.param((NINE, TEN, "TRANSP:TRANSPARENT"), [], id="transparent"),
            pytest.param((NINE, TEN, "STATUS:CANCELLED"), [], id="cancelled"),
            pytest.param((NINE, TEN, "STATUS:TENTATIVE"), [], id="tentative"),
            pytest.param(
                ("DTSTART:20151113T230000Z", "DTEND:20151114T010000Z"),
                [(0, 1)],
                id="cut",
            ),
            pytest.param(
                (NINE, TEN, "RRULE:FREQ=DAILY;COUNT=3"),
                [(9, 10), (33, 34), (57, 58)],
                id="rule",
            ),
            pytest.param(
                (NINE, TEN, "RRULE:FREQ=DAILY;UNTIL=20151115T085959Z"),
                [(9, 10)],
                id="until",
            ),
            pytest.param(
                (
                    "DTSTART;TZID=America/New_York:20151114T090000",
                    "DURATION:PT1H",
                    "RRULE:FREQ=DAILY;UNTIL=20151115T133000Z",
                ),
                [(14, 15)],
                id="until is in UTC",
            ),
            pytest.param(
                (NINE, TEN, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20151115T090000Z"),
                [(9, 10), (57, 58)],
                id="exception",
            ),
            pytest.param(
                (NINE, TEN, "RDATE:20151115T120000Z"),
                [(9, 10), (36, 37)],
                id="further date",
            ),
            pytest.param(
                (
                    "DTSTART:20051112T090000Z",
                    "DTEND:20051112T100000Z",
                    "RRULE:FREQ=WEEKLY",
                ),
                [(9, 10)],
                id="since ten years",
            ),
            pytest.param(
                (
                    "DTSTART;TZID=Europe/Zurich:20151114T090000",
                    "DTEND;TZID=America/New_York:20151114T120000",
                ),
                [(8, 17)],
                id="a flight ends in another zone",
            ),
            pytest.param(
                (NINE, TEN, "RDATE;VALUE=PERIOD:20151115T120000Z/PT3H"),
                [(9, 10), (36, 39)],
                id="a further period has its own length",
            ),
            pytest.param(
                (
                    NINE,
                    TEN,
                    "RDATE;VALUE=PERIOD:20151115T120000Z/20151115T140000Z",
                ),
                [(9, 10), (36, 38)],
                id="a further period has its own end",
            ),
            pytest.param(
                (NINE, TEN, "EXDATE:20151114T090000Z"),
                [],
                id="exception without a rule",
            ),
            pytest.param(
                (
                    NINE,
                    TEN,
                    "RRULE:FREQ=DAILY;COUNT=4",
                    "EXDATE:20151115T090000Z,20151116T090000Z",
                ),
                [(9, 10), (81, 82)],
                id="exceptions in one line",
            ),
            pytest.param(
                (
                    NINE,
                    TEN,
                    "RRULE:FREQ=DAILY;COUNT=2",
                    "EXDATE;TZID=Europe/Zurich:20151115T100000",
                ),
                [(9, 10)],
                id="an exception of another zone is the same moment",
            ),
            pytest.param(
                (
                    NINE,
                    TEN,
                    "RRULE:FREQ=DAILY;COUNT=1",
                    "RDATE;TZID=Europe/Zurich:20151114T100000",
                ),
                [(9, 10)],
                id="what is listed twice is one",
            ),
            pytest.param(
                (
                    "DTSTART;VALUE=DATE:20151115",
                    "RRULE:FREQ=DAILY;COUNT=3",
                    "EXDATE;VALUE=DATE:20151116",
                ),
                [(23, 47), (71, 95)],
                id="repeated whole days",
            ),
            pytest.param(
                (
                    "DTSTART;TZID=America/New_York:20151114T090000",
                    "DURATION:PT1H",
                    "RRULE:FREQ=WEEKLY;UNTIL=99991231T235959Z",
                ),
                [(14, 15)],
                id="until for ever",
            ),
            pytest.param(
                (
                    "DTSTART;TZID=W. Europe Standard Time:20151114T090000",
                    "DURATION:P1D",
                ),
                [(8, 32)],
                id="a zone of Windows",
            ),
        ],
    )
    def test_event(self, lines, found):
        """When an event takes time."""
        assert read(event(*lines)) == [span(*each) for each in found]

    def test_clock_change(self):
        """Nine o'clock stays nine o'clock, an hour stays an hour."""
        text = event(
            "DTSTART;TZID=Europe/Zurich:20151024T090000",
            "DURATION:PT1H",
            "RRULE:FREQ=DAILY;COUNT=2",
        )
        window = Span(at(0, day=1) - timedelta(days=10), at(0))
        first, second = read(text, window)
        assert (first.start.hour, second.start.hour) == (7, 8)
        assert second.duration == timedelta(hours=1)

    @pytest.mark.parametrize(
        ("lines", "found"),
        [
            pytest.param(
                ("20151025T013000", "DURATION:PT2H"),
                [("24. 23:30", 2 * HOUR)],
                id="hours are real hours",
            ),
            pytest.param(
                ("20151024T120000", "DURATION:P1D"),
                [("24. 10:00", 25 * HOUR)],
                id="a day ends at the same time of the next day",
            ),
            pytest.param(
                ("20151024T023000", "DURATION:PT30M", "RRULE:FREQ=DAILY;COUNT=3"),
                [(each, HOUR / 2) for each in ("24. 00:30", "25. 00:30", "26. 01:30")],
                id="of two moments the first",
            ),
            pytest.param(
                (
                    "20151024T220000",
                    "DTEND;TZID=Europe/Zurich:20151025T060000",
                ),
                [("24. 20:00", 9 * HOUR)],
                id="a night ends when it says so",
            ),
        ],
    )
    def test_hour_that_comes_twice(self, lines, found):
        """Where clocks are put back, starts are local and hours are real."""
        start, *others = lines
        text = event(f"DTSTART;TZID=Europe/Zurich:{start}", *others)
        assert hours(read(text, on(2015, 10, 25))) == found

    def test_hour_that_is_none(self):
        """A time that does not exist is still busy, an hour later."""
        text = event(
            "DTSTART;TZID=Europe/Zurich:20150328T023000",
            "DTEND;TZID=Europe/Zurich:20150328T030000",
            "RRULE:FREQ=DAILY;COUNT=3",
        )
        assert hours(read(text, on(2015, 3, 29))) == [
            ("28. 01:30", HOUR / 2),
            ("29. 01:30", HOUR / 2),
            ("30. 00:30", HOUR / 2),
        ]

    def test_floating_series(self):
        """Times without a zone follow the clock of the subject's."""
        text = event(
            "DTSTART:20151024T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2"
        )
        found = read(text, on(2015, 10, 25))
        assert hours(found) == [("24. 07:00", HOUR), ("25. 08:00", HOUR)]

    @pytest.mark.parametrize(
        ("day", "timezone", "start", "length"),
        [
            pytest.param(
                (2015, 10, 25), ZONE, "24. 22:00", 25 * HOUR, id="clocks are put back"
            ),
            pytest.param(
                (2015, 3, 29), ZONE, "28. 23:00", 23 * HOUR, id="clocks are put forward"
            ),
            pytest.param(
                (2015, 11, 1),
                "America/Havana",
                "01. 04:00",
                25 * HOUR,
                id="midnight comes twice",
            ),
            pytest.param(
                (2015, 10, 18),
                "America/Sao_Paulo",
                "18. 03:00",
                23 * HOUR,
                id="midnight is none",
            ),
        ],
    )
    def test_long_and_short_days(self, day, timezone, start, length):
        """A whole day is the local day, whatever its length."""
        text = event("DTSTART;VALUE=DATE:{}{:02}{:02}".format(*day))
        assert hours(read(text, on(*day), timezone)) == [(start, length)]

    def test_zone_of_the_file(self):
        """A zone that the file describes itself is known."""
        text = calendar(
            *("BEGIN:VTIMEZONE", "TZID:Ours", "BEGIN:STANDARD"),
            *("DTSTART:19700101T000000", "TZOFFSETFROM:+0500", "TZOFFSETTO:+0500"),
            *("END:STANDARD", "END:VTIMEZONE", "BEGIN:VEVENT", "UID:1"),
            *("DTSTART;TZID=Ours:20151114T090000", "DURATION:PT1H", "END:VEVENT"),
        )
        assert read(text) == [span(4, 5)]

    @pytest.mark.parametrize("name", ["DTSTART", "RECURRENCE-ID", "RDATE", "EXDATE"])
    def test_unknown_zone(self, name):
        """A zone that nobody knows is an error, not another time."""
        start = () if name == "DTSTART" else (NINE,)
        text = event(*start, f"{name};TZID=Mars/Base:20151114T090000", "DURATION:PT1H")
        with pytest.raises(InvalidCalendar, match="zone 'Mars/Base' is not known"):
            read(text)

    def test_no_zone(self):
        """The zone of the subject must be one."""
        with pytest.raises(Misuse, match="timezone"):
            read(event(NINE, TEN), timezone="Mars")

    def test_order(self):
        """Times come by their start, those of events and of free/busy together."""
        text = calendar(
            *("BEGIN:VEVENT", "UID:1", "DTSTART:20151114T120000Z", "DURATION:PT1H"),
            *("END:VEVENT", "BEGIN:VEVENT", "UID:2", NINE, TEN, "END:VEVENT"),
            *("BEGIN:VFREEBUSY", "FREEBUSY:20151114T100000Z/PT1H", "END:VFREEBUSY"),
        )
        assert read(text) == [span(9, 10), span(10, 11), span(12, 13)]

    @pytest.mark.parametrize(
        "written",
        [
            pytest.param(str.encode, id="bytes"),
            pytest.param(lambda text: f"\ufeff{text}", id="byte order mark"),
            pytest.param(
                lambda text: f"\ufeff{text}".encode(), id="bytes with that mark"
            ),
            pytest.param(lambda text: text.replace("\r\n", "\n"), id="LF"),
        ],
    )
    def test_as_written(self, written):
        """Files are read as programs write them."""
        assert read(written(event(NINE, TEN))) == [span(9, 10)]

    @pytest.mark.parametrize("more", [0, 1])
    def test_most(self, more):
        """There is a limit, and it says what to do."""
        rule = f"RRULE:FREQ=MINUTELY;INTERVAL=1;COUNT={calendars.MOST + more}"
        text = event("DTSTART:20151114T000000Z", "DURATION:PT1M", rule)
        window = Span(at(0), at(24 * 8))
        if not more:
            assert len(read(text, window)) == calendars.MOST
            return
        with pytest.raises(InvalidCalendar, match="shorter window"):
            read(text, window)

    def test_moved(self):
        """One of a series that was moved is where it was moved to."""
        text = calendar(
            *("BEGIN:VEVENT", "UID:1", NINE, TEN, "RRULE:FREQ=DAILY;COUNT=2"),
            "END:VEVENT",
            *("BEGIN:VEVENT", "UID:1", "RECURRENCE-ID:20151115T090000Z"),
            *("DTSTART:20151115T150000Z", "DTEND:20151115T160000Z", "END:VEVENT"),
        )
        assert read(text) == [span(9, 10), span(39, 40)]

    def test_cancelled_one(self):
        """One of a series that was cancelled takes no time."""
        text = calendar(
            *("BEGIN:VEVENT", "UID:1", NINE, TEN, "RRULE:FREQ=DAILY;COUNT=2"),
            "END:VEVENT",
            *("BEGIN:VEVENT", "UID:1", "RECURRENCE-ID:20151115T090000Z", NINE, TEN),
            *("STATUS:CANCELLED", "END:VEVENT"),
        )
        assert read(text) == [span(9, 10)]

    def test_freebusy(self):
        """Of free/busy times those that are busy."""
        text = calendar(
            "BEGIN:VFREEBUSY",
            "FREEBUSY;FBTYPE=BUSY:20151114T080000Z/20151114T090000Z",
            "FREEBUSY:20151114T100000Z/PT1H,20151114T150000Z/20151114T160000Z",
            "FREEBUSY;FBTYPE=FREE:20151114T110000Z/PT1H",
            "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20151114T120000Z/PT1H",
            "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20151114T130000Z/PT1H",
            "END:VFREEBUSY",
        )
        assert read(text) == [
            span(8, 9),
            span(10, 11),
            span(13, 14),
            span(15, 16),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "hello",
            b"\xff\xfe\x00",
            "BEGIN:VCALENDAR",
            "BEGIN:VEVENT\r\nEND:VEVENT\r\n",
            event("SUMMARY:no start"),
            event("DTSTART:yesterday"),
            event(NINE, TEN, "RRULE:FREQ=SOMETIMES"),
            event(NINE, "DTEND:20151114T090001Z", "RRULE:FREQ=SECONDLY"),
            None,
            event(NINE, TEN) * 2,
            event(NINE, "DTEND:tomorrow"),
            event(NINE, "DURATION:ages"),
            event(NINE, "DURATION:P99999999D"),
            event("DTSTART;VALUE=DATE:00010101"),
            event("DTSTART;TZID=Europe/:20151114T090000", "DURATION:PT1H"),
            event("DTSTART;VALUE=DATE:99991231"),
            event(NINE, TEN, "RDATE:never"),
            event(NINE, TEN, "EXDATE:never"),
            event(NINE, TEN, "RRULE:FREQ=DAILY;INTERVAL=0;BYMONTH=2"),
            event(NINE, TEN, "RRULE:FREQ=DAILY;INTERVAL=-1"),
            event(NINE, TEN, "RECURRENCE-ID;RANGE=THISANDFUTURE:20151114T090000Z"),
            calendar("BEGIN:VFREEBUSY", "FREEBUSY:whenever", "END:VFREEBUSY"),
        ],
    )
    def test_broken(self, text):
        """What is no calendar, or never ends, is an error."""
        with pytest.raises(InvalidCalendar):
            busy_times(text, WINDOW, ZONE)

    @pytest.mark.parametrize("general", [LibresError, ValueError])
    def test_error(self, general):
        """The error says what is wrong and what to do, to whoever catches which."""
        with pytest.raises(general, match=r"export it again.*'1' has no DTSTART"):
            read(event("SUMMARY:no start"))

    def test_extra(self, monkeypatch):
        """Without icalendar, the error says what to install."""
        monkeypatch.setitem(sys.modules, "icalendar", None)
        with pytest.raises(ImportError, match=r"pip install 'libres\[timetable\]'"):
            read(event(NINE, TEN))


class TestWrite:
    BUSY = (Labelled(span(8, 9), "Ada; 1,2\nBEGIN:VEVENT"), Labelled(span(10, 11)))

    @pytest.mark.parametrize("kind", ["freebusy", "events"])
    def test_round_trip(self, kind):
        """What was written is read again."""
        text = calendars.export(
            "John\r\nEND:VCALENDAR", self.BUSY, [], kind=kind, window=WINDOW, now=at(0)
        )
        assert read(text) == [each.span for each in self.BUSY]

    def test_labels(self):
        """Labels are texts, whatever is in them."""
        text = calendars.export(
            "John", self.BUSY, [], kind="events", window=WINDOW, now=at(0)
        )
        found = [each.label for each in busy_times(text, WINDOW, ZONE)]
        assert found == ["Ada; 1,2\nBEGIN:VEVENT", "Busy"]

    @pytest.mark.parametrize("kind", ["freebusy", "events"])
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("x\r\nEND:VCALENDAR", id="line break"),
            pytest.param("x\rEND:VCALENDAR", id="half a line break"),
            pytest.param("x\x0b\x85\u2028\u2029y", id="what Python ends lines at"),
            pytest.param("x\0\x1b\x7f", id="control characters"),
            pytest.param("x\ud800", id="half a character"),
            pytest.param('\\n\\,;:"^n=', id="escapes"),
            pytest.param("ö👩‍👩‍👧" * 60, id="long"),
        ],
    )
    def test_hostile(self, kind, text):
        """Whatever names and labels hold, the file has the same lines, and is read."""
        busy = [Labelled(span(8, 9), text)]
        written = self.written(kind, name=text, busy=busy)
        plain = self.written(kind, busy=[Labelled(span(8, 9), "plain")])
        lines, expected = (
            [line.partition(":")[0] for line in unfolded(each).splitlines()]
            for each in (written, plain)
        )
        assert lines == expected
        assert read(written) == [span(8, 9)]

    def test_allowed_characters(self):
        """What a text may hold is kept."""
        label = "Zoë, 👩‍👩‍👧\t\\n;\n\u00a0" * 20
        text = self.written("events", busy=[Labelled(span(8, 9), label)])
        assert busy_times(text, WINDOW, ZONE)[0].label == label

    def test_freebusy(self):
        """Free/busy is one component: its window, what is busy and what is free."""
        lines = unfolded(self.written("freebusy", free=[span(9, 10)])).split("\r\n")
        assert lines.count("BEGIN:VFREEBUSY") == 1
        assert {
            "DTSTAMP:20151114T000000Z",
            "DTSTART:20151114T000000Z",
            "DTEND:20151121T000000Z",
            "FREEBUSY;FBTYPE=BUSY;VALUE=PERIOD:20151114T080000Z/20151114T090000Z",
            "FREEBUSY;FBTYPE=BUSY;VALUE=PERIOD:20151114T100000Z/20151114T110000Z",
            "FREEBUSY;FBTYPE=FREE;VALUE=PERIOD:20151114T090000Z/20151114T100000Z",
        } < set(lines)

    def test_events(self):
        """Events are one for each busy time, and opaque."""
        lines = self.written("events", free=[span(9, 10)]).split("\r\n")
        assert lines.count("BEGIN:VEVENT") == lines.count("TRANSP:OPAQUE") == 2
        assert "SUMMARY:Busy" in lines

    def test_lines(self):
        """Lines end as RFC 5545 says, and have 75 bytes at most."""
        text = self.written("events", busy=[Labelled(span(8, 9), "ö" * 200)])
        assert text.count("\n") == text.count("\r\n")
        assert max(len(line.encode()) for line in text.split("\r\n")) <= 75

    @pytest.mark.parametrize("kind", ["freebusy", "events"])
    def test_in_utc(self, kind):
        """Times of any zone are written in UTC, with the same ids."""
        tokyo = ZoneInfo("Asia/Tokyo")
        busy = [Labelled(shown(each.span, tokyo), each.label) for each in self.BUSY]
        elsewhere = self.written(
            kind, busy=busy, window=shown(WINDOW, tokyo), now=at(0).astimezone(tokyo)
        )
        assert elsewhere == self.written(kind)

    def test_same_again(self):
        """The same times give the same ids, at any time."""
        first, again = (ids(self.written("events", now=now)) for now in (at(0), at(24)))
        assert first == again

    def test_ids(self):
        """Other times and other names give other ids."""
        john, jane = (
            ids(self.written("events", name=each)) for each in ("John", "Jane")
        )
        assert len({*john, *jane}) == 4

    def written(self, kind, **others):
        """A calendar of John, or of what is said."""
        told = {"name": "John", "busy": self.BUSY, "free": [], "window": WINDOW}
        return calendars.export(**{**told, "now": at(0), **others}, kind=kind)


def unfolded(text):
    """A calendar without its broken lines."""
    return text.replace("\r\n ", "")


def shown(span, zone):
    """The same time on the clock of a zone."""
    return Span(span.start.astimezone(zone), span.end.astimezone(zone))


def ids(text):
    """The ids of a calendar."""
    return [line for line in text.split("\r\n") if line.startswith("UID:")]


class TestTimetable:
    def test_import(self, people):
        """What is imported makes busy; the next file replaces it."""
        text = event(NINE, TEN, "SUMMARY:Dentist")
        assert people.import_ics("John", text, at(0), at(48)) == 1
        assert people.free("John", at(8), at(12)) == [span(8, 9), span(10, 12)]
        assert people.why_not("John", at(8), at(12))[0].label == "Dentist"
        assert people.import_ics("John", calendar(), at(0), at(48)) == 0
        assert people.free("John", at(8), at(12)) == [span(8, 12)]

    def test_two_calendars(self, people):
        """A calendar of another name is another one."""
        later = event("DTSTART:20151114T100000Z", "DURATION:PT1H")
        people.import_ics("John", event(NINE, TEN), at(0), at(48), calendar="a")
        people.import_ics("John", later, at(0), at(48), calendar="b")
        assert people.free("John", at(8), at(12)) == [span(8, 9), span(11, 12)]

    def test_beside_claims(self, people):
        """An import keeps nobody out, and is kept out by nobody."""
        resource = people.subject("John").resource
        from libres.conflicts import Claims  # noqa: PLC0415 - one test needs it

        Claims(people.context).put("host.Car", 1, resource, (at(9), at(10)))
        assert people.import_ics("John", event(NINE, TEN), at(0), at(48)) == 1
        Claims(people.context).put("host.Car", 2, resource, (at(11), at(12)))

    def test_cached(self, people):
        """The cache knows of it."""
        people.cache()
        people.import_ics("John", event(NINE, TEN), at(0), at(48))
        assert people.free("John", at(8), at(12)) == [span(8, 9), span(10, 12)]
        assert people.verify_cache() == []

    def test_export(self, people):
        """What is exported can be imported elsewhere."""
        people.import_ics("John", event(NINE, TEN), at(0), at(48))
        opened(people, "Jane", (8, 14))
        for kind in ("freebusy", "events"):
            text = people.export_ics("John", at(0), at(24), kind)
            people.import_ics("Jane", text, at(0), at(48))
            assert people.free("Jane", at(8), at(12)) == [span(8, 9), span(10, 12)]

    def test_csv(self, people):
        """A line for each time."""
        assert people.export_csv(["John", "Sara"], at(0), at(24)).splitlines() == [
            "name,start,end",
            "John,2015-11-14T08:00:00+00:00,2015-11-14T14:00:00+00:00",
            "Sara,2015-11-14T10:00:00+00:00,2015-11-14T11:00:00+00:00",
        ]
        people.import_ics("John", event(NINE, TEN), at(0), at(48))
        busy = people.export_csv(["John"], at(0), at(24), "busy").splitlines()
        assert busy[1:] == ["John,2015-11-14T09:00:00+00:00,2015-11-14T10:00:00+00:00"]
