"""Changes of plain rows are undone by new ones, or it is said why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text

from libres.modules.errors import Misuse
from libres.sync.errors import NotRevertible, UnknownEntity
from libres.sync.registry import registry_of
from tests.fixtures.races import race_threads
from tests.sync.audit.conftest import OWNER
from tests.sync.models import Country, Customer, Note, Seat


def last(trail, model=Customer, **asked):
    """Return the last change."""
    return trail.history(model, **asked)[0]


def image(trail, model, key):
    """Return the row as it is noted to be now."""
    return trail.as_of(model, key, datetime.now(UTC))


def revert(trail, position, **options):
    """Undo a change, and commit."""
    done = trail.revert(position, **options)
    trail.commit()
    return done


# Updates ------------------------------------------------------------------------------


def test_update(trail, customer):
    """What a change has set is set back; what others have set meanwhile stays."""
    made = customer("Ann", age=4)
    made.name = "Zoe"
    trail.commit()
    change = last(trail)
    made.age = 5
    trail.commit()
    done = revert(trail, change.position)
    assert (made.name, made.age) == ("Ann", 5)
    assert (done.entry, done.action, done.key) == (change, "update", str(made.id))
    assert done.fields == ("name",)


def test_it_is_a_change(trail, customer):
    """Who undoes a change makes one: it is noted, with a reason, and can be undone."""
    made = customer("Ann")
    made.name = "Zoe"
    trail.commit()
    change = last(trail)
    with trail.acting("mary", request="r1", reason="cleaning up"):
        revert(trail, change.position)
    entry = last(trail)
    assert (entry.actor, entry.request) == ("mary", "r1")
    assert entry.reason == f"revert of change {change.position}"
    revert(trail, entry.position, reason="I was wrong")
    assert made.name == "Zoe"
    assert last(trail).reason == "I was wrong"


def test_others_keep_their_reason(trail, customer, session):
    """What waits in the session, and what follows, is noted without that reason."""
    made, other = customer("Ann"), customer("Ben")
    made.name = "Zoe"
    trail.commit()
    change = last(trail)
    with trail.acting("mary", reason="cleaning up"):
        other.name = "Cyd"
        trail.revert(change.position)
        session.flush()
        other.age = 4
        trail.commit()
    reasons = {each.reason for each in trail.history(Customer, other.id, user="mary")}
    assert reasons == {"cleaning up"}


def test_nothing_is_committed(trail, customer, session):
    """It is done in the transaction of the session."""
    made = customer("Ann")
    made.name = "Zoe"
    trail.commit()
    trail.revert(last(trail).position)
    assert made.name == "Ann"
    session.rollback()
    assert made.name == "Zoe"


def test_changed_since(trail, customer):
    """What was changed since is not overwritten; it is said what it was."""
    made = customer("Ann", age=4)
    made.name, made.age = "Zoe", 5
    trail.commit()
    change = last(trail)
    made.name = "Cyd"
    trail.commit()
    with pytest.raises(NotRevertible, match=r"\(name\)"):
        trail.revert(change.position)
    revert(trail, last(trail).position)
    revert(trail, change.position)
    assert (made.name, made.age) == ("Ann", 4)


def test_twice(trail, customer):
    """A change is undone once."""
    made = customer("Ann")
    made.name = "Zoe"
    trail.commit()
    position = last(trail).position
    revert(trail, position)
    with pytest.raises(NotRevertible, match=r"\(name\)"):
        trail.revert(position)


def test_at_once(context, trail, customer):
    """Of two who undo a change at the same moment, one does it; the other hears so."""
    made = customer("Ann")
    made.name = "Zoe"
    trail.commit()
    position = last(trail).position

    def undo():
        try:
            context.transaction(lambda: trail.revert(position))
            return "undone"
        except NotRevertible:
            return "too late"
        finally:
            trail.close()

    outcomes = race_threads([undo, undo])
    assert sorted(each.value for each in outcomes) == ["too late", "undone"]
    assert len(trail.history(Customer)) == 3


def test_twice_to_and_fro(trail, customer):
    """So is the coming of a row, and its going."""
    customer("Ann")
    for action in ("insert", "delete"):
        position = last(trail, action=action).position
        revert(trail, position)
        with pytest.raises(NotRevertible):
            trail.revert(position)


def test_row_is_gone(trail, customer, session):
    """A row that is gone has to be brought back first."""
    made = customer("Ann")
    made.name = "Zoe"
    trail.commit()
    session.delete(made)
    trail.commit()
    removed, changed, _ = trail.history(Customer)
    with pytest.raises(NotRevertible, match="not there any more"):
        trail.revert(changed.position)
    revert(trail, removed.position)
    revert(trail, changed.position)
    assert session.get(Customer, int(changed.key)).name == "Ann"


def test_nothing_noted(trail, customer):
    """Of what is secret only the change is noted, which nobody can undo."""
    made = customer("Ann")
    made.secret_note = "x"
    trail.commit()
    with pytest.raises(NotRevertible, match="nothing"):
        trail.revert(last(trail).position)


def test_zone_of_the_session(trail, customer, session):
    """Moments are the same, in whatever zone a session has noted them."""
    made = customer("Ann", since=datetime(2026, 5, 1, 12, tzinfo=UTC))
    session.execute(text("SET LOCAL timezone = 'Asia/Tokyo'"))
    made.since = datetime(2026, 5, 2, 12, tzinfo=UTC)
    trail.commit()
    session.execute(text("SET LOCAL timezone = 'America/Lima'"))
    trail.revert(last(trail).position)
    assert made.since == datetime(2026, 5, 1, 12, tzinfo=UTC)


# Inserts ------------------------------------------------------------------------------


def test_insert(trail, customer, session):
    """A row that was made is removed."""
    made = customer("Ann")
    key = made.id
    done = revert(trail, last(trail).position)
    assert done.action == "delete"
    assert session.get(Customer, key) is None


def test_insert_changed_since(trail, customer):
    """One that was changed since is not."""
    made = customer("Ann")
    made.age = 5
    trail.commit()
    (_, change) = trail.history(Customer)
    with pytest.raises(NotRevertible, match=r"\(age\)"):
        trail.revert(change.position)


def test_insert_referred_to(trail, customer, session):
    """Nor is one that would take others along."""
    made = customer("Ann")
    session.add(Note(organization_id=OWNER, customer_id=made.id))
    trail.commit()
    with pytest.raises(NotRevertible, match="notes"):
        trail.revert(last(trail).position)


def test_insert_needed(trail, sync, example):
    """Nor is one that others need."""
    acme = example.organizations["acme-corp"]
    role = sync.roles.add("night", "Night shift", acme)
    trail.commit()
    change = last(trail, "libres.sync.Role")
    sync.memberships.add(sync.users.add("night_owl"), acme, role)
    trail.commit()
    with pytest.raises(NotRevertible, match="database refuses"):
        trail.revert(change.position)


# Deletes ------------------------------------------------------------------------------


def test_delete(trail, session):
    """A row that was removed is brought back, with all that was noted of it."""
    values = {"text": "ä\\'%:x\n", "price": Decimal("12345678.90")}
    note = Note(id=UUID(int=9), organization_id=OWNER, due=date(2026, 5, 1), **values)
    session.add(note)
    trail.commit()
    before = image(trail, Note, UUID(int=9))
    session.delete(session.get(Note, UUID(int=9)))
    trail.commit()
    done = revert(trail, last(trail, Note).position)
    assert done.action == "insert"
    found = session.get(Note, UUID(int=9))
    assert (found.text, found.price) == (values["text"], values["price"])
    assert image(trail, Note, UUID(int=9)) == before


def test_delete_of_two_columns(trail, session):
    """So is one with a key of two columns."""
    session.add(Seat(row=1, place="A", organization_id=OWNER, holder="Ann"))
    trail.commit()
    session.execute(text("DELETE FROM seats"))
    trail.commit()
    revert(trail, last(trail, Seat).position)
    assert session.get(Seat, (1, "A")).holder == "Ann"


def test_delete_taken(trail, session):
    """Not if somebody has made another one of its key."""
    session.add(Country(code="CH", name="Switzerland"))
    trail.commit()
    session.execute(text("DELETE FROM countries"))
    trail.commit()
    change = last(trail, Country)
    session.execute(text("INSERT INTO countries VALUES ('CH', 'Confoederatio')"))
    trail.commit()
    with pytest.raises(NotRevertible, match="of this key"):
        trail.revert(change.position)


def test_delete_without_what_it_refers_to(trail, customer, session):
    """Not if what it refers to is not there any more; all else stays as it was."""
    made = customer("Ann")
    session.add(Note(id=UUID(int=9), organization_id=OWNER, customer_id=made.id))
    trail.commit()
    session.execute(text("DELETE FROM customers"))
    made_before = customer("Ben")
    made_before.name = "Cyd"
    with pytest.raises(NotRevertible, match="database refuses"):
        trail.revert(last(trail, Note).position)
    trail.commit()
    assert made_before.name == "Cyd"


def test_delete_of_what_is_secret(trail, session):
    """Not if it had a value that was never noted, and cannot do without."""
    session.execute(text("ALTER TABLE customers ALTER secret_note SET NOT NULL"))
    insert = "INSERT INTO customers (organization_id, name, secret_note)"
    session.execute(text(f"{insert} VALUES (:owner, 'Ann', 'x')"), {"owner": OWNER})
    session.execute(text("DELETE FROM customers"))
    trail.commit()
    with pytest.raises(NotRevertible, match="secret_note"):
        trail.revert(last(trail).position)


# All types ----------------------------------------------------------------------------

TYPES = """
ALTER TABLE reports ADD number numeric DEFAULT 0.1000000000000000000000001,
    ADD big bigint DEFAULT 9007199254740993, ADD real float8 DEFAULT 'NaN',
    ADD bytes bytea DEFAULT '\\x00ff', ADD words text[] DEFAULT '{a,NULL,"b c"}',
    ADD span tstzrange DEFAULT '[2026-01-01,2026-01-02)', ADD old json DEFAULT '[1, 2]',
    ADD doc jsonb DEFAULT '{"a": 12345678901234567890.5}', ADD pause interval
    DEFAULT '1 mon 2 days', ADD twice int GENERATED ALWAYS AS (id * 2) STORED,
    ADD serial int GENERATED ALWAYS AS IDENTITY
