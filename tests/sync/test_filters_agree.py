"""Python and PostgreSQL judge alike which rows a filter shows, whatever its values."""

from __future__ import annotations

import enum
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    CHAR,
    JSON,
    REAL,
    Date,
    DateTime,
    Double,
    Enum,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    Time,
    Uuid,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libres.db.models.types import UTCDateTime
from libres.sync.filters import Filter, fields_of, operators_of
from libres.sync.registry import Registry
from tests.sync.test_filters import MEMBER


class Base(DeclarativeBase):
    """Of this module."""


class Colour(enum.Enum):
    """Named otherwise than it is ordered."""

    red = "z"
    blue = "a"


class Thing(Base):
    """Has a column of each kind."""

    __tablename__ = "things_compared"

    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str | None] = mapped_column(Text)
    sorted: Mapped[str | None] = mapped_column(String(20))
    padded: Mapped[str | None] = mapped_column(CHAR(6))
    colour: Mapped[Colour | None] = mapped_column(Enum(Colour, name="colour_compared"))
    whole: Mapped[int | None] = mapped_column(Integer)
    double: Mapped[float | None] = mapped_column(Double)
    single: Mapped[float | None] = mapped_column(REAL)
    exact: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    free: Mapped[Decimal | None] = mapped_column(Numeric)
    moment: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    local: Mapped[datetime | None] = mapped_column(DateTime)
    own: Mapped[datetime | None] = mapped_column(UTCDateTime)
    day: Mapped[date | None] = mapped_column(Date)
    clock: Mapped[time | None] = mapped_column(Time)
    number: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    truth: Mapped[bool | None]
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    document: Mapped[dict | None] = mapped_column(JSONB)
    plain: Mapped[dict | None] = mapped_column(JSON(none_as_null=True))
    several: Mapped[list | None] = mapped_column(ARRAY(Integer))


@pytest.fixture(scope="module")
def thing():
    """The model."""
    return Registry().register(Thing, name="Thing", shared=True)


LETTERS = st.text("aAbB%_/\\ äßz'é😀e", max_size=4)
MOMENTS = st.sampled_from(
    [datetime(2026, 10, 25, h, 30, tzinfo=UTC) for h in range(3)]
) | st.datetimes(timezones=st.just(UTC), min_value=datetime(1800, 1, 1))  # noqa: DTZ001
NUMBERS = st.sampled_from([0.0, -0.0, 0.1, 0.30000001, 1.5, -2.0, 16777217.0])

VALUES = {
    "words": LETTERS,
    "sorted": LETTERS,
    "padded": LETTERS,
    "colour": st.sampled_from(Colour),
    "whole": st.integers(-3, 3),
    "double": NUMBERS | st.floats(allow_nan=False, allow_infinity=False),
    "single": NUMBERS,
    "exact": st.decimals(-9, 9, places=2),
    "free": st.decimals(-9, 9, places=3),
    "moment": MOMENTS,
    "local": MOMENTS.map(lambda each: each.replace(tzinfo=None)),
    "own": MOMENTS,
    "day": st.dates(date(2026, 1, 1), date(2026, 1, 5)),
    "clock": st.times() | st.just(time(0)),
    "number": st.sampled_from([uuid.UUID(int=n) for n in (1, 2, 2**127)]),
    "truth": st.booleans(),
    "raw": st.binary(max_size=2),
    "document": st.sampled_from([{}, {"a": None}, [1]]),
    "plain": st.sampled_from([{}, {"a": None}, [1]]),
    "several": st.lists(st.integers(0, 3), max_size=2),
}


@st.composite
def conditions(draw, fields):
    """Draw a condition that is right."""
    name = draw(st.sampled_from(sorted(VALUES)))
    op = draw(st.sampled_from(operators_of(fields[name])))
    sent = VALUES[name].map(fields[name].kind.write)
    if op in ("starts_with", "contains"):
        sent = sent.filter(bool)
    if op == "is_null":
        value = draw(st.booleans())
    elif op in ("in", "not_in"):
        value = draw(st.lists(sent, min_size=1, max_size=3))
    else:
        value = draw(sent)
    return {"field": name, "op": op, "value": value}


@st.composite
def filters(draw, fields):
    """Draw the conditions of a filter, some of them within 'any'."""
    one = conditions(fields)
    either = st.builds(
        lambda found: {"any": found}, st.lists(one, min_size=1, max_size=3)
    )
    return draw(st.lists(one | either, min_size=1, max_size=2))


ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | each for name, each in VALUES.items()}),
    min_size=1,
    max_size=4,
)


def test_agree(context, thing):
    """Rows are shown by SQL if and only if their values and their images are."""
    session = context.get_service("session_provider").session()
    Base.metadata.create_all(session.connection())
    session.commit()
    fields = fields_of(thing)
    shown = 0

    @settings(
        max_examples=60,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(ROWS, st.lists(filters(fields), min_size=6, max_size=6))
    def agree(rows, many):
        nonlocal shown
        numbered = [{"id": n, **row} for n, row in enumerate(rows)]
        session.execute(insert(Thing), numbered)
        table = Thing.__table__
        image = func.to_jsonb(table.table_valued())
        images = dict(session.execute(select(table.c.id, image)).all())
        found = {
            each.id: dict(each._mapping) for each in session.execute(select(table))
        }
        for given_conditions in many:
            bound = Filter.of(thing, given_conditions).bound(MEMBER)
            by_sql = set(session.scalars(select(table.c.id).where(bound.sql())))
            shown += len(by_sql)
            assert {n for n in images if bound.shows(images[n])} == by_sql
            assert {n for n, row in found.items() if bound.matches(row)} == by_sql
        session.rollback()

    agree()
    assert shown > 20


@pytest.mark.parametrize("op", ["starts_with", "contains"])
@pytest.mark.parametrize("part", ["%", "0%", "_", "a_", "/", "/%", "\\", "a\\_", "A"])
def test_letters_of_patterns(context, thing, op, part):
    """What LIKE reads as a pattern is a letter like others."""
    session = context.get_service("session_provider").session()
    Base.metadata.create_all(session.connection())
    texts = ["50%", "500", "%", "a_b", "axb", "a/b", "/%", "/x", "a\\_", "a\\b", "_"]
    session.execute(insert(Thing), [{"words": each} for each in texts])
    wanted = [{"field": "words", "op": op, "value": part}]
    bound = Filter.of(thing, wanted).bound(MEMBER)
    shown = set(session.scalars(select(Thing.words).where(bound.sql())))
    assert shown == {each for each in texts if bound.matches({"words": each})}
