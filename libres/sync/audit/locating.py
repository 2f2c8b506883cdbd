"""Finds between which numbers the changes of a span of time are.

Numbers grow with the time of numbering, not with that of the change: what was numbered
late, an hour after its transaction had begun or later, is looked for by an index of
its own. So no time has to be read through, however long ago it was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Text, bindparam, text

from libres.sync.feed import halving
from libres.sync.models.columns import MOMENT
from libres.sync.models.feed import LATE

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Range:
    """Between which numbers they are; None: there is no border."""

    after: int | None = None
    """All have higher numbers."""

    upto: int | None = None
    """None has a higher one, unless it was numbered late."""

    has_late: bool = False
    """There are such."""


STEP: Final = halving.STEP.format(kept="border, moment,", before="<= moment")

LOCATE: Final = text(
    f"""\
WITH RECURSIVE halved (border, moment, low, high) AS (
    SELECT asked.border, asked.moment, coalesce((
        SELECT first.position - 1 FROM sync_changes AS first
        WHERE context = :context ORDER BY first.position LIMIT 1
    ), 0), feed.position
    FROM sync_feeds AS feed
    CROSS JOIN (VALUES
        ('after', CAST(:since AS timestamptz) - interval '1 microsecond'),
        ('upto', CAST(:until AS timestamptz) + interval '1 hour')
    ) AS asked (border, moment)
    WHERE feed.context = :context AND asked.moment IS NOT NULL
    UNION ALL
{STEP}
)
SELECT border, low, CASE WHEN border = 'upto' THEN (
    SELECT true FROM sync_changes
    WHERE context = :context AND position > low AND {LATE.text} AND at < :until
    ORDER BY position LIMIT 1
) END AS has_late
FROM halved WHERE low = high
"""
).bindparams(
    bindparam("context", type_=Text()),
    bindparam("since", type_=MOMENT),
    bindparam("until", type_=MOMENT),
)


def locate(
    connection: Connection,
    context: str,
    since: datetime | None,
    until: datetime | None,
) -> Range:
    """Return where the changes that were made from *since* on and before *until* are.

    No statement if there is no time, else one.
    """
    if since is None and until is None:
        return Range()
    values = {"context": context, "since": since, "until": until}
    rows = connection.execute(LOCATE, values).all()
    found = {row.border: row.low for row in rows}
    return Range(**found, has_late=any(row.has_late for row in rows))
