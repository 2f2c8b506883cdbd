"""The dashboard, metrics, devices and settings in real browsers."""

from __future__ import annotations

import pytest

from libres.sync.devices import Devices
from tests.web.config.browsing import (
    NARROW,
    WIDE,
    check_accessible,
    check_fits,
)

PAGES = ("", "metrics/", "devices/", "settings/")

LONG = "W" * 90
"""A name without a space in it."""


@pytest.fixture(autouse=True)
def busy(office, audited):
    """An office in which something was done: requests, changes, a device."""
    user = office.users["admin"]
    audited.do(
        lambda: Devices(audited.context).add(user, office.organization, f"phone {LONG}")
    )
    audited.execute(
        "INSERT INTO sync_metrics (context, at, operation, model, batch, seconds,"
        " statements, memory) SELECT 'test', now() - make_interval(hours => number),"
        " 'push', 'myapp.Customer', 10, number * 0.21, 12, 99.5"
        " FROM generate_series(1, 30) AS number"
    )
    audited.execute(
        'INSERT INTO sync_log (context, at, "user", username, organization, operation,'
        " models, status, seconds) SELECT 'test', now() - make_interval(hours => no),"
        " :user, :name, :id, 'push', '[\"myapp.Customer\"]',"
        " CASE no % 5 WHEN 0 THEN 'error' ELSE 'success' END, 0.2"
        " FROM generate_series(1, 30) AS no",
        user=user.id,
        name=user.username,
        id=office.organization.id,
    )
    audited.execute(
        "INSERT INTO customers (organization_id, name) VALUES (:id, 'A')",
        id=office.organization.id,
    )


@pytest.mark.parametrize(("width", "dark"), [(NARROW, False), (WIDE, True)])
@pytest.mark.parametrize("path", PAGES)
def test_look(signed_in, width, dark, path):
    """Each page fits the window, and can be used by everybody, in the dark as well."""
    page = signed_in(width=width, dark=dark).open(f"/config/{path}")
    check_fits(page)
    check_accessible(page)


def test_charts(signed_in):
    """Charts have the colours of the page, and are read out by their titles."""
    light = signed_in().open("/config/metrics/")
    dark = signed_in(dark=True).open("/config/metrics/")
    fills = [
        page.eval_on_selector(".chart .one", "it => getComputedStyle(it).fill")
        for page in (light, dark)
    ]
    assert len(set(fills)) == 2
    assert "rgb(0, 0, 0)" not in fills
    names = [
        each.get_attribute("aria-labelledby") for each in light.locator("svg").all()
    ]
    assert len(names) == len(set(names)) == 3
    assert light.get_by_role("img", name="Requests per day: push").is_visible()


@pytest.mark.parametrize("script", [True, False])
def test_settings(signed_in, audited, script):
    """A setting is changed without scripts, too; what is wrong is told beside it."""
    audited.execute("DELETE FROM sync_settings")
    page = signed_in(script=script, width=NARROW).open("/config/settings/")
    field = page.get_by_label("deepest", exact=True)
    field.fill("500")
    page.get_by_role("button", name="Save deepest").click()
    assert page.get_by_role("alert").text_content().startswith("deepest must be")
    assert field.input_value() == "500"
    check_fits(page)
    field.fill("40")
    page.get_by_role("button", name="Save deepest").click()
    assert page.get_by_text("deepest is 40 from now on.").is_visible()
    page.get_by_role("button", name="Back to 20 for deepest").click()
    assert field.input_value() == "20"


def test_two_administrators(signed_in, office, audited):
    """Of two who change a setting at once the second is told, and can decide."""
    audited.execute("DELETE FROM sync_settings")
    first = signed_in().open("/config/settings/")
    second = signed_in().open("/config/settings/")
    for page, value in ((first, "40"), (second, "60")):
        page.get_by_label("deepest", exact=True).fill(value)
        page.get_by_role("button", name="Save deepest").click()
    told = second.get_by_role("alert").text_content()
    assert "Somebody else has set this to 40 meanwhile" in told
    assert office.users["staff"].username in told
    check_accessible(second)
    second.get_by_role("button", name="Save deepest").click()
    assert second.get_by_text("deepest is 60 from now on.").is_visible()


@pytest.mark.parametrize("script", [True, False])
def test_device(signed_in, script):
    """An administrator gives a device a new key, and refuses it for good."""
    page = signed_in("admin", script=script, width=NARROW).open("/config/devices/")
    page.get_by_text("Change phone").click()
    page.get_by_role("button", name="New key for phone").click()
    assert page.locator(".secret").text_content().startswith("libres_dev_")
    check_fits(page)
    page.get_by_role("link", name="Back to the devices").click()
    page.get_by_text("Change phone").click()
    page.get_by_role("button", name="Refuse for good phone").click()
    assert page.get_by_text("is refused from now on.").is_visible()
    assert page.get_by_role("button", name="New key").count() == 0
