"""Opens transactions apart from that of the session: short, and READ COMMITTED."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from libres.context.transactions import plain_session
from libres.db.models import Allocation
from libres.sync import row_security

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from libres.context.core import Context

READ_COMMITTED: Final = "READ COMMITTED"
AUTOCOMMIT: Final = "AUTOCOMMIT"
REPEATABLE_READ: Final = "REPEATABLE READ"


@contextmanager
def apart(context: Context) -> Iterator[Connection]:
    """Open a connection with a transaction of its own, and commit it at the end.

    It is what has to be seen by others whatever becomes of the transaction of the
    session, and what must see what others have committed meanwhile.
    """
    with _engine(context).connect() as connection:
        plain = connection.execution_options(isolation_level=READ_COMMITTED)
        with plain.begin():
            if row_security.is_told(context):
                plain.execute(row_security.SEEING_THE_FEED)
            yield plain


@contextmanager
def snapshot(context: Context) -> Iterator[Connection]:
    """Open a connection that sees all as it is now, however long it reads, and changes
    nothing."""
    with _engine(context).connect() as connection:
        plain = connection.execution_options(isolation_level=REPEATABLE_READ)
        with plain.begin() as transaction:
            if row_security.is_told(context):
                plain.execute(row_security.SEEING_THE_FEED)
            yield plain
            transaction.rollback()


@contextmanager
def alone(context: Context) -> Iterator[Connection]:
    """Open a connection for a single statement, which is a transaction by itself.

    As `apart`, without asking the server to begin and to commit: a third of the time.
    """
    if row_security.is_told(context):  # which takes a statement before
        with apart(context) as connection:
            yield connection
        return
    with _engine(context).connect() as connection:
        yield connection.execution_options(isolation_level=AUTOCOMMIT)


def _engine(context: Context) -> Engine:
    provider: Any = context.get_service("session_provider")
    bind: Any = plain_session(provider.session()).get_bind(Allocation)
    found: Engine = bind.engine
    return found
