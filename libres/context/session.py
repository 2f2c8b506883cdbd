"""Connects a context to PostgreSQL: two engines, one session of each per thread.

One engine writes, the other one only reads, from a replica if there is one.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import NullPool, QueuePool

from libres.context import reading
from libres.context.core import StoppableService
from libres.modules.errors import insist

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

__all__ = ("OLDEST_POSTGRES", "REPEATABLE_READ", "SERIALIZABLE", "SessionProvider")

SERIALIZABLE: Final = "SERIALIZABLE"
"""The isolation level: what is judged on what was read stays true at the commit."""

REPEATABLE_READ: Final = "REPEATABLE READ"
"""The level of what only reads: one snapshot. A hot standby has no SERIALIZABLE."""

OLDEST_POSTGRES: Final = 15
"""The oldest major version of PostgreSQL that is supported."""


def with_driver(dsn: str) -> URL:
    """Read a DSN; without a driver it gets SQLAlchemy's own choice, if installed.

    SQLAlchemy 2.0 chooses psycopg2 and 2.1 psycopg; libres brings psycopg2 along.
    """
    url = make_url(str(dsn).replace("postgres://", "postgresql://", 1))
    if "+" in url.drivername or find_spec(url.get_driver_name()):
        return url
    return url.set(drivername=f"{url.drivername}+psycopg2")


class SessionProvider(StoppableService):
    """The default session provider: pools of connections, and sessions per thread.

    ``session`` writes; ``read_only_session`` is what ``Context.read_only`` reads in.
    It has a pool of the same size for itself, on *replica_dsn* if that is given,
    else on *dsn*.

    The server is asked for its version on construction, with a connection of its own;
    the pools connect on first use, to the replica as well. *engine_config* goes to
    ``create_engine`` (the place for ``json_serializer``), *session_config* to
    ``sessionmaker``, for both alike.

    Raises RuntimeError if the server is older than PostgreSQL 15, Misuse if a DSN is
    not one of PostgreSQL, TypeError if *engine_config* repeats a key set here.
    """

    dsn: str
    replica_dsn: str | None
    engine: Engine
    session: scoped_session[Session]
    read_only_engine: Engine
    read_only_session: scoped_session[Session]

    def __init__(
        self,
        dsn: str,
        engine_config: Mapping[str, Any] | None = None,
        session_config: Mapping[str, Any] | None = None,
        replica_dsn: str | None = None,
    ) -> None:
        self.dsn = self.assert_valid_postgres_version(dsn)
        self.replica_dsn = replica_dsn
        self.engine = _engine(dsn, SERIALIZABLE, engine_config)
        self.session = _sessions(self.engine, session_config)
        self.read_only_engine = _read_only_engine(dsn, replica_dsn, engine_config)
        self.read_only_session = _sessions(self.read_only_engine, session_config)

    @staticmethod
    def get_postgres_version(dsn: str) -> tuple[str, int]:
        """Ask the server for its version: ``('15.4', 150004)``.

        Raises Misuse if the DSN is not one of PostgreSQL.
        """
        _insist_on_postgres(dsn)
        engine = create_engine(with_driver(dsn), poolclass=NullPool)
        with engine.connect() as connection:
            version, number = connection.execute(_VERSION).one()
        return version, int(number)

    def assert_valid_postgres_version(self, dsn: str) -> str:
        """Return *dsn* itself, if its server is recent enough.

        Raises RuntimeError if it is older than PostgreSQL 15, Misuse if the DSN is not
        one of PostgreSQL.
        """
        version, number = self.get_postgres_version(dsn)
        if number < OLDEST_POSTGRES * 10_000:
            message = (
                f"PostgreSQL {OLDEST_POSTGRES} or newer is needed, but this server is "
                f"PostgreSQL {version}: upgrade it, or use another one."
            )
            raise RuntimeError(message)
        return dsn

    def stop_service(self) -> None:
        """Close the sessions of this thread and every connection not in use.

        What is in use elsewhere is closed when it is returned. The provider can be
        used again afterwards.
        """
        self.session.close()
        self.engine.dispose()
        self.read_only_session.close()
        self.read_only_engine.dispose()


def _engine(dsn: str, level: str, config: Mapping[str, Any] | None) -> Engine:
    return create_engine(
        with_driver(dsn),
        poolclass=QueuePool,
        pool_size=5,
        max_overflow=5,
        isolation_level=level,
        **(config or {}),
    )


def _read_only_engine(
    dsn: str, replica_dsn: str | None, config: Mapping[str, Any] | None
) -> Engine:
    if replica_dsn is None:
        return reading.make_read_only(_engine(dsn, REPEATABLE_READ, config))
    _insist_on_postgres(replica_dsn)
    engine = _engine(replica_dsn, REPEATABLE_READ, config)
    reading.name_replica(engine)
    return reading.make_read_only(engine)


def _sessions(
    engine: Engine, config: Mapping[str, Any] | None
) -> scoped_session[Session]:
    return scoped_session(sessionmaker(bind=engine, **(config or {})))


def _insist_on_postgres(dsn: object) -> None:
    # The DSN is not repeated in the message: it may hold a password.
    insist("postgres" in str(dsn), _WRONG_DSN)


_VERSION: Final = text(
    "SELECT current_setting('server_version'), current_setting('server_version_num')"
)


_WRONG_DSN: Final = (
    "Not a postgres database: set the setting 'dsn' of the context, or replica_dsn, to "
    "a URL such as postgresql+psycopg2://user@host/name."
)
