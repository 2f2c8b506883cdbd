"""Real browsers of people who are signed in to the configuration.

``signed_in`` gives them; what their pages are checked by is that of the other pages.
"""

from __future__ import annotations

import pytest

from tests.web.browser import (
    NARROW,
    WIDE,
    check_accessible,
    check_fits,
    cookie_of,
    screenshot,
    visitors,
)

__all__ = (
    "NARROW",
    "WIDE",
    "check_accessible",
    "check_fits",
    "screenshot",
    "session_of",
    "signed_in",
)


@pytest.fixture
def signed_in(browser, served, app, office):
    """Makes visitors: signed_in("admin"), signed_in(user, width=NARROW, dark=True).

    It takes what somebody is in the office, or any user; None: nobody has signed in.
    Their paths begin with ``/config/``.
    """
    with visitors(browser, served) as make:

        def sit(who="staff", **how):
            user = office.users[who] if isinstance(who, str) else who
            told = [] if user is None else [cookie_of(app, served, session_of(user))]
            return make(*told, **how)

        yield sit


def session_of(user):
    """What the session of somebody keeps who has just signed in."""
    from libres.db.models.timestamp import TimestampMixin  # noqa: PLC0415 - the clock's

    now = int(TimestampMixin.timestamp().timestamp())
    told = {"user": user.id, "version": user.version, "at": now}
    return {"libres_config": told}


HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)> '",
    "{{ 7*7 }}{% raw %} ${7*7}",
    "שלום עולם",
    "🦆" * 75 + "x" * 75,
    "W" * 150,
)
"""Names that pages show as text, and nothing else; up to 150 letters."""
