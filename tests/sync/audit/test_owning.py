"""What is owned by a role of its own, PostgreSQL lets the application only add to."""

from __future__ import annotations

import os
from itertools import count

import pytest
from sqlalchemy import Engine, event, func, select, text
from sqlalchemy.exc import ProgrammingError

from libres.modules.errors import Misuse
from libres.sync import audit
from libres.sync.feed import partitions
from libres.sync.keyring import configure
from libres.sync.models import SyncChange, SyncFeed

NUMBERS = count()


def drop(session, *roles):
    """Drop roles, and what they own."""
    session.rollback()
    for role in roles:
        session.execute(text(f"REASSIGN OWNED BY {role} TO CURRENT_USER"))
        session.execute(text(f"DROP OWNED BY {role}"))
        session.execute(text(f"DROP ROLE {role}"))
    session.commit()


@pytest.fixture
def roles(session):
    """The names of two new roles: the owner, and the application's."""
    number = f"{os.getpid()}_{next(NUMBERS)}"
    made = f"libres_owner_{number}", f"libres_app_{number}"
    for role in made:
        session.execute(text(f"CREATE ROLE {role}"))
    session.commit()
    yield made
    drop(session, *made)


@pytest.fixture
def become(session):
    """Lets all connections be a role from now on, until the end of the test."""
    acting = []

    def become(role):
        session.commit()
        acting.append(role)

    def listen(connection):
        if acting:
            connection.exec_driver_sql(f"SET LOCAL ROLE {acting[-1]}")

    event.listen(Engine, "begin", listen)
    yield become
    event.remove(Engine, "begin", listen)


@pytest.fixture
def app(context, trail, sync, session, roles, customer, become):
    """The audit, as the application sees it, which owns nothing of it."""
    configure(context, {"one": "s" * 40})
    customer("Ada")
    owner, role = roles
    for sql in (*sync.grants(role), *trail.protect(owner, role)):
        session.execute(text(sql))
    become(role)
    return trail


def test_reads_and_numbers(app, customer):
    """As the application numbering, signing, reading and verifying work."""
    key = customer("Bob").id
    assert app.anchor() == 2
    assert len(app.history("myapp.Customer", key)) == 1
    verdict = app.verify()
    assert (verdict.is_good, verdict.checked, verdict.anchored) == (True, 2, 2)


REFUSED = [
    "UPDATE sync_changes SET actor = 'eve'",
    "UPDATE {partition} SET actor = 'eve'",
    "DELETE FROM sync_changes",
    "DELETE FROM {partition}",
    "TRUNCATE sync_changes",
    "TRUNCATE {partition}",
    "DROP TABLE sync_changes",
    "DROP TABLE {partition}",
    "ALTER TABLE sync_changes DISABLE TRIGGER ALL",
    "ALTER TABLE {partition} DISABLE TRIGGER audit_stays",
    "ALTER TABLE sync_changes DETACH PARTITION {partition}",
    "DROP TRIGGER audit_stays ON sync_changes",
    "UPDATE audit_anchors SET position = 7",
    "DELETE FROM audit_anchors",
    "UPDATE audit_erasures SET reason = ''",
    "DELETE FROM audit_erasures",
    "SET session_replication_role = replica",
    "DROP FUNCTION audit_guard_changes() CASCADE",
    "DROP FUNCTION audit_erase(text, text, text, text[], text)",
]


def test_refused(app, session):
    """What would change or remove anything is refused by PostgreSQL itself."""
    name = partitions.name_of(session.scalar(select(func.now())))
    for statement in REFUSED:
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            session.execute(text(statement.format(partition=name)))
        session.rollback()
    assert app.verify().is_good


def test_erases(app, session):
    """It may erase on request, which is noted, and nothing beside."""
    app.erase("myapp.Customer", 1, ["name"], reason="request 7")
    session.commit()
    verdict = app.verify()
    assert (verdict.is_good, verdict.erased, verdict.last) == (True, 1, 2)


def test_sets_up_again(context, app, session):
    """It may set up at each start: nothing is missing, nothing is made."""
    audit.setup(context)
    session.commit()
    assert app.verify().is_good


def test_owner_drops(app, session, roles, become, customer):
    """The owner drops what is old, and makes partitions."""
    app.history()
    customer("Bob")
    app.history()
    last = session.scalar(select(SyncFeed.numbered))
    become(roles[0])
    assert app.drop_old(last) == 1
    (left,) = session.scalars(select(SyncChange.position))
    assert left == 2
    assert partitions.ahead(session.connection(), last, 2)


def test_schema_of_the_application(trail, session, roles):
    """Who owns the schema could drop the tables: so it does not own it any more."""
    owner, role = roles
    session.execute(text(f"ALTER SCHEMA public OWNER TO {role}"))
    told = trail.protect(owner, role)
    assert f"ALTER SCHEMA public OWNER TO {owner}" in told
    session.rollback()
    assert not [each for each in trail.protect(owner, role) if "ALTER SCHEMA" in each]


def test_same_role(trail, session, roles):
    """Who is the owner, or can be it, or a superuser, is refused nothing."""
    owner, role = roles
    with pytest.raises(Misuse, match="another role"):
        trail.protect(owner, owner)
    session.execute(text(f"GRANT {owner} TO {role}"))
    with pytest.raises(Misuse, match="member"):
        trail.protect(owner, role)
    session.rollback()
    name = session.scalar(text("SELECT rolname FROM pg_roles WHERE rolsuper LIMIT 1"))
    with pytest.raises(Misuse, match="superuser"):
        trail.protect(owner, name)


def test_names_are_quoted(trail):
    """Names that need quotes get them."""
    told = trail.protect('the "owner"', "an app; --")
    assert 'ALTER TABLE sync_changes OWNER TO "the ""owner"""' in told
    assert 'GRANT SELECT, INSERT ON sync_changes TO "an app; --"' in told
