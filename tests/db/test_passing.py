"""Rows passed as parameters: a statement is made once, whatever is passed to it."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import Integer, Text, select

from libres.db.models import Allocation
from libres.db.passing import PassedRows, fetch

PRICES = PassedRows("prices", {"number": Integer(), "name": Text()})


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([], id="none"),
        pytest.param([(7, "seven")], id="one"),
        pytest.param([(2, "b"), (1, "a"), (3, None)], id="several, in their order"),
        pytest.param([(1, "'); DROP TABLE allocations; --")], id="hostile text"),
    ],
)
def test_rows(scheduler, rows):
    """They arrive as they were passed, numbered from 1."""
    table = PRICES.table
    query = select(table.c.position, table.c.number, table.c.name)
    found = fetch(scheduler.session, query.order_by(table.c.position), PRICES.of(rows))
    assert found == [(number, *row) for number, row in enumerate(rows, 1)]


def test_uneven():
    """Rows of different length are a mistake, and nothing is dropped silently."""
    with pytest.raises(ValueError, match="zip"):
        PRICES.of([(1, "one"), (2,)])


class TestFlush:
    """What is pending is seen, as by any query."""

    QUERY = select(Allocation.quota)

    @pytest.fixture
    def pending(self, scheduler):
        """An allocation that is no record yet."""
        values = {"quota": 7, "timezone": "UTC", "mirror_of": scheduler.resource}
        dates = {"start": "2030-01-01T08:00", "end": "2030-01-01T09:00"}
        allocation = Allocation(resource=scheduler.resource, raster=5, **values)
        for name, text in dates.items():
            setattr(allocation, name, _moment(text))
        allocation.group = scheduler.resource
        scheduler.session.add(allocation)

    @pytest.mark.usefixtures("pending")
    def test_flushed(self, scheduler):
        """It is flushed before the statement runs."""
        assert fetch(scheduler.session, self.QUERY, {}) == [(7,)]

    @pytest.mark.usefixtures("pending")
    def test_not_flushed(self, scheduler):
        """Unless the caller has switched autoflush off."""
        with scheduler.session.no_autoflush:
            assert fetch(scheduler.session, self.QUERY, {}) == []


def _moment(text):
    return datetime.fromisoformat(text)
