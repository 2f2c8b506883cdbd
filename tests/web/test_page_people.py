"""How many are in a space, now and by the hour."""

from __future__ import annotations

import re
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from libres.domain.days import UTC
from libres.occupancy import Occupancy
from tests.web.conftest import MONDAY, at
from tests.web.forms import Tab


@pytest.fixture
def house(context, place, clock):  # noqa: ARG001 - the tables are there
    """A hall for two, into which three have come until ten."""
    clock.now = at("10:00")
    made = Occupancy(context)

    def fill():
        made.add_space("hall", timezone="UTC", resource="hall", capacity=2)
        made.add_doorway("door", "hall", None)
        made.add_sensor("s1", heartbeat=timedelta(hours=12))
        made.assign("s1", "door", 1, MONDAY.replace(tzinfo=UTC) - timedelta(days=30))
        made.record([event("08:30"), event("09:10"), event("09:20"), event("09:50")])
        return made.space("hall").number

    return context.transaction(fill)


def event(clock, direction=1):
    """What the sensor sends."""
    sent = at(clock).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"timestamp": sent, "direction": direction, "dpu_id": "s1"}


@pytest.fixture
def tab(app, key_of):
    """The browser of who may read."""
    return Tab(app, key_of("read"))


def test_none(tab):
    """Without spaces the page says so."""
    assert "There are no spaces" in tab.open("/people").text


def test_spaces(tab, house):
    """All spaces are listed with who is inside now, and that it is too many."""
    page = tab.open("/people").text
    assert f'href="/people/{house}">hall' in page
    assert "<strong>4</strong> of 2 inside now: more than there is room for" in page
    assert "Nobody knows" not in page


def test_stale(tab, house, clock):
    """If a sensor has been silent for too long, nobody knows, and that is said."""
    clock.now = at("09:00", 1)
    assert "Nobody knows" in tab.open("/people").text
    assert "Nobody knows" in tab.open(f"/people/{house}").text


def test_day(tab, house):
    """A day is shown as a curve, and as a table for those who do not see it."""
    page = tab.open(f"/people/{house}").text
    assert f'src="/people/{house}.svg?day=2026-11-30' in page
    assert 'alt="Highest count: 4, 09:45 to 10:00. Capacity: 2, exceeded' in page
    row = page.partition('<th scope="row">09:00 to 10:00</th>')[2].partition("</tr>")[0]
    assert re.findall(r"<td>(\d+)</td>", row) == ["4", "1", "4", "3", "0"]


def test_other_day(tab, house):
    """Other days can be shown, and there is no day after today."""
    page = tab.open(f"/people/{house}", day="2026-11-29").text
    assert "Sunday 29 November 2026" in page
    assert "inside now" not in page
    assert "The next day" in page
    assert "The next day" not in tab.open(f"/people/{house}").text


def test_future(tab, house):
    """Nothing is known of a day that has not come."""
    page = tab.open(f"/people/{house}", day="2026-12-24").text
    assert "Nothing of this day has come yet." in page
    assert tab.open(f"/people/{house}.svg", day="2026-12-24").status_code == 404


def test_midnight(tab, house, clock):
    """In the first moment of a day there is a page, too."""
    clock.now = at("00:00", 1)
    assert tab.open(f"/people/{house}").status_code == 200


def test_drawing(tab, house, context, place):
    """The curve is an image of its own, with the reservations, and a strict policy."""
    dates = [(at("09:00"), at("12:00"))]
    hall = place.scheduler(context)
    context.transaction(lambda: len(hall.book("ada@example.org", dates)))
    found = tab.open(f"/people/{house}.svg")
    assert found.content_type.startswith("image/svg+xml")
    assert found.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "unsafe" not in found.headers["Content-Security-Policy"]
    assert "ada@example.org" in found.text
    ET.fromstring(found.text)  # noqa: S314 - our own


def test_unchanged(tab, house, clock):
    """What has not changed is not sent again."""
    for path in (f"/people/{house}/now", f"/people/{house}.svg"):
        first = tab.open(path)
        headers = {"If-None-Match": first.headers["ETag"]}
        assert tab.http.get(path, headers=headers).status_code == 304
    clock.advance(timedelta(minutes=1))
    assert tab.http.get(path, headers=headers).status_code == 200


def test_fragment(tab, house):
    """What the script asks for is a part of the page only."""
    page = tab.open(f"/people/{house}/now").text
    assert "<strong>4</strong>" in page
    assert "<html" not in page


@pytest.mark.parametrize("number", ["0", "99", "2147483648", str(10**30), "-1", "hall"])
@pytest.mark.parametrize("end", ["", "/now", ".svg"])
def test_unknown(tab, house, number, end):  # noqa: ARG001 - there is another one
    """A space that is not there is not found."""
    assert tab.open(f"/people/{number}{end}").status_code == 404


@pytest.mark.parametrize("day", ["x", "\0", "0001-01-01", "9999-12-31", "x" * 5000])
def test_hostile_day(tab, house, day):
    """What is no day is today."""
    assert "30 November" in tab.open(f"/people/{house}", day=day).text


def test_hostile_name(tab, house, context):
    """The name of a space is text, whatever it is."""
    script = "<script>alert(1)</script>"
    made = Occupancy(context)
    context.transaction(lambda: made.add_space(script, timezone="UTC").number)
    number = context.transaction(lambda: made.space(script).number)
    for path in ("/people", f"/people/{number}", f"/people/{number}.svg"):
        page = tab.open(path).text
        assert script not in page
        assert "&lt;script&gt;" in page
    assert tab.open(f"/people/{house}").status_code == 200
