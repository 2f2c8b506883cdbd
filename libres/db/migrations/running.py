"""Runs revisions on a database: in short transactions, one process at a time.

What a revision does ahead is only there to make its own transaction short: that does
whatever is left, and notes the revision. So it can be killed anywhere and run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from sqlalchemy import Connection, Engine, create_engine, func, select, text
from sqlalchemy.exc import DataError, DBAPIError

from libres.context.drivers import sqlstate
from libres.context.session import with_driver
from libres.context.transactions import classify
from libres.db.migrations import State
from libres.db.migrations.inspecting import check_adoptable, first_unreadable, shape_of
from libres.db.migrations.revisions import after, head, note, noted, steps_of
from libres.db.operations.setting_up import SETTING_UP
from libres.modules.errors import UpgradeImpossible, insist

if TYPE_CHECKING:
    from alembic.script import Script
    from sqlalchemy import URL

    from libres.db.migrations import Target
    from libres.db.migrations.steps import Short, Step

Report: TypeAlias = Callable[[str], object]

LOCK_SECONDS: Final = 2
"""How long others may have to wait behind us while we wait for a lock."""

ATTEMPTS: Final = 30
PAUSE: Final = 1.0
"""How often to try to get a lock, and the seconds between."""

PAGES: Final = 256
"""Pages of a table that are filled in one transaction: 2 MB, some 20,000 slots."""

MAKING_INDEXES: Final = SETTING_UP + 1
"""The key of the lock of who makes indexes concurrently."""

PASSING: Final = frozenset(
    {
        "55P03",  # lock_not_available
        "42P07",  # duplicate_table: somebody else was faster with an index
        "42710",  # duplicate_object
    }
)
"""What goes away by looking again."""


# Where ------------------------------------------------------------------------------


@contextmanager
def engine_for(target: str | URL | Engine) -> Iterator[Engine]:
    """Yield an engine that reads what others have committed meanwhile.

    A wait for the lock would otherwise end in a snapshot from before it.
    """
    if isinstance(target, Engine):
        yield target.execution_options(isolation_level="READ COMMITTED")
        return
    dsn = target if isinstance(target, str) else target.render_as_string(False)
    engine = create_engine(
        with_driver(dsn), pool_size=2, isolation_level="READ COMMITTED"
    )
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def connected(target: Target) -> Iterator[Connection]:
    """Yield a connection that only reads."""
    if isinstance(target, Connection):
        yield target
        return
    with engine_for(target) as engine, engine.connect() as connection:
        yield connection


def current(target: Target) -> State:
    """Tell how old the tables are."""
    with connected(target) as connection:
        return State(noted(connection), head(), shape_of(connection))


def upgrade(target: Target, concurrently: bool, report: Report) -> State:
    """Run the revisions that are missing."""
    if isinstance(target, Connection):
        insist(not concurrently, "Within a transaction nothing is made concurrently.")
        _upgrade_within(target, report)
        return current(target)
    with engine_for(target) as engine:
        _Upgrade(engine, concurrently, report).run()
        return current(engine)


def _upgrade_within(connection: Connection, report: Report) -> None:
    connection.execute(select(func.pg_advisory_xact_lock(SETTING_UP)))
    check_adoptable(connection)
    while (revision := after(noted(connection))) is not None:
        take(connection, revision, report)


def take(connection: Connection, revision: Script, report: Report) -> None:
    """Do in the transaction of *connection* what a revision says, and note it."""
    revision.module.upgrade(Taker(connection, report))
    note(connection, revision)


# Steps ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taker:
    """Takes steps in the transaction of a connection, those that are needed."""

    connection: Connection
    report: Report

    def __call__(self, step: Step) -> None:
        """Take a step. Raises UpgradeImpossible if it reads what is no JSON."""
        if holds(self.connection, step.unless):
            return
        self.report(step.says)
        try:
            with self.connection.begin_nested():
                for statement in step.sql:
                    self.connection.exec_driver_sql(statement)
        except DataError as error:
            self._explain(step, error)
            raise

    def _explain(self, step: Step, error: DataError) -> None:
        if step.casts is None:
            return
        row = first_unreadable(self.connection, step.casts)
        message = (
            f"The row of {step.casts} with the id {row} holds data that PostgreSQL "
            f"does not take for JSON ({_first_line(error)}): mend it, then upgrade "
            f"again."
        )
        raise UpgradeImpossible(message) from error


def holds(connection: Connection, condition: str) -> bool:
    """Evaluate a condition."""
    return bool(connection.execute(text(f"SELECT {condition}")).scalar_one())


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).partition("\n")[0]


# One revision after the other -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Upgrade:
    engine: Engine
    concurrently: bool
    report: Report

    def run(self) -> None:
        while (revision := self._next()) is not None:
            for step in self._pending(revision):
                self._ahead(step)
            name = f"revision {revision.revision}"
            self._patiently(partial(self._finish, revision), name)

    def _next(self) -> Script | None:
        with self.engine.connect() as connection:
            check_adoptable(connection)
            return after(noted(connection))

    def _finish(self, revision: Script) -> None:
        with self._transaction() as connection:
            check_adoptable(connection)
            # Another process may have been faster; then the next round sees that.
            if after(noted(connection)) is revision:
                _limit_locks(connection)
                take(connection, revision, self.report)

    def _pending(self, revision: Script) -> list[Step]:
        """Return the steps that are needed, and may be shortened ahead."""
        with self.engine.connect() as connection:
            return [
                step
                for step in steps_of(revision)
                if any(map(self._is_wanted, step.ahead))
                and not holds(connection, step.unless)
            ]

    def _is_wanted(self, short: Short) -> bool:
        return self.concurrently or short.manner != "concurrently"

    def _ahead(self, step: Step) -> None:
        for short in filter(self._is_wanted, step.ahead):
            if short.manner == "by pages":
                self._by_pages(step, short)
            elif short.manner == "once":
                self._patiently(partial(self._once, short), step.says)
            elif short.manner == "concurrently":
                self.report(f"{step.says} concurrently")
                self._patiently(partial(self._beside, short), step.says)

    def _once(self, short: Short, pages: str = "true") -> None:
        with self._transaction() as connection:
            if not holds(connection, short.unless):
                _limit_locks(connection)
                connection.exec_driver_sql(short.sql.replace("{pages}", pages))

    def _by_pages(self, step: Step, short: Short) -> None:
        with self.engine.connect() as connection:
            if holds(connection, short.unless):
                return
            count = _pages_of(connection, short.table)
        for first in range(0, count, PAGES):
            self.report(f"{step.says}: {100 * first // count} %")
            pages = f"ctid >= '({first},0)' AND ctid < '({first + PAGES},0)'"
            self._patiently(partial(self._once, short, pages), step.says)

    def _beside(self, short: Short) -> None:
        """Run a statement that wants no transaction, alone among those who do so."""
        with self._alone(), self._autocommit() as connection:
            if not holds(connection, short.unless):
                connection.exec_driver_sql(short.sql)

    @contextmanager
    def _autocommit(self) -> Iterator[Connection]:
        # Said of the connection, as of an engine the level of its parent would win.
        with self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold a lock without a snapshot, which the maker of an index would wait for.

        So the lock is never waited for but asked for again and again; and asked for
        with no parameters, as psycopg 3 would keep the cursor of that open.
        """
        ask = f"SELECT pg_try_advisory_xact_lock({MAKING_INDEXES})"
        with self.engine.connect() as connection:
            while not connection.exec_driver_sql(ask).scalar_one():
                connection.rollback()
                time.sleep(PAUSE)
            connection.exec_driver_sql(
                "SET LOCAL idle_in_transaction_session_timeout = 0"
            )
            yield

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Yield a transaction, after those of others who set up the same database."""
        with self.engine.begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(SETTING_UP)))
            yield connection

    def _patiently(self, do: Callable[[], None], what: str) -> None:
        """Do it again while others hold the locks it needs."""
        for attempt in range(ATTEMPTS):
            try:
                return do()
            except DBAPIError as error:
                if not _is_passing(error):
                    raise
                if attempt == ATTEMPTS - 1:
                    raise _in_the_way(what, error) from error
            self.report(f"waits for other transactions: {what}")
            time.sleep(PAUSE)
        return None


def _limit_locks(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def _pages_of(connection: Connection, table: str) -> int:
    count = text(
        f"SELECT pg_relation_size('{table}') / current_setting('block_size')::bigint"
    )
    return int(connection.execute(count).scalar_one())


def _is_passing(error: DBAPIError) -> bool:
    return sqlstate(error) in PASSING or classify(error) == "retryable"


def _in_the_way(what: str, error: DBAPIError) -> UpgradeImpossible:
    message = (
        f"Other transactions kept getting in the way of {what} "
        f"({_first_line(error)}). Nothing is half done: end them, or stop the "
        f"application, and upgrade again."
    )
    return UpgradeImpossible(message)
