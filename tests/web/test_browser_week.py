"""The week in a browser: dragging, keys, booking in place, both widths, no script."""

import pytest

from tests.web.browser import (
    NARROW,
    WIDE,
    check_accessible,
    check_fits,
    screenshot,
)
from tests.web.conftest import at

PATH = "/week/hall?day=2026-11-30"


@pytest.fixture
def ada(key_of):
    """The key of somebody with an address."""
    return key_of("book", email="ada@example.org", name="Ada")


@pytest.fixture(autouse=True)
def week(context, place, clock):
    """Something of everything."""
    clock.now = at("07:00")
    hall = place.scheduler(context)

    def fill():
        hall.book("bob@example.org", (at("09:00"), at("10:30")))
        hall.book("ada@example.org", (at("13:00", 1), at("14:30", 1)))
        hall.add_blocker((at("15:00", 2), at("18:00", 2)))
        hall.reserve("ada@example.org", (at("11:00", 3), at("12:30", 3)))

    context.transaction(fill)


def part(page, times):
    """What is drawn from when to when."""
    return page.locator(".part").filter(has_text=times)


def drag(page, box, first, last):
    """Drag in a box between two shares of its height."""
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + box["height"] * first)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] * (first + last) / 2)
    page.mouse.move(x, box["y"] + box["height"] * last)
    page.mouse.up()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_looks(visitor, ada, width, dark):
    """It fits both widths, and is accessible in light and dark."""
    page = visitor(ada, width=width, dark=dark).open(PATH)
    check_fits(page)
    check_accessible(page)
    page.goto(f"{page.url}&start=2026-11-30T09:00Z&end=2026-11-30T10:00Z")
    check_fits(page)
    check_accessible(page)
    if not dark:
        screenshot(page, "week" if width == WIDE else "week-narrow")


def test_scale(visitor, ada):
    """What lasts twice as long is drawn twice as high."""
    page = visitor(ada).open(PATH)
    short = part(page, "08:00 to 09:00").bounding_box()["height"]
    long = part(page, "09:00 to 10:30").bounding_box()["height"]
    assert long / short == pytest.approx(1.5, abs=0.05)


def test_drag(visitor, ada):
    """What is dragged over is chosen, on the raster, and booked in place."""
    page = visitor(ada).open(PATH)
    page.evaluate("window.stayed = true")
    box = part(page, "10:30 to 18:00").bounding_box()
    drag(page, box, 0.51 / 7.5, 1.9 / 7.5)  # 11:00 to 12:24
    assert page.locator(".chosen-span").inner_text() == "11:00 to 12:30"
    assert page.locator("#start option:checked").inner_text() == "11:00"
    assert page.locator("#end option:checked").inner_text() == "12:30"
    page.get_by_role("button", name="Book", exact=True).click()
    page.get_by_text("Booked: The hall, Mon 30 Nov, 11:00 to 12:30.").first.wait_for()
    booked = part(page, "11:00 to 12:30").first
    assert booked.get_attribute("class").startswith("part mine")
    assert page.evaluate("window.stayed")


def test_keys(visitor, ada):
    """Everything can be done with the keys alone."""
    page = visitor(ada).open(PATH)
    free = part(page, "10:30 to 18:00").locator("a")
    for _ in range(40):
        page.keyboard.press("Tab")
        if free.evaluate("each => each === document.activeElement"):
            break
    else:
        pytest.fail("The free time cannot be reached by Tab.")
    for key in ("ArrowDown", "ArrowDown", "Shift+ArrowDown", "ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    assert page.locator(".chosen-span").inner_text() == "10:45 to 11:15"
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.get_by_text("Booked: The hall, Mon 30 Nov, 10:45 to 11:15.").first.wait_for()


def test_taken(visitor, ada):
    """A taken time answers with what else is free, which is booked by a click."""
    page = visitor(ada).open(PATH)
    part(page, "09:00 to 10:30").locator("a").click()
    page.get_by_role("alert").get_by_text("This time is taken.").wait_for()
    page.get_by_role("button", name="Book 10:30 to 12:00").click()
    page.get_by_text("Booked: The hall, Mon 30 Nov, 10:30 to 12:00.").first.wait_for()


def test_give_back(visitor, ada):
    """One's own is given back in place."""
    page = visitor(ada).open(PATH)
    part(page, "13:00 to 14:30").locator("a").click()
    own = page.locator(".own li").filter(has_text="13:00 to 14:30")
    own.get_by_role("button").click()
    page.get_by_text("Given back").first.wait_for()
    assert part(page, "08:00 to 18:00").first.is_visible()


def test_back(visitor, ada):
    """Going back shows what was there before."""
    page = visitor(ada).open(PATH)
    part(page, "09:00 to 10:30").locator("a").click()
    page.get_by_role("alert").wait_for()
    page.go_back()
    page.wait_for_url(f"**{PATH}")
    page.get_by_role("alert").wait_for(state="detached")


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_without_script(visitor, ada, width):
    """Without script the same is done by links and forms."""
    page = visitor(ada, width=width, script=False).open(PATH)
    part(page, "10:30 to 18:00").locator("a").click()
    page.get_by_label("From").select_option(label="11:00")
    page.get_by_label("To", exact=True).select_option(label="12:15")
    page.get_by_label("What for").fill("Choir")
    page.get_by_role("button", name="Book", exact=True).click()
    assert page.get_by_text(
        "Booked: The hall, Mon 30 Nov, 11:00 to 12:15."
    ).is_visible()
    page.locator(".own li").filter(has_text="Choir").get_by_role("button").click()
    assert page.get_by_text("Given back").is_visible()
