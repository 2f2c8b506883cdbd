"""How a day of a space is drawn."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libres.domain.spans import Span
from libres.modules.errors import Misuse
from libres.occupancy.drawing import (
    MOST_ROWS,
    Booked,
    Day,
    Peak,
    Step,
    days,
    hours,
    peak,
    sheet_of,
    to_svg,
)

SVG = "{http://www.w3.org/2000/svg}"
BERLIN = "Europe/Berlin"

HOSTILE = "</title><script>alert('x')</script>&\"'"

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Nothing depends on how fast the machine is."""


def at(hour, minute=0, day=24):
    """A moment of the example's day, in Berlin."""
    midnight = datetime(2018, 2, day, tzinfo=ZoneInfo(BERLIN))
    return midnight + timedelta(hours=hour, minutes=minute)


def span(start, end):
    """A span of the example's day, by its hours."""
    return Span(at(start), at(end))


def steps(*counts, start=None, length=60, margin=0):
    """Steps in a row; each was lower and higher by the margin."""
    begin = (at(8) if start is None else start).astimezone(UTC)
    step = timedelta(minutes=length)
    return tuple(
        Step(
            begin + number * step,
            begin + (number + 1) * step,
            count,
            count - margin,
            count + margin,
        )
        for number, count in enumerate(counts)
    )


def example(*counts, timezone=BERLIN, **values):
    """A day with these counts from eight o'clock on."""
    return Day("Room A", timezone, steps(*counts), **values)


def drawn(day, **options):
    """The root of a drawing."""
    return ET.fromstring(to_svg(day, **options))  # noqa: S314 - it is ours


def inked(root, ink, kind="path"):
    """The shapes of a colour, without those of the legend."""
    legend = {each for group in root if group.get("transform") for each in group}
    return [
        each
        for each in root.iter(f"{SVG}{kind}")
        if each.get("class") == f"libres-{ink}" and each not in legend
    ]


def texts(root):
    """All words that are to be seen."""
    return [each.text for each in root.iter(f"{SVG}text")]


def tooltips(root):
    """What its parts say when they are pointed at."""
    return [title.text for title in root.iter(f"{SVG}title")][1:]


