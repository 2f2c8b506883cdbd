"""A row is written the same way, wherever a client gets it from."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from libres.sync.registry import Registry
from libres.sync.wire import wire_gone, wire_row
from tests.sync import models


@pytest.fixture
def registry():
    """The models of the host."""
    registry = Registry()
    models.register(registry)
    return registry


def test_row(registry):
    """Model, id, all fields, version: in this order, and JSON can write them."""
    values = {
        "text": "call back",
        "price": Decimal("12.50"),
        "due": date(2030, 1, 2),
        "customer_id": 7,
    }
    row = wire_row(registry.named("myapp.Note"), (UUID(int=1),), values, 12)
    assert json.loads(json.dumps(row)) == {
        "_model": "myapp.Note",
        "id": str(UUID(int=1)),
        "customer_id": 7,
        "text": "call back",
        "price": "12.50",
        "due": "2030-01-02",
        "_version": 12,
    }
    assert next(iter(row)) == "_model"


def test_neither_tenant_nor_secret(registry):
    """What is not a field is not sent, even if it is known."""
    values = {"name": "Ada", "secret_note": "psst", "organization_id": UUID(int=1)}
    row = wire_row(registry.named("myapp.Customer"), (1,), values, 1)
    assert "secret_note" not in row
    assert "organization_id" not in row


def test_missing_is_null(registry):
    """A client can tell that there is no value from not knowing it."""
    row = wire_row(registry.named("myapp.Report"), (1,), {}, 0)
    assert row == {"_model": "myapp.Report", "id": 1, "title": None, "_version": 0}


def test_moments_are_utc(registry):
    """A moment is written in UTC, however it was read."""
    moment = datetime(2030, 1, 2, 3, tzinfo=UTC)
    row = wire_row(registry.named("myapp.Customer"), (1,), {"since": moment}, 1)
    assert row["since"] == "2030-01-02T03:00:00+00:00"


def test_key_of_two_columns(registry):
    """An id of several columns is a list."""
    seat = registry.named("myapp.Seat")
    assert wire_row(seat, (3, "b"), {"holder": None}, 1)["id"] == [3, "b"]


def test_gone(registry):
    """Of a row that has gone, nothing is told but which one, and since when."""
    gone = wire_gone(registry.named("myapp.Country"), ("CH",), 4)
    assert gone == {"_model": "myapp.Country", "id": "CH", "_version": 4}
