"""The configuration as one document: out, in, and out again, the same."""

from __future__ import annotations

import json
import uuid
from functools import partial

import pytest
from sqlalchemy import text

from libres.context.registry import create_default_registry
from libres.sync import Sync
from libres.sync.configuration import SECTIONS, Configuration, environment
from libres.sync.errors import InvalidConfiguration
from libres.sync.permissions import Applied
from libres.sync.settings import DEFAULTS
from libres.sync.values import Flags, User
from tests.fixtures.races import race
from tests.fixtures.statements import counted
from tests.sync import models

CUSTOMER = "myapp.Customer"
SALES = [{"field": "department", "op": "eq", "value": "Sales"}]
NOTHING = Applied(0, 0, 0)


def fill(sync):
    """Put something in each section, beside the example."""
    acme = sync.organizations.named("acme-corp")
    sync.settings.set("feed_kept", 7)
    sync.switches.set(CUSTOMER, False)
    own = sync.roles.add("sales", "Sales of Acme", acme, "audit")
    ada = sync.users.add("Ada", "correct horse", "ada@example.org", staff=True)
    sync.memberships.add(ada, acme, own)
    sync.filters.set(acme, own, CUSTOMER, SALES)
    sync.permissions.set(acme, own, CUSTOMER, Flags(pull=True, read=True))
    sync.resources.add(acme, "Room 1", "Europe/Zurich")
    sync.resources.add(acme, "Room 2", "UTC", ["Room 1"])
    sync.organizations.set_active("global-retail", False)
    sync.commit()


@pytest.fixture
def configured(sync, example):
    """The example, with something in each section."""
    assert example
    fill(sync)
    return sync.configuration


@pytest.fixture
def empty(context):
    """The configuration of another context in the same database, where nothing is."""
    other = create_default_registry().register_context("other")
    other.set_setting("dsn", context.get_setting("dsn"))
    other.set_service("uuid_generator", lambda _context: uuid_of)
    sync = Sync(other)
    models.register(sync.registry)
    sync.register_core()
    yield sync.configuration
    sync.rollback()
    other.get_service("session_provider").stop_service()


