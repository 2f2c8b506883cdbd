"""The matrix of rights in real browsers: alone, at once with others, without script."""

from __future__ import annotations

import re

import pytest

from libres.sync.matrix import Matrix
from libres.sync.permissions import Permissions
from libres.sync.roles import Roles
from libres.sync.values import ALL, NOTHING, Flags
from tests.web.config.browsing import (
    NARROW,
    WIDE,
    check_accessible,
    check_fits,
    screenshot,
)

CUSTOMER, NOTE, REPORT = "myapp.Customer", "myapp.Note", "myapp.Report"
LONG = "inventory.warehouses.ExtraordinarilyLongNamedModelOfStockMovements"
ODD = 'shop.<b>Bold</b>&"quoted"\'s'


@pytest.fixture
def clerk(office):
    """A role without rights, and what it may do at this moment."""
    return Clerk(office)


class Clerk:
    """A role of the office."""

    def __init__(self, office):
        self.do = office.house.do
        self.rights = Permissions(office.house.context)
        self.organization = office.organization
        roles = Roles(office.house.context)
        name = 'Clerks <i>& "others"</i>'
        self.role = self.do(lambda: roles.add("clerk", name, office.organization))
        self.path = f"/config/permissions/{office.slug}/?role={self.role.id}"

    def may(self, model):
        """What it may do with a model."""
        found = self.do(lambda: self.rights.of(self.organization, self.role))
        return found.get(model, NOTHING)


def box(page, flag, model=REPORT):
    """The box of a flag."""
    return page.get_by_role("checkbox", name=f"{flag}: {model}", exact=True)


def told(page, text):
    """Wait until the page says something; upper and lower case matter."""
    page.locator("#said", has_text=re.compile(re.escape(text))).wait_for()


def shows(page, flag, on, model=REPORT):
    """Wait until the box of a flag is ticked, or not."""
    state = page.locator(":checked" if on else ":not(:checked)")
    box(page, flag, model).and_(state).wait_for()


# How it looks -------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "dark"), [(NARROW, False), (WIDE, True)])
def test_look(signed_in, office, clerk, monkeypatch, width, dark):
    """It fits the window and can be used by everybody, whatever models are called."""
    plain = Permissions.matrix

    def matrix(self, organization):
        found = plain(self, organization)
        return Matrix(found.roles, (*found.models, LONG, ODD), found.rights)

    monkeypatch.setattr(Permissions, "matrix", matrix)
    given = {"clerk": {CUSTOMER: dict.fromkeys(Flags._fields, True)}}
    clerk.do(lambda: clerk.rights.apply(clerk.organization, given))
    page = signed_in("admin", width=width, dark=dark).open(clerk.path)
    check_fits(page)
    check_accessible(page)
    screenshot(page, f"config-permissions-{width}")
    page = signed_in("auditor", width=width, dark=dark).open(
        f"/config/permissions/{office.slug}/"
    )
    assert page.locator("input[type=checkbox]:enabled").count() == 0
    check_fits(page)
    check_accessible(page)


# With script --------------------------------------------------------------------------


def test_tick(signed_in, clerk):
    """A box is saved as it is ticked, and says so."""
    page = signed_in("admin").open(clerk.path)
    box(page, "pull").check()
    told(page, f"Saved: pull for {REPORT} is on.")
    assert clerk.may(REPORT) == Flags(pull=True)
    assert page.locator(".mark.good").count() == 1
    box(page, "pull").uncheck()
    told(page, "is off.")
    assert clerk.may(REPORT) == NOTHING
    page.locator("[data-granted]", has_text="0").wait_for()


def test_quickly(signed_in, clerk):
    """Boxes that are ticked quickly are all saved: one waits for the other."""
    page = signed_in("admin").open(clerk.path)
    for flag in Flags._fields:
        box(page, flag).check()
    told(page, f"Saved: delete for {REPORT} is on.")
    assert clerk.may(REPORT) == ALL