"""


def test_all_types(trail, session):
    """Values of all types come back as they were, also in columns that the model does
    not know, that are computed, or that are always drawn."""
    session.execute(text(TYPES.replace(":", "\\:")))
    insert = text("INSERT INTO reports (organization_id, title) VALUES (:owner, 'x')")
    session.execute(insert, {"owner": OWNER})
    trail.commit()
    whole = text("SELECT reports::text FROM reports")
    before = session.execute(whole).scalar()
    session.execute(text("DELETE FROM reports"))
    trail.commit()
    revert(trail, last(trail, "myapp.Report").position)
    assert session.execute(whole).scalar() == before


# What cannot be undone ----------------------------------------------------------------


FORGET = """
UPDATE sync_changes
SET salts = array_fill(CAST(NULL AS uuid), ARRAY[cardinality(salts)])
"""


def test_erased(trail, customer, session):
    """What was erased on request cannot be brought back."""
    made = customer("Ann")
    made.name = "Zoe"
    trail.commit()
    change = last(trail)
    session.execute(text("SET LOCAL session_replication_role = replica"))
    session.execute(text(FORGET))
    trail.commit()
    for position in (change.position, change.position - 1):
        with pytest.raises(NotRevertible, match="erased"):
            trail.revert(position)


def test_unknown_table(trail, session):
    """What this process does not know is undone elsewhere."""
    session.add(Country(code="CH", name="Switzerland"))
    trail.commit()
    position = last(trail, Country).position
    session.execute(text("SET LOCAL session_replication_role = replica"))
    session.execute(text("UPDATE sync_changes SET relation = 'unknown'"))
    trail.commit()
    with pytest.raises(NotRevertible, match="unknown"):
        trail.revert(position)


def test_handler(trail, context, customer):
    """What a handler writes is not written past it."""
    made = customer("Ann")
    made.name = "Zoe"
    trail.commit()
    registry = registry_of(context)
    registry.replace(replace(registry.of(Customer), handler=object()))
    with pytest.raises(NotRevertible, match="handler"):
        trail.revert(last(trail).position)


def test_no_change(trail):
    """A number that no change has is unknown."""
    with pytest.raises(UnknownEntity):
        trail.revert(1)


@pytest.mark.parametrize("reason", ["\0", "\ud800", 5])
def test_hostile_reason(trail, customer, reason):
    """A reason that PostgreSQL cannot hold is a mistake."""
    customer()
    position = last(trail).position
    with pytest.raises(Misuse):
        trail.revert(position, reason=reason)


# The configuration --------------------------------------------------------------------


def test_permission(trail, sync, example):
    """A right that was given is taken back; its version grows nevertheless."""
    acme, role = example.organizations["acme-corp"], sync.roles.all()[0]
    sync.permissions.revoke(acme, role, "myapp.Report", "delete")
    trail.commit()
    given = sync.permissions.set_flag(acme, role, "myapp.Report", "can_delete", True)
    trail.commit()
    done = revert(trail, last(trail, "libres.sync.Permission").position)
    assert done.fields == ("can_delete",)
    assert not sync.permissions.of(acme, role)["myapp.Report"].delete
    assert last(trail, "libres.sync.Permission").after["version"] > given.version


@pytest.mark.usefixtures("example")
def test_user(trail, sync):
    """A user who was deactivated is active again; tokens from before stay invalid."""
    sync.users.set_active(sync.users.named("john_manager"), False)
    trail.commit()
    change = last(trail, "libres.sync.User", action="update")
    off = sync.users.named("john_manager")
    revert(trail, change.position)
    again = sync.users.named("john_manager")
    assert again.active
    assert again.version > off.version


@pytest.mark.usefixtures("example")
def test_password(trail, sync):
    """A password is nowhere noted, so nobody can set it back."""
    sync.users.set_password(sync.users.named("john_manager"), "correct horse battery")
    trail.commit()
    with pytest.raises(NotRevertible, match="nothing"):
        trail.revert(last(trail, "libres.sync.User").position)


def test_membership(trail, sync, example):
    """Who was removed belongs to it again; tokens from before stay invalid."""
    john = sync.users.named("john_manager")
    (before,) = sync.memberships.of_user(john.id)
    sync.memberships.remove(john, example.organizations["acme-corp"])
    trail.commit()
    revert(trail, last(trail, "libres.sync.Membership").position)
    (again,) = sync.memberships.of_user(john.id)
    assert again.role == before.role
    assert again.version > before.version


def test_setting(trail, sync):
    """A setting is what it was; it is said who has set it back."""
    for number in (10, 20):
        sync.settings.set("requests_per_minute", number, "john")
        trail.commit()
    (second, _) = trail.history("libres.sync.Setting")
    with trail.acting("mary"):
        revert(trail, second.position)
    (found,) = [e for e in sync.settings.all() if e.name == "requests_per_minute"]
    assert (found.value, found.changed_by, found.version) == (10, "mary", 3)


def test_erasure(trail, customer):
    """What was erased stays erased."""
    made = customer("Ann")
    trail.history()
    trail.erase(Customer, made.id, ["name"], reason="asked")
    trail.commit()
    with pytest.raises(NotRevertible, match="stays erased"):
        trail.revert(last(trail, "libres.sync.Erasure").position)


def test_resource(trail, sync, example):
    """Whose a resource is, devices have to be told."""
    sync.resources.add(example.organizations["acme-corp"], "room", "Europe/Zurich")
    trail.commit()
    with pytest.raises(NotRevertible, match=r"sync\.resources\.remove"):
        trail.revert(last(trail, "libres.sync.Resource").position)
