"""CSV: what a spreadsheet opens is what there is, and nothing of it is executed."""

from __future__ import annotations

import csv
import io
import tracemalloc
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from flask import Flask, g

from libres.web.config.spreadsheet import BOM, INCOMPLETE, cell, csv_answer


class Here:
    """What a request is answered with, as far as it matters here."""

    def __init__(self):
        self.is_held = True

    def release(self):
        """The transaction of the request has ended."""
        self.is_held = False


@pytest.fixture
def here():
    """A request, whose transaction is held."""
    app = Flask(__name__)
    with app.test_request_context():
        g.libres = Here()
        yield g.libres


def read(answer):
    """What a spreadsheet makes of a file."""
    text = answer.get_data(as_text=True)
    assert text.startswith(BOM)
    return list(csv.reader(io.StringIO(text.removeprefix(BOM), newline="")))


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "  =1+1",  # blanks are skipped
        '"=1+1',  # and quotes
        "'=1+1",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "\x00=1+1",
        "\x07=1+1",
        "\u00a0=1+1",  # a blank that does not break
        "\ufeff=1+1",  # what is not seen
        "\u200b=1+1",
        "\u202e=1+1",
        "\uff1d1+1",  # wide variants
        "\uff0b1",
        "\uff0d1",
        "\uff20SUM(A1)",
        "-5",  # a text, not a number
        '=HYPERLINK("http://evil.example.org")',
        "=cmd|' /C calc'!A0",
    ],
)
def test_formulas(text):
    """What might be a formula begins with an apostrophe."""
    assert cell(text).startswith("'")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a;=1+1", "a;'=1+1"),  # where a semicolon parts cells
        ("a\t=1+1", "a\t'=1+1"),
        ("a\r\n=1+1", "a\n'=1+1"),
        ('a;" =1+1', "a;'\" =1+1"),
    ],
)
def test_formulas_behind(text, safe):
    """Nor is it one where a spreadsheet parts cells by something else than commas."""
    assert cell(text) == safe


@pytest.mark.parametrize(
    "text",
    [
        "",
        "John Doe",
        "a=b",
        "3-4",
        "john@example.org",
        "<img src=x onerror=alert(1)>",
        "\u202eRTL",
        "a, -5",
        "Zürich 🙂",
    ],
)
def test_plain(text):
    """Other texts are as they were."""
    assert cell(text) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (-5, -5),
        (-2.5, -2.5),
        (Decimal("-1.50"), Decimal("-1.50")),
        (float("-inf"), "'-inf"),
        (float("nan"), "nan"),
        (True, "true"),
        (date(2026, 11, 27), "2026-11-27"),
        (
            datetime(2026, 11, 27, 9, tzinfo=timezone(timedelta(hours=1))),
            "2026-11-27T08:00:00+00:00",
        ),
        ({"a": ["=1"]}, '{"a": ["=1"]}'),
        (["ü"], '["ü"]'),
    ],
)
def test_values(value, written):
    """Numbers stay numbers, moments are of UTC, and the rest is JSON."""
    assert cell(value) == written


def test_long():
    """Looking for formulas takes no longer than the text is long."""
    text = "\n\t " * 300_000
    assert cell(text) == f"'{text}"


@pytest.mark.usefixtures("here")
def test_rows():
    """Commas, quotes and breaks of lines are within quotes."""
    rows = [["a,b", 'say "x"', "one\r\ntwo"], ["=1+1", -1, None]]
    answer = csv_answer("a", ["first", "second", "=third"], rows)
    assert read(answer) == [
        ["first", "second", "'=third"],
        ["a,b", 'say "x"', "one\ntwo"],
        ["'=1+1", "-1", ""],
    ]
    assert answer.get_data(as_text=True).endswith("'=1+1,-1,\r\n")


def test_headers(here):
    """It is a file with a name, of a type that every system knows."""
    headers = csv_answer("audit", ["a"], []).headers
    assert headers["Content-Type"].startswith("text/csv; charset=utf-8")
    assert headers["Content-Disposition"] == "attachment; filename=audit.csv"
    assert not here.is_held


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "etc-passwd.csv"),
        ('a"; filename="evil.exe', "a-filename-evil.exe.csv"),
        ("a\r\nSet-Cookie: x", "a-Set-Cookie-x.csv"),
        ("日本", "table.csv"),
        ("a" * 300, "a" * 100 + ".csv"),
    ],
)
def test_names(name, safe):
    """No name leaves its header, or its directory."""
    found = csv_answer(name, ["a"], []).headers["Content-Disposition"]
    assert found == f"attachment; filename={safe}"


@pytest.mark.usefixtures("here")
def test_half_characters():
    """What is no character does not break the file."""
    assert read(csv_answer("a", ["a"], [["\ud800"]])) == [["a"], ["?"]]


@pytest.mark.usefixtures("here")
def test_streamed():
    """Rows are read as they are sent, and what was sent is forgotten."""
    read_so_far = []

    def rows():
        for number in range(60_000):
            read_so_far.append(number)
            yield [number, "some text that is in each row"]

    answer = csv_answer("a", ["number", "text"], rows())
    assert len(read_so_far) == 1
    tracemalloc.start()
    total = sum(len(chunk) for chunk in answer.response if not read_so_far.clear())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 2_000_000
    assert most < 500_000


@pytest.mark.usefixtures("here")
def test_fails_before():
    """What goes wrong before the first row is an error as any other."""

    def rows():
        raise LookupError
        yield

    with pytest.raises(LookupError):
        csv_answer("a", ["a"], rows())


@pytest.mark.usefixtures("here")
def test_fails_later():
    """What goes wrong later ends the file with a row that says so."""

    def rows():
        yield ["first"]
        raise LookupError

    answer = csv_answer("a", ["a"], rows())
    sent = []
    with pytest.raises(LookupError):
        sent.extend(answer.response)
    assert b"".join(sent).decode().endswith(f'first\r\n"{INCOMPLETE}"\r\n')