class TestDay:
    @pytest.mark.parametrize(
        ("timezone", "day", "length", "expected", "why"),
        [
            (BERLIN, (2018, 2, 24), 24, "00 01 02 03 04", "an ordinary day"),
            (BERLIN, (2018, 3, 25), 23, "00 01 03 04 05", "two does not exist"),
            (BERLIN, (2018, 10, 28), 25, "00 01 02 02 03", "two is there twice"),
            ("America/Havana", (2018, 3, 11), 23, "01 02 03 04 05", "no midnight"),
            ("America/Havana", (2018, 11, 4), 25, "00 00 01 02 03", "two midnights"),
            ("Australia/Lord_Howe", (2018, 4, 1), 24.5, "00 01 02 03 04", "half hour"),
            ("Asia/Kathmandu", (2018, 4, 1), 24, "00 01 02 03 04", "45 minutes off"),
            ("Pacific/Apia", (2011, 12, 31), 24, "00 01 02 03 04", "after no Friday"),
        ],
    )
    def test_hours(self, timezone, day, length, expected, why):
        """A day has the hours of the clock on the wall."""
        noon = datetime(*day, 12, tzinfo=ZoneInfo(timezone))
        sheet = sheet_of(Day("x", timezone, steps(1, start=noon)))
        assert sheet.span.duration == timedelta(hours=length), why
        assert " ".join(each.label for each in hours(sheet, 30)[:5]) == expected, why

    @steady
    @given(
        st.dates(date(2000, 1, 1), date(2037, 1, 1)),  # where all zone data agree
        st.sampled_from([BERLIN, "UTC", "America/New_York", "Asia/Tehran"]),
        st.integers(0, 23),
    )
    def test_any_day(self, day, timezone, hour):
        """From a local midnight to the next, whatever part of it is known."""
        zone = ZoneInfo(timezone)
        start = datetime.combine(day, time(hour), zone)
        sheet = sheet_of(Day("x", timezone, steps(1, start=start, length=1)))
        ends = (sheet.span.start, sheet.span.end - timedelta(seconds=1))
        assert {each.astimezone(zone).date() for each in ends} == {
            start.astimezone(UTC).astimezone(zone).date()
        }
        shown = hours(sheet, 30)
        assert [each.label for each in shown] == [
            f"{each.moment.astimezone(zone):%H}" for each in shown
        ]
        assert len(shown) == round(sheet.span.duration / timedelta(hours=1))

    @pytest.mark.parametrize(
        ("most", "expected", "why"),
        [
            (24, 24, "each"),
            (23, 12, "each second"),
            (12, 12, "each second"),
            (9, 8, "each third"),
            (4, 4, "each sixth"),
            (2, 2, "each twelfth"),
            (1, 1, "midnight only"),
        ],
    )
    def test_room(self, most, expected, why):
        """So many hours are named as there is room for."""
        assert len(hours(sheet_of(example(1)), most)) == expected, why

    def test_room_of_an_hour_that_is_there_twice(self):
        """Where the second one has no room, it is not named."""
        night = datetime(2018, 10, 28, tzinfo=ZoneInfo(BERLIN))
        sheet = sheet_of(Day("x", BERLIN, steps(1, start=night)))
        assert [each.label for each in hours(sheet, 14)[:3]] == ["00", "02", "04"]

    def test_several_days(self):
        """Steps over midnight are drawn on two days, which are named."""
        sheet = sheet_of(Day("x", BERLIN, steps(1, 2, start=at(23))))
        assert sheet.span == Span(at(0), at(0, day=26))
        assert days(sheet) == ["Sat 24 Feb 2018", "Sun 25 Feb 2018"]
        names = [each.label for each in hours(sheet, 24)]
        assert names[0] == "Sat 24"
        assert names[12] == "Sun 25"

    def test_order(self):
        """Steps in any order and of any zone are the same drawing."""
        day = example(1, 5, 3)
        zone = ZoneInfo("Asia/Tokyo")
        other = replace(
            day,
            steps=tuple(
                replace(
                    step,
                    start=step.start.astimezone(zone),
                    end=step.end.astimezone(zone),
                )
                for step in reversed(day.steps)
            ),
        )
        assert to_svg(other) == to_svg(day)

    @pytest.mark.parametrize(
        ("day", "said"),
        [
            pytest.param(example(), "longer time", id="no steps"),
            pytest.param(
                Day("x", BERLIN, steps(1, length=0)), "longer time", id="empty ones"
            ),
            pytest.param(
                example(1, timezone="Mars/Base"), "is not a timezone", id="zone"
            ),
            pytest.param(
                Day("x", BERLIN, steps(1, length=40 * 24 * 60)), "month", id="too long"
            ),
        ],
    )
    def test_mistakes(self, day, said):
        """What cannot be drawn is an error."""
        with pytest.raises(Misuse, match=said):
            to_svg(day)


class TestRows:
    def rows(self, *spans):
        """The numbers of the reservations of each row."""
        booked = tuple(Booked(each, str(n)) for n, each in enumerate(spans))
        sheet = sheet_of(example(1, booked=booked))
        return [[int(each.label) for each in row] for row in sheet.rows]

    @pytest.mark.parametrize(
        ("spans", "expected", "why"),
        [
            ([], [], "none"),
            ([(8, 10), (10, 12)], [[0, 1]], "one after the other"),
            ([(10, 12), (8, 10)], [[1, 0]], "in order of time"),
            ([(8, 10), (9, 11)], [[0], [1]], "at the same time"),
            ([(8, 10), (9, 11), (10, 12)], [[0, 2], [1]], "the first row that is free"),
            ([(8, 8)], [], "an empty one"),
        ],
    )
    def test_rows(self, spans, expected, why):
        """Who comes at the same time is drawn beneath."""
        assert self.rows(*(span(*each) for each in spans)) == expected, why

    @pytest.mark.parametrize(
        ("start", "end", "expected", "why"),
        [
            (at(0, day=23), at(0), [], "until the day begins"),
            (at(0, day=25), at(1, day=25), [], "from its end on"),
            (at(22, day=23), at(2), [[0]], "over its beginning"),
            (at(22), at(2, day=25), [[0]], "over its end"),
            (at(0, day=1), at(0, day=28), [[0]], "over all of it"),
        ],
    )
    def test_other_days(self, start, end, expected, why):
        """Only reservations of the day are drawn."""
        assert self.rows(Span(start, end)) == expected, why

    def test_many(self):
        """So many rows, and the number of the others."""
        day = example(1, booked=(Booked(span(9, 11), "x"),) * 500)
        root = drawn(day)
        assert len(inked(root, "booked", "rect")) == MOST_ROWS
        assert f"and {500 - MOST_ROWS} more at the same time" in texts(root)

    @steady
    @given(
        st.lists(
            st.tuples(st.integers(0, 23), st.integers(1, 10)).map(
                lambda each: Span(
                    at(0) + timedelta(hours=each[0]),
                    at(0) + timedelta(hours=sum(each)),
                )
            ),
            max_size=40,
        )
    )
    def test_any(self, spans):
        """Each has its place, or is counted; nothing is drawn over another."""
        booked = tuple(Booked(each, "x") for each in spans)
        sheet = sheet_of(example(1, booked=booked))
        assert sum(map(len, sheet.rows)) + sheet.left_out == len(spans)
        for row in sheet.rows:
            assert all(one.span.end <= two.span.start for one, two in pairwise(row))


