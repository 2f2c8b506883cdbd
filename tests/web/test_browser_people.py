"""The first page, signing in, who is free and people, in real browsers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from libres.domain.days import UTC
from libres.domain.spans import Span
from libres.occupancy import Occupancy
from libres.timetable import Timetable
from tests.web.browser import (
    NARROW,
    WIDE,
    check_accessible,
    check_fits,
    screenshot,
)
from tests.web.conftest import MONDAY, at

HOURS = (("John", 8, 14), ("Sara", 10, 11), ("Mia", 9, 17), ("Tom", 12, 18))


@pytest.fixture(autouse=True)
def house(context, place, clock):  # noqa: ARG001 - the tables are there
    """Some persons with hours, and a hall in which people are counted."""
    clock.now = at("14:00")
    made = Occupancy(context)

    def fill():
        table = Timetable(context)
        for name, start, end in HOURS:
            table.add(name, timezone="UTC", tags=["guide"])
            hours = [
                Span(at(f"{start:02}:00", day), at(f"{end:02}:00", day))
                for day in range(5)
            ]
            table.open([name], hours)
        made.add_space("hall", timezone="UTC", resource="hall", capacity=20)
        made.add_doorway("door", "hall", None)
        made.add_sensor("s1", heartbeat=timedelta(hours=12))
        made.assign("s1", "door", 1, MONDAY.replace(tzinfo=UTC) - timedelta(days=30))
        made.record([event(8 * 60 + 7 * number) for number in range(30)])
        made.record([event(12 * 60 + 9 * number, -1) for number in range(11)])
        return made.space("hall").number

    return context.transaction(fill)


def event(minute, direction=1):
    """What the sensor sends at a minute of the day."""
    sent = MONDAY + timedelta(minutes=minute)
    stamp = sent.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"timestamp": stamp, "direction": direction, "dpu_id": "s1"}


WHO = "/who?at=2026-11-30T10:00:00Z"


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "home"),
        ("/sign-in", None),
        ("/nowhere", None),
        (WHO, "who"),
        ("/people", None),
        ("/people/1", "people"),
    ],
)
def test_look(visitor, key_of, width, path, name):
    """Each page fits the window, and can be used by everybody."""
    page = visitor(key_of("read"), width=width).open(path)
    check_fits(page)
    check_accessible(page)
    if width == WIDE and name:
        screenshot(page, name)


@pytest.mark.parametrize("path", ["/", "/sign-in", WHO, "/people/1"])
def test_dark(visitor, key_of, path):
    """In the dark they can be read as well."""
    check_accessible(visitor(key_of("read"), dark=True).open(path))


def test_wrong_key(visitor):
    """Who has no right key is told so, in place."""
    page = visitor().open("/sign-in?next=/people")
    page.get_by_label("Your key").fill("libres_forged")
    page.get_by_role("button", name="Sign in").click()
    assert "Nobody has this key" in page.get_by_role("alert").inner_text()


def test_persons_by_keys(visitor, key_of):
    """By keys one gets from a number to the persons behind it."""
    page = visitor(key_of("read")).open("/who")
    page.get_by_role("link", name="3 free, Mon 30 Nov, 10:00").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Free: Mon 30 Nov 2026").wait_for()
    names = page.locator("#persons li").all_inner_texts()
    assert [each.split()[0] for each in names] == ["John", "Mia", "Sara"]


def test_curve(visitor, key_of):
    """The curve is shown, and says in words what there is to see."""
    page = visitor(key_of("read")).open("/people/1")
    image = page.get_by_role("img")
    image.evaluate("image => image.decode()")
    assert image.evaluate("image => image.naturalWidth") > 0
    assert "Capacity: 20" in image.get_attribute("alt")


def test_refresh(visitor, key_of, context, clock):
    """Who comes in while one looks is counted on the page, without loading it again."""
    page = visitor(key_of("read")).open("/people/1")
    count = page.locator(".present strong")
    assert count.inner_text() == "19"
    with page.expect_response("**/people/1/now"):
        page.dispatch_event("#now", "libres:refresh")
    clock.advance(timedelta(minutes=2))
    house = Occupancy(context)
    context.transaction(lambda: house.record([event(14 * 60 + 1)]).outcomes)
    page.dispatch_event("#now", "libres:refresh")
    page.get_by_text("20", exact=True).first.wait_for()
    page.locator(".present strong", has_text="20").wait_for()


def test_without_script(visitor, key_of):
    """Without scripts the same is shown."""
    page = visitor(key_of("read"), script=False).open("/people/1")
    assert page.locator(".present strong").inner_text() == "19"
    assert page.get_by_role("row").count() == 15
