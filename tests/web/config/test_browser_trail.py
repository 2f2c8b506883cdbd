"""The audit trail and the log in real browsers: at both widths, in the dark, without
script, with whatever people write into their data."""

from __future__ import annotations

import pytest

from libres.sync.audit import Audit
from libres.sync.models import SyncLog
from tests.sync.conftest import CONTEXT
from tests.sync.models import Customer
from tests.web.config.browsing import (
    NARROW,
    WIDE,
    check_accessible,
    check_fits,
    screenshot,
)

CUSTOMER = "myapp.Customer"
HOSTILE = "<img src=x onerror=alert(1)>"
TURNED = "\u202eevil\u202c שלום مرحبا"
LONG = "unbreakable" * 909 + "x"  # 10,000 characters
FORMULA = "=1+1"


class Trail:
    """An organisation in which things have happened."""

    def __init__(self, office):
        self.house, self.office = office.house, office
        self.audit = Audit(self.house.context)

    def act(self, change, *, by="john_manager", **why):
        """Change something as a user, and commit."""

        def acted():
            with self.audit.acting(by, **why):
                made = change(self.audit.session)
                self.audit.session.flush()
                return made

        return self.house.do(acted)

    def add(self, name, department="SALES", **how):
        """Add a customer."""
        owner = self.office.organization.id
        made = Customer(name=name, department=department, organization_id=owner)
        self.act(lambda session: session.add(made), **how)
        return self.house.do(lambda: self.audit.session.merge(made).id)

    def change(self, number, **values):
        """Change a customer."""
        how = {each: values.pop(each) for each in ("by", "reason") if each in values}

        def changed(session):
            customer = session.get(Customer, number)
            for name, value in values.items():
                setattr(customer, name, value)

        self.act(changed, **how)

    def log(self, number=1, **values):
        """Write into the log, at once."""
        known = {
            "context": CONTEXT,
            "user": "7",
            "username": "john_manager",
            "organization": self.office.organization.id,
            "operation": "push",
            "models": [CUSTOMER],
            "status": "success",
            "succeeded": 2,
            "seconds": 0.25,
            **values,
        }
        made = [SyncLog(**known) for _ in range(number)]
        self.house.do(lambda: self.audit.session.add_all(made))

    @property
    def last(self):
        """The number of the latest change of the organisation."""
        owner = self.office.organization.reference
        (found,) = self.audit.history(CUSTOMER, tenants=[owner], limit=1)
        return found.position


@pytest.fixture
def trail(office):
    """The organisation of the test, in which nice and nasty things have happened."""
    made = Trail(office)
    number = made.add("John Doe", reason="He called.")
    made.change(number, name="Jane Doe", age=45, by="mary_sales")
    made.add(HOSTILE, TURNED, by=HOSTILE[:20] + TURNED)
    made.add(FORMULA, LONG)
    made.log()
    made.log(username=HOSTILE, error=LONG, status="error", models=[HOSTILE, TURNED])
    return made


def paths(trail):
    """All pages of both, and whether they have to be looked at more closely."""
    yield from {
        "audit/": True,
        "audit/?from=yesterday&model=none": True,
        f"audit/{trail.last}/": False,
        f"audit/{trail.last - 1}/": False,
        f"audit/{trail.last - 2}/": True,
        f"audit/{trail.last}/revert/": True,
        "logs/": True,
        "logs/?from=2026-02-02&to=2026-02-01": False,
    }.items()


@pytest.mark.parametrize(("width", "dark"), [(NARROW, False), (WIDE, True)])
def test_look(signed_in, trail, width, dark):
    """Each page fits the window, and can be used by everybody, whatever is in it."""
    page = signed_in("admin", width=width, dark=dark).open("/config/audit/")
    for path, is_checked in paths(trail):
        page.goto(f"{page.url.partition('/config/')[0]}/config/{path}")
        check_fits(page)
        assert page.locator("main img").count() == 0
        if is_checked:
            check_accessible(page)


def test_log_details(signed_in, trail):
    """The details of a record fit as well."""
    page = signed_in("admin", width=NARROW).open("/config/logs/")
    page.locator("table a").first.click()
    page.get_by_role("heading", level=1).wait_for()
    check_fits(page)
    assert trail.last


def test_differences(signed_in, trail):
    """Old and new are beside each other; on a phone below each other."""
    path = f"/config/audit/{trail.last - 2}/"
    for width, is_beside in ((WIDE, True), (NARROW, False)):
        page = signed_in("admin", width=width).open(path)
        boxes = [
            page.locator(f"td.{side}").last.bounding_box()
            for side in ("before", "after")
        ]
        assert (boxes[0]["y"] == boxes[1]["y"]) is is_beside
        assert page.locator("td.before mark").inner_text() == "ohn"
        screenshot(page, f"audit-change-{width}")


