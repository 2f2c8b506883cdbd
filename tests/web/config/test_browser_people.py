"""Signing in, organisations, members and users in real browsers."""

from __future__ import annotations

import pytest

from libres.sync.memberships import Memberships
from libres.sync.roles import Roles
from libres.sync.users import Users
from tests.web.config.browsing import (
    HOSTILE,
    NARROW,
    WIDE,
    check_accessible,
    check_fits,
    screenshot,
)
from tests.web.config.test_signin import PASSWORD

PAGES = {
    "sign-in/": None,
    "organizations/": "organizations",
    "organizations/{slug}/": "members",
    "roles/": None,
    "users/": "users",
    "users/{user}/": None,
}
"""And the names of their pictures in the docs."""


def where(office, path):
    """The address of a page about the office."""
    named = path.format(slug=office.slug, user=office.users["admin"].id)
    return f"/config/{named}"


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("path", PAGES)
def test_look(signed_in, office, width, path):
    """Each page fits the window, and can be used by everybody."""
    page = signed_in("staff", width=width).open(where(office, path))
    check_fits(page)
    check_accessible(page)
    if width == WIDE and PAGES[path]:
        screenshot(page, f"config-{PAGES[path]}")


@pytest.mark.parametrize("path", ["sign-in/", "organizations/{slug}/", "users/{user}/"])
def test_dark(signed_in, office, path):
    """In the dark they can be read as well."""
    check_accessible(signed_in("staff", dark=True).open(where(office, path)))


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_nothing_to_see(signed_in, width):
    """Who may see nothing is told so on a page that fits, and signs out there."""
    page = signed_in("nobody", width=width).open("/config/")
    check_fits(page)
    check_accessible(page)
    assert "may see nothing here" in page.locator("main").inner_text()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("You are signed out.").wait_for()


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_hostile_names(signed_in, office, width):
    """Names are shown as they are, in a window of any size, and nothing runs."""
    context = office.house.context

    def fill():
        for number, name in enumerate(HOSTILE):
            told = f"{name[:120]} {office.slug}"
            user = Users(context).add(told)
            role = Roles(context).add(f"h-{number}", name, office.organization)
            Memberships(context).add(user, office.organization, role)

    office.house.do(fill)
    visitor = signed_in("staff", width=width)
    for path in ("organizations/{slug}/", "users/"):
        page = visitor.open(where(office, path))
        check_fits(page)
        shown = page.locator("bdi", has_text=HOSTILE[0]).first.inner_text()
        assert shown.startswith(HOSTILE[0])


def test_sign_in_by_keys(signed_in, office):
    """By keys alone one signs in, gets where one wanted to, and out again."""
    users = Users(office.house.context)
    user = office.users["admin"]
    office.house.do(lambda: users.set_password(user, PASSWORD))
    page = signed_in(None).open(where(office, "organizations/{slug}/"))
    page.get_by_label("Name").focus()
    page.keyboard.type(user.username)
    page.keyboard.press("Tab")
    page.keyboard.type("wrong horse battery")
    page.keyboard.press("Enter")
    assert "Nobody has this name" in page.get_by_role("alert").inner_text()
    page.get_by_label("Name").fill(user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=office.organization.name).wait_for()
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Enter")
    page.get_by_text("You are signed out.").wait_for()
    page.goto(page.url.replace("sign-in/", "organizations/"))
    assert page.get_by_label("Password").is_visible()


@pytest.mark.parametrize("script", [True, False])
def test_change_by_keys(signed_in, office, script):
    """By keys alone, and without scripts, a member gets another role."""
    page = signed_in("admin", script=script).open(
        where(office, "organizations/{slug}/")
    )
    name = office.users["auditor"].username
    page.get_by_label(f"Role of {name}").focus()
    page.keyboard.type("Nobody")
    page.keyboard.press("Tab")
    page.keyboard.type("refused")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Saved.").wait_for()
    role = page.get_by_label(f"Role of {name}").locator("option:checked")
    assert role.inner_text() == "Nobody"
    assert page.get_by_label(f"State of {name}").input_value() == "0"


def test_two_at_once(signed_in, office):
    """Of two administrators who change the same member, the second one is told, and
    sees what the first one has done."""
    pages = [
        signed_in(kind).open(where(office, "organizations/{slug}/"))
        for kind in ("staff", "admin")
    ]
    name = office.users["auditor"].username
    for page, wanted in zip(pages, ["Nobody", "Admin"], strict=True):
        page.get_by_label(f"Role of {name}").select_option(label=wanted)
        page.get_by_role("button", name=f"Save {name}").click()
        page.get_by_text("Saved.").or_(page.get_by_role("alert")).wait_for()
    late = pages[1]
    assert "Somebody else was faster" in late.get_by_role("alert").inner_text()
    role = late.get_by_label(f"Role of {name}").locator("option:checked")
    assert role.inner_text() == "Nobody"
    check_accessible(late)


def test_add_organization(signed_in, office):
    """Staff adds an organisation, a role and a member, without scripts."""
    page = signed_in("staff", script=False).open("/config/organizations/")
    page.get_by_label("Name", exact=True).fill("Acme Corporation")
    page.get_by_label("Slug", exact=True).fill(f"acme-{office.slug}")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("heading", name="Acme Corporation").wait_for()
    page.get_by_label("Code").fill("clerks")
    page.get_by_label("Name", exact=True).fill("Clerks")
    page.get_by_role("button", name="Add the role").click()
    name = office.users["auditor"].username
    page.get_by_label("Name of the user").fill(name)
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text(f"{name} belongs to it from now on.").wait_for()
    assert page.get_by_label(f"Role of {name}").is_visible()


def test_auditor(signed_in, office):
    """An auditor finds nothing on the page that changes anything."""
    page = signed_in("auditor").open(where(office, "organizations/{slug}/"))
    main = page.locator("main")
    assert main.get_by_role("button").all_inner_texts() == ["Search"]
    check_accessible(page)
