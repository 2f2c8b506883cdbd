"""Every change is in the feed once, in order, whoever made it."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from libres.sync.models import SyncChange, SyncPending
from tests.sync.models import Customer, Note

ACME = UUID(int=1)
RETAIL = UUID(int=2)


def customer(name="Ada", organization=ACME, **values):
    """A customer."""
    return Customer(name=name, organization_id=organization, **values)


@pytest.fixture
def session(context):
    """The session of the context."""
    return context.get_service("session_provider").session()


@pytest.fixture
def changes(sync, session):
    """Numbers what is pending, and returns all changes."""

    def read():
        session.commit()
        sync.number()
        query = select(SyncChange).order_by(SyncChange.position)
        found = list(session.scalars(query))
        session.expunge_all()
        session.rollback()
        return found

    return read


def test_insert_by_orm(sync, session, changes):
    """What is flushed is there, with its image and without what is secret."""
    with sync.acting("john_manager", request="r1"):
        session.add(customer(age=45, secret_note="psst"))
        session.commit()
    (only,) = changes()
    assert only.operation == "insert"
    assert only.relation == "customers"
    assert only.after["name"] == "Ada"
    assert "secret_note" not in only.after
    assert only.before is None
    assert (only.actor, only.request) == ("john_manager", "r1")
    assert only.tenant == str(ACME)


@pytest.mark.usefixtures("sync")
def test_update_in_bulk(session, changes):
    """An update of many rows is one change for each that became another."""
    session.add_all([customer(f"n{i}", age=i) for i in range(5)])
    session.commit()
    session.execute(update(Customer).values(age=3))
    session.commit()
    assert [each.operation for each in changes()] == ["insert"] * 5 + ["update"] * 4


@pytest.mark.usefixtures("sync")
def test_another_key_is_another_row(session, changes):
    """A changed key is a deletion and an insertion."""
    session.add(customer())
    session.commit()
    session.execute(text("UPDATE customers SET id = 77"))
    first, *rest = changes()
    assert {(each.operation, each.key) for each in rest} == {
        ("delete", first.key),
        ("insert", "77"),
    }


@pytest.mark.usefixtures("sync")
def test_moved_to_another_tenant(session, changes):
    """The tenant that lost a row is named."""
    session.add(customer())
    session.commit()
    session.execute(update(Customer).values(organization_id=RETAIL))
    moved = changes()[-1]
    assert (moved.tenant, moved.tenant_before) == (str(RETAIL), str(ACME))


@pytest.mark.usefixtures("sync")
def test_cascade(session, changes):
    """What goes by a cascade has gone."""
    owner = customer()
    session.add(owner)
    session.flush()
    session.add(Note(organization_id=ACME, customer_id=owner.id))
    session.commit()
    session.execute(text("DELETE FROM customers"))
    assert {(each.relation, each.operation) for each in changes()[-2:]} == {
        ("customers", "delete"),
        ("notes", "delete"),
    }


@pytest.mark.usefixtures("sync")
def test_truncate(session, changes):
    """TRUNCATE deletes all rows."""
    session.add(customer())
    session.commit()
    session.execute(text("TRUNCATE customers CASCADE"))
    assert changes()[-1].operation == "delete"


@pytest.mark.usefixtures("sync")
def test_nobody_says_who(session, changes):
    """Without a name it is the role of the database."""
    session.add(customer())
    (only,) = changes()
    assert only.actor.startswith("database:")


def test_rolled_back(sync, session, changes):
    """What was rolled back leaves no gap in the numbers."""
    session.add(customer())
    session.flush()
    session.rollback()
    session.add(customer("Bob"))
    (only,) = changes()
    assert only.position == 1
    assert sync.number() == 0
    assert session.scalars(select(SyncPending)).all() == []