class TestWords:
    def said(self, day):
        """The description of a drawing."""
        return drawn(day).findtext(f"{SVG}desc")

    def test_description(self):
        """Who does not see it can read it."""
        day = example(
            *(3, 12, 12, 4),
            capacity=10,
            booked=(Booked(span(9, 11), "Choir"),),
            silent=(span(13, 14),),
        )
        assert self.said(day) == (
            "How many were inside, Europe/Berlin. Highest count: 12, 09:00 to 11:00. "
            "Capacity: 10, exceeded 09:00 to 11:00. "
            "Unknown, no sensor heard: 13:00 to 14:00. "
            "Reserved: Choir 09:00 to 11:00."
        )

    def test_plain(self):
        """What there is not is not spoken of."""
        said = self.said(example(3, 2, capacity=10))
        assert said.endswith("Highest count: 3, 08:00 to 09:00. Capacity: 10.")

    def test_many(self):
        """Of many times only the first are named."""
        day = example(*[1, 3] * 7, capacity=2)
        assert self.said(day).endswith("15:00 to 16:00, 17:00 to 18:00, 2 more.")

    def test_clock_change(self):
        """Where the same time may come twice, its zone is told."""
        night = datetime(2018, 10, 28, tzinfo=ZoneInfo(BERLIN))
        day = Day("x", BERLIN, steps(0, 0, 0, 7, start=night))
        assert "7, 02:00 CET to 03:00 CET." in self.said(day)

    def test_several_days(self):
        """Where there are several days, they are told."""
        day = Day("x", BERLIN, steps(1, 7, start=at(23)))
        assert "7, Sun 25 00:00 to Sun 25 01:00." in self.said(day)

    @pytest.mark.parametrize(
        ("silent", "expected", "why"),
        [
            ((), Peak(9, span(9, 10)), "all was heard"),
            ((span(9, 10),), Peak(4, span(10, 11)), "the highest was not"),
            ((span(9, 9.5),), Peak(9, span(9, 10)), "a part of it was"),
            ((span(9, 9.5), span(9.5, 10)), Peak(4, span(10, 11)), "in two parts"),
            ((span(8, 9),), Peak(9, span(9, 10)), "another was not"),
            ((span(0, 23),), None, "nothing was heard"),
        ],
    )
    def test_peak(self, silent, expected, why):
        """What no sensor saw is not the highest count, nor nobody."""
        found = peak(sheet_of(example(1, 9, 4, silent=silent)))
        assert found == expected, why

    def test_peak_lasts(self):
        """It is as long as it was the same, the first time."""
        found = peak(sheet_of(example(1, 9, 9, 4, 9)))
        assert found == Peak(9, span(9, 11))

    def test_all_the_time(self):
        """A whole day has no hours."""
        day = Day("x", BERLIN, steps(5, start=at(0), length=24 * 60))
        assert "Highest count: 5, all the time." in self.said(day)

    def test_unknown(self):
        """A dead sensor is no empty room."""
        day = example(0, 0, silent=(Span(at(0), at(0, day=25)),))
        assert "Highest count: unknown. Unknown, no sensor heard: all the time." in (
            self.said(day)
        )


