"""Signing in, organisations, members and users in real browsers."""

from __future__ import annotations

import pytest

from tests.web.config.browsing import NARROW, WIDE, check_accessible, check_fits


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize(
    "path",
    [
        "sign-in/",
        "organizations/",
        "organizations/{slug}/",
        "roles/",
        "users/",
        "users/{user}/",
    ],
)
def test_look(signed_in, office, width, path):
    """Each page fits the window, and can be used by everybody."""
    page = signed_in("staff", width=width).open(where(office, path))
    check_fits(page)
    check_accessible(page)


def where(office, path):
    """The address of a page about the office."""
    named = path.format(slug=office.slug, user=office.users["admin"].id)
    return f"/config/{named}"
