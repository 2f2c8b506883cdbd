"""Creates what is missing: the tables of this room, and indexes on those it reads.

Who is free at a time is asked by time first, and the core's indexes begin with the
resource. Hence these here begin with the start. A row overlaps a window if it starts
within it, or so long before as it is long; nearly all are shorter than `LONGEST`, and
the few others have an index of their own. There is no GiST index that begins with the
person: PostgreSQL would choose it for the wrong questions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import DDL, Connection, func, select

from libres.conflicts import schema as claims
from libres.conflicts.mirror_schema import BLOCKERS, RESERVATIONS
from libres.db.operations.setting_up import SETTING_UP
from libres.timetable.models import (
    TimetableCache,
    TimetableException,
    TimetableFree,
    TimetableSubject,
    TimetableTemplate,
)

ddl: Callable[[str], DDL] = DDL

MODELS: Final = (
    TimetableSubject,
    TimetableTemplate,
    TimetableException,
    TimetableCache,
    TimetableFree,
)

LONGEST: Final = "interval '25 hours'"
"""The longest local day; what is longer is rare."""

USUAL: Final = "interval '1 hour'"
"""Slots that are longer are those of allocations that are reserved as a whole."""

CALENDAR: Final = "libres.Calendar"
"""The source of claims that were imported: they make busy, but keep nobody out."""

COUNTS: Final = f"""\
(exclusive OR source = '{CALENDAR}') AND capacity IS NULL
AND source NOT IN ('{RESERVATIONS}', '{BLOCKERS}')"""
"""Which claims make busy? Those of the core are read from its slots."""

INDEXES: Final = {
    # Who is allocated at a time?
    "ix_timetable_allocations": "allocations (_start, _end, resource) "
    "INCLUDE (quota) WHERE resource = mirror_of",
    "ix_timetable_allocations_long": "allocations (_start, _end, resource) "
    f"INCLUDE (quota) WHERE resource = mirror_of AND _end - _start >= {LONGEST}",
    # Who is reserved or blocked at a time?
    "ix_timetable_slots": 'reserved_slots (start, "end", resource) '
    "INCLUDE (allocation_id)",
    "ix_timetable_slots_longer": 'reserved_slots (start, "end", resource) '
    f'INCLUDE (allocation_id) WHERE "end" - start >= {USUAL}',
    "ix_timetable_slots_long": 'reserved_slots (start, "end", resource) '
    f'INCLUDE (allocation_id) WHERE "end" - start >= {LONGEST}',
    # Who is claimed at a time?
    "ix_timetable_claims": f"conflict_claims USING gist (during) WHERE {COUNTS}",
}


def create_missing(connection: Connection) -> None:
    """Create what is missing; processes that do so at the same moment wait in turn.

    The tables of the core must be there already.
    """
    claims.create_missing(connection)
    connection.execute(select(func.pg_advisory_xact_lock(SETTING_UP)))
    tables: list[Any] = [model.__table__ for model in MODELS]
    TimetableSubject.metadata.create_all(connection, tables=tables)
    for name, place in INDEXES.items():
        connection.execute(ddl(f"CREATE INDEX IF NOT EXISTS {name} ON {place}"))
