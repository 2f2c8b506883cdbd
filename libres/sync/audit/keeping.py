"""Decides how long changes are kept for the audit."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Text, bindparam, text

from libres.modules.errors import insist
from libres.sync.feed import anchoring, keeping
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from libres.context.core import Context

BEGIN: Final = text("""\
INSERT INTO sync_feeds (context, audited) VALUES (:context, true)
ON CONFLICT (context) DO UPDATE SET audited = true WHERE NOT sync_feeds.audited
""").bindparams(bindparam("context", type_=Text()))


def begin(connection: Connection, context: str) -> None:
    """Keep changes for the audit from now on, though devices are not told any more."""
    connection.execute(BEGIN, {"context": context})


def drop_old(context: Context, until: datetime) -> int:
    """Drop changes that were numbered before a moment, for good; return how many.

    What is left follows upon the digest of the last of them, which is signed before.
    """
    insist(until.tzinfo is not None, "A moment needs a timezone.")
    with apart(context) as connection:
        borders = keeping.borders_of(connection, context.name, until)
        if borders.last <= borders.dropped:
            return 0
        if borders.digest is not None and anchoring.keys_or_none(context) is not None:
            head = anchoring.Head(borders.last, borders.digest)
            anchoring.write(connection, context, head)
        keeping.drop(connection, context.name, borders, until)
        return borders.last - borders.dropped
