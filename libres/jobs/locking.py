"""Lets a job run once at a time, in whichever process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import Text, bindparam, text

from libres.sync.transacting import apart

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from libres.context.core import Context

TRY: Final = text("""\
SELECT pg_try_advisory_xact_lock(hashtextextended('libres.jobs/' || :name, 0)),
    set_config('idle_in_transaction_session_timeout', '0', true)
""").bindparams(bindparam("name", type_=Text()))
"""Ends with its transaction, so behind a pooler as well; which is idle meanwhile."""


@contextmanager
def held(context: Context, name: str) -> Iterator[Connection | None]:
    """Hold the lock of a job for a with-block, by a connection of its own; None:
    somebody else holds it. It gets in the way of nothing else."""
    with apart(context) as connection:
        found = connection.execute(TRY, {"name": f"{context.name}/{name}"}).one()
        yield connection if found[0] else None
