"""Values of every kind go through sets of rows as they are."""

from __future__ import annotations

import enum
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import ARRAY, JSON, Enum, Integer, LargeBinary, Text
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libres.sync.values import ALL
from tests.sync.pushes import member_of, statuses


class Base(DeclarativeBase):
    """That of these tests."""


class Colour(enum.Enum):
    """Stored by name."""

    RED = "r"
    BLUE = "b"


class Thing(Base):
    """Has columns of many kinds."""

    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[uuid.UUID]
    tags: Mapped[list[str | None] | None] = mapped_column(ARRAY(Text))
    numbers: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    document: Mapped[dict | None] = mapped_column(JSONB)
    plain: Mapped[dict | None] = mapped_column(JSON)
    colour: Mapped[Colour | None] = mapped_column(Enum(Colour))
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    took: Mapped[timedelta | None] = mapped_column(INTERVAL)


FULL = {
    "tags": ["a", None, "b{},\"'"],
    "numbers": [1, 2],
    "document": [1, {"a": [2]}],
    "plain": "x",
    "colour": "RED",
    "raw": "aGk=",
    "took": 90.5,
}
EMPTY = {**dict.fromkeys(FULL), "numbers": []}


@pytest.fixture
def push(sync):
    """Pushes items of things, and returns the answer."""
    Base.metadata.create_all(sync.session.connection())
    sync.registry.register(Thing, name="Thing", tenant=Thing.organization_id)
    sync.setup()
    sync.commit()
    member = replace(member_of(), flags={"Thing": ALL})

    def run(*items):
        data = [{"_model": "Thing", **each} for each in items]
        return sync.push(member, {"data": data})

    return run


def test_kinds(push):
    """What is made or changed is read as it was sent."""
    made = push(FULL, EMPTY, {})
    assert statuses(made) == ["created"] * 3
    full, empty, none = (each["id"] for each in made.body["results"])
    assert statuses(push({**FULL, "id": none}, {**EMPTY, "id": full})) == [
        "updated",
        "updated",
    ]
    stale = [{"id": each, "_version": 0} for each in (full, empty, none)]
    rows = [each["row"] for each in push(*stale).body["errors"]]
    found = [{name: row[name] for name in FULL} for row in rows]
    assert found == [EMPTY, EMPTY, FULL]
