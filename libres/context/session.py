"""Connects a context to PostgreSQL: one engine, one session per thread."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import NullPool, QueuePool

from libres.context.core import StoppableService
from libres.modules.errors import insist

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

__all__ = ("OLDEST_POSTGRES", "SERIALIZABLE", "SessionProvider")

SERIALIZABLE: Final = "SERIALIZABLE"
"""The isolation level: what is judged on what was read stays true at the commit."""

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
    """The default session provider: a pool of connections and a session per thread.

    The server is asked for its version on construction, with a connection of its own;
    the pool connects on first use. *engine_config* goes to ``create_engine`` (the
    place for ``json_serializer``), *session_config* to ``sessionmaker``.

    Raises RuntimeError if the server is older than PostgreSQL 15, Misuse if the DSN is
    not one of PostgreSQL, TypeError if *engine_config* repeats a key set here.
    """

    dsn: str
    engine: Engine
    session: scoped_session[Session]

    def __init__(
        self,
        dsn: str,
        engine_config: Mapping[str, Any] | None = None,
        session_config: Mapping[str, Any] | None = None,
    ) -> None:
        self.dsn = self.assert_valid_postgres_version(dsn)
        self.engine = create_engine(
            with_driver(dsn),
            poolclass=QueuePool,
            pool_size=5,
            max_overflow=5,
            isolation_level=SERIALIZABLE,
            **(engine_config or {}),
        )
        self.session = scoped_session(
            sessionmaker(bind=self.engine, **(session_config or {}))
        )

    @staticmethod
    def get_postgres_version(dsn: str) -> tuple[str, int]:
        """Ask the server for its version: ``('15.4', 150004)``.

        Raises Misuse if the DSN is not one of PostgreSQL.
        """
        # The DSN is not repeated in the message: it may hold a password.
        insist("postgres" in str(dsn), _WRONG_DSN)
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
        """Close the session of this thread and every connection not in use.

        What is in use elsewhere is closed when it is returned. The provider can be
        used again afterwards.
        """
        self.session.close()
        self.engine.dispose()


_VERSION: Final = text(
    "SELECT current_setting('server_version'), current_setting('server_version_num')"
)


_WRONG_DSN: Final = (
    "Not a postgres database: set the setting 'dsn' of the context to a URL such as "
    "postgresql+psycopg2://user@host/name."
)
