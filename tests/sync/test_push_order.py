"""What is written at once comes to the same as one item after the other."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libres.sync.capture import installing
from tests.fixtures.statements import counted
from tests.sync.models import Customer, Note
from tests.sync.pushes import ACME, customer, member_of, statuses, stored


class Base(DeclarativeBase):
    """Of a model that the other tests do without."""


class Badge(Base):
    """No two have the same code."""

    __tablename__ = "badges"

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[uuid.UUID]
    code: Mapped[str] = mapped_column(Text)

    __table_args__ = (UniqueConstraint("code", name="badges_code"),)


@pytest.fixture
def push(sync):
    """Pushes items, and returns the answer."""

    def run(*items):
        member = member_of(models=("Customer", "Note", "Badge"))
        return sync.push(member, {"data": list(items)})

    return run


@pytest.fixture
def badges(sync):
    """The table of badges, and what notes its changes."""
    made = sync.registry.register(
        Badge, name="myapp.Badge", tenant=Badge.organization_id
    )
    connection = sync.session.connection()
    Base.metadata.create_all(connection)
    installing.install(connection, sync.context.name, [made])
    sync.session.add(Badge(organization_id=ACME, code="A"))
    sync.commit()


def badge(**values):
    """An item about a badge."""
    return {"_model": "myapp.Badge", **values}


def note(**values):
    """An item about a note."""
    return {"_model": "myapp.Note", **values}


@pytest.mark.parametrize("count", [4, 400])
def test_mixed(sync, push, count):
    """New and changed rows in turn take as many statements as few of them."""
    made = push(*(customer(f"n{each}") for each in range(count))).body["results"]
    pairs = [
        (customer("new"), customer(f"c{index}", id=each["id"]))
        for index, each in enumerate(made)
    ]
    with counted(sync.session) as statements:
        answer = push(*(item for pair in pairs for item in pair))
    assert statuses(answer) == ["created", "updated"] * count
    assert len(statements) <= 20
    assert sorted(each.name for each in stored(sync, Customer)) == sorted(
        [*["new"] * count, *(f"c{index}" for index in range(count))]
    )


@pytest.mark.usefixtures("badges")
def test_code_is_free_again(sync, push):
    """What goes first makes room for what comes next."""
    answer = push(badge(code="X"), badge(id=1, code="B"), badge(code="A"))
    assert statuses(answer) == ["created", "updated", "created"]
    assert sorted(each.code for each in stored(sync, Badge)) == ["A", "B", "X"]


@pytest.mark.usefixtures("badges")
def test_code_is_not_free_yet(push):
    """And not the other way round."""
    answer = push(badge(code="A"), badge(id=1, code="B"))
    assert statuses(answer) == ["invalid", "updated"]


@pytest.mark.usefixtures("badges")
def test_deleted_makes_room(sync, push):
    """The same for what is deleted."""
    answer = push(badge(id=1, _op="delete"), badge(code="A"))
    assert statuses(answer) == ["deleted", "created"]
    assert [each.code for each in stored(sync, Badge)] == ["A"]


def test_one_row_several_times(sync, push):
    """A row that is made, changed, and changed again ends as it was last."""
    answer = push(
        customer("a", id="tmp:1"),
        customer("other"),
        customer("b", id="tmp:1"),
        customer("c", id="tmp:1"),
    )
    assert statuses(answer) == ["created", "created", "updated", "updated"]
    assert sorted(each.name for each in stored(sync, Customer)) == ["c", "other"]


def test_made_changed_deleted(sync, push):
    """And one that is deleted in the end is not there."""
    answer = push(
        customer("a", id="tmp:1"),
        customer("b", id="tmp:1"),
        {"_model": "myapp.Customer", "id": "tmp:1", "_op": "delete"},
    )
    assert statuses(answer) == ["created", "updated", "deleted"]
    assert stored(sync, Customer) == []


def test_refers_to_what_follows(sync, push):
    """Nobody can refer to what is not there yet."""
    answer = push(note(customer_id="tmp:1", text="x"), customer(id="tmp:1"))
    assert statuses(answer) == ["invalid", "created"]
    assert stored(sync, Note) == []


def test_refers_before_it_is_deleted(sync, push):
    """A note that is written and goes with its customer, in this order."""
    [made] = push(customer()).body["results"]
    gone = {"_model": "myapp.Customer", "id": made["id"], "_op": "delete"}
    answer = push(note(customer_id=made["id"], text="x"), gone)
    assert statuses(answer) == ["created", "deleted"]
    assert stored(sync, Note) == []
    assert statuses(push(gone, note(customer_id=made["id"], text="x"))) == [
        "not_found",
        "invalid",
    ]
