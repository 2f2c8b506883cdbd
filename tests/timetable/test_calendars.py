"""iCalendar files, written and read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from libres.domain.spans import Span
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


def read(text, window=WINDOW):
    """The busy times of a calendar."""
    return [each.span for each in busy_times(text, window, ZONE)]


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
            "FREEBUSY:20151114T100000Z/PT1H",
            "FREEBUSY;FBTYPE=FREE:20151114T110000Z/PT1H",
            "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20151114T120000Z/PT1H",
            "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20151114T130000Z/PT1H",
            "END:VFREEBUSY",
        )
        assert read(text) == [span(8, 9), span(10, 11), span(13, 14)]

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
        ],
    )
    def test_broken(self, text):
        """What is no calendar, or never ends, is an error."""
        with pytest.raises(InvalidCalendar):
            busy_times(text, WINDOW, ZONE)


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

    def test_same_again(self):
        """The same times give the same ids."""
        texts = {
            calendars.export(
                "John", self.BUSY, [], kind="events", window=WINDOW, now=at(0)
            )
            for _ in range(2)
        }
        assert len(texts) == 1


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
