"""Which tables are audited, and what is noted of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import permutations
from uuid import UUID

import pytest
from sqlalchemy import String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libres.context.registry import create_default_registry
from libres.sync import Sync, audit
from libres.sync.audit.tables import Tables
from libres.sync.devices import Devices
from libres.sync.errors import NotRegistrable, NotRevertible, UnknownEntity
from libres.sync.registry import registry_of
from tests.sync import models
from tests.sync.models import Country, Customer

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)

OURS = "libres.sync."

CONFIGURATION = {
    *("Organization", "User", "Role", "Membership", "Permission", "Filter"),
    *("Resource", "Device", "Setting", "Erasure"),
}


class Base(DeclarativeBase):
    """Of another part of the host."""


class Invoice(Base):
    """Is audited, but not synchronised."""

    __tablename__ = "Invoices of: 2%"

    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[str] = mapped_column("total:sum", String)
    iban: Mapped[str] = mapped_column(String, default="")
    viewed: Mapped[int] = mapped_column(default=0)


@pytest.fixture
def invoices(trail, session):
    """The table of invoices, audited."""
    Base.metadata.create_all(session.connection())
    noted = audit.audited(
        *(Invoice, "shop.Invoice"), secret=[Invoice.iban], ignored=["viewed"]
    )
    trail.setup(noted)
    session.commit()


def triggers(session):
    """Tell the triggers that note, and their versions."""
    query = (
        "SELECT tgname, xmin, tgfoid FROM pg_trigger WHERE tgname LIKE 'libres_sync_%'"
    )
    return session.execute(text(f"{query} ORDER BY 1")).all()


def told(trail, model):
    """Tell what was noted of a model, the oldest first."""
    return [(each.action, each.key) for each in reversed(trail.history(model))]


# Which tables -------------------------------------------------------------------------


@pytest.mark.usefixtures("trail")
def test_tables(context):
    """The core, the configuration, and what is synchronised are audited."""
    names = {each.name for each in Tables(context)}
    core = {"libres.Reservation", "libres.Allocation", "libres.Blocker"}
    ours = {OURS + each for each in CONFIGURATION}
    host = {each.name for each in registry_of(context)}
    assert names >= core | ours | host
    assert {each for each in names - core - host if not each.startswith(OURS)} == set()
    assert "myapp.Customer" in names


def test_slots(trail, scheduler):
    """Slots are noted if it is said; nothing is noted twice."""
    trail.setup(slots=True)
    trail.commit()
    scheduler.allocate((NOON, NOON.replace(hour=13)))
    scheduler.approve_reservations(
        scheduler.reserve("a@example.org", (NOON, NOON.replace(hour=13)))
    )
    trail.commit()
    (entry,) = trail.history("libres.Slot", (scheduler.resource, NOON))
    assert [*trail.entries(model="libres.Slot")] == [entry]
    assert trail.as_of("libres.Slot", entry.key, entry.at) == entry.after
    with pytest.raises(NotRevertible, match="reservations"):
        trail.revert(entry.position)


@pytest.mark.usefixtures("invoices")
def test_host(trail, session):
    """Tables of the host are noted, whatever they are called."""
    session.add(Invoice(id=1, total="5"))
    session.commit()
    (entry,) = trail.history(Invoice, 1)
    assert (entry.model, entry.relation) == ("shop.Invoice", "Invoices of: 2%")
    assert entry.after == {"id": 1, "total:sum": "5"}
    assert entry.tenant is None


@pytest.mark.usefixtures("invoices")
def test_elsewhere(trail, session, dsn):
    """A process that does not know a model finds its changes by the table."""
    session.add(Invoice(id=1, total="5"))
    session.commit()
    elsewhere = create_default_registry().register_context("test")
    elsewhere.set_setting("dsn", dsn)
    known, unknown = trail, audit.Audit(elsewhere)
    (entry,) = unknown.history(Invoice.__tablename__, 1)
    assert entry.after == known.history(Invoice, 1)[0].after
    assert unknown.history(Invoice.__tablename__, 2) == []
    with pytest.raises(UnknownEntity):
        unknown.history("invoices")
    elsewhere.get_service("session_provider").stop_service()


@pytest.mark.usefixtures("invoices")
def test_host_ignored(trail, session):
    """Of what is ignored no change is noted; of what is secret, that it changed."""
    session.add(Invoice(id=1, total="5"))
    session.commit()
    session.get(Invoice, 1).viewed = 7
    session.commit()
    session.get(Invoice, 1).iban = "CH93 0076"
    session.commit()
    first, second = reversed(trail.history(Invoice))
    assert (first.action, second.action) == ("insert", "update")
    assert second.changes == ()


@pytest.mark.usefixtures("invoices")
def test_host_as_of_and_back(trail, session):
    """Its rows are told as they were, found and undone, whatever they are called."""
    session.add(Invoice(id=1, total="5"))
    session.commit()
    session.get(Invoice, 1).total = "6"
    session.commit()
    now = datetime.now(UTC)
    assert trail.as_of(Invoice, 1, now)["total:sum"] == "6"
    assert trail.as_of(Invoice, 2, now) is None
    assert trail.find(Invoice, **{"total:sum": "5"}) == ["1"]
    trail.revert(trail.history(Invoice)[0].position)
    assert session.get(Invoice, 1).total == "5"
    session.execute(text('DELETE FROM "Invoices of\\: 2%"'))
    session.commit()
    trail.revert(trail.history(Invoice)[0].position)
    session.commit()
    assert session.get(Invoice, 1).total == "5"
    trail.revert(trail.history(Invoice)[0].position)
    assert session.get(Invoice, 1) is None


@pytest.mark.parametrize("wrong", [object(), "customers", Base, 5])
def test_not_mapped(trail, wrong):
    """What is no mapped class is refused."""
    with pytest.raises(NotRegistrable):
        trail.setup(wrong)


# The configuration --------------------------------------------------------------------


@pytest.mark.usefixtures("example")
def test_configuration(trail):
    """Whoever sets up organisations, users and rights is noted doing so."""
    for name in ("Organization", "User", "Role", "Membership", "Permission"):
        assert trail.history(f"libres.sync.{name}")
    (acme,) = trail.find("libres.sync.Organization", slug="acme-corp")
    assert trail.history("libres.sync.Organization", acme)[0].tenant == acme


@pytest.mark.usefixtures("example")
def test_password(trail, sync, session):
    """That a password was changed is noted, but neither the old nor the new one."""
    user = sync.users.named("john_manager")
    with trail.acting("john_manager"):
        sync.users.set_password(user, "correct horse battery staple")
        sync.commit()
    entry = trail.history("libres.sync.User")[0]
    assert (entry.actor, entry.action, entry.key) == ("john_manager", "update", user.id)
    everything = session.execute(text("SELECT jsonb_agg(c) FROM sync_changes c"))
    written = json.dumps(everything.scalar())
    for secret in ("scrypt", "password", "correct horse"):
        assert secret not in written


def test_device(trail, context, sync, acme):
    """That there is a device is noted, but neither its key nor that it came by."""
    john = sync.users.named("john_manager")
    made = Devices(context).add(john, acme, "phone")
    sync.commit()
    with trail.acting("system:poll"):
        Devices(context).acknowledge(made.device.id, 5, NOON)
        sync.commit()
        Devices(context).revoke(made.device.id)
        sync.commit()
    revoked, added = trail.history("libres.sync.Device")
    assert {"hash", "position", "seen"}.isdisjoint(added.after)
    assert [each.field for each in revoked.changes] == ["revoked"]


def test_two_contexts(dsn, trail):
    """Contexts that share a database note their own configuration only."""
    other = create_default_registry().register_context("other")
    other.set_setting("dsn", dsn)
    beside = audit.setup(other)
    beside.commit()
    for context, name in ((trail.context, "Here"), (other, "There")):
        Sync(context).organizations.add(name, name.lower())
        context.get_service("session_provider").session().commit()
    kind = "libres.sync.Organization"
    assert [each.after["name"] for each in trail.history(kind)] == ["Here"]
    assert [each.after["name"] for each in beside.history(kind)] == ["There"]
    there = Sync(other).organizations.all()[0]
    other.get_service("session_provider").session().rollback()
    assert trail.as_of(kind, str(there.id), datetime.now(UTC)) is None
    other.get_service("session_provider").stop_service()


# Setting up ---------------------------------------------------------------------------


def test_twice(trail, session):
    """Setting up once more does not touch what is there."""
    before = triggers(session)
    session.rollback()
    trail.setup()
    trail.commit()
    assert triggers(session) == before


SETTING_UP = {
    "audit": lambda sync: audit.setup(sync.context, Customer, Country),
    "core": lambda sync: sync.register_core(),
    "sync": lambda sync: sync.setup(),
}


@pytest.mark.parametrize("order", [*permutations(SETTING_UP)], ids="-".join)
def test_any_order(dsn, context, order):
    """In whatever order a host sets up, at each start, it notes each change once, and
    makes triggers once."""
    session, seen = context.get_service("session_provider").session(), []
    for number in range(2):
        started = create_default_registry().register_context("test")
        started.set_setting("dsn", dsn)
        models.register(registry_of(started))
        for name in order:
            SETTING_UP[name](Sync(started))
        trail = audit.Audit(started)
        trail.session.add(Customer(id=number, organization_id=UUID(int=1), name="A"))
        trail.commit()
        assert told(trail, Customer)[number:] == [("insert", str(number))]
        assert "secret_note" not in trail.history(Customer)[0].after
        seen.append(triggers(session))
        session.rollback()
        started.get_service("session_provider").stop_service()
    assert seen[0] == seen[1]


# Who ----------------------------------------------------------------------------------


def test_actors(trail, sync, customer):
    """Who says so is the actor; who does not is the role of the database."""
    customer("A")
    with sync.acting("john", request="r1", reason="because"):
        customer("B")
    with trail.acting("system:import"):
        customer("C")
        with trail.acting("mary"):
            customer("D")
        customer("E")
    actors = [each.actor for each in reversed(trail.history(Customer))]
    assert actors[0].startswith("database:")
    assert actors[1:] == ["john", "system:import", "mary", "system:import"]
    entry = trail.history(user="john")[0]
    assert (entry.request, entry.reason) == ("r1", "because")


def test_transaction(trail, session):
    """What was changed at once can be told from the rest."""
    for code in ("CH", "LI"):
        session.add(Country(code=code, name=code))
    session.commit()
    session.add(Country(code="AT", name="AT"))
    session.commit()
    last, *others = trail.history(Country)
    assert len({each.transaction for each in others}) == 1
    assert last.transaction != others[0].transaction
