"""Behind the second wall PostgreSQL itself shows each organisation only its rows."""

from __future__ import annotations

import os
from itertools import count

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import ProgrammingError

from libres.sync import row_security
from libres.sync.models import SyncPending
from tests.sync.models import Note

NUMBERS = count()

CUSTOMER = "myapp.Customer"

INSERTING = text("INSERT INTO customers (organization_id, name) VALUES (:of, 'Ada')")


@pytest.fixture
def session(context):
    """The session of the context."""
    return context.get_service("session_provider").session()


@pytest.fixture
def wall(sync, session, acme, retail):
    """Two customers of two organisations, behind the wall."""
    session.execute(INSERTING, {"of": acme.id})
    session.execute(INSERTING, {"of": retail.id})
    sync.enable_row_security()
    sync.commit()
    sync.context.set_setting(row_security.SETTING, True)
    sync.number()
    return sync


@pytest.fixture
def stranger(wall, session):
    """The session is that of a role that owns nothing, and has what it needs."""
    role = f"libres_test_{os.getpid()}_{next(NUMBERS)}"
    session.execute(text(f"CREATE ROLE {role}"))
    for sql in wall.grants(role):
        session.execute(text(sql))
    session.commit()

    def become(connection):
        connection.exec_driver_sql(f"SET LOCAL ROLE {role}")

    event.listen(Engine, "begin", become)
    yield role
    event.remove(Engine, "begin", become)
    session.rollback()
    session.execute(text(f"DROP OWNED BY {role}"))
    session.execute(text(f"DROP ROLE {role}"))
    session.commit()


def names(session):
    """Count the customers that raw SQL shows, per organisation."""
    query = "SELECT organization_id::text FROM customers ORDER BY 1"
    return list(session.scalars(text(query)))


@pytest.mark.usefixtures("stranger")
def test_nobody(session):
    """Without organisation raw SQL shows nothing, of rows and of the feed."""
    assert names(session) == []
    assert session.scalar(text("SELECT count(*) FROM sync_changes")) == 0


@pytest.mark.usefixtures("stranger")
def test_own_rows(wall, session, acme):
    """Raw SQL shows the rows of the organisation that is acted for."""
    with wall.acting("john_manager", organization=acme.reference):
        assert names(session) == [str(acme.id)]
        query = text("SELECT DISTINCT tenant FROM sync_changes")
        assert session.scalars(query).all() == [acme.reference]


@pytest.mark.usefixtures("stranger")
def test_own_rows_read_only(wall, acme):
    """Who only reads is told for whom, too."""
    with (
        wall.acting("john_manager", organization=acme.reference),
        wall.context.read_only() as session,
    ):
        assert names(session) == [str(acme.id)]


@pytest.mark.usefixtures("stranger")
def test_insert_for_others(wall, session, acme, retail):
    """A row of another organisation is refused."""
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        wall.acting("john_manager", organization=acme.reference),
    ):
        session.execute(INSERTING, {"of": retail.id})


@pytest.mark.usefixtures("stranger")
def test_update_of_others(wall, session, acme, retail):
    """Rows of others are neither changed nor taken, and own ones not given away."""
    with wall.acting("john_manager", organization=acme.reference):
        done = session.execute(text("UPDATE customers SET name = 'Eve'"))
        assert done.rowcount == 1
        with pytest.raises(ProgrammingError, match="row-level security"):
            session.execute(
                text("UPDATE customers SET organization_id = :to"), {"to": retail.id}
            )
        session.rollback()


@pytest.mark.usefixtures("stranger")
def test_capture(wall, session, acme):
    """What such a role changes is noted."""
    with wall.acting("john_manager", organization=acme.reference):
        session.add(Note(organization_id=acme.id, text="hello"))
        session.flush()
        (noted,) = session.query(SyncPending).all()
        assert (noted.relation, noted.actor) == ("notes", "john_manager")
        session.commit()
    assert wall.number() == 1


@pytest.mark.usefixtures("stranger")
def test_pull(wall, john, monkeypatch):
    """A member pulls the rows of their organisation, and then their changes."""
    monkeypatch.setenv("LIBRES_SYNC_SECRET", "s" * 40)
    answer = wall.pull(john, {"models": {CUSTOMER: None}})
    assert len(answer.body["data"]) == 1
    assert wall.push(john, {"data": [{"_model": CUSTOMER, "name": "Bob"}]}).http == 200
    again = wall.pull(john, {"cursor": answer.body["cursor"]})
    assert [each["name"] for each in again.body["data"]] == ["Bob"]


@pytest.mark.usefixtures("stranger")
def test_push(wall, session, john, retail):
    """A member pushes for their organisation, and finds no rows of others."""
    session.execute(text("RESET ROLE"))
    others = session.scalar(
        text("SELECT id FROM customers WHERE organization_id = :of"), {"of": retail.id}
    )
    session.rollback()
    new = {"_model": CUSTOMER, "name": "Bob"}
    foreign = {"_model": CUSTOMER, "id": others, "name": "Eve"}
    answer = wall.push(john, {"data": [new, foreign]})
    assert (answer.http, answer.body["success_count"]) == (207, 1)
    assert wall.number() == 1


def test_owner(wall, session):
    """Who owns the tables is not bound: migrations and jobs see all rows."""
    assert len(names(session)) == 2
    assert wall.disable_row_security() > 2


def test_owners_on_demand(wall, session):
    """Tables can bind their owners as well."""
    forced = text(
        "SELECT relforcerowsecurity FROM pg_class WHERE relname = 'customers'"
    )
    assert session.scalar(forced) is False
    wall.enable_row_security(owners=True)
    assert session.scalar(forced) is True


def test_disable(wall, session):
    """Without the wall there are no policies left."""
    wall.disable_row_security()
    assert session.scalar(text("SELECT count(*) FROM pg_policies")) == 0
    customers = wall.registry.named("myapp.Customer").table
    assert not row_security.is_on(session.connection(), customers)
