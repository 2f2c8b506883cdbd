"""Values come and go as JSON, and as PostgreSQL writes them into images of rows."""

from __future__ import annotations

import enum
import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import Column, MetaData, Table, insert, select, text, types
from sqlalchemy.dialects import postgresql

from libres.db.models.types import UTCDateTime
from libres.sync.errors import NotRegistrable
from libres.sync.fields import Field, InvalidValue, kind_of


class Colour(enum.Enum):
    """Stored by name."""

    RED = 1
    CRIMSON = 1  # noqa: PIE796 - an alias, which has a label as well
    BLUE = 2


class Level(enum.Enum):
    """Stored by value."""

    LOW = "low"
    HIGH = "high"


BY_VALUE = types.Enum(Level, values_callable=lambda kind: [each.value for each in kind])

MOMENT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

VALUES = [
    (types.Text(), "Zoë \U0001f600", "Zoë \U0001f600"),
    (types.Integer(), -7, -7),
    (types.BigInteger(), 2**62, 2**62),
    (types.Float(), 1.5, 1.5),
    (types.Numeric(10, 2), Decimal("12.30"), "12.30"),
    (types.Boolean(), True, True),
    (types.Uuid(), UUID(int=7), str(UUID(int=7))),
    (types.DateTime(timezone=True), MOMENT, MOMENT.isoformat()),
    (UTCDateTime(), MOMENT, MOMENT.isoformat()),
    (types.DateTime(), MOMENT.replace(tzinfo=None), "2026-03-29T01:30:00"),
    (types.Date(), date(2026, 3, 29), "2026-03-29"),
    (types.Time(), time(23, 59, 59, 5), "23:59:59.000005"),
    (types.Interval(), timedelta(days=-1, seconds=30, microseconds=5), None),
    (types.Interval(), timedelta(days=400, hours=25), None),
    (types.LargeBinary(), b"\x00\xff", "AP8="),
    (types.Enum("a", "b", name="letters"), "b", "b"),
    (types.Enum(Colour), Colour.BLUE, "BLUE"),
    (BY_VALUE, Level.HIGH, "high"),
    (postgresql.JSONB(), {"a": [1, None, "x"]}, {"a": [1, None, "x"]}),
    (postgresql.ARRAY(types.Integer()), [1, None, 3], [1, None, 3]),
    (postgresql.ARRAY(types.Date()), [date(2026, 3, 29)], ["2026-03-29"]),
]


def field(kind, *, nullable=True):
    """A field of a type."""
    return Field("value", Column("value", kind, nullable=nullable), kind_of(kind))


@pytest.mark.parametrize(("kind", "value", "wire"), VALUES)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Zurich"])
def test_there_and_back(context, kind, value, wire, zone):
    """What is written can be read, and an image tells the same as the row."""
    made = field(kind)
    sent = made.write(value)
    assert made.read(json.loads(json.dumps(sent))) == value
    if wire is not None:
        assert sent == wire
    session = context.get_service("session_provider").session()
    table = Table("t", MetaData(), Column("value", kind))
    table.create(session.connection())
    session.execute(text(f"SET LOCAL TimeZone = '{zone}'"))
    session.execute(insert(table).values(value=value))
    assert session.scalar(select(table.c.value)) == value
    assert made.of_image(session.scalar(text("SELECT to_jsonb(t) FROM t"))) == value
    session.rollback()


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (types.Text(), 7, "a text"),
        (types.Text(), "a\0b", "NUL"),
        (types.Text(), "\ud800", "half a character"),
        (types.String(3), "abcd", "longer than 3"),
        (types.Integer(), "7", "a whole number"),
        (types.Integer(), True, "a whole number"),
        (types.Integer(), 7.0, "a whole number"),
        (types.Integer(), 2**31, "between"),
        (types.SmallInteger(), -(2**15) - 1, "between"),
        (types.BigInteger(), 2**63, "between"),
        (types.Float(), "1.5", "a number"),
        (types.Float(), math.nan, "finite"),
        (types.Float(), 10**400, "finite"),
        (types.Numeric(5, 2), "1.234", "decimals"),
        (types.Numeric(5, 2), "1000", "digits"),
        (types.Numeric(5, 2), "abc", "a number"),
        (types.Numeric(), "NaN", "finite"),
        (types.Numeric(), "1e99999", "huge"),
        (types.Boolean(), 1, "true or false"),
        (types.Uuid(), "7", "a UUID"),
        (types.Uuid(), 7, "a UUID"),
        (types.DateTime(timezone=True), "2026-03-29T01:30", "timezone"),
        (types.DateTime(timezone=True), "yesterday", "ISO 8601"),
        (types.DateTime(timezone=True), "0001-01-01T00:00+23:00", "out of range"),
        (types.DateTime(), "2026-03-29T01:30+00:00", "must not have a timezone"),
        (types.Date(), "2026-02-30", "a date"),
        (types.Time(), "25:00", "a time of day"),
        (types.Interval(), 10**30, "out of range"),
        (types.LargeBinary(), "???", "base64"),
        (types.Enum(Colour), "GREEN", "one of RED"),
        (types.Enum(Colour), ["RED"], "one of RED"),
        (postgresql.JSONB(), {"a": ["\0"]}, "NUL"),
        (postgresql.ARRAY(types.Integer()), 7, "a list"),
        (postgresql.ARRAY(types.Integer()), ["7"], "a whole number"),
    ],
)
def test_value_is_wrong(kind, value, told):
    """It is said what is wrong, without the value."""
    with pytest.raises(InvalidValue, match=told):
        field(kind).read(value)


def test_null():
    """Where the column allows it."""
    assert field(types.Integer()).read(None) is None
    assert field(types.Integer()).write(None) is None
    with pytest.raises(InvalidValue, match="must not be null"):
        field(types.Integer(), nullable=False).read(None)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_json_has_no_such_number(value):
    """What JSON has nothing for is sent as null."""
    assert field(types.Float()).write(value) is None
    assert math.isnan(field(types.Float()).of_image({"value": "NaN"}))


@pytest.mark.parametrize(
    "kind",
    [
        postgresql.INT4RANGE(),
        postgresql.ARRAY(types.Integer(), dimensions=2),
        types.NullType(),
    ],
)
def test_cannot_be_sent(kind):
    """It is said what to do."""
    with pytest.raises(NotRegistrable, match="leave the column out"):
        kind_of(kind)
