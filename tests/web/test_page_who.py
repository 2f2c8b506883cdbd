"""Who is free: how many, for everybody; who they are, for who may read."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from libres.domain.spans import Span
from libres.timetable import Timetable
from libres.web import Place
from libres.web.directory import Directory
from tests.web.conftest import at
from tests.web.forms import Tab

ROW = re.compile(r'<th scope="row">(\d\d:\d\d)</th>(.*?)</tr>', re.DOTALL)
CELL = re.compile(r"<td.*?>(.*?)</td>", re.DOTALL)
TAGS = re.compile(r"<.*?>", re.DOTALL)


@pytest.fixture(autouse=True)
def people(context, place, clock):  # noqa: ARG001 - the tables are there
    """John is free from 8 to 14, Sara from 10 to 11, on the Monday."""
    clock.now = at("06:00")

    def fill():
        table = Timetable(context)
        for name, start, end, tag in (
            ("John", "08:00", "14:00", "guide"),
            ("Sara", "10:00", "11:00", "nurse"),
        ):
            table.add(name, timezone="UTC", tags=[tag])
            table.open([name], [Span(at(start), at(end))])

    context.transaction(fill)


@pytest.fixture
def tab(app):
    """Somebody's browser."""
    return Tab(app)


@pytest.fixture
def reading(app, key_of):
    """The browser of who may read."""
    return Tab(app, key_of("read"))


def numbers(page):
    """The cells of a heatmap, by time of day."""
    return {
        label: [TAGS.sub("", cell) for cell in CELL.findall(cells)]
        for label, cells in ROW.findall(page)
    }


def test_numbers(tab):
    """Everybody sees how many are free, as a table, and nobody's name."""
    page = tab.open("/who").text
    found = numbers(page)
    assert list(found) == [f"{hour:02}:00" for hour in range(8, 14)]
    assert [cells[0] for cells in found.values()] == ["1", "1", "2", "1", "1", "1"]
    assert {cell for cells in found.values() for cell in cells[1:]} == {"0"}
    for secret in ("John", "Sara", "guide", "nurse"):
        assert secret not in page


def test_no_persons(tab):
    """Who may not read is not told who it is, even if they ask."""
    page = tab.open("/who", at=at("10:00").isoformat()).text
    assert "John" not in page
    assert 'id="persons"' not in page
    assert "at=" not in page


def test_persons(reading):
    """Behind a number are those who are free then."""
    page = reading.open("/who", at=at("10:00").isoformat()).text
    assert "Free: Mon 30 Nov 2026, 10:00 to 11:00" in page
    assert "<li>John" in page
    assert "<li>Sara" in page
    assert 'aria-current="true"' in page


def test_link(reading):
    """A number leads to who it is."""
    page = reading.open("/who").text
    url = re.search(r'href="(/who\?[^"]*T10:00[^"]*)#persons"', page)[1]
    found = reading.open(url.replace("&amp;", "&")).text
    assert "<li>Sara" in found
    assert " free, Mon 30 Nov, 10:00" in page


def test_duration(reading):
    """Who is asked for a longer time is to be free for all of it."""
    page = reading.open("/who", at=at("10:00").isoformat(), duration=120).text
    assert "<li>John" in page
    assert "<li>Sara" not in page


def test_short_steps(tab):
    """For a short time there are short steps."""
    assert "08:15" in numbers(tab.open("/who", duration=15).text)


def test_tags(reading):
    """Only those are counted and shown that have all the tags."""
    page = reading.open("/who", tags="nurse", at=at("10:00").isoformat()).text
    assert numbers(page) == {"10:00": ["1", *["0"] * 6]} or "10:00" in numbers(page)
    assert "<li>Sara" in page
    assert "<li>John" not in page


def test_nobody(tab):
    """A week in which nobody is free has all its hours, and zeros."""
    found = numbers(tab.open("/who", day="2026-12-07").text)
    assert len(found) == 24
    assert {cell for cells in found.values() for cell in cells} == {"0"}


def test_reserved(tab, context):
    """Who is reserved is not free."""
    john = Place("John", "John", "UTC").scheduler(context)
    dates = [(at("08:00"), at("09:00"))]
    context.transaction(lambda: len(john.book("ada@example.org", dates)))
    assert next(iter(numbers(tab.open("/who").text))) == "09:00"


