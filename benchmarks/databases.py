"""Keeps the databases of a run: on a server of their own, or on a named one."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from sqlalchemy import URL, Engine, create_engine, make_url

from libres import embedded
from libres.context.registry import create_default_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from libres.context.core import Context


class Databases:
    """Creates databases on one server; drops those that it has created."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._prefix = f"libres_benchmark_{os.getpid()}_"
        self._created: set[str] = set()

    def create(self, name: str, template: str | None = None) -> str:
        """Create a database, empty or as a clone, and return its URL."""
        copied = f' TEMPLATE "{self._full(template)}"' if template else ""
        self._maintain(f'CREATE DATABASE "{self._full(name)}"{copied}')
        self._created.add(name)
        return self.dsn(name)

    def settle(self, name: str) -> None:
        """Do now what the server would do in the background while others measure."""
        self.execute(name, "VACUUM ANALYZE")
        with suppress(psycopg2.errors.InsufficientPrivilege):  # on a named server
            self.execute(name, "CHECKPOINT")

    def drop(self, name: str) -> None:
        """Drop a database, whoever uses it."""
        self._maintain(f'DROP DATABASE IF EXISTS "{self._full(name)}" WITH (FORCE)')
        self._created.discard(name)

    def drop_all(self) -> None:
        """Drop what was created."""
        for name in sorted(self._created):
            self.drop(name)

    def execute(self, name: str, *statements: str) -> list[tuple[Any, ...]]:
        """Execute statements in a database, each by itself; return the last rows."""
        return self._execute(self._url.set(database=self._full(name)), statements)

    def dsn(self, name: str) -> str:
        """Return the URL of a database, with the driver that both libraries use."""
        url = self._url.set(drivername="postgresql+psycopg2", database=self._full(name))
        return url.render_as_string(hide_password=False)

    def version(self) -> str:
        """Return the version of the server."""
        [[version]] = self._maintain("SHOW server_version")
        return str(version)

    def _full(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _maintain(self, statement: str) -> list[tuple[Any, ...]]:
        return self._execute(self._url, [statement])

    @staticmethod
    def _execute(url: URL, statements: Any) -> list[tuple[Any, ...]]:
        dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with closing(psycopg2.connect(dsn)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []


@contextmanager
def databases(named: str | None = None) -> Iterator[Databases]:
    """Give databases on the named server, or on one that is gone afterwards."""
    with _server(named) as dsn:
        made = Databases(make_url(dsn.replace("postgres://", "postgresql://", 1)))
        try:
            yield made
        finally:
            made.drop_all()


@contextmanager
def _server(named: str | None) -> Iterator[str]:
    if named:
        yield named
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            yield embedded.dsn(Path(folder))
        finally:
            embedded.stop(Path(folder))


@contextmanager
def bound(made: Databases, name: str) -> Iterator[tuple[Context, Engine]]:
    """Create a database and bind a context to it; drop it afterwards."""
    made.create(name)
    url = make_url(made.dsn(name)).set(drivername="postgresql+psycopg")
    dsn = url.render_as_string(hide_password=False)
    engine = create_engine(dsn)
    context = create_default_registry().register_context("bench")
    context.set_setting("dsn", dsn)
    yield context, engine
    context.get_service("session_provider").stop_service()
    engine.dispose()
    made.drop(name)
