"""A context whose changes are noted for the audit, those of a host as well."""

from __future__ import annotations

from uuid import UUID

import pytest
from pytest_postgresql.factories import postgresql_noproc

from libres.context.registry import create_default_registry
from libres.sync.audit import Audit, keeping, tables
from libres.sync.capture import installing
from libres.sync.registry import registry_of
from tests.conflicts.conftest import make_claims
from tests.fixtures.database import PREFIX, filling, make_tables
from tests.occupancy.conftest import make_occupancy
from tests.sync import models
from tests.sync.conftest import CONTEXT, make_sync
from tests.timetable.conftest import make_timetable

OWNER = UUID(int=1)
"""An organisation that nothing else is known of."""


def make_audit(**where):
    """Fill a template with the triggers of all that is audited."""
    context = create_default_registry().register_context(CONTEXT)
    models.register(registry_of(context))
    with filling(**where) as connection:
        installing.install(connection, CONTEXT, tables.Tables(context))


template = postgresql_noproc(
    dbname=f"{PREFIX}audit",
    load=[
        *(make_tables, make_claims, make_timetable, make_occupancy, make_sync),
        make_audit,
    ],
    load_autocommit=False,
    depends_on="server",
)
"""What the databases of these tests are cloned from: `libres.sync.audit.setup` would
find nothing left to do but to keep changes."""


@pytest.fixture
def trail(context, sync):
    """The audit of the context: of the core, the configuration, and the models of the
    host, which are synchronised as well."""
    keeping.begin(sync.session.connection(), context.name)
    sync.commit()
    return Audit(context)


@pytest.fixture
def session(trail):
    """The session of the context."""
    return trail.session


@pytest.fixture
def customer(session):
    """Makes a customer, committed."""

    def make(name="Ann", organization=OWNER, **values):
        made = models.Customer(name=name, organization_id=organization, **values)
        session.add(made)
        session.commit()
        return made

    return make
