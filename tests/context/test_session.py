"""The session provider on a real server."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.pool import QueuePool

from libres.context.core import ContextServicesMixin
from libres.context.registry import create_default_registry
from libres.context.session import SERIALIZABLE, SessionProvider


@pytest.fixture
def provider(driver_dsn):
    provider = SessionProvider(driver_dsn)
    yield provider
    provider.stop_service()


def test_constant():
    """The isolation level is spelt as SQLAlchemy spells it."""
    assert SERIALIZABLE == "SERIALIZABLE"


def test_engine(provider, driver_dsn):
    """A pool of five connections and five more."""
    assert provider.dsn == driver_dsn
    assert isinstance(provider.engine.pool, QueuePool)
    assert provider.engine.pool.size() == 5
    assert provider.engine.pool._max_overflow == 5


def test_isolation(provider):
    """Transactions are serialisable."""
    level = provider.session().execute(text("SHOW transaction_isolation"))
    assert level.scalar_one() == "serializable"


def test_connects_late(provider):
    """Construction leaves no connection behind, neither open nor pooled."""
    assert provider.engine.pool.checkedin() == 0
    assert provider.engine.pool.checkedout() == 0


def test_session_per_thread(provider):
    """A thread has one session; another thread has another one."""
    mine = provider.session()
    theirs = []
    thread = threading.Thread(target=lambda: theirs.append(provider.session()))
    thread.start()
    thread.join()
    assert isinstance(provider.session, scoped_session)
    assert provider.session() is mine
    assert theirs != [mine]


def test_session_defaults(provider):
    """Autoflush and expire_on_commit are on, as SQLAlchemy has them."""
    session = provider.session()
    assert session.autoflush
    assert session.expire_on_commit


def test_configs(driver_dsn):
    """Both configurations are passed on."""

    class HostSession(Session):
        pass

    provider = SessionProvider(
        driver_dsn,
        engine_config={"json_serializer": str, "echo": False},
        session_config={"class_": HostSession, "expire_on_commit": False},
    )
    assert isinstance(provider.session(), HostSession)
    assert not provider.session().expire_on_commit
    assert provider.engine.dialect._json_serializer is str
    provider.stop_service()


@pytest.mark.parametrize("key", ["poolclass", "pool_size", "isolation_level"])
def test_repeated_key(driver_dsn, key):
    """What the library sets itself cannot be set again."""
    with pytest.raises(TypeError, match=key):
        SessionProvider(driver_dsn, engine_config={key: None})


def test_version(provider, driver_dsn):
    """The version comes as a text and as a number."""
    version, number = provider.get_postgres_version(driver_dsn)
    assert version.startswith(f"{number // 10_000}.")
    assert number >= 150_000
    assert provider.assert_valid_postgres_version(driver_dsn) == driver_dsn


@pytest.mark.parametrize(
    ("version", "number", "old"),
    [
        ("9.1", 90_100, True),
        ("14.19", 140_019, True),
        ("15.0", 150_000, False),
        ("18.1", 180_001, False),
    ],
)
def test_oldest_version(monkeypatch, driver_dsn, version, number, old):
    """Below PostgreSQL 15 the error names both versions."""
    monkeypatch.setattr(
        SessionProvider,
        "get_postgres_version",
        staticmethod(lambda _: (version, number)),
    )
    if old:
        with pytest.raises(RuntimeError, match=rf"15 or newer.*{version}"):
            SessionProvider(driver_dsn)
    else:
        assert SessionProvider(driver_dsn).dsn == driver_dsn


@pytest.mark.parametrize("dsn", ["sqlite://", "mysql://u:secret@h/d", "", None])
def test_not_postgres(dsn):
    """Another database is refused, without repeating its password."""
    with pytest.raises(AssertionError, match="Not a postgres database") as raised:
        SessionProvider(dsn)
    assert "secret" not in str(raised.value)


def test_stop_at_once(driver_dsn):
    """Stopping works right after construction, twice as well."""
    provider = SessionProvider(driver_dsn)
    provider.stop_service()
    provider.stop_service()


def test_stop_closes(provider):
    """Stopping gives the connections of this thread back and closes them."""
    session = provider.session()
    pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    provider.stop_service()
    assert not session.in_transaction()
    assert session.execute(text("SELECT pg_backend_pid()")).scalar_one() != pid


def test_from_context(context):
    """The context makes its provider once, from its own DSN."""
    provider = context.get_service("session_provider")
    assert provider.dsn == context.get_setting("dsn")
    assert context.get_service("session_provider") is provider


def test_replacing_stops(context):
    """A new session provider stops the one before and is used at once."""

    class User(ContextServicesMixin):
        def __init__(self):
            self.context = context

    user = User()
    before = user.session
    before.execute(text("SELECT 1"))
    context.set_service(
        "session_provider",
        lambda asking: SessionProvider(asking.get_setting("dsn")),
        cache=True,
    )
    assert not before.in_transaction()
    assert user.session is not before
    context.get_service("session_provider").stop_service()


def test_master_with_own_dsn(dsn):
    """The provider of a locked context is made on first use."""
    master = create_default_registry().master_context
    master.unlock()
    master.set_setting("dsn", dsn)
    master.lock()
    provider = master.get_service("session_provider")
    assert master.get_service("session_provider") is provider
    provider.stop_service()