def test_folded(signed_in, trail):
    """What is long is folded, and unfolds without script."""
    page = signed_in("admin", script=False).open(f"/config/audit/{trail.last}/")
    whole = page.locator(".after details .value")
    assert not whole.is_visible()
    page.locator(".after summary").click()
    assert whole.is_visible()
    assert whole.inner_text() == LONG
    check_fits(page)


@pytest.mark.parametrize("script", [True, False])
def test_filter(signed_in, trail, script):
    """Who filters finds their filters again, in the form and in the address."""
    page = signed_in("admin", script=script).open("/config/audit/")
    page.get_by_label("User").fill("mary_sales")
    page.get_by_label("Model").select_option(CUSTOMER)
    page.get_by_role("button", name="Show").click()
    assert "user=mary_sales" in page.url
    assert page.locator("#changes tbody tr").count() == 1
    assert page.get_by_label("User").input_value() == "mary_sales"
    page.get_by_role("link", name=f"Change {trail.last - 2}").click()
    assert page.locator("td.after mark").first.inner_text() == "ane"


def test_wrong_day(signed_in, trail):
    """A wrong day stays as it was written, and what is wrong is told beside it."""
    page = signed_in("admin").open("/config/audit/?from=yesterday")
    field = page.get_by_label("From")
    assert field.input_value() == "yesterday"
    assert field.get_attribute("aria-invalid") == "true"
    said = page.locator(f"#{field.get_attribute('aria-describedby')}").inner_text()
    assert said.startswith("Write a day")
    assert trail.last


def test_download(signed_in, trail, tmp_path):
    """The CSV is a file with a name, and no formula is in it."""
    page = signed_in("admin").open(f"/config/audit/?model={CUSTOMER}")
    with page.expect_download() as found:
        page.get_by_role("link", name="CSV of all these changes").click()
    found.value.save_as(tmp_path / "audit.csv")
    text = (tmp_path / "audit.csv").read_text(encoding="utf-8")
    assert found.value.suggested_filename == "audit.csv"
    assert "'=1+1" in text
    assert ": =1+1" not in text.replace("→", ":")
    assert trail.last


def test_refreshed(signed_in, trail):
    """What is new appears by itself; not while it is paused."""
    page = signed_in("admin").open(f"/config/audit/?model={CUSTOMER}")
    rows = page.locator("#changes tbody tr")
    before = rows.count()
    refresh = (
        "document.querySelector('#changes').dispatchEvent(new Event('libres:refresh'))"
    )
    trail.add("Somebody new")
    page.evaluate(refresh)
    page.get_by_text("Refreshed at").wait_for()
    assert rows.count() == before + 1
    page.get_by_role("button", name="Pause refreshing").click()
    trail.add("Somebody else")
    page.evaluate(refresh)
    page.wait_for_load_state("networkidle")
    assert rows.count() == before + 1
    page.get_by_role("button", name="Go on refreshing").click()
    page.wait_for_function(
        "count => document.querySelectorAll('#changes tbody tr').length === count",
        arg=before + 2,
    )
    check_accessible(page)


def test_refresh_link(signed_in, trail):
    """Without script a link shows what is new, by the same filters."""
    page = signed_in("admin", script=False).open(f"/config/audit/?model={CUSTOMER}")
    before = page.locator("#changes tbody tr").count()
    trail.add("Somebody new")
    page.get_by_role("link", name="Refresh").click()
    assert page.locator("#changes tbody tr").count() == before + 1
    assert f"model={CUSTOMER}" in page.url


def test_older(signed_in, trail):
    """Who goes to older changes is left in peace there, and finds back."""
    trail.log(100)
    page = signed_in("admin").open("/config/logs/")
    page.get_by_role("link", name="Older").click()
    assert page.locator("#log tbody tr").count() == 2
    assert page.get_by_role("button", name="Pause refreshing").count() == 0
    page.get_by_role("link", name="Newest").click()
    assert page.locator("#log tbody tr").count() == 100


@pytest.mark.parametrize("script", [True, False])
def test_undo(signed_in, trail, script):
    """A change is undone by two clicks, and why is noted."""
    number = trail.add("Before")
    trail.change(number, name="After")
    page = signed_in("admin", script=script, width=NARROW).open(
        f"/config/audit/{trail.last}/"
    )
    page.get_by_role("link", name="Undo this change…").click()
    page.get_by_label("Reason").fill(HOSTILE)
    page.get_by_role("button", name="Undo it").click()
    page.get_by_text("is undone.").wait_for()
    check_fits(page)
    page.get_by_role("link", name=f"Change {trail.last}").click()
    assert page.locator("dd", has_text=HOSTILE).count() == 1
    assert page.locator("td.after").inner_text() == "Before"
