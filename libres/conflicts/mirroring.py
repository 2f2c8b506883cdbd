"""Lets the reservations and blockers of the core take part: mirrors them into claims.

Done by triggers, in the statement that writes them; so what the scheduler has reserved
and what a host has claimed can never overlap.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import DDL, TextClause, func, select, text

from libres.conflicts import statements
from libres.conflicts.differences import Difference, difference
from libres.conflicts.errors import MirroredElsewhere
from libres.conflicts.mirror_schema import (
    BLOCKERS,
    COLUMNS,
    CREATING,
    DROPPING,
    RESERVATIONS,
)
from libres.conflicts.models import ConflictMirror
from libres.conflicts.refusing import translated
from libres.db.models.timestamp import TimestampMixin
from libres.db.operations.setting_up import SETTING_UP

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from libres.context.core import Context

ddl: Callable[[str], DDL] = DDL


def install(context: Context, session: Session, pending: bool) -> None:
    """Mirror what is there, and everything that is written from now on."""
    with translated(session, context.name, TimestampMixin.timestamp()):
        statements.run(session, select(func.pg_advisory_xact_lock(SETTING_UP)))
        _is_mirrored(context, session)
        for statement in CREATING:
            statements.run(session, ddl(statement))
        # Nobody may write between what is read now and what the triggers see.
        statements.run(session, _LOCKING)
        statements.run(session, _OWNING, {"context": context.name, "pending": pending})
        statements.run(session, _MIRRORING_ALL)


def remove(context: Context, session: Session) -> int:
    """Drop the triggers and delete the claims; return how many."""
    if not _is_mirrored(context, session):
        return 0
    for statement in DROPPING:
        statements.run(session, ddl(statement))
    values = {"context": context.name}
    return int(statements.fetch(session, _forgetting(), values)[0][0])


def verify(context: Context, session: Session, repair: bool) -> list[Difference]:
    """Compare claims with records; make those anew that differ if *repair*."""
    if not _is_mirrored(context, session):
        return []
    values = {"context": context.name}
    rows = statements.fetch(session, _comparing(), values)
    found = [difference(row.kind, row.source, row.source_id) for row in rows]
    if repair and found:
        ids = {
            name: [each.source_id for each in found if each.source == source]
            for name, source in (("reservations", RESERVATIONS), ("blockers", BLOCKERS))
        }
        with translated(session, context.name, TimestampMixin.timestamp()):
            statements.run(session, _MIRRORING, ids)
    return found


def _is_mirrored(context: Context, session: Session) -> bool:
    """Tell whether there is a mirror. Raises MirroredElsewhere for that of another."""
    rows = statements.fetch(session, select(ConflictMirror.context), {})
    if rows and rows[0].context != context.name:
        raise MirroredElsewhere(rows[0].context)
    return bool(rows)


# Statements ---------------------------------------------------------------------------

_LOCKING = text(
    "LOCK TABLE reserved_slots, reservations, reservation_blockers, allocations "
    "IN SHARE ROW EXCLUSIVE MODE"
)

_OWNING = text("""\
INSERT INTO conflict_mirrors (context, pending) VALUES (:context, :pending)
ON CONFLICT (number) DO UPDATE SET pending = excluded.pending""")

_ALL = """\
(SELECT array_agg(id) FROM (
    SELECT id::bigint FROM reservations
    UNION SELECT source_id FROM reserved_slots WHERE source_type = 'reservation'
) AS known),
(SELECT array_agg(id) FROM (
    SELECT id::bigint FROM reservation_blockers
    UNION SELECT source_id FROM reserved_slots WHERE source_type = 'blocker'
) AS known)"""

_MIRRORING_ALL = text(f"SELECT conflict_mirror({_ALL})")

_MIRRORING = text(
    "SELECT conflict_mirror("
    "CAST(:reservations AS bigint[]), CAST(:blockers AS bigint[]))"
)


@cache
def _comparing() -> TextClause:
    """Which records have other claims than they should have?"""
    columns = ", ".join(COLUMNS)
    return text(f"""\
WITH mirror AS (SELECT context, pending FROM conflict_mirrors WHERE context = :context),
wanted AS (
    SELECT mirrored.* FROM mirror
    CROSS JOIN conflict_mirrored({_ALL}, mirror.pending) AS mirrored
),
found AS (
    SELECT {columns} FROM conflict_claims
    WHERE context = :context AND of_part IS NULL
    AND source IN ('{RESERVATIONS}', '{BLOCKERS}')
),
lacking AS (SELECT * FROM wanted EXCEPT SELECT * FROM found),
excess AS (SELECT * FROM found EXCEPT SELECT * FROM wanted)
SELECT source, source_id,
    CASE
        WHEN NOT bool_or(is_found) THEN 'missing'
        WHEN NOT bool_or(is_wanted) THEN 'orphaned'
        ELSE 'stale'
    END AS kind
FROM (
    SELECT source, source_id, true AS is_wanted, false AS is_found FROM wanted
    UNION ALL SELECT source, source_id, false, true FROM found
) AS known
WHERE (source, source_id) IN (
    SELECT source, source_id FROM lacking
    UNION SELECT source, source_id FROM excess
)
GROUP BY source, source_id
ORDER BY source, source_id""")


@cache
def _forgetting() -> Any:
    """Delete the mirror and its claims; give how many."""
    return text(f"""\
WITH forgotten AS (DELETE FROM conflict_mirrors WHERE context = :context),
deleted AS (
    DELETE FROM conflict_claims
    WHERE context = :context AND source IN ('{RESERVATIONS}', '{BLOCKERS}')
    RETURNING of_part
)
SELECT count(*) FILTER (WHERE of_part IS NULL) FROM deleted""")
