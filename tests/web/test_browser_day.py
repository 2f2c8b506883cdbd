"""The day and the search in a browser: both widths, printed, looking again."""

import pytest

from libres.web import Place
from libres.web.directory import Directory
from tests.web.browser import (
    NARROW,
    WIDE,
    check_accessible,
    check_fits,
    screenshot,
)
from tests.web.conftest import at

DAY = "/day?day=2026-11-30"
FIND = "/find?minutes=90&places=2&begins=09:00&ends=18:00&first=2026-11-30"


@pytest.fixture(autouse=True)
def rooms(context, place, clock):  # noqa: ARG001 - one more than are made
    """Four rooms with one to four places."""
    clock.now = at("07:00")

    def fill():
        for number in range(1, 5):
            room = Place(f"room{number}", f"Room {number}", "UTC")
            Directory(context).put(room)
            scheduler = room.scheduler(context)
            allocated = (at("08:00"), at("20:00"))
            scheduler.allocate(
                allocated, partly_available=True, raster=15, quota=number
            )
            taken = (at("09:00"), at("10:30"))
            scheduler.book("bob@example.org", taken, data={"title": "Board"})

    context.transaction(fill)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize(("path", "name"), [(DAY, "day"), (FIND, "find")])
def test_looks(visitor, key_of, path, name, width, dark):
    """They fit both widths, and are accessible in light and dark."""
    key = key_of("read", "book", email="ada@example.org", name="Ada")
    page = visitor(key, width=width, dark=dark).open(path)
    check_fits(page)
    check_accessible(page)
    if not dark:
        screenshot(page, name if width == WIDE else f"{name}-narrow")


def test_refreshed(visitor, context, place):
    """What changes is shown within a minute, without anybody doing anything."""
    looking = visitor()
    page = looking.context.new_page()
    page.clock.install()
    page.goto(looking.address + DAY)
    taken = page.locator(".part.taken")
    assert taken.count() == 1
    hall = place.scheduler(context)
    context.transaction(
        lambda: hall.book("bob@example.org", (at("12:00"), at("13:00")))
    )
    page.clock.run_for(61_000)
    page.get_by_text("12:00 to 13:00").wait_for()
    assert taken.count() == 2


def test_printed(visitor):
    """On paper there are the rooms, and nothing to click at."""
    page = visitor().open(DAY)
    page.emulate_media(media="print")
    assert page.locator("#rooms").is_visible()
    assert not page.locator("nav[aria-label=Pages]").is_visible()
    assert not page.locator(".choose").is_visible()
    assert page.pdf().startswith(b"%PDF")


def test_found_and_booked(visitor, key_of):
    """What is found is booked by a click, without script as well."""
    key = key_of("book", email="ada@example.org")
    page = visitor(key, script=False).open(FIND)
    page.get_by_role("button", name="Book Room 3, Mon 30 Nov, 09:00 to 10:30").click()
    assert page.get_by_text("Booked: Room 3, Mon 30 Nov, 09:00 to 10:30.").is_visible()
