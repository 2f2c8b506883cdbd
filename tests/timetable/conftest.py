"""A timetable whose database holds its tables, and John and Sara."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from libres import timetable
from libres.domain.spans import Span

UTC = ZoneInfo("UTC")


def at(hour, minute=0, day=14):
    """A moment of November 2015, on the example's day."""
    return datetime(2015, 11, day, tzinfo=UTC) + timedelta(hours=hour, minutes=minute)


def span(start, end):
    """A span of the example's day, by (hour, minute) or hour."""
    ends = (at(*each) if isinstance(each, tuple) else at(each) for each in (start, end))
    return Span(*ends)


@pytest.fixture
def table(context):
    """Make an empty timetable of the context 'test'."""
    made = timetable.setup(context)
    made.commit()
    return made


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
