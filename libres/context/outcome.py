"""Finds out what became of a COMMIT that nobody has answered.

PostgreSQL numbers a transaction at its first write and remembers for long what became
of it. So the number is asked for right before the COMMIT; if the connection is lost
then, it is looked up through another one. Where that cannot tell, as after a failover
or with Citus, the *traces* can: records of this transaction alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from sqlalchemy import event as hooks
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError, SQLAlchemyError
from sqlalchemy.orm.session import SessionTransactionState

from libres.context.drivers import sqlstate

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row
    from sqlalchemy.orm import SessionTransaction

__all__ = ("Outcome", "Trace", "Witness", "close", "finish", "is_over", "watched")

Outcome: TypeAlias = Literal["committed", "undone", "unknown"]
"""``undone``: it was not committed and never will be."""

Trace: TypeAlias = Callable[["Connection"], bool]
"""Tells through a connection whether a record of one transaction exists."""


class Waiting(Protocol):
    """Pauses before the next question; False once it took too long."""

    def __call__(self, asked: int, /) -> bool: ...


@dataclass(slots=True)
class Witness:
    """What is known of a transaction when its COMMIT is sent."""

    connection: Connection | None
    """None if there is none for the whole session, which tells nothing."""

    traces: Sequence[Trace] = ()
    sent: bool = False
    number: str | None = None
    """None: it has written nothing."""

    search_path: str = ""
    """Where its tables are, for the traces."""

    life: str | None = None
    """Which run of the server has given the number; a crash begins another one."""

    @property
    def may_be_sent(self) -> bool:
        """Whether the COMMIT was sent, as far as one could see."""
        return self.sent or self.connection is None

    def note(self, connection: Connection) -> None:
        """Ask for the number, as the last statement before the COMMIT."""
        found = connection.exec_driver_sql(_IDENTITY).one()
        self.number, self.search_path, self.life = found
        self.sent = True

    def find_out(self, wait: Waiting) -> Outcome:
        """Ask until there is an answer, or until *wait* says that it took too long.

        The server may be restarting, or still busy with the COMMIT.
        """
        if self.connection is None or not self.sent:
            return "unknown"
        if self.number is None:
            return "undone"
        return self._answer(self.connection, wait)

    def _answer(self, connection: Connection, wait: Waiting) -> Outcome:
        is_lost = connection.invalidated
        connection.invalidate()  # makes room in the pool for the other one
        asked = 1
        while (outcome := self._ask(connection, reliable=is_lost)) is None:
            if not wait(asked):
                return "unknown"
            asked += 1
        return outcome

    def _ask(self, connection: Connection, *, reliable: bool) -> Outcome | None:
        """Ask once; None: nobody can tell yet.

        That it is said to be aborted is *reliable* unless it was Citus that failed:
        what it has written on other nodes may have been committed there.
        """
        try:
            status = self._status(connection)
            if status in ("committed", "in progress"):
                return "committed" if status == "committed" else None
            traced = self._is_traced(connection)
        except SQLAlchemyError:
            return None
        undone = traced is False or (reliable and status == "aborted")
        return "committed" if traced else "undone" if undone else "unknown"

    def _status(self, connection: Connection) -> str | None:
        try:
            with connection.engine.connect() as other:
                row = other.execute(_STATUS, {"number": self.number}).one()
        except DBAPIError as error:
            if _is_in_the_future(error):
                return None
            raise
        return None if row.status is None or self._is_reused(row) else str(row.status)

    def _is_reused(self, row: Row[Any]) -> bool:
        """May the number be that of another transaction, which was committed?

        What a crash has kept from the disk is forgotten, its numbers included.
        """
        is_other_life = self.life is not None and row.life != self.life
        return is_other_life and row.status == "committed"

    def _is_traced(self, connection: Connection) -> bool | None:
        """Look for the traces; None: there are none, or none that could be read."""
        if not self.traces:
            return None
        with connection.engine.connect() as other, suppress(ProgrammingError):
            other.execute(_SAME_PATH, {"path": self.search_path})
            return any(trace(other) for trace in self.traces)
        return None


# Statistics begin anew after a crash, and only then.
_LIFE: Final = "(SELECT CAST(extract(epoch FROM stats_reset) AS text) FROM pg_stat_wal)"
_IDENTITY: Final = (
    "SELECT pg_current_xact_id_if_assigned()::text, current_setting('search_path'), "
    + _LIFE
)
_SAME_PATH: Final = text("SELECT set_config('search_path', :path, true)")

# What a standby has not heard of yet, it takes for aborted.
_STATUS: Final = text(
    "SELECT CASE WHEN pg_is_in_recovery() THEN 'in progress' "
    "ELSE pg_xact_status(CAST(CAST(:number AS text) AS xid8)) END AS status, "
    f"{_LIFE} AS life"
)


def _is_in_the_future(error: DBAPIError) -> bool:
    """Has the server not got that far? Then it is another one, or an older state."""
    return sqlstate(error) == "22023"  # invalid_parameter_value


@contextmanager
def watched(
    connection: Connection | None, traces: Sequence[Trace]
) -> Iterator[Witness]:
    """Witness the COMMIT of a connection within a with-block."""
    witness = Witness(connection, traces)
    if connection is None:
        yield witness
        return
    hooks.listen(connection, "commit", witness.note)
    try:
        yield witness
    finally:
        hooks.remove(connection, "commit", witness.note)


def is_over(transaction: SessionTransaction) -> bool:
    """Tell whether the COMMIT of a transaction is behind it: then a hook has failed."""
    return transaction._state in _BEHIND_IT


_BEHIND_IT: Final = (SessionTransactionState.COMMITTED, SessionTransactionState.CLOSED)


def finish(transaction: SessionTransaction) -> None:
    """Bring a session into the state after a COMMIT that was done, but not answered.

    Does what the rest of ``SessionTransaction.commit`` would have done, for which
    SQLAlchemy has no public name: hooks are called, objects expire, the deleted ones
    are detached.
    """
    transaction._state = SessionTransactionState.COMMITTED
    transaction.session.dispatch.after_commit(transaction.session)
    close(transaction)


def close(transaction: SessionTransaction) -> None:
    """End a transaction that was committed, if a hook has kept it from ending."""
    if transaction._state is SessionTransactionState.COMMITTED:
        transaction._remove_snapshot()
        transaction.close()
