"""Engines and sessions on the database of the test, through both drivers."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import Session

from tests.context.notes import Base

DRIVERS = ("postgresql+psycopg2", "postgresql+psycopg")


@pytest.fixture(params=DRIVERS)
def driver_dsn(request, dsn):
    """The DSN of the test, once per driver."""
    url = make_url(dsn).set(drivername=request.param)
    return url.render_as_string(hide_password=False)


@pytest.fixture
def engine(dsn):
    """A serialisable engine on a database with the host's tables."""
    engine = create_engine(dsn, isolation_level="SERIALIZABLE")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine):
    """A plain session with the defaults of SQLAlchemy."""
    with Session(engine) as session:
        yield session
