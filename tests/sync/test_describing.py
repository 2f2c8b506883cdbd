"""A client is told of the models that it may do anything with, and of no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libres.sync.filters import Filter
from libres.sync.values import Flags
from tests.sync.test_filters import MEMBER

CUSTOMER = "myapp.Customer"


@pytest.fixture
def member():
    """May pull customers, and has rights to nothing else."""
    flags = {CUSTOMER: Flags(pull=True, read=True), "myapp.Note": Flags()}
    return replace(MEMBER, flags=flags)


def test_only_granted(sync, member):
    """What may not be touched is not told of."""
    assert list(sync.describe(member)) == [CUSTOMER]


def test_fields(sync, member):
    """Fields have a kind; neither the tenant nor what is secret is among them."""
    told = sync.describe(member)[CUSTOMER]
    fields = {each["name"]: each for each in told["fields"]}
    assert not {"organization_id", "secret_note", "id"} & fields.keys()
    assert fields["name"] == {
        "name": "name",
        "kind": "text",
        "writable": True,
        "nullable": False,
        "longest": 50,
    }
    assert not fields["since"]["writable"]
    assert [each["name"] for each in told["key"]] == ["id"]


def test_flags(sync, member):
    """The six flags are told, and whether a filter hides rows."""
    told = sync.describe(member)[CUSTOMER]
    assert told["flags"] == Flags(pull=True, read=True)._asdict()
    assert not told["filtered"]
    filters = {CUSTOMER: Filter.stored(None, [])}
    assert sync.describe(replace(member, filters=filters))[CUSTOMER]["filtered"]
