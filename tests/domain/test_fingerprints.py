"""Fingerprints: equal for what is the same request, in any process, else different."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest

from libres.db.models.types import SoftUUID
from libres.domain.fingerprints import fingerprint, identity

ID = uuid.UUID("5a8e5c1f2b7d4e0f9a3c6b1d8e7f0a2b")
NINE = datetime(2030, 6, 3, 9, tzinfo=UTC)


@dataclass
class Seat:
    """Has a repr that says everything."""

    number: int


class Plain:
    """Has the repr of every object, with an address."""


class Broken:
    """Cannot say what it is."""

    def __repr__(self):
        raise ZeroDivisionError


SAME = [
    pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, id="order of the keys"),
    pytest.param({"a": 1}, OrderedDict(a=1), id="another kind of dict"),
    pytest.param({1: 2}, {"1": 2}, id="keys become texts in JSON"),
    pytest.param([1, 2], (1, 2), id="a tuple becomes a list in JSON"),
    pytest.param({"x", "y"}, frozenset(["y", "x"]), id="sets have no order"),
    pytest.param(ID, SoftUUID(int=ID.int), id="another kind of uuid"),
    pytest.param(
        NINE, NINE.astimezone(timezone(timedelta(hours=2))), id="another zone"
    ),
    pytest.param(Seat(1), Seat(1), id="equal objects"),
    pytest.param(Plain(), Plain(), id="an address is no difference"),
    pytest.param([Plain()], [Plain()], id="nor deep inside"),
    pytest.param(Broken(), Broken(), id="no text at all"),
]

DIFFERENT = [
    pytest.param(1, "1", id="a text is no number"),
    pytest.param(None, "", id="nothing is no text"),
    pytest.param([1, 2], [2, 1], id="lists have an order"),
    pytest.param([[1], 2], [1, 2], id="lists have a shape"),
    pytest.param(Seat(1), Seat(2), id="other values"),
    pytest.param(Seat(1), "Seat(number=1)", id="an object is not its text"),
    pytest.param(Plain(), Broken(), id="other classes"),
    pytest.param(NINE, NINE.replace(tzinfo=None), id="a naive time is not known"),
    pytest.param(NINE.date(), "2030-06-03", id="a day is no text"),
    pytest.param(time(9), time(10), id="times of day"),
    pytest.param(Decimal("1.0"), Decimal("1.00"), id="decimals as they are written"),
    pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, id="deep inside"),
    pytest.param("\ud800", "\ud801", id="texts that are none"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same(one, other):
    """Values that are stored alike have the same fingerprint."""
    assert fingerprint({"data": one}) == fingerprint({"data": other})


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different(one, other):
    """What differs, differs."""
    assert fingerprint({"data": one}) != fingerprint({"data": other})


def test_names_matter():
    """The same values under other names are something else."""
    assert fingerprint({"a": 1, "b": 2}) != fingerprint({"a": 2, "b": 1})


def test_form():
    """A fingerprint fits into its column."""
    assert len(fingerprint({})) == 64
    int(fingerprint({}), 16)


def test_holding_itself():
    """What holds itself is refused in words."""
    data = {}
    data["data"] = data
    with pytest.raises(ValueError, match="hold itself"):
        fingerprint(data)


def test_other_process():
    """Another process, whose hashes are seeded otherwise, comes to the same."""
    code = (
        "from libres.domain.fingerprints import fingerprint;"
        "print(fingerprint({'data': {'b', 'a', 'c'}}))"
    )
    run = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == fingerprint({"data": {"c", "b", "a"}})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ID, ID.hex),
        (str(ID), ID.hex),
        (f" {ID.hex.upper()} ", ID.hex),
        ("cart", "cart"),
        (7, "7"),
        (None, None),
        ("", None),
    ],
)
def test_identity(value, expected):
    """A uuid is the same however it is written; anything else is its text."""
    assert identity(value) == expected
