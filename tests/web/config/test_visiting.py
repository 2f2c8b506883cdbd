"""Who may visit the pages of the configuration."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("staff", 200),
        ("admin", 200),
        ("auditor", 200),
        ("nobody", 403),
        (None, 303),
    ],
)
def test_dashboard(office, kind, status):
    """Who may see anything is let in; who has not signed in is asked to."""
    found = office.tab(kind).open("")
    assert found.status_code == status
