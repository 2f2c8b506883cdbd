"""The schema in the database: existing databases rely on these names."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from sqlalchemy import inspect, text

YES, NO = "YES", "NO"
TIME = "timestamp without time zone"
VARCHAR = "character varying"
COMMON = {"created": (TIME, NO), "modified": (TIME, YES)}

COLUMNS = {
    "allocations": {
        "id": ("integer", NO),
        "resource": ("uuid", NO),
        "type": ("text", NO),
        "mirror_of": ("uuid", NO),
        "group": ("uuid", NO),
        "quota": ("integer", NO),
        "quota_limit": ("integer", NO),
        "partly_available": ("boolean", NO),
        "approve_manually": ("boolean", NO),
        "timezone": (VARCHAR, YES),
        "data": ("jsonb", YES),
        "_start": (TIME, NO),
        "_end": (TIME, NO),
        "_raster": ("integer", NO),
        **COMMON,
    },
    "reserved_slots": {
        "resource": ("uuid", NO),
        "start": (TIME, NO),
        "end": (TIME, NO),
        "allocation_id": ("integer", NO),
        "source_type": ("reserved_slot_source_type", NO),
        "reservation_token": ("uuid", NO),
        "source_id": ("integer", NO),
        **COMMON,
    },
    "reservations": {
        "id": ("integer", NO),
        "token": ("uuid", NO),
        "target": ("uuid", NO),
        "target_type": ("reservation_target_type", NO),
        "type": ("text", NO),
        "resource": ("uuid", NO),
        "start": (TIME, YES),
        "end": (TIME, YES),
        "timezone": (VARCHAR, YES),
        "status": ("reservation_status", NO),
        "data": ("jsonb", YES),
        "email": (VARCHAR, NO),
        "session_id": ("uuid", YES),
        "quota": ("integer", NO),
        **COMMON,
    },
    "reservation_blockers": {
        "id": ("integer", NO),
        "token": ("uuid", NO),
        "target": ("uuid", NO),
        "target_type": ("reservation_blocker_target_type", NO),
        "resource": ("uuid", NO),
        "start": (TIME, YES),
        "end": (TIME, YES),
        "timezone": (VARCHAR, YES),
        "reason": (VARCHAR, YES),
        **COMMON,
    },
    "reservation_idempotency_keys": {
        "resource": ("uuid", NO),
        "key": (VARCHAR, NO),
        "operation": (VARCHAR, NO),
        "fingerprint": (VARCHAR, NO),
        "token": ("uuid", NO),
        **COMMON,
    },
}


def singles(table, *columns):
    """The indexes over one column each that bear the name of it."""
    return {f"ix_{table}_{column.lstrip('_')}": [column] for column in columns}


INDEXES = {
    "allocations": {
        **singles("allocations", "resource", "type", "mirror_of", "group"),
        **singles("allocations", "_start", "_end"),
        "mirror_resource_ix": ["mirror_of", "resource"],
    },
    "reserved_slots": {
        **singles("reserved_slots", "end", "allocation_id"),
        **singles("reserved_slots", "source_type", "source_id"),
        "reservation_resource_ix": ["reservation_token", "resource"],
    },
    "reservations": {
        **singles("reservations", "token", "target", "target_type", "type"),
        **singles("reservations", "resource", "start", "end", "status"),
        **singles("reservations", "email", "session_id"),
        "target_status_ix": ["status", "target", "id"],
    },
    "reservation_blockers": {
        **singles("reservation_blockers", "token", "target", "target_type"),
        **singles("reservation_blockers", "resource", "start", "end"),
        "blocker_target_ix": ["target", "id"],
    },
    "reservation_idempotency_keys": singles("reservation_idempotency_keys", "created"),
}

ENUMS = {
    "reserved_slot_source_type": ["reservation", "blocker"],
    "reservation_target_type": ["group", "allocation"],
    "reservation_status": ["pending", "approved"],
    "reservation_blocker_target_type": ["group", "allocation"],
}

KEYS = {
    "allocations": ["id"],
    "reserved_slots": ["resource", "start"],
    "reservations": ["id"],
    "reservation_blockers": ["id"],
    "reservation_idempotency_keys": ["resource", "key"],
}

tables = pytest.mark.parametrize("table", [pytest.param(t, id=t) for t in COLUMNS])


@pytest.fixture
def connection(empty_dsn, context, scheduler_factory):
    """A connection to a database that setup_database has filled."""
    context.set_setting("dsn", empty_dsn)
    scheduler = scheduler_factory()
    scheduler.setup_database()
    scheduler.commit()
    yield scheduler.session.connection()
    scheduler.close()
    context.get_service("session_provider").stop_service()


@tables
def test_columns(connection, table):
    """Each column has its name, its type and its nullability."""
    query = text("SELECT * FROM information_schema.columns WHERE table_name = :name")
    found = connection.execute(query, {"name": table}).mappings().all()
    shown = {
        row["column_name"]: (
            row["udt_name"] if row["data_type"] == "USER-DEFINED" else row["data_type"],
            row["is_nullable"],
        )
        for row in found
    }
    assert {name: shown.get(name) for name in COLUMNS[table]} == COLUMNS[table]
    ours = [row for row in found if row["column_name"] not in COLUMNS[table]]
    bad = [
        row["column_name"]
        for row in ours
        if row["is_nullable"] == NO and row["column_default"] is None
    ]
    assert bad == [], "rows of an older library could not be written"


@tables
def test_primary_key(connection, table):
    """Each table has its primary key; ids are numbered by the database."""
    inspector = inspect(connection)
    assert inspector.get_pk_constraint(table)["constrained_columns"] == KEYS[table]
    if KEYS[table] == ["id"]:
        (key,) = (c for c in inspector.get_columns(table) if c["name"] == "id")
        assert key["default"].startswith(f"nextval('{table}_id_seq'")


@tables
def test_indexes(connection, table):
    """Each index has its name and its columns."""
    found = {
        index["name"]: index["column_names"]
        for index in inspect(connection).get_indexes(table)
    }
    assert {name: found.get(name) for name in INDEXES[table]} == INDEXES[table]


def test_range_index(connection):
    """The times of slots are indexed as ranges."""
    query = text("SELECT indexdef FROM pg_indexes WHERE indexname = :name")
    found = connection.execute(query, {"name": "start_end_tsrange_ix"}).scalar_one()
    assert found.endswith('USING gist (tsrange(start, "end"))')


def test_unique_start(connection):
    """Two allocations of one resource never start at the same time."""
    found = inspect(connection).get_unique_constraints("allocations")
    columns = {unique["name"]: unique["column_names"] for unique in found}
    assert columns["resource_start_ix"] == ["resource", "_start"]


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in ENUMS])
def test_enums(connection, name):
    """Each enum has its name and its labels."""
    found = {e["name"]: e["labels"] for e in inspect(connection).get_enums()}
    assert found.get(name) == ENUMS[name]


def test_foreign_key(connection):
    """A slot refers to its allocation, and the database cascades nothing."""
    (key,) = inspect(connection).get_foreign_keys("reserved_slots")
    assert key["constrained_columns"] == ["allocation_id"]
    assert (key["referred_table"], key["referred_columns"]) == ("allocations", ["id"])
    assert "ondelete" not in key["options"]


def test_length_of_addresses(connection):
    """An address has 254 characters at most."""
    columns = inspect(connection).get_columns("reservations")
    (email,) = (column for column in columns if column["name"] == "email")
    assert email["type"].length == 254


def test_again(connection, scheduler):
    """Setting up a database that is set up already changes nothing."""
    before = inspect(connection).get_table_names()
    scheduler.setup_database()
    scheduler.commit()
    assert inspect(scheduler.session.connection()).get_table_names() == before


def test_only_own_tables():
    """Importing the library registers its own tables only, none called resources."""
    code = (
        "import libres, libres.db.scheduler, libres.db.queries\n"
        "from libres.db.models import ORMBase\n"
        "print(*ORMBase.metadata.tables)"
    )
    found = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    names = set(found.stdout.split())
    assert names >= set(COLUMNS)
    assert all(name.startswith("reservation_") for name in names - set(COLUMNS))


def test_clock(scheduler, clock):
    """What is created bears the time of the clock; what is modified, too."""
    scheduler.allocate((clock.now, clock.now + timedelta(hours=1)))
    scheduler.commit()
    allocation = scheduler.managed_allocations().one()
    assert (allocation.created, allocation.modified) == (clock.now, None)
    clock.advance(timedelta(minutes=1))
    allocation.quota = 2
    scheduler.commit()
    assert allocation.created == clock.now - timedelta(minutes=1)
    assert allocation.modified == clock.now


def test_timestamps_are_deferred(scheduler, clock):
    """The timestamps are loaded only when they are asked for."""
    scheduler.allocate((clock.now, clock.now + timedelta(hours=1)))
    scheduler.commit()
    scheduler.session.expunge_all()
    allocation = scheduler.managed_allocations().one()
    assert {"created", "modified"} <= inspect(allocation).unloaded