def test_twice(signed_in, clerk):
    """A box that is ticked and cleared quickly is as it was left."""
    page = signed_in("admin").open(clerk.path)
    for flag in ("pull", "read", "pull"):
        box(page, flag).click()
    told(page, f"Saved: pull for {REPORT} is off.")
    shows(page, "pull", False)
    assert clerk.may(REPORT) == Flags(read=True)


def test_two_at_once(signed_in, clerk):
    """The second of two administrators is told, and overwrites nothing."""
    first, second = (signed_in(each).open(clerk.path) for each in ("admin", "staff"))
    box(first, "delete").check()
    told(first, "Saved")
    box(second, "pull").click()  # which is taken back
    told(second, "somebody else has changed the rights")
    told(second, "as they are now: delete.")
    shows(second, "delete", True)
    assert clerk.may(REPORT) == Flags(delete=True)
    shows(second, "pull", False)
    box(second, "pull").check()
    told(second, "Saved")
    assert clerk.may(REPORT) == Flags(pull=True, delete=True)


def test_not_saved(signed_in, clerk):
    """What cannot be saved is not shown as if it were."""
    page = signed_in("admin").open(clerk.path)
    page.route("**/update/", lambda route: route.abort())
    box(page, "pull").click()
    told(page, "Not saved")
    shows(page, "pull", False)
    assert page.locator(".mark.bad").count() == 1
    assert clerk.may(REPORT) == NOTHING


def test_several(signed_in, clerk):
    """Buttons change a line, a column, or all by a template, without a new page."""
    page = signed_in("admin").open(clerk.path)
    page.get_by_role("button", name=f"{REPORT}: all flags").click()
    told(page, "1 right changed")
    assert clerk.may(REPORT) == ALL
    page.get_by_role("button", name="read: all models").click()
    told(page, "Saved")
    shows(page, "read", True, NOTE)
    assert clerk.may(NOTE) == Flags(read=True)
    page.get_by_label("Template for").select_option("read_only")
    page.get_by_role("button", name="Use for all models").click()
    shows(page, "pull", True, NOTE)
    assert clerk.may(REPORT) == Flags(pull=True, read=True)
    assert not box(page, "delete").is_checked()


def test_several_at_once(signed_in, clerk):
    """Of several, what somebody else has changed is left, shown and told."""
    page = signed_in("admin").open(clerk.path)
    clerk.do(lambda: clerk.rights.grant(clerk.organization, clerk.role, REPORT, "push"))
    page.get_by_role("button", name="pull: all models").click()
    told(page, f"for {REPORT}: that was left as it is")
    assert clerk.may(REPORT) == Flags(push=True)
    assert clerk.may(NOTE) == Flags(pull=True)
    assert box(page, "push").is_checked()
    assert not box(page, "pull").is_checked()


# Without script -----------------------------------------------------------------------


def test_without_script(signed_in, clerk):
    """Boxes are saved by a button; who comes too late is told."""
    first = signed_in("admin", script=False).open(clerk.path)
    second = signed_in("staff", script=False, width=NARROW).open(clerk.path)
    for page in (first, second):
        box(page, "pull").check()
        page.get_by_role("button", name="Save what is ticked").click()
    first.get_by_text("1 right changed").wait_for()
    second.get_by_text("somebody else has changed meanwhile").wait_for()
    assert clerk.may(REPORT) == Flags(pull=True)
    second.get_by_role("button", name=f"{NOTE}: all flags").click()
    second.get_by_text("1 right changed").wait_for()
    assert clerk.may(NOTE) == ALL


def test_file(signed_in, clerk):
    """A file is looked at before it is applied, at any width."""
    page = signed_in("admin", width=NARROW).open(clerk.path)
    file = b'{"clerk": {"myapp.Note": {"can_pull": true}}}'
    chosen = {"name": "rights.json", "mimeType": "application/json", "buffer": file}
    page.get_by_label("File with all rights").set_input_files(chosen)
    page.get_by_role("button", name="Look what it would change").click()
    page.get_by_text("1 created").wait_for()
    check_fits(page)
    check_accessible(page)
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("1 created, 0 updated, 0 removed").wait_for()
    assert clerk.may(NOTE) == Flags(pull=True)
