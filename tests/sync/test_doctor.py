"""What keeps a synchronisation from working is found, and what to do is said."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import text

from libres.sync import audit
from libres.sync.feed import partitions
from libres.sync.row_security import SETTING

CUSTOMER = "myapp.Customer"


@pytest.fixture
def session(context):
    """The session of the context."""
    return context.get_service("session_provider").session()


@pytest.fixture
def found(sync):
    """Examines, and returns what is found under a name."""

    def examine(name):
        return [each for each in sync.examine() if each.name == name]

    return examine


def test_healthy(sync, monkeypatch):
    """Where all is well there is no error."""
    monkeypatch.setenv("LIBRES_SYNC_SECRET", "s" * 40)
    assert [each for each in sync.examine() if each.severity == "error"] == []


def test_tables(sync, session):
    """Missing tables are all that is told while they are missing."""
    session.execute(text("DROP TABLE sync_metrics"))
    (only,) = sync.examine()
    assert (only.name, only.severity) == ("tables", "error")
    assert "sync_metrics" in only.message


@pytest.mark.parametrize("what", ["DISABLE", "DROP"])
def test_triggers(sync, session, found, what):
    """Triggers that are off or gone are found, and mended."""
    assert found("triggers") == []
    names = text(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'customers'::regclass "
        "AND starts_with(tgname, 'libres_sync') ORDER BY 1"
    )
    name = session.scalars(names).first()
    if what == "DROP":
        session.execute(text(f"DROP TRIGGER {name} ON customers"))
    else:
        session.execute(text(f"ALTER TABLE customers DISABLE TRIGGER {name}"))
    (only,) = found("triggers")
    assert CUSTOMER in only.message
    if what == "DROP":
        assert sync.mend() == 1
        assert found("triggers") == []


def test_strangers(sync, found):
    """Tables that are noted though nobody registers them any more are found."""
    assert found("strangers") == []
    sync.registry._models.pop(CUSTOMER)
    (only,) = found("strangers")
    assert "customers" in only.message


def test_audited(sync, found):
    """What is audited only is registered for no device, and no stranger."""
    audit.setup(sync.context)
    assert found("strangers") == []


def test_permissions(sync, session, found, john, acme):
    """Rights for what is no model are found, and models without rights."""
    session.execute(
        text(
            "INSERT INTO sync_permissions (context, organization, role, model) "
            "VALUES ('test', :of, :role, 'myapp.Gone')"
        ),
        {"of": acme.id, "role": john.role.id},
    )
    assert "myapp.Gone" in found("permissions")[0].message
    session.execute(text("DELETE FROM sync_permissions WHERE model = 'myapp.Seat'"))
    assert any("myapp.Seat" in each.message for each in found("rights"))
    assert sync


def test_filters(sync, session, found, john, acme):
    """Filters that are not understood any more are found."""
    given = [{"field": "age", "op": "eq", "value": 1}]
    sync.filters.set(acme, john.role, CUSTOMER, given)
    assert found("filters") == []
    session.execute(text("UPDATE sync_filters SET conditions = '[3]'"))
    assert "shows nothing" in found("filters")[0].message


def test_indexes(session, found):
    """A tenant column without index is found."""
    assert any("customers.organization_id" in each.message for each in found("indexes"))
    session.execute(text("CREATE INDEX ON customers (organization_id)"))
    assert not any("customers." in each.message for each in found("indexes"))


def test_references(sync, found):
    """A field that refers to what is not synchronised is found."""
    assert found("references") == []
    sync.registry._models.pop(CUSTOMER)
    assert any("customers" in each.message for each in found("references"))


def test_members(session, found, acme, john):
    """A membership of a user whom nobody knows is found."""
    assert found("members") == []
    user = str(uuid4())
    session.execute(
        text(
            'INSERT INTO sync_memberships (context, "user", organization, role) '
            "VALUES ('test', :user, :of, :role)"
        ),
        {"user": user, "of": acme.id, "role": john.role.id},
    )
    assert user in found("members")[0].message


def test_partitions(session, found):
    """A missing partition is found before it is needed."""
    assert found("partitions") == []
    now = session.execute(text("SELECT now()")).scalar()
    for moment in {partitions.name_of(now), partitions.name_of(now + partitions.AHEAD)}:
        session.execute(text(f"DROP TABLE {moment}"))
    assert len(found("partitions")) == 1


def test_pending(session, found, acme):
    """What has waited for longer than a minute is found."""
    insert = text("INSERT INTO customers (organization_id, name) VALUES (:of, 'Ada')")
    session.execute(insert, {"of": acme.id})
    session.execute(text("UPDATE sync_pending SET at = now()"))
    assert found("pending") == []
    session.execute(text("UPDATE sync_pending SET at = now() - interval '90 seconds'"))
    assert "90 seconds" in found("pending")[0].message


def test_devices(session, found, acme, john):
    """Devices that are behind what is kept are counted."""
    session.execute(
        text(
            'INSERT INTO sync_devices (context, "user", organization, name) '
            "VALUES ('test', :user, :of, 'phone')"
        ),
        {"user": john.user.id, "of": acme.id},
    )
    assert found("devices") == []
    session.execute(
        text(
            "INSERT INTO sync_feeds (context, position, kept) VALUES ('test', 9, 5) "
            "ON CONFLICT (context) DO UPDATE SET kept = 5"
        )
    )
    assert found("devices")[0].message.startswith("1 devices")


def test_secrets(found, monkeypatch):
    """Without a secret nobody can sign in."""
    monkeypatch.setenv("LIBRES_SYNC_SECRET", "short")
    assert found("secrets")[0].severity == "error"
    monkeypatch.setenv("LIBRES_SYNC_SECRET", "s" * 40)
    assert found("secrets") == []


def test_row_security(sync, context, session, found):
    """A wall with a gap is found, and readers that do not know of it."""
    assert [each.severity for each in found("row_security")] == ["info"]
    sync.enable_row_security()
    assert [each.severity for each in found("row_security")] == ["error"]
    context.set_setting(SETTING, True)
    assert found("row_security") == []
    session.execute(text("ALTER TABLE customers DISABLE ROW LEVEL SECURITY"))
    assert CUSTOMER in found("row_security")[0].message
