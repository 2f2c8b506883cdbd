"""A timetable whose database holds its tables, and John and Sara."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pytest_postgresql.factories import postgresql_noproc

from libres import timetable
from libres.domain.spans import Span
from libres.timetable import cache_schema, schema
from tests.fixtures.database import PREFIX, filling, make_tables

UTC = ZoneInfo("UTC")


def at(hour, minute=0, day=14):
    """A moment of November 2015, on the example's day."""
    return datetime(2015, 11, day, tzinfo=UTC) + timedelta(hours=hour, minutes=minute)


def span(start, end):
    """A span of the example's day, by (hour, minute) or hour."""
    ends = (at(*each) if isinstance(each, tuple) else at(each) for each in (start, end))
    return Span(*ends)


def make_timetable(**where):
    """Fill a template with the tables of timetables."""
    with filling(**where) as connection:
        schema.create_missing(connection)
        for statement in cache_schema.CREATING:
            connection.exec_driver_sql(statement.replace("%", "%%"))


template = postgresql_noproc(
    dbname=f"{PREFIX}timetable",
    load=[make_tables, make_timetable],
    load_autocommit=False,
    depends_on="server",
)
"""What the databases of these tests are cloned from."""


@pytest.fixture
def table(context):
    """Make an empty timetable of the context 'test'."""
    return timetable.Timetable(context)


@pytest.fixture
def people(table):
    """Make John, who is free from 8 to 14, and Sara, from 10 to 11."""
    for name, start, end in (("John", 8, 14), ("Sara", 10, 11)):
        opened(table, name, (start, end))
    return table


def opened(table, name, *spans, **options):
    """Add a subject that is open at these hours; return its name."""
    table.add(name, timezone="UTC")
    table.open([name], [span(*each) for each in spans], **options)
    return name
