"""Whose slots are whose, and which type a record has, where older tables do not say.

A slot belongs to the approved reservation of its token that overlaps it on the
allocation's group, or reserves that group; a slot of a blocker to the blocker of which
the same can be said. Where none or several qualify, nobody can know: such a slot gets
the owner 0, which no record has, and the auditor names it.
"""

from __future__ import annotations

from typing import Final

from libres.db.migrations.steps import Step, Take, required

revision = "0002"
down_revision = "0001"

OWNERS: Final = """
UPDATE reserved_slots SET source_id = found.owner FROM (
    SELECT slot.resource, slot.start,
        CASE count(DISTINCT owner.id) WHEN 1 THEN min(owner.id) ELSE 0 END AS owner
    FROM (SELECT * FROM reserved_slots WHERE source_id IS NULL AND {pages}) AS slot
    JOIN allocations ON allocations.id = slot.allocation_id
    LEFT JOIN (
        SELECT 'reservation' AS kind, id, token, target, target_type::text, start, "end"
        FROM reservations WHERE status = 'approved'
        UNION ALL
        SELECT 'blocker', id, token, target, target_type::text, start, "end"
        FROM reservation_blockers
    ) AS owner ON owner.token = slot.reservation_token
        AND owner.kind = slot.source_type::text
        AND owner.target = allocations."group"
        AND (owner.target_type = 'group'
            OR owner.start < slot."end" AND owner."end" > slot.start)
    GROUP BY slot.resource, slot.start
) AS found
WHERE reserved_slots.resource = found.resource AND reserved_slots.start = found.start
    AND reserved_slots.source_id IS NULL AND {pages}
"""


def generic(table: str) -> str:
    """Give a type to the records of *table* that have none."""
    return f"UPDATE {table} SET type = 'generic' WHERE type IS NULL AND {{pages}}"


STEPS: tuple[Step, ...] = (
    *required("allocations", "type", generic("allocations")),
    *required("reservations", "type", generic("reservations")),
    *required("reserved_slots", "source_id", OWNERS),
)


def upgrade(take: Take) -> None:
    """Take the steps."""
    for step in STEPS:
        take(step)
