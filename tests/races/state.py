"""What a database holds after a race: how much is taken, and whether that is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

    from tests.races.stage import Stage

RESOURCES = ("room", "hall")


def slots_of(stage: Stage) -> int:
    """Count the slots on all resources of a stage."""
    return sum(
        stage.scheduler(each).managed_reserved_slots().count() for each in RESOURCES
    )


def overlaps(database: psycopg.Connection) -> dict[str, int]:
    """Count the pairs that must not be: of slots of a place, of masters of a resource.

    Mirrors are places of their own, so their slots are compared with their own.
    """
    slots, masters, strays = (
        database.execute(statement).fetchall()[0][0]  # type: ignore[call-overload]
        for statement in (_OVERLAPPING_SLOTS, _OVERLAPPING_MASTERS, _STRAY_SLOTS)
    )
    found = {"slots": slots, "masters": masters, "strays": strays}
    return {what: number for what, number in found.items() if number}


_OVERLAPPING_SLOTS = """
    SELECT count(*) FROM reserved_slots AS a JOIN reserved_slots AS b
    ON a.resource = b.resource AND a.ctid < b.ctid
    AND a.start <= b."end" AND b.start <= a."end"
"""

_OVERLAPPING_MASTERS = """
    SELECT count(*) FROM allocations AS a JOIN allocations AS b
    ON a.resource = b.resource AND a.id < b.id AND a.mirror_of = a.resource
    AND a._start <= b._end AND b._start <= a._end
"""

_STRAY_SLOTS = """
    SELECT count(*) FROM reserved_slots AS slot
    LEFT JOIN allocations AS place ON place.id = slot.allocation_id
    WHERE place.id IS NULL OR place.resource != slot.resource
    OR slot.start < place._start OR slot."end" > place._end
"""