def test_week_of_a_day(tab):
    """The week is the one of the day, from Monday on, and leads to the others."""
    page = tab.open("/who", day="2026-12-06").text
    assert "Mon 30 Nov" in page
    assert "day=2026-11-23" in page
    assert "day=2026-12-07" in page


def test_clock_of_the_house(tab, context):
    """The clock is that of the first resource, or of the zone that is asked for."""
    zurich = Place("aula", "Aula", "Europe/Zurich", position=-1)
    context.transaction(lambda: Directory(context).put(zurich))
    assert next(iter(numbers(tab.open("/who").text))) == "09:00"
    found = tab.open("/who", timezone="America/New_York").text
    assert next(iter(numbers(found))) == "03:00"


def test_clock_change(reading, context):
    """An hour that does not exist has no number; of one that is there twice both have
    one."""
    zurich = Place("aula", "Aula", "Europe/Zurich", position=-1)
    context.transaction(lambda: Directory(context).put(zurich))
    spring = reading.open("/who", day="2027-03-28").text
    assert "not on the clock" in spring
    autumn = reading.open("/who", day="2026-10-25").text
    assert "0 and 0" in autumn or "02:00" in numbers(autumn)


def test_many(reading, context):
    """Many persons are on several pages."""

    def fill():
        table = Timetable(context)
        names = [f"person {number:03}" for number in range(150)]
        table.add(*names, timezone="UTC")
        table.open(names, [Span(at("20:00"), at("21:00"))])

    context.transaction(fill)
    page = reading.open("/who", at=at("20:00").isoformat()).text
    assert page.count("<li>person") == 100
    url = re.search(r'<p><a href="([^"]*)#persons">More', page)[1]
    later = reading.open(url.replace("&amp;", "&")).text
    assert later.count("<li>person") == 50


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"day": "x"}, "Write it as 2026-11-27."),
        ({"day": "0001-01-01"}, "The year must be"),
        ({"day": "9999-12-31"}, "The year must be"),
        ({"duration": "7"}, "Choose one of the list."),
        ({"duration": "9" * 30}, "Choose one of the list."),
        ({"tags": ",".join("abcdefghijklmnop")}, "No more than 10"),
        ({"tags": "x" * 101}, "No more than 10"),
        ({"tags": "\0"}, "NUL"),
        ({"timezone": "Mars/Base"}, "name of a zone"),
        ({"timezone": "../../etc/passwd"}, "name of a zone"),
        ({"timezone": "\0"}, "name of a zone"),
        ({"at": "2026-11-30T10:00"}, "no offset"),
        ({"at": "now"}, "A moment is"),
        ({"at": "9999-12-31T23:59:59Z"}, "The year must be"),
    ],
)
def test_wrong(reading, query, said):
    """What is wrong is said, and the rest is shown."""
    found = reading.open("/who", **query)
    assert found.status_code == 422
    assert said in found.text
    assert 'class="heat"' in found.text


@pytest.mark.parametrize("after", ["\0", "\ud800", "x" * 5000, "<script>"])
def test_hostile_page(reading, after):
    """Whatever is sent as the last name, there is a page."""
    sent = after.encode("utf-8", "replace")
    found = reading.open("/who", at=at("10:00").isoformat(), after=sent)
    assert found.status_code == 200


def test_hostile_name(reading, context):
    """A name is text, whatever it is."""
    script = "<script>alert(1)</script>"

    def fill():
        Timetable(context).add(script, timezone="UTC", tags=[script])
        Timetable(context).open([script], [Span(at("10:00"), at("11:00"))])

    context.transaction(fill)
    page = reading.open("/who", at=at("10:00").isoformat()).text
    assert "&lt;script&gt;" in page
    assert script not in page


def test_longest_moments(reading):
    """At the ends of time there are pages as well."""
    for day in ("1970-01-10", "2999-12-10"):
        assert reading.open("/who", day=day).status_code == 200
    last = (at("10:00") + timedelta(days=300 * 365)).isoformat()
    assert reading.open("/who", at=last, duration=480).status_code == 200
