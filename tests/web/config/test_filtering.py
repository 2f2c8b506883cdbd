"""Filter forms: what they ask for, and what is wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from libres.web.config.filtering import (
    A_CHOICE,
    A_NUMBER,
    A_TIME,
    A_YEAR,
    REVERSED,
    TOO_LONG,
    Filters,
)
from libres.web.errors import InvalidRequest


def at(*when):
    """A moment of UTC."""
    return datetime(*when, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "span"),
    [
        ("", "", (None, None)),
        ("2026-11-27", "", (at(2026, 11, 27), None)),
        ("", "2026-11-27", (None, at(2026, 11, 28))),  # the day is still in it
        ("2026-11-27", "2026-11-27", (at(2026, 11, 27), at(2026, 11, 28))),
        (
            "2026-11-27 09:00",
            "2026-11-27T10:00",
            (at(2026, 11, 27, 9), at(2026, 11, 27, 10)),
        ),
        ("2026-11-27T09:00+01:00", "", (at(2026, 11, 27, 8), None)),
        ("2026-11-27T09:00Z", "", (at(2026, 11, 27, 9), None)),
        (" 2026-11-27 ", "", (at(2026, 11, 27), None)),
    ],
)
def test_span(first, last, span):
    """Days and moments are of UTC, unless they say otherwise."""
    filters = Filters({"from": first, "to": last})
    assert filters.span() == span
    assert filters.errors == {}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("yesterday", A_TIME),
        ("2026-02-30", A_TIME),
        ("27.11.2026", A_TIME),
        ("2026-11-27T25:00", A_TIME),
        ("\x00", A_TIME),
        ("9" * 5000, A_TIME),
        ("0001-01-01", A_YEAR),
        ("9999-12-31", A_YEAR),
        ("0001-01-01T00:00+14:00", A_TIME),  # is before all years
    ],
)
@pytest.mark.parametrize("name", ["from", "to"])
def test_wrong_times(name, value, said):
    """What is no time is told beside its field."""
    filters = Filters({name: value})
    assert filters.span() == (None, None)
    assert filters.errors == {name: said}
    assert filters.status == 422


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-11-28", "2026-11-27"),
        ("2026-11-27 09:00", "2026-11-27 09:00"),  # nothing is in it
    ],
)
def test_reversed(first, last):
    """A time that ends before it begins is told beside its end."""
    filters = Filters({"from": first, "to": last})
    filters.span()
    assert filters.errors == {"to": REVERSED}


def test_text():
    """A text is trimmed; an empty one asks for nothing."""
    filters = Filters({"user": " john ", "id": " "})
    assert (filters.text("user"), filters.text("id")) == ("john", None)
    assert filters.text("missing") is None


def test_wrong_text():
    """What cannot be stored cannot be looked for, nor what is far too long."""
    filters = Filters({"user": "a\x00b", "id": "a" * 501})
    assert (filters.text("user"), filters.text("id")) == (None, None)
    assert "NUL" in filters.errors["user"]
    assert filters.errors["id"] == TOO_LONG


def test_choice():
    """Only what can be chosen is."""
    filters = Filters({"action": "update", "status": "DROP"})
    assert filters.choice("action", ["insert", "update"]) == "update"
    assert filters.choice("status", ["error"]) is None
    assert filters.errors == {"status": A_CHOICE}


@pytest.mark.parametrize("value", ["-1", "1.5", "x", "9" * 30, "²", "٣", str(2**63)])
def test_wrong_number(value):
    """Only whole numbers that can be stored are some."""
    filters = Filters({"number": value})
    assert filters.whole("number") is None
    assert filters.errors == {"number": A_NUMBER}


def test_insist():
    """What is no page is refused as a whole."""
    filters = Filters({"from": "yesterday"})
    filters.insist()
    filters.span()
    with pytest.raises(InvalidRequest) as caught:
        filters.insist()
    assert caught.value.errors == {"from": [A_TIME]}


def test_kept():
    """What was sent is kept for the address of another page, without what is empty."""
    filters = Filters({"user": "john", "model": "", "before": "x"})
    assert filters.kept("user", "model") == {"user": "john"}
