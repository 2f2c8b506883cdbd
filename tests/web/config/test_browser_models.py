"""The page of models in real browsers."""

from __future__ import annotations

import pytest
from sqlalchemy import Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libres.sync.switches import Switches
from libres.web.config import models as pages
from tests.web.config.browsing import (
    NARROW,
    WIDE,
    check_accessible,
    check_fits,
    screenshot,
)

REPORT = "myapp.Report"
PATH = "/config/models/"


class Base(DeclarativeBase):
    """Of an application."""


class Invoice(Base):
    """Could be registered."""

    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(Text)


class Login(Base):
    """Should rather not."""

    __tablename__ = "user_sessions"
    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.mark.parametrize(("width", "dark"), [(NARROW, False), (WIDE, True)])
def test_look(signed_in, monkeypatch, width, dark):
    """It fits the window and can be used by everybody."""
    monkeypatch.setattr(pages, "bases_of", lambda _registry: [Base])
    for who in ("auditor", "staff"):
        page = signed_in(who, width=width, dark=dark).open(PATH)
        page.locator("summary").first.click()
        check_fits(page)
        check_accessible(page)
    screenshot(page, f"config-models-{width}")


@pytest.mark.parametrize("script", [True, False])
def test_two_at_once(signed_in, office, script):
    """Who comes too late is told, and switches nothing, with script and without."""
    switches = Switches(office.house.context)
    first, second = (signed_in("staff", script=script).open(PATH) for _ in range(2))
    try:
        for page in (first, second):
            page.get_by_role("button", name=f"Switch off: {REPORT}").click()
        first.get_by_text(f"{REPORT} is switched off.").wait_for()
        second.get_by_text("somebody else has switched this").wait_for()
        second.get_by_role("button", name=f"Switch on: {REPORT}").click()
        second.get_by_text(f"{REPORT} is switched on.").wait_for()
    finally:
        office.house.do(lambda: switches.set(REPORT, True))
