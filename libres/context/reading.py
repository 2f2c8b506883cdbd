"""Lets a thread read in a session of its own, which cannot write.

What is shown on a page decides nothing, so it need not be SERIALIZABLE, and may come
from a replica. What is to be written is judged by what the writing session reads.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import event as hooks

from libres.context.transactions import Decorator, holds_changes, plain_session
from libres.modules.errors import (
    DirtyReadOnlySession,
    ModifiedReadOnlySession,
    insist,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from sqlalchemy.engine import Engine, ExceptionContext
    from sqlalchemy.orm import Session

__all__ = ("Block", "Reading", "make_read_only", "name_replica", "read_only")


class Reading(threading.local):
    """The session in which the present thread only reads; None: it may write."""

    session: Session | None = None


class Block(Decorator, Protocol):
    """A with-block that reads, or a decorator of functions that do nothing else."""

    def __enter__(self) -> Session: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> bool | None: ...


@contextmanager
def read_only(reading: Reading, get_provider: Callable[[], Any]) -> Iterator[Session]:
    """Read in the ``read_only_session()`` of a provider for a with-block.

    Blocks inside of each other share the session of the outermost one, which closes it.

    Raises Misuse if the provider has no such session, DirtyReadOnlySession if its
    other session holds changes, which could not be seen, and ModifiedReadOnlySession
    at the end of a block that has changed objects.
    """
    if reading.session is not None:
        yield reading.session
        return
    provider = get_provider()
    session = _session_of(provider)
    _assert_all_is_committed(plain_session(provider.session()))
    reading.session = session
    try:
        yield session
        _assert_unmodified(session)
    finally:
        reading.session = None
        session.close()


def _session_of(provider: Any) -> Session:
    make: Any = getattr(provider, "read_only_session", None)
    insist(callable(make), _NO_READ_ONLY_SESSION.format(type(provider).__name__))
    return plain_session(make())


def _assert_all_is_committed(session: Session) -> None:
    if holds_changes(session):
        raise DirtyReadOnlySession


def _assert_unmodified(session: Session) -> None:
    # Not session.dirty alone: it counts what was set to the value that it had.
    if session.new or session.deleted or any(map(session.is_modified, session.dirty)):
        raise ModifiedReadOnlySession


_NO_READ_ONLY_SESSION: Final = (
    "The session provider of this context, {}, cannot be read from: give it a method "
    "read_only_session(), which returns a session of its own for the thread."
)


def make_read_only(engine: Engine) -> Engine:
    """Let PostgreSQL refuse whatever *engine* writes, as ModifiedReadOnlySession.

    The drivers say READ ONLY in each BEGIN, so a connection keeps nothing of it.
    """
    hooks.listen(engine, "handle_error", _refuse_writing)
    return engine.execution_options(postgresql_readonly=True)


def _refuse_writing(context: ExceptionContext) -> None:
    error = context.original_exception
    if type(error).__name__ == READ_ONLY_TRANSACTION:
        raise ModifiedReadOnlySession from error


READ_ONLY_TRANSACTION: Final = "ReadOnlySqlTransaction"
"""SQLSTATE 25006. Both drivers name it so, and neither has to be imported."""


def name_replica(engine: Engine) -> None:
    """Let errors of a lost connection of *engine* tell that it was the replica's."""
    hooks.listen(engine, "handle_error", _name_replica)


def _name_replica(context: ExceptionContext) -> None:
    error = context.sqlalchemy_exception
    if error is not None and (context.connection is None or context.is_disconnect):
        error.add_detail(_REPLICA)


_REPLICA: Final = (
    "This connection is the one to the replica, named by replica_dsn: start the "
    "replica, or read outside of read_only() until it runs again."
)
