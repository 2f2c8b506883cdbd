"""Opens transactions apart from that of the session: short ones, READ COMMITTED."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from libres.context.transactions import plain_session
from libres.db.models import Allocation
from libres.sync import row_security

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from libres.context.core import Context

READ_COMMITTED: Final = "READ COMMITTED"


@contextmanager
def apart(context: Context) -> Iterator[Connection]:
    """Open a connection with a transaction of its own, and commit it at the end.

    It is what has to be seen by others whatever becomes of the transaction of the
    session, and what must see what others have committed meanwhile.
    """
    provider: Any = context.get_service("session_provider")
    engine: Any = plain_session(provider.session()).get_bind(Allocation)
    with engine.engine.connect() as connection:
        plain = connection.execution_options(isolation_level=READ_COMMITTED)
        with plain.begin():
            if row_security.is_told(context):
                plain.execute(row_security.SEEING_THE_FEED)
            yield plain
