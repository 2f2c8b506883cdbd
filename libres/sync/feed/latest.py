"""Reads the last changes that are numbered, for people: whoever they concern."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from libres.sync.models import SyncChange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

TOLD = (
    *("position", "relation", "key", "operation"),
    *("tenant", "actor", "request", "at"),
)


def latest(session: Session, context: str, most: int) -> Sequence[Any]:
    """Return the last changes of a context, the newest first. One statement."""
    table: Any = SyncChange.__table__
    query = select(*(table.c[each] for each in TOLD)).where(table.c.context == context)
    rows = session.execute(query.order_by(table.c.position.desc()).limit(most))
    return rows.all()
