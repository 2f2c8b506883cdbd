"""The tables of Libres 1.4, whatever was there: nothing, or those of 0.5 to 1.4.

What cannot be known without looking at every row stays open until the next revision.
"""

from __future__ import annotations

from libres.db.migrations.steps import Step, Take, column, enum, jsonb, table

revision = "0001"
down_revision = None

STEPS: tuple[Step, ...] = (
    enum("reservation_target_type", "group", "allocation"),
    enum("reservation_status", "pending", "approved"),
    enum("reserved_slot_source_type", "reservation", "blocker"),
    enum("reservation_blocker_target_type", "group", "allocation"),
    table(
        "allocations",
        """
        id SERIAL PRIMARY KEY,
        resource uuid NOT NULL,
        type text NOT NULL,
        mirror_of uuid NOT NULL,
        "group" uuid NOT NULL,
        quota integer NOT NULL,
        quota_limit integer NOT NULL,
        partly_available boolean NOT NULL,
        approve_manually boolean NOT NULL,
        timezone varchar,
        data jsonb,
        _start timestamp NOT NULL,
        _end timestamp NOT NULL,
        _raster integer NOT NULL,
        created timestamp NOT NULL,
        modified timestamp,
        CONSTRAINT resource_start_ix UNIQUE (resource, _start)
        """,
    ),
    table(
        "reserved_slots",
        """
        resource uuid NOT NULL,
        start timestamp NOT NULL,
        "end" timestamp NOT NULL,
        allocation_id integer NOT NULL REFERENCES allocations (id),
        source_type reserved_slot_source_type NOT NULL,
        reservation_token uuid NOT NULL,
        source_id integer NOT NULL,
        created timestamp NOT NULL,
        modified timestamp,
        PRIMARY KEY (resource, start)
        """,
    ),
    table(
        "reservations",
        """
        id SERIAL PRIMARY KEY,
        token uuid NOT NULL,
        target uuid NOT NULL,
        target_type reservation_target_type NOT NULL,
        type text NOT NULL,
        resource uuid NOT NULL,
        start timestamp,
        "end" timestamp,
        timezone varchar,
        status reservation_status NOT NULL,
        data jsonb,
        email varchar(254) NOT NULL,
        session_id uuid,
        quota integer NOT NULL,
        created timestamp NOT NULL,
        modified timestamp
        """,
    ),
    table(
        "reservation_blockers",
        """
        id SERIAL PRIMARY KEY,
        token uuid NOT NULL,
        target uuid NOT NULL,
        target_type reservation_blocker_target_type NOT NULL,
        resource uuid NOT NULL,
        start timestamp,
        "end" timestamp,
        timezone varchar,
        reason varchar,
        created timestamp NOT NULL,
        modified timestamp
        """,
    ),
    # Before 0.9 data was text.
    jsonb("allocations"),
    jsonb("reservations"),
    column("allocations", "type", "text"),
    column("reservations", "type", "text"),
    # Before 0.10 there were no blockers. The default fills the column without touching
    # a row, and goes, as those who write have to say it.
    column(
        "reserved_slots",
        "source_type",
        "reserved_slot_source_type NOT NULL DEFAULT 'reservation'",
        "ALTER TABLE reserved_slots ALTER COLUMN source_type DROP DEFAULT",
    ),
    # Before 1.2 slots knew their token only.
    column("reserved_slots", "source_id", "integer"),
)


def upgrade(take: Take) -> None:
    """Take the steps."""
    for step in STEPS:
        take(step)
