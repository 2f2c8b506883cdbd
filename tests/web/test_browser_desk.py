"""The desk in real browsers: two people, keys only, both widths, light and dark."""

from __future__ import annotations

import pytest

from tests.web.browser import (
    NARROW,
    WIDE,
    check_accessible,
    check_fits,
    screenshot,
)
from tests.web.conftest import at

ADA, BOB = "ada@example.org", "bob@example.org"


@pytest.fixture(autouse=True)
def asked(context, place, clock):
    """Ada and Bob want the hall at the same time, and the floor is new on Tuesday."""
    clock.now = at("12:00", -1)
    hall = place.scheduler(context)

    def fill():
        hall.reserve(ADA, [(at("10:00"), at("12:00"))], data={"Purpose": "Chess"})
        hall.reserve(BOB, [(at("11:00"), at("13:00"))])
        hall.add_blocker((at("09:00", 1), at("11:00", 1)), reason="The floor is new")

    context.transaction(fill)


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("path", ["/desk", "/desk/blockers", "/desk/waiting"])
def test_look(visitor, key_of, width, path):
    """Each part of the desk fits the window, and can be used by everybody."""
    page = visitor(key_of("manage"), width=width).open(path)
    check_fits(page)
    check_accessible(page)
    if width == WIDE and path == "/desk":
        screenshot(page, "desk")


def test_dark(visitor, key_of):
    """In the dark it can be read as well."""
    check_accessible(visitor(key_of("manage"), dark=True).open("/desk"))


def test_hidden(visitor, key_of):
    """The button that Enter presses in a box is nothing to look at."""
    page = visitor(key_of("manage")).open("/desk")
    assert page.get_by_text("Decide nothing").count() == 1
    assert page.get_by_text("Decide nothing").is_hidden()


def test_two_at_once(visitor, key_of):
    """Of two people at the desk the second one is told that it was done already."""
    first = visitor(key_of("manage", name="First")).open("/desk")
    second = visitor(key_of("manage", name="Second")).open("/desk")
    name = f"Approve {ADA}, The hall"
    first.get_by_role("button", name=name).click()
    assert f"Approved 1: {ADA}." in first.get_by_role("status").inner_text()
    second.get_by_role("button", name=name).click()
    told = second.get_by_role("status").inner_text()
    assert "approved already, by somebody else" in told
    assert second.get_by_text("taken", exact=True).count() == 1


def test_keys_only(visitor, key_of):
    """Everything can be done by keys: sign in, choose both, and approve the first."""
    page = visitor().open("/sign-in?next=/desk")
    page.get_by_label("Your key").focus()
    page.keyboard.type(key_of("manage"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk")
    page.get_by_label(ADA).focus()
    page.keyboard.press("Space")
    page.get_by_label(BOB).focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Approve what is chosen").focus()
    page.keyboard.press("Enter")
    told = page.get_by_role("status")
    told.first.wait_for()
    words = " ".join(told.all_inner_texts())
    assert f"Approved 1: {ADA}." in words
    assert f"1 refused: {BOB}" in words


def test_enter(visitor, key_of):
    """Enter in a box decides nothing: which one was meant?"""
    page = visitor(key_of("manage")).open("/desk")
    page.get_by_label(BOB).focus()
    page.keyboard.press("Enter")
    told = page.get_by_role("status")
    told.wait_for()
    assert "Nothing was decided" in told.inner_text()
    assert page.get_by_role("button", name="Approve ada").count() == 1


def test_without_script(visitor, key_of):
    """Without scripts a time is taken out of service, and put back."""
    page = visitor(key_of("manage"), script=False, width=NARROW).open("/desk/blockers")
    page.get_by_label("Day", exact=True).fill("2026-12-02")
    page.get_by_label("From").fill("08:00")
    page.get_by_label("To", exact=True).fill("10:00")
    page.get_by_label("Reason", exact=True).fill("Paint")
    page.get_by_role("button", name="Take out of service").click()
    assert page.get_by_text("Wed 2 Dec 2026, 08:00 to 10:00").first.is_visible()
    page.get_by_role("button", name="Put into service The hall, Wed").click()
    assert page.get_by_role("status").inner_text() == "It is in service again."
