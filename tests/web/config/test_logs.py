"""The log: what is shown of it, to whom, and what it sums up to."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert

from libres.domain.days import UTC
from libres.sync.audit import Audit
from libres.sync.devices import Devices
from libres.sync.models import SyncLog
from libres.web.config.logs import duration
from libres.web.config.spreadsheet import BOM
from tests.fixtures.statements import counted_on
from tests.sync.conftest import CONTEXT

START = datetime(2026, 11, 27, 9, tzinfo=UTC)
RECORD = re.compile(r'href="/config/logs/(\d+)/"')
HOSTILE = "<img src=x onerror=alert(1)>"


class Book:
    """The log of an organisation."""

    def __init__(self, office):
        self.house = office.house
        self.office = office
        self.count = 0

    def note(self, number=1, **values):
        """Note requests, a second after each other."""
        values = {
            "context": CONTEXT,
            "user": "7",
            "username": f"john_{self.office.slug}",
            "organization": self.office.organization.id,
            "operation": "push",
            "models": ["myapp.Customer"],
            "status": "success",
            "succeeded": 2,
            "seconds": 0.25,
            **values,
        }
        made = [
            {**values, "at": values.get("at") or START + timedelta(seconds=each)}
            for each in range(self.count, self.count + number)
        ]
        self.count += number
        session = self.house.sync.session
        query = insert(SyncLog).returning(SyncLog.id)
        return self.house.do(lambda: list(session.scalars(query, made)))


@pytest.fixture
def book(office):
    """The log of the organisation of the test."""
    return Book(office)


def numbers(answer):
    """The records that a page shows."""
    assert answer.status_code == 200, answer.text
    return [int(each) for each in RECORD.findall(answer.text)]


def cards(answer):
    """What the log sums up to, in the order of the page."""
    return re.findall(r"<li><strong>(.*?)</strong>", answer.text)


def table(answer):
    """The rows of a CSV, by the names of the columns."""
    assert answer.status_code == 200, answer.text
    text = answer.get_data(as_text=True).removeprefix(BOM)
    return list(csv.DictReader(io.StringIO(text, newline="")))


# Showing ------------------------------------------------------------------------------


def test_shown(book, admin):
    """A record is shown with who has asked what, and how it went."""
    book.note(status="partial_success", succeeded=3, failed=4, seconds=1.25)
    page = admin.open("logs/")
    (row,) = re.findall(r"<tr>\s*(<td data.*?)</tr>", page.text, re.DOTALL)
    told = [re.sub(r"<[^>]+>", "", each).strip() for each in row.split("</td>")]
    assert told[:10] == [
        "2026-11-27 09:00:00",
        f"john_{book.office.slug}",
        *("Push", "myapp.Customer", "Partly", "3", "4", "1.2 s", ""),
        book.office.organization.name,
    ]


def test_totals(book, admin):
    """What the filters leave is summed up, not only what is on the page."""
    book.note(149, succeeded=2, failed=1, seconds=0.1)
    book.note(status="error", succeeded=0, seconds=4.6)
    assert cards(admin.open("logs/")) == ["150", "1", "298", "149", "130 ms", "4.6 s"]
    errors = admin.open("logs/", status="error")
    assert cards(errors) == ["1", "1", "0", "0", "4.6 s", "4.6 s"]


def test_nothing(book, admin):
    """An empty log sums up to nothing."""
    page = admin.open("logs/")
    assert cards(page) == ["0", "0", "0", "0", "0 ms", "0 ms"]
    assert "Nothing like this is in the log." in page.text
    assert book.count == 0


def test_details(book, admin):
    """A record leads to what its request has changed."""
    (number,) = book.note(request="req-1", error="Timeout", status="error")
    text = admin.open(f"logs/{number}/").text
    assert 'href="/config/audit/?request=req-1"' in text
    assert "Timeout" in text


def test_device(book, admin):
    """It is told which device it was; also if that is not there any more."""
    context = book.house.context
    user, owner = book.office.users["admin"], book.office.organization
    made = book.house.do(lambda: Devices(context).add(user, owner, "Kiosk"))
    book.note(device=made.device.id)
    assert "Kiosk" in admin.open("logs/").text
    book.note(device=UUID(int=7))
    assert "removed" in admin.open("logs/").text


def test_job(book, staff):
    """Jobs are in it as well."""
    (number,) = book.note(
        operation="job",
        models=["drop_logs"],
        status="ok",
        user="system:drop_logs",
        username="system:drop_logs",
        organization=None,
    )
    page = staff.open("logs/", user="system:drop_logs", status="success")
    assert number in numbers(page)
    assert "<dt>Job</dt>" in staff.open(f"logs/{number}/").text


def test_hostile(book, admin):
    """Whatever is in the log is text."""
    (number,) = book.note(
        username=HOSTILE,
        user=HOSTILE,
        operation=HOSTILE,
        models=[HOSTILE],
        status=HOSTILE,
        request=HOSTILE,
        error=HOSTILE,
    )
    for page in (
        admin.open("logs/"),
        admin.open("logs/", user=HOSTILE),
        admin.open(f"logs/{number}/"),
    ):
        assert "&lt;img" in page.text
        assert "<img" not in page.text


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "0 ms"),
        (0.0123, "12 ms"),
        (0.5, "500 ms"),
        (1.26, "1.3 s"),
        (59.9, "59.9 s"),
        (61.0, "1 min 1 s"),
        (3601.0, "60 min 1 s"),
    ],
)
def test_durations(seconds, written):
    """A duration is as exact as it matters."""
    assert duration(seconds) == written


# Filters, pages, CSV ------------------------------------------------------------------


def test_filters(book, admin):
    """Each filter leaves what it says."""
    (first,) = book.note(user="8", username="mary", operation="pull")
    (second,) = book.note(status="error")
    (third,) = book.note(at=START + timedelta(days=1))
    name = book.office.slug
    found = {
        "name": admin.open("logs/", user="mary"),
        "id": admin.open("logs/", user="8"),
        "operation": admin.open("logs/", operation="pull"),
        "status": admin.open("logs/", status="error"),
        "from": admin.open("logs/", **{"from": "2026-11-28"}),
        "to": admin.open("logs/", to="2026-11-27"),
        "organization": admin.open("logs/", organization=name),
    }
    assert {name: numbers(page) for name, page in found.items()} == {
        "name": [first],
        "id": [first],
        "operation": [first],
        "status": [second],
        "from": [third],
        "to": [second, first],
        "organization": [third, second, first],
    }


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"from": "yesterday"}, "Write a day"),
        ({"from": "2026-02-02", "to": "2026-02-01"}, "It must be after"),
        ({"operation": "drop"}, "Choose one"),
        ({"status": "x"}, "Choose one"),
        ({"user": "a\x00"}, "NUL"),
    ],
)
def test_wrong_filters(book, admin, query, said):
    """What is wrong is told beside its field, and nothing is shown, or sent."""
    book.note()
    page = admin.open("logs/", **query)
    assert page.status_code == 422
    assert said in page.text
    assert not RECORD.search(page.text)
    assert admin.open("logs.csv", **query).status_code == 422


def test_pages(book, admin):
    """100 records are on a page, and older ones follow, those of one moment as well."""
    same = book.note(150, at=START, user="9")
    seen, page = [], admin.open("logs/", user="9")
    seen += numbers(page)
    (older,) = re.findall(r'href="([^"]+)" rel="next"', page.text)
    seen += numbers(admin.http.get(older.replace("&amp;", "&")))
    assert seen == sorted(same, reverse=True)


@pytest.mark.parametrize("word", ["x", "W10", "WyJ4IiwxXQ", "WzEsMV0", "e30"])
@pytest.mark.usefixtures("book")
def test_wrong_pages(admin, word):
    """A word that no page has said is refused."""
    assert admin.open("logs/", before=word).status_code == 422


def test_csv(book, admin):
    """All records are in it, and none of them is a formula."""
    book.note(120)
    book.note(username="=1+1", succeeded=3, failed=1, seconds=1.5, error="-1")
    rows = table(admin.open("logs.csv"))
    assert len(rows) == 121
    assert list(rows[0])[:7] == [
        *("time", "user", "operation", "model", "status", "records", "duration"),
    ]
    latest = rows[0]
    assert (latest["user"], latest["error"]) == ("'=1+1", "'-1")
    assert (latest["records"], latest["duration"]) == ("4", "1.5")


def test_csv_filtered(book, admin):
    """What the filters leave out is left out."""
    book.note(3)
    book.note(operation="pull")
    (row,) = table(admin.open("logs.csv", operation="pull"))
    assert row["operation"] == "pull"


# Who sees what ------------------------------------------------------------------------


def test_others(book, other, admin, auditor, staff):
    """Others see nothing of an organisation, however they ask; staff sees all."""
    (mine,) = book.note()
    (theirs,) = Book(other).note()
    (nobodys,) = book.note(organization=None)
    for tab in (admin, auditor):
        assert numbers(tab.open("logs/")) == [mine]
        assert cards(tab.open("logs/"))[0] == "1"
        assert len(table(tab.open("logs.csv"))) == 1
        assert tab.open(f"logs/{theirs}/").status_code == 404
        assert tab.open(f"logs/{nobodys}/").status_code == 404
        assert tab.open("logs/", organization=other.slug).status_code == 422
    assert staff.open(f"logs/{theirs}/").status_code == 200
    assert staff.open(f"logs/{nobodys}/").status_code == 200
    assert numbers(staff.open("logs/", organization=other.slug)) == [theirs]


@pytest.mark.parametrize("number", [0, 999_999, 2**63 - 1, 2**63, 10**40])
@pytest.mark.usefixtures("book")
def test_unknown(staff, number):
    """A number that no record has is not found."""
    assert staff.open(f"logs/{number}/").status_code == 404


def test_cost(book, admin):
    """A page takes as many statements with 50 records as with one."""
    engine = Audit(book.house.context).session.get_bind()

    def cost():
        with counted_on(engine) as statements:
            assert admin.open("logs/").status_code == 200
        return len(statements)

    book.note()
    admin.open("logs/")
    first = cost()
    book.note(50)
    assert cost() == first <= 8
