"""A host with models of its own, which are synchronised."""

from __future__ import annotations

import pytest
from pytest_postgresql.factories import postgresql_noproc

from libres.sync import Sync, members, schema
from libres.sync.capture import installing
from libres.sync.core_models import Names, models_of
from libres.sync.examples import USERS, set_up_example
from libres.sync.memberships import Memberships
from libres.sync.registry import Registry, registry_of
from libres.sync.users import Users
from tests.conflicts.conftest import make_claims
from tests.fixtures.database import PREFIX, filling, make_tables
from tests.occupancy.conftest import make_occupancy
from tests.sync import models
from tests.timetable.conftest import make_timetable

CONTEXT = "test"
"""The name of the context of the tests, which triggers know."""


def make_sync(**where):
    """Fill a template with the tables of the room and of the host, and triggers."""
    registry = Registry()
    models.register(registry)
    with filling(**where) as connection:
        schema.create_missing(connection)
        models.Base.metadata.create_all(connection)
        installing.install(connection, CONTEXT, registry)
        installing.install(connection, CONTEXT, models_of(CONTEXT, Names(None)))


template = postgresql_noproc(
    dbname=f"{PREFIX}sync",
    load=[make_tables, make_claims, make_timetable, make_occupancy, make_sync],
    load_autocommit=False,
    depends_on="server",
)
"""What the databases of these tests are cloned from."""


@pytest.fixture
def sync(context):
    """The synchronisation of the context, with the models of the host and the core."""
    models.register(registry_of(context))
    made = Sync(context)
    made.register_core()
    return made


# The example --------------------------------------------------------------------------


@pytest.fixture
def example(context, sync):
    """The example of the specification, committed; nobody has a password."""
    made = set_up_example(context, passwords=dict.fromkeys(USERS))
    sync.commit()
    return made


@pytest.fixture
def member_of(context, example):
    """Loads a user of the example as a member, as they are at this moment."""

    def load(username, device=None):
        user = Users(context).named(username)
        (first, *_) = Memberships(context).of_user(user.id)
        return members.load(context, user.id, first.organization.id, device)

    assert example
    return load


@pytest.fixture
def acme(example):
    """Acme Corporation."""
    return example.organizations["acme-corp"]


@pytest.fixture
def retail(example):
    """Global Retail."""
    return example.organizations["global-retail"]


@pytest.fixture
def university(example):
    """City University."""
    return example.organizations["city-university"]


@pytest.fixture
def john(member_of):
    """A manager of Acme."""
    return member_of("john_manager")


@pytest.fixture
def mary(member_of):
    """Sells for Global Retail."""
    return member_of("mary_sales")


@pytest.fixture
def bob(member_of):
    """Analyses for City University."""
    return member_of("bob_analyst")


# Rights -------------------------------------------------------------------------------


@pytest.fixture
def rights(sync):
    """The rights of the context."""
    return sync.permissions


@pytest.fixture
def shop(sync):
    """An organisation without any rights."""
    return sync.organizations.add("Shop", "shop")


@pytest.fixture
def clerk(sync):
    """A role without any rights."""
    return sync.roles.add("clerk", "Clerk")
