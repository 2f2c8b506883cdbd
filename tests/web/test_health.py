"""Health: what is told to those who watch over the application."""

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from libres.context.registry import create_default_registry
from libres.db import migrations
from libres.web import create_app, pulse
from libres.web.pulse import Doctor, Pulse
from tests.web.conftest import SETTINGS, Client


@pytest.fixture(autouse=True)
def anew(monkeypatch):
    """Nothing is told a second time without asking."""
    monkeypatch.setattr(pulse, "FRESH", 0.0)


@pytest.fixture
def execute(dsn):
    """Runs a statement in the database of the application."""

    def run(statement):
        with create_engine(dsn, poolclass=NullPool).begin() as connection:
            connection.execute(text(statement))

    return run


def test_well(anyone):
    """A database with all tables is well, and everybody may know."""
    found = anyone.get("/health")
    assert found.status_code == 200, found.text
    assert found.json["status"] == "well"
    assert found.json["database"] == "reached"
    assert found.json["tables"]["core"] == "current"
    assert found.json["tables"]["web"] == "current"


def test_key_is_not_read(anyone):
    """A wrong key is no hindrance, so a monitor needs no database for it."""
    found = anyone.get("/health", headers={"Authorization": "Bearer wrong"})
    assert found.status_code == 200


@pytest.mark.damaged("tables are incomplete, so they cannot be audited")
@pytest.mark.parametrize(
    ("statement", "room"),
    [
        ("DROP TABLE reservation_idempotency_keys", "core"),
        ("ALTER TABLE reserved_slots DROP source_id", "core"),
        ("ALTER TABLE web_keys DROP revoked", "web"),
        ("ALTER TABLE occ_spaces DROP policy", "occupancy"),
    ],
    ids=["a table", "a column", "a column of ours", "a column of a room"],
)
def test_outdated(anyone, execute, statement, room):
    """A table or a column that is missing is told with its room."""
    execute(statement)
    answer = anyone.get("/health")
    assert answer.status_code == 503
    assert answer.json["status"] == "unhealthy"
    assert answer.json["tables"][room] == "outdated"


def test_optional():
    """A room that was never set up is no illness, as long as it is an optional one."""
    tables = {"core": "current", "web": "current", "timetable": "missing"}
    assert Pulse(is_reached=True, tables=tables).is_well
    assert not Pulse(is_reached=True, tables={**tables, "web": "missing"}).is_well


@pytest.mark.parametrize(
    ("revision", "noted", "status"),
    [("0001", "outdated", 503), ("0004", "current", 200), ("9999", "newer", 200)],
)
def test_migrations(anyone, execute, dsn, revision, noted, status):
    """An old note is an illness; a newer one was left by who takes over."""
    migrations.upgrade(dsn)
    execute(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '{revision}'")  # noqa: S608 - our own
    answer = anyone.get("/health")
    assert answer.json["migrations"] == noted
    assert answer.status_code == status


def test_newest(dsn):
    """The newest revision is known without Alembic, and is the one it knows."""
    assert pulse._newest() == migrations.current(dsn).head


def test_unreachable():
    """Without a database it says so, and nothing of where it should have been."""
    context = create_default_registry().register_context("nowhere")
    context.set_setting("dsn", "postgresql+psycopg2://me:hunter2@127.0.0.1:1/x")
    found = Client(create_app(context, SETTINGS)).get("/health")
    assert found.status_code == 503
    assert found.json == {
        "status": "unhealthy",
        "database": "unreachable",
        "tables": {},
        "migrations": "none noted",
    }
    assert "hunter2" not in found.text


def test_patience(context, monkeypatch):
    """A database that does not answer is unreachable soon, and is asked once."""
    asked = []
    blocked = pulse.Lock()
    blocked.acquire()

    def hang(_context):
        asked.append(1)
        with blocked:
            return Pulse(is_reached=True)

    monkeypatch.setattr(pulse, "_pulse", hang)
    monkeypatch.setattr(pulse, "PATIENCE", 0.05)
    doctor = Doctor(context)
    assert not doctor.pulse().is_reached
    assert not doctor.pulse().is_reached
    assert len(asked) == 1
    blocked.release()
    monkeypatch.setattr(pulse, "PATIENCE", 10)
    assert doctor.pulse().is_reached


def test_fresh(context, monkeypatch):
    """Many who ask within a second make one question."""
    asked = []
    monkeypatch.setattr(pulse, "FRESH", 60)
    monkeypatch.setattr(pulse, "_pulse", lambda _: asked.append(1) or Pulse(True))
    doctor = Doctor(context)
    assert [doctor.pulse().is_well for _ in range(5)] == [True] * 5
    assert len(asked) == 1
