"""Signing in, organisations, members and users in real browsers."""

from __future__ import annotations

import pytest

from tests.web.config.browsing import NARROW, WIDE, check_accessible, check_fits


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("path", ["", "sign-in/"])
def test_look(signed_in, width, path):
    """Each page fits the window, and can be used by everybody."""
    page = signed_in("admin", width=width).open(f"/config/{path}")
    check_fits(page)
    check_accessible(page)
