"""Tells triggers who acts: by settings of the transaction, made as it begins.

Whoever does not say so is the role of the database: ``database:<role>``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, event, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from libres.context.transactions import plain_session

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import SessionTransaction, scoped_session


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts, and why."""

    actor: str = ""
    """``john``, a user; ``system:<job>``; empty: whoever the database knows."""

    request: str = ""
    reason: str = ""
    organization: str = ""
    """The reference of the organisation for which they act: row-level security shows
    its rows only."""

    tells_readers: bool = False
    """Transactions that only read are told as well: row-level security asks them."""


NOBODY: Final = Act()

_acting: ContextVar[Act] = ContextVar("libres.sync.acting", default=NOBODY)

NAMES: Final = ("actor", "request", "reason", "organization")

TELLING: Final = select(
    *(func.set_config(f"libres.{name}", bindparam(name), True) for name in NAMES)
)


@contextmanager
def acting(session: Session | scoped_session[Session], act: Act) -> Iterator[None]:
    """Act as somebody for a with-block, in all transactions of this thread.

    A transaction that runs already is told, and told again at the end of the block.
    """
    before = _acting.set(act)
    plain = plain_session(session)
    _tell_running(plain, act)
    try:
        yield
    except BaseException:
        _acting.reset(before)
        try:
            _tell_running(plain, _acting.get())
        except SQLAlchemyError:
            # It was aborted; if back to a savepoint only, it has to be told then.
            plain.info[_UNTOLD] = plain.connection()
        raise
    _acting.reset(before)
    _tell_running(plain, _acting.get())


def who_acts() -> Act:
    """Return who acts now."""
    return _acting.get()


def tell(connection: Connection, act: Act) -> None:
    """Tell a transaction who acts in it. One statement."""
    connection.execute(TELLING, {name: getattr(act, name) for name in NAMES})


def _tell_running(session: Session, act: Act) -> None:
    transaction = session.get_transaction()
    if transaction is not None and transaction.is_active:
        tell(session.connection(), act)


@event.listens_for(Session, "after_begin")
def _begun(
    _session: Any, transaction: SessionTransaction, connection: Connection
) -> None:
    act = _acting.get()
    if act is NOBODY or transaction.nested or connection.dialect.name != "postgresql":
        return
    options = connection.get_execution_options()
    if act.tells_readers or not options.get("postgresql_readonly"):
        tell(connection, act)


_UNTOLD: Final = "libres.sync.untold"


@event.listens_for(Session, "after_transaction_end")
def _ended(session: Session, transaction: SessionTransaction) -> None:
    # Within the block of a savepoint that is over the session itself takes nothing.
    connection: Connection | None = session.info.pop(_UNTOLD, None)
    if connection is not None and transaction.nested and session.is_active:
        tell(connection, _acting.get())
