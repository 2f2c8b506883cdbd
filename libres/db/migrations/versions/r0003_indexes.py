"""The indexes of Libres 1.4. What they are good for is said beside the models."""

from __future__ import annotations

from libres.db.migrations.steps import Step, Take, index, indexes

revision = "0003"
down_revision = "0002"

STEPS: tuple[Step, ...] = (
    *indexes("allocations", "resource", "type", "mirror_of", "group"),
    *indexes("allocations", "_start", "_end"),
    index("mirror_resource_ix", "allocations", "(mirror_of, resource)"),
    *indexes("reserved_slots", "end", "allocation_id", "source_type", "source_id"),
    index("reservation_resource_ix", "reserved_slots", "(reservation_token, resource)"),
    index(
        "start_end_tsrange_ix", "reserved_slots", 'USING gist (tsrange(start, "end"))'
    ),
    *indexes("reservations", "token", "target", "target_type", "type", "resource"),
    *indexes("reservations", "start", "end", "status", "email", "session_id"),
    index("target_status_ix", "reservations", "(status, target, id)"),
    *indexes("reservation_blockers", "token", "target", "target_type", "resource"),
    *indexes("reservation_blockers", "start", "end"),
    index("blocker_target_ix", "reservation_blockers", "(target, id)"),
)


def upgrade(take: Take) -> None:
    """Take the steps."""
    for step in STEPS:
        take(step)