def uuid_of(name):
    """Name resources as no other context does: they are told apart by their ids."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"other.{name}")


@pytest.fixture
def document(configured):
    """What is exported, as it comes from a file."""
    return json.loads(json.dumps(configured.export()))


# Out and in ---------------------------------------------------------------------------


def test_export(document):
    """Each section says what there is, in the words of people."""
    assert tuple(document) == SECTIONS
    assert document["settings"]["feed_kept"] == 7
    assert {"model": CUSTOMER, "on": False} in document["models"]
    (acme, university, retail) = document["organizations"]
    assert (acme["slug"], acme["active"]) == ("acme-corp", True)
    assert (retail["slug"], retail["active"]) == ("global-retail", False)
    assert university["name"] == "City University"
    ada = document["users"][0]
    assert ada == {
        "username": "Ada",
        "email": "ada@example.org",
        "active": True,
        "staff": True,
    }
    own = document["roles"][-1]
    assert own == {
        "organization": "acme-corp",
        "code": "sales",
        "name": "Sales of Acme",
        "pages": "audit",
    }
    roles = [(each["user"], each["role"]) for each in document["memberships"]]
    assert roles[0] == ("Ada", "sales")
    assert [each["shared"] for each in document["memberships"][:2]] == [False, True]
    assert document["filters"][0]["conditions"] == SALES
    assert document["resources"][1]["blocking_names"] == ["Room 1"]


def test_there_and_back(document, empty):
    """What is imported where nothing is is exported the same, and a second time there
    is nothing to do."""
    done = empty.apply(document)
    assert empty.export() == document
    created = {name: each.created for name, each in done.items()}
    assert created == {
        **{name: len(document[name]) for name in SECTIONS},
        "settings": 0,
        "models": 0,
    }
    assert done["settings"] == Applied(0, 1, 0)
    assert done["models"] == Applied(0, 1, 0)
    again = empty.apply(document, replace=True)
    assert set(again.values()) == {NOTHING}


def test_nothing_secret(configured, document):
    """There is no password, no hash, no token, and who is imported has none."""
    said = json.dumps(document)
    for word in ("password", "scrypt", "hash", "token", "secret", "correct horse"):
        assert word not in said
    assert configured.export() == document


def test_sections(configured):
    """Some sections are a document as well; others than those there are not."""
    assert list(configured.export("roles", "settings")) == ["settings", "roles"]
    with pytest.raises(InvalidConfiguration, match="no section 'passwords'"):
        configured.export("passwords")


def test_summary(configured, document):
    """The summary counts, and of the settings those that were changed."""
    found = configured.summary()
    assert found["settings"] == 1
    assert found["roles"] == len(document["roles"]) == 8
    assert list(found) == list(SECTIONS)


def test_statements(configured, document, empty):
    """The number of rights does not matter to who exports and validates."""
    with counted(configured.session) as statements:
        configured.export()
    few = len(statements)
    assert few <= 12
    with counted(empty.session) as statements:
        assert empty.validate(document) == []
    assert len(statements) <= few


# Changing -----------------------------------------------------------------------------


def change(document, section, **fields):
    """Change the first record of a section."""
    document[section][0].update(fields)
    return document


@pytest.mark.parametrize(
    ("section", "fields"),
    [
        ("organizations", {"name": "Acme", "active": False}),
        ("users", {"email": "b@example.org", "staff": False, "active": False}),
        ("roles", {"name": "Admins", "pages": "audit"}),
        ("memberships", {"role": "managers", "shared": True, "active": False}),
        ("permissions", {"can_delete": False, "can_push": False}),
        ("filters", {"conditions": [{**SALES[0], "value": "IT"}]}),
        ("resources", {"timezone": "Asia/Tokyo", "organization": "city-university"}),
        ("models", {"on": False}),
    ],
)
def test_update(configured, document, section, fields):
    """What is other than it was is changed, and nothing else."""
    if section == "resources":
        document["resources"][1]["blocking_names"] = []
        configured.apply(document)
    document[section] = [{**each} for each in document[section]]
    wanted = change(document, section, **fields)
    done = configured.apply(wanted)
    assert {name: each for name, each in done.items() if each != NOTHING} == {
        section: Applied(0, 1, 0)
    }
    found = configured.export(section)[section]
    assert fields.items() <= found[0].items()
    assert configured.export() == wanted


def test_only_what_is_said(configured, document):
    """Without replace, what a document does not name stays."""
    assert configured.apply({}) == {}
    done = configured.apply({name: [] for name in SECTIONS[1:]} | {"settings": {}})
    assert set(done.values()) == {NOTHING}
    assert configured.export() == document


def test_replace(configured, document):
    """With replace it goes: but organisations and users, who are let in no more."""
    sections = ("filters", "permissions", "memberships", "resources", "roles")
    done = configured.apply(
        {name: [] for name in (*sections, "users", "organizations")}
        | {"settings": {}, "models": []},
        replace=True,
    )
    for name in sections:
        assert done[name] == Applied(0, 0, len(document[name]))
        assert configured.export(name)[name] == []
    assert done["users"] == Applied(0, 4, 0)
    assert done["organizations"] == Applied(0, 2, 0)
    assert done["settings"] == Applied(0, 0, 1)
    assert done["models"] == NOTHING
    assert configured.export("settings")["settings"]["feed_kept"] == 90
    assert not any(each["active"] for each in configured.export("users")["users"])


def test_replaces_a_section(configured, document):
    """Sections that are not there are not touched."""
    done = configured.apply({"filters": []}, replace=True)
    assert done == {"filters": Applied(0, 0, 1)}
    assert configured.export() == {**document, "filters": []}


def test_defaults(empty):
    """What is not said has a default; a role is the organisation's own, if it has one
    of this code."""
    done = empty.apply(
        {
            "organizations": [{"slug": "acme", "name": "Acme"}],
            "users": [{"username": "john"}],
            "roles": [
                {"code": "sales", "name": "Sales"},
                {"code": "sales", "name": "Ours", "organization": "acme"},
                {"code": "users", "name": "Users"},
            ],
            "permissions": [
                {"organization": "acme", "role": "sales", "model": CUSTOMER},
                {"organization": "acme", "role": "users", "model": CUSTOMER},
            ],
            "memberships": [{"organization": "acme", "user": "JOHN", "role": "sales"}],
        }
    )
    assert done["memberships"] == Applied(1, 0, 0)
    found = empty.export()
    assert [each["shared"] for each in found["permissions"]] == [False, True]
    (member,) = found["memberships"]
    assert member["user"] == "john"
    assert (member["shared"], member["active"]) == (False, True)


def test_tokens_end(configured, document, sync):
    """Who is let in no more is out at once."""
    before = sync.users.named("Ada").version
    wanted = change(document, "users", active=False)
    configured.apply(wanted)
    assert sync.users.named("Ada").version == before + 1


def test_start_off(configured, document, sync):
    """What is on stays on, when models start switched off, or do so no more."""
    configured.apply({"settings": {"models_start_off": True}})
    assert configured.export("models")["models"] == document["models"]
    assert configured.reset() == 2
    assert configured.export("models")["models"] == document["models"]
    assert sync.settings.get("models_start_off") is False


def test_database_refuses(configured, document, context):
    """What the database refuses undoes everything else."""
    owned = text(
        "INSERT INTO sync_settings (context, name, value) VALUES ('x','x','1')"
    )
    configured.session.execute(owned)
    configured.rollback()
    wanted = change(document, "settings") if False else {"settings": {"feed_kept": 9}}

    def apply():
        configured.apply(wanted)
        configured.session.execute(text("SELECT 1 / 0"))

    with pytest.raises(Exception, match="division"):
        context.transaction(apply)
    assert configured.export("settings")["settings"]["feed_kept"] == 7


def apply_elsewhere(dsn, document):
    """Apply a document in another process; return how much was created."""
    context = create_default_registry().register_context("test")
    context.set_setting("dsn", dsn)
    sync = Sync(context)
    models.register(sync.registry)
    sync.register_core()
    try:
        done = context.transaction(lambda: sync.configuration.apply(document))
    finally:
        context.get_service("session_provider").stop_service()
    return sum(each.created for each in done.values())


def test_at_once(dsn, configured):
    """Of two who apply the same at once, one creates it, and both succeed."""
    document = {
        "organizations": [{"slug": "new", "name": "New"}],
        "roles": [{"organization": "new", "code": "staff", "name": "Staff"}],
        "permissions": [{"organization": "new", "role": "staff", "model": CUSTOMER}],
    }
    configured.commit()
    found = race([partial(apply_elsewhere, dsn, document)] * 2)
    assert [each.text for each in found] == ["", ""]
    assert sorted(each.value for each in found) == [0, 3]


# Users of a host ----------------------------------------------------------------------


class Host:
    """Knows one user."""

    def authenticate(self, _username, _password):
        """Let nobody in."""

    def user(self, id):  # noqa: A002 - as in the protocol
        """Return the one."""
        return User("7", "seven") if id == "7" else None


def test_users_of_a_host(context, configured):
    """Where the host knows the users, members go by their ids, and users are its
    matter."""
    context.set_service("sync_users", lambda _context: Host())
    found = configured.export()
    assert found["users"] == []
    member = {"organization": "acme-corp", "role": "sales", "user": "7"}
    configured.apply({"memberships": [member]})
    ids = [each["user"] for each in configured.export("memberships")["memberships"]]
    assert "7" in ids
    problems = configured.validate({"users": [{"username": "x"}]})
    assert "the host knows the users" in problems[0]
    assert configured.validate({"memberships": [{**member, "user": "8"}]})


# As environment -----------------------------------------------------------------------


def test_environment(configured):
    """Settings can be lines for the environment, and come back from them."""
    settings = configured.export("settings")["settings"]
    lines = list(environment.written(settings))
    assert "LIBRES_SYNC_FEED_KEPT=7" in lines
    assert "LIBRES_SYNC_MODELS_START_OFF=false" in lines
    said = "\n".join(["# mine", "", *lines])
    assert environment.read(said) == {"settings": settings}
    assert len(lines) == len(DEFAULTS)


@pytest.mark.parametrize(
    "line",
    ["LIBRES_SYNC_SECRET=topsecret", "FEED_KEPT=1", "LIBRES_SYNC_FEED_KEPT=1e3", "x"],
)
def test_other_environment(line):
    """Other lines are refused, and not repeated: they may be secret."""
    with pytest.raises(InvalidConfiguration) as raised:
        environment.read(f"LIBRES_SYNC_LOG_KEPT=1\n{line}")
    assert raised.value.problems == ("Line 2 is not LIBRES_SYNC_NAME=value.",)
    assert "topsecret" not in str(raised.value)


def test_environment_twice():
    """Nobody knows which of two lines counts."""
    with pytest.raises(InvalidConfiguration, match="Line 2 says something twice"):
        environment.read("LIBRES_SYNC_LOG_KEPT=1\nexport LIBRES_SYNC_LOG_KEPT=2")


def test_surface(sync):
    """The facade leads to it."""
    assert isinstance(sync.configuration, Configuration)
