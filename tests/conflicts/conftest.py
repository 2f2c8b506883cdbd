"""A context whose database holds the tables of claims."""

from __future__ import annotations

import pytest
from pytest_postgresql.factories import postgresql_noproc
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from libres import conflicts
from libres.conflicts import schema
from libres.context.registry import create_default_registry
from tests.fixtures.database import PREFIX, filling, make_tables


def make_claims(**where):
    """Fill a template with the tables of claims."""
    with filling(**where) as connection:
        schema.create_missing(connection)


template = postgresql_noproc(
    dbname=f"{PREFIX}claims",
    load=[make_tables, make_claims],
    load_autocommit=False,
    depends_on="server",
)
"""What the databases of these tests are cloned from."""


@pytest.fixture
def claims(context):
    """Make the claims of the context 'test'."""
    return conflicts.Claims(context)


@pytest.fixture
def at_level(dsn, claims):  # noqa: ARG001 - which has made the tables
    """Give a function that makes claims on a session of an isolation level."""
    opened = []

    def make(level, name="test"):
        other = create_default_registry().register_context(name)
        provider = Provider(dsn, level)
        opened.append(provider)
        other.set_service("session_provider", lambda _context: provider)
        return conflicts.Claims(other)

    yield make
    for provider in opened:
        provider.stop()


class Provider:
    """Hands out one session, as an application might."""

    def __init__(self, dsn, level):
        self.engine = create_engine(dsn, isolation_level=level)
        self.only = Session(self.engine)

    def session(self):
        return self.only

    def stop(self):
        self.only.close()
        self.engine.dispose()
