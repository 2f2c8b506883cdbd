"""Staff sees what requests have cost: real figures, as a page and as a file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from libres.web.config.measuring import grade_of
from tests.fixtures.statements import counted_on

NOW = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)
COST = {"batch": 10, "statements": 12, "memory": 99.5}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _anew(audited, clock):
    """Each test begins without figures, at the same time."""
    clock.now = NOW
    audited.execute("DELETE FROM sync_metrics")
    audited.execute("DELETE FROM sync_log")


@pytest.fixture
def measure(audited):
    """Adds what requests have cost."""

    def add(seconds=0.1, *, operation="push", model="myapp.Customer", ago=None, **more):
        at = NOW - (ago or timedelta(minutes=1))
        audited.execute(
            "INSERT INTO sync_metrics (context, at, operation, model, batch, seconds,"
            " statements, memory) VALUES ('test', :at, :operation, :model, :batch,"
            " :seconds, :statements, :memory)",
            **(COST | {"at": at, "operation": operation, "model": model} | more),
            seconds=seconds,
        )

    return add


@pytest.fixture
def log(audited):
    """Adds requests that were answered."""

    def add(status="success", *, operation="push", seconds=0.1, ago=None):
        audited.execute(
            'INSERT INTO sync_log (context, at, "user", username, operation, status,'
            " seconds) VALUES ('test', :at, '1', 'ada', :operation, :status, :seconds)",
            at=NOW - (ago or timedelta(minutes=1)),
            status=status,
            operation=operation,
            seconds=seconds,
        )

    return add


@pytest.mark.parametrize(
    ("seconds", "grade"),
    [
        (0, "good"),
        (0.999, "good"),
        (1, "fair"),
        (4.999, "fair"),
        (5, "poor"),
        (90, "poor"),
    ],
)
def test_grade(seconds, grade):
    """Below a second is good, below five is fair, slower is poor."""
    assert grade_of(seconds) == grade


def test_empty(staff):
    """Without figures it is said what will be there."""
    told = staff.open("metrics/").text
    assert "Nothing was measured in this time." in told
    assert "<svg" not in told


def test_rows(staff, measure):
    """A request is told with its model, batch, duration, memory, statements, grade."""
    measure(6.25, statements=77, memory=123.4, batch=1000)
    told = staff.open("metrics/").text.partition('id="last"')[2]
    for each in ("12:29:00", "myapp.Customer", "1000", "6.2 s", "123", "77"):
        assert f">{each}<" in told or f" {each}<" in told
    assert '<span class="grade poor">poor</span>' in told


def test_last_fifty(staff, measure):
    """The last fifty are shown, the latest first."""
    for minute in range(60):
        measure(ago=timedelta(minutes=minute), batch=5000 + minute)
    told = staff.open("metrics/").text
    found = [number for number in range(5000, 5060) if f">{number}<" in told]
    assert found == list(range(5000, 5050))
    assert told.index(">5000<") < told.index(">5049<")


def test_summary(staff, measure):
    """Each operation is summed up: how many, the average, percentiles."""
    for seconds in [0.1] * 19 + [4.1]:
        measure(seconds)
    measure(0.5, operation="pull")
    told = staff.open("metrics/").text
    row = told.partition('<th scope="row">push</th>')[2].partition("</tr>")[0]
    for each in ("20", "300 ms", "100 ms", "4.1 s", "12.0"):
        assert f'<td class="number">{each}</td>' in row
    assert '<th scope="row">pull</th><td class="number">1</td>' in told


def test_days(staff, log):
    """Requests per day are answered and refused ones, drawn and as a table."""
    for _ in range(3):
        log(ago=timedelta(days=2))
    log("error", ago=timedelta(days=2))
    told = staff.open("metrics/").text
    assert (
        '<th scope="row">2026-11-25 00:00</th><td>push</td><td class="number">3</td>'
        '<td class="number">1</td>'
    ) in told
    assert "4 requests, 1 of which were refused" in told
    assert 'class="two-of"' in told


def test_operations(staff, log):
    """Each operation has a chart of its own."""
    for operation in ("push", "pull"):
        log(operation=operation)
    told = staff.open("metrics/").text
    for operation in ("push", "pull"):
        assert f"Requests per day: {operation}</title>" in told


def test_jobs(staff, log):
    """Jobs are no requests, and may take their time."""
    log("error", operation="job", seconds=900)
    log()
    told = staff.open("metrics/").text
    assert "Requests per day: push</title>" in told
    assert "Requests per day: job" not in told
    assert "Nothing that was measured asks for anything to be done." in told


def test_hours(staff, log):
    """The last 24 hours are told by the hour."""
    log(ago=timedelta(hours=3))
    told = staff.open("metrics/", days="1").text
    assert '<th scope="row">2026-11-27 09:00</th>' in told


@pytest.mark.parametrize(
    ("days", "is_there"), [("1", False), ("7", True), ("30", True)]
)
def test_range(staff, measure, days, is_there):
    """What is older than the range is not shown."""
    measure(ago=timedelta(days=3))
    assert ("myapp.Customer" in staff.open("metrics/", days=days).text) is is_there


@pytest.mark.parametrize("days", ["0", "8", "x", "7; DROP TABLE sync_log"])
def test_no_range(staff, days):
    """There are no other ranges."""
    assert staff.open("metrics/", days=days).status_code == 422
    assert staff.open("metrics.csv", days=days).status_code == 422


def test_advice(staff, log, measure):
    """Advice follows from the figures."""
    log("error")
    measure(statements=80)
    told = staff.open("metrics/").text
    assert "1 of 1 requests to push were refused" in told
    assert "80 statements on average" in told


def test_hostile(staff, measure):
    """The name of a model stays text."""
    measure(model=HOSTILE)
    assert HOSTILE not in staff.open("metrics/").text


def test_csv(staff, measure):
    """The file has all rows of the range, as numbers, and no formula."""
    for number in range(60):
        measure(number / 8, model="=1+1", ago=timedelta(minutes=number + 1))
    measure(ago=timedelta(days=3), model="")
    answer = staff.open("metrics.csv")
    rows = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    assert len(rows) == 61
    assert [float(each["seconds"]) for each in rows[:3]] == [0, 0.125, 0.25]
    assert rows[0]["model"] == "'=1+1"
    assert rows[0]["statements"] == "12"
    assert rows[0]["time"] == "2026-11-27T12:29:00+00:00"
    assert (rows[59]["grade"], rows[8]["grade"]) == ("poor", "fair")
    assert len(list(staff.open("metrics.csv", days="1").response)) >= 1


def test_pages_of_the_file(staff, measure, monkeypatch):
    """Rows of the same moment come once each, across pages."""
    monkeypatch.setattr("libres.web.config.measuring.PAGE", 3)
    for number in range(10):
        measure(batch=number)
    answer = staff.open("metrics.csv")
    rows = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    assert sorted(int(each["batch"]) for each in rows) == list(range(10))


def test_nobody_else(admin, auditor):
    """Figures of the platform are for staff."""
    for tab in (admin, auditor):
        assert tab.open("metrics/").status_code == 403
        assert tab.open("metrics.csv").status_code == 403


def test_statements(staff, audited, measure, log):
    """The page takes the same statements for one row and for fifty."""
    provider = audited.context.get_service("session_provider")

    def count():
        with (
            counted_on(provider.engine) as written,
            counted_on(provider.read_only_engine) as read,
        ):
            assert staff.open("metrics/").status_code == 200
        return len(written) + len(read)

    measure()
    log()
    first = count()
    for number in range(50):
        measure(operation=f"op{number}", ago=timedelta(hours=number))
        log(ago=timedelta(hours=number))
    assert count() == first <= 10