class TestSVG:
    def test_counts(self):
        """Each count is as high as it is, and lasts as long; alike ones are joined."""
        [area] = inked(drawn(example(2, 2, 4, capacity=4)), "count")
        assert area.get("d") == (
            "M336 248V148H404V248Z"  # from 8 to 10: 34 pixels an hour, 50 a person
            "M404 248V48H438V248Z"
        )

    def test_edge(self):
        """A line runs along the counts, with a break where steps are missing."""
        day = example(2, 4)
        later = steps(1, start=at(12))
        [line] = inked(drawn(replace(day, steps=day.steps + later)), "edge")
        assert line.get("d") == "M336 148H370V48H404M472 198H506"

    def test_band(self):
        """From least to most, in two colours where it crosses the capacity."""
        day = Day("x", BERLIN, steps(4, margin=1), 4)
        [band, _line] = inked(drawn(day), "edge")
        assert band.get("d") == "M336 128V88H370V128Z"
        assert float(band.get("fill-opacity")) < 1
        [_limit, beyond] = sorted(
            inked(drawn(day), "limit"), key=lambda each: each.get("fill") != "none"
        )
        assert beyond.get("d") == "M336 88V48H370V88Z"

    def test_above_the_capacity(self):
        """What is above is in another colour, from the capacity on."""
        root = drawn(example(2, 4, capacity=3))
        [above] = inked(root, "over")
        assert above.get("d") == "M370 98V48H404V98Z"
        [limit] = inked(root, "limit")
        assert limit.get("d") == "M64 98H880"
        assert limit.get("stroke-dasharray")
        assert "above capacity" in texts(root)

    def test_capacity_reached(self):
        """A full room is not above its capacity."""
        root = drawn(example(4, capacity=4))
        assert inked(root, "over") == []
        assert "above capacity" not in texts(root)

    def test_no_capacity(self):
        """Without a capacity there is no line."""
        assert inked(drawn(example(4)), "limit") == []

    def test_below_zero(self):
        """Raw counts may be negative: they hang from the line at zero."""
        root = drawn(example(-2, 2))
        [area] = inked(root, "count")
        assert area.get("d") == "M336 148V248H370V148ZM370 148V48H404V148Z"
        assert "-2" in texts(root)

    def test_silent(self):
        """What no sensor saw is hatched, and says so."""
        root = drawn(example(2, silent=(span(9, 10), span(9.5, 11), span(23, 26))))
        assert len(inked(root, "stripe")) == 2
        assert "09:00 to 11:00: unknown, no sensor heard" in tooltips(root)
        assert "23:00 to 00:00: unknown, no sensor heard" in tooltips(root)

    @pytest.mark.parametrize("minutes", [1, 7, 60, 24 * 60])
    def test_stripes(self, minutes):
        """Stripes stay within what they mark."""
        day = example(2, silent=(Span(at(0), at(0) + timedelta(minutes=minutes)),))
        [stripes] = inked(drawn(day), "stripe")
        numbers = [float(each) for each in re.findall(r"[\d.]+", stripes.get("d"))]
        right = 64 + minutes * 816 / 1440
        assert all(64 <= x <= right + 0.01 for x in numbers[::2])
        assert all(48 <= y <= 248 for y in numbers[1::2])

    def test_reservations(self):
        """A bar lasts as long as its reservation, and says all of its label."""
        label = "General assembly of the choir, with coffee"
        day = example(2, booked=(Booked(span(9, 12), label),))
        root = drawn(day)
        [bar] = inked(root, "booked", "rect")
        assert (bar.get("x"), bar.get("width")) == ("370", "101")
        assert f"09:00 to 12:00: {label}" in tooltips(root)
        [shown] = [each for each in texts(root) if each.startswith("General")]
        assert shown.endswith("…")

    def test_short_reservation(self):
        """One without room for letters is still there."""
        booked = Booked(Span(at(9), at(9, 5)), "Choir")
        root = drawn(example(2, booked=(booked,)))
        assert len(inked(root, "booked", "rect")) == 1
        assert "Choir" not in texts(root)
        assert "09:00 to 09:05: Choir" in tooltips(root)

    def test_wide_letters(self):
        """Labels of East Asia are cut earlier."""
        booked = (Booked(span(9, 11), "会議室" * 9), Booked(span(12, 14), "abc" * 9))
        wide, narrow = [
            each for each in texts(drawn(example(2, booked=booked))) if "…" in each
        ]
        assert len(wide) <= len(narrow) / 2 + 1

    def test_tooltips(self):
        """Each step says its count."""
        day = Day("x", BERLIN, steps(3, margin=1))
        assert tooltips(drawn(day)) == ["08:00 to 09:00: 3 (2 to 4)"]

    @pytest.mark.parametrize(
        ("highest", "expected", "why"),
        [
            (1, ["0", "1"], "whole people only"),
            (5, ["0", "1", "2", "3", "4", "5"], "each"),
            (37, ["0", "10", "20", "30", "40"], "even numbers"),
            (100, ["0", "20", "40", "60", "80", "100"], "up to the highest"),
            (1234, ["0", "500", "1000", "1500"], "many"),
        ],
    )
    def test_numbers(self, highest, expected, why):
        """A few even numbers stand beside it."""
        root = drawn(example(highest))
        beside = [
            each.text
            for each in root.iter(f"{SVG}text")
            if each.get("text-anchor") == "end"
        ]
        assert beside == expected, why

    def test_title(self):
        """It is the space and the day, or what one likes."""
        assert drawn(example(1)).findtext(f"{SVG}title") == "Room A, Sat 24 Feb 2018"
        assert drawn(example(1), title="Mine").findtext(f"{SVG}title") == "Mine"

    def test_hostile_texts(self):
        """Texts are texts wherever they come from."""
        booked = (Booked(span(8, 20), HOSTILE),)
        root = drawn(replace(example(1, booked=booked), space=HOSTILE))
        assert root.find(f".//{SVG}script") is None
        assert root.findtext(f"{SVG}title") == f"{HOSTILE}, Sat 24 Feb 2018"
        assert f"08:00 to 20:00: {HOSTILE}" in tooltips(root)
        assert drawn(example(1), title=HOSTILE).findtext(f"{SVG}title") == HOSTILE

    @pytest.mark.parametrize(
        ("label", "why"),
        [
            ("\x00", "NUL"),
            ("\x1b[31m", "what steers a terminal"),
            ("\ud800", "half a surrogate pair"),
            ("\uffff", "no character"),
            ("\u202e", "what turns the direction"),
            ("a\nb", "a line end"),
        ],
    )
    def test_letters_that_xml_lacks(self, label, why):
        """They are replaced, and the drawing can be read and written."""
        text = to_svg(example(1, booked=(Booked(span(8, 20), label),)))
        assert ET.fromstring(text.encode()) is not None, why  # noqa: S314
        assert label not in text

    @steady
    @given(st.text(max_size=50))
    def test_any_text(self, text):
        """Whatever the label is, it is one XML document."""
        booked = (Booked(span(8, 20), text),)
        root = drawn(replace(example(1, booked=booked), space=text), title=text)
        assert len(inked(root, "booked", "rect")) == 1

    def test_nothing_from_elsewhere(self):
        """It needs no other file, and has no id that a page may have already."""
        day = example(1, 9, capacity=3, silent=(span(9, 10),))
        text = to_svg(replace(day, booked=(Booked(span(8, 9), "x"),)))
        assert re.findall(r"(?:href|src|url|@import|id=|on\w+=)", text) == []
        assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]

    def test_themes(self):
        """Each colour has one on light, which needs no styles, and one on dark."""
        root = drawn(example(1, 9, capacity=3, silent=(span(9, 10),)))
        style = root.findtext(f"{SVG}style")
        assert style.startswith("@media (prefers-color-scheme:dark)")
        for each in root.iter():
            if name := each.get("class"):
                assert re.fullmatch("#[0-9a-f]{6}", each.get("color"))
                assert f".{name}{{color:#" in style

    def test_accessible(self):
        """It is an image with a title and a description, the title first."""
        root = drawn(example(1))
        assert root.get("role") == "img"
        assert [each.tag for each in root][:2] == [f"{SVG}title", f"{SVG}desc"]

    def test_the_same_again(self):
        """The same day is the same text."""
        assert to_svg(example(1, 5, 2)) == to_svg(example(1, 5, 2))

    @steady
    @given(
        st.lists(
            st.tuples(st.integers(-50, 500), st.integers(0, 9), st.integers(0, 9)),
            min_size=1,
            max_size=16,
        ),
        st.none() | st.integers(0, 400),
    )
    def test_any_counts(self, counts, capacity):
        """Whatever the counts are, all of it is on the paper."""
        made = tuple(
            replace(step, least=step.count - less, most=step.count + more)
            for step, (_count, less, more) in zip(
                steps(*(count for count, *_margins in counts)), counts, strict=True
            )
        )
        root = drawn(Day("x", BERLIN, made, capacity))
        for ink in ("count", "over", "edge", "limit"):
            for shape in inked(root, ink):
                heights = re.findall(r"(?:V|M\S+ )(-?[\d.]+)", shape.get("d"))
                assert all(48 <= float(each) <= 248 for each in heights)
