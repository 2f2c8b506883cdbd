"""The sample floor plan: spaces A and B, doorways X and Z, sensors 283 and 423."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pytest_postgresql.factories import postgresql_noproc

from libres import occupancy
from libres.context.registry import create_default_registry
from libres.occupancy import schema
from tests.fixtures.database import PREFIX, filling, make_tables
from tests.timetable.conftest import make_timetable

LONG_AGO = datetime(2018, 1, 1, tzinfo=UTC)


def at(clock, day=24):
    """A moment of February 2018, by the clock."""
    return datetime.fromisoformat(f"2018-02-{day:02}T{clock.zfill(5)}+00:00")


def event(sensor, clock, direction, **more):
    """An event as it is sent."""
    sent = at(clock).isoformat().replace("+00:00", "Z")
    return {"timestamp": sent, "direction": direction, "dpu_id": sensor, **more}


E1 = "08:45:21.893"
FIRST = event("423", E1, 1)
SAMPLE = [
    FIRST,
    event("283", "09:00:00", 1),
    event("283", "09:05:00", 1),
    event("283", "09:10:00", -1),
]
"""Sample S of the specification."""


def make_occupancy(**where):
    """Fill a template with the tables of occupancy."""
    with filling(**where) as connection:
        schema.create_missing(connection)


template = postgresql_noproc(
    dbname=f"{PREFIX}occupancy",
    load=[make_tables, make_timetable, make_occupancy],
    load_autocommit=False,
    depends_on="server",
)
"""What the databases of these tests are cloned from."""


@pytest.fixture
def house(context):
    """The sample: a building with A and B, X between outside and A, Z between both."""
    return furnished(occupancy.Occupancy(context))


@pytest.fixture(scope="module")
def built(module_dsn):
    """The sample, for the tests of a module."""
    context = create_default_registry().register_context("test")
    context.set_setting("dsn", module_dsn)
    made = furnished(occupancy.Occupancy(context))
    made.session.commit()
    yield made
    context.get_service("session_provider").stop_service()


@pytest.fixture
def lent(built):
    """The sample, for a test that commits nothing: what it does is rolled back."""
    yield built
    built.session.rollback()


def furnished(made):
    """Add the sample floor plan."""
    made.add_space("building", timezone="UTC")
    made.add_space("A", timezone="UTC", parent="building")
    made.add_space("B", timezone="UTC", parent="building")
    made.add_doorway("X", "A", None)
    made.add_doorway("Z", "A", "B")
    for code, doorway in (("283", "X"), ("423", "Z")):
        made.add_sensor(code)
        made.assign(code, doorway, 1, LONG_AGO)
    return made


def counts(house, clock, policy=None):
    """How many are in A, B and the building."""
    moment = at(clock)
    return [
        house.count(space, moment, policy=policy).count
        for space in ("A", "B", "building")
    ]
