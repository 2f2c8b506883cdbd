"""What libres 2 adds: places by time, and the keys that clients send with requests."""

from __future__ import annotations

from libres.db.migrations.steps import Step, Take, index, indexes, table

revision = "0004"
down_revision = "0003"

STEPS: tuple[Step, ...] = (
    index("ix_allocations_mirror_of_start", "allocations", "(mirror_of, _start)"),
    table(
        "reservation_idempotency_keys",
        """
        resource uuid NOT NULL,
        key varchar(255) NOT NULL,
        operation varchar NOT NULL,
        fingerprint varchar(64) NOT NULL,
        token uuid NOT NULL,
        created timestamp NOT NULL,
        modified timestamp,
        PRIMARY KEY (resource, key)
        """,
    ),
    *indexes("reservation_idempotency_keys", "created"),
)


def upgrade(take: Take) -> None:
    """Take the steps."""
    for step in STEPS:
        take(step)
