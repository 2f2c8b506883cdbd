"""Breaks a transaction at a statement or at its COMMIT, as PostgreSQL would do it."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from sqlalchemy import Connection, Engine

Fault: TypeAlias = Literal["40001", "40P01", "lost", "cut"]
"""A SQLSTATE, a connection whose backend is ended, or one that is cut silently."""

FAULTS: tuple[Fault, ...] = ("40001", "40P01", "lost", "cut")

RAISE = "DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{}'; END $$"

AT_COMMIT = """
    CREATE TABLE IF NOT EXISTS faults_at_commit (code text);
    CREATE OR REPLACE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = NEW.code; END $$;
    DROP TRIGGER IF EXISTS fail_at_commit ON faults_at_commit;
    CREATE CONSTRAINT TRIGGER fail_at_commit AFTER INSERT ON faults_at_commit
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_at_commit();
"""
"""Whatever stands in this table is raised by the COMMIT."""


@dataclass
class Injector:
    """Strikes once: before statement number *at*, or at the COMMIT if that is 0."""

    fault: Fault | None
    at: int
    other: psycopg.Connection
    """Ends backends."""
    statements: list[str] = field(default_factory=list)
    struck: bool = False

    def before_statement(
        self,
        connection: Connection,
        _cursor: Any,
        statement: str,
        values: Any,
        _context: Any,
        executemany: bool,
    ) -> tuple[str, Any]:
        """Count; end the connection, or send something that fails instead."""
        self.statements.append(statement)
        if self.struck or len(self.statements) != self.at:
            return statement, values
        self.struck = True
        if self.break_link(connection):
            return statement, values
        return RAISE.format(self.fault), [()] if executemany else ()

    def before_commit(self, connection: Connection) -> None:
        """End the connection, or see to it that the COMMIT fails."""
        if self.struck or self.at != 0:
            return
        self.struck = True
        if not self.break_link(connection):
            sql = f"INSERT INTO faults_at_commit VALUES ('{self.fault}')"  # noqa: S608 - our own constants
            connection.exec_driver_sql(sql)

    def break_link(self, connection: Connection) -> bool:
        """End or cut the connection, if that is the fault; tell whether it is."""
        driver: Any = connection.connection.driver_connection
        if self.fault == "lost":
            backend = driver.info.backend_pid
            self.other.execute("SELECT pg_terminate_backend(%s, 10000)", [backend])
        elif self.fault == "cut":
            with socket.socket(fileno=os.dup(driver.fileno())) as link:
                link.shutdown(socket.SHUT_RDWR)
        return self.fault in ("lost", "cut")


@contextmanager
def injecting(
    engine: Engine, other: psycopg.Connection, fault: Fault | None = None, at: int = 0
) -> Iterator[Injector]:
    """Let a fault strike the first transaction of a with-block."""
    injector = Injector(fault, at, other)
    event.listen(
        engine, "before_cursor_execute", injector.before_statement, retval=True
    )
    event.listen(engine, "commit", injector.before_commit)
    try:
        yield injector
    finally:
        event.remove(engine, "before_cursor_execute", injector.before_statement)
        event.remove(engine, "commit", injector.before_commit)
