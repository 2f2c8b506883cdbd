"""Tells when tables have last changed, as far as it is numbered and kept."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, DateTime, Text, bindparam, text

from libres.db.passing import fetch
from libres.domain.days import UTC

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session


def touched(
    session: Session, context: str, relations: Iterable[str]
) -> dict[str, datetime]:
    """Return when tables have last changed; those are missing of which nothing is
    known. One statement."""
    values = {"context": context, "relations": list(relations)}
    rows: list[Any] = fetch(session, _TOUCHED, values)
    return {row.relation: row.at.astimezone(UTC) for row in rows}


# What was the last change of each of these tables?
_TOUCHED: Final = (
    text("""\
SELECT given.relation, changed.at FROM unnest(:relations) AS given (relation)
CROSS JOIN LATERAL (
    SELECT c.at FROM sync_changes AS c
    WHERE c.context = :context AND c.relation = given.relation
    ORDER BY c.position DESC LIMIT 1
) AS changed""")
    .bindparams(
        bindparam("context", type_=Text()),
        bindparam("relations", type_=ARRAY(Text())),
    )
    .columns(relation=Text(), at=DateTime(timezone=True))
)
