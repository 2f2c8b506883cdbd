"""Fills a database with what others have reserved, by the million.

4,000 resources, unless told, are open from eight to six on one day in each of 50 weeks.
On every such day two hours and a half are reserved, in ten steps of a quarter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.host import Host
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from benchmarks.databases import Databases

ROOMS = 4_000

ALLOCATIONS = """
INSERT INTO allocations (id, resource, mirror_of, type, "group", quota, quota_limit,
    partly_available, approve_manually, timezone, _start, _end, _raster, created)
SELECT 1000000 + room * 50 + week, md5('room ' || room)::uuid,
    md5('room ' || room)::uuid, 'generic', md5('group ' || room || ' ' || week)::uuid,
    1, 0, true, false, 'Europe/Zurich', opening,
    opening + interval '10 hours' - interval '1 microsecond', 15, now()
FROM generate_series(0, {rooms} - 1) AS room,
    generate_series(0, 49) AS week,
    LATERAL (SELECT timestamp '2030-01-01 07:00'
        + (week * 7 + room % 7) * interval '1 day' AS opening) AS day
"""

RESERVATIONS = """
INSERT INTO reservations (id, token, target, target_type, type, resource, start, "end",
    timezone, status, email, quota, created)
SELECT id, md5('token ' || id)::uuid, "group", 'allocation', 'generic', resource,
    _start, _start + interval '150 minutes' - interval '1 microsecond', timezone,
    'approved', 'somebody@example.org', 1, created
FROM allocations
"""

RESERVED_SLOTS = """
INSERT INTO reserved_slots (resource, start, "end", allocation_id, source_type,
    reservation_token, source_id, created)
SELECT resource, _start + step * interval '15 minutes',
    _start + (step + 1) * interval '15 minutes' - interval '1 microsecond', id,
    'reservation', md5('token ' || id)::uuid, id, created
FROM allocations, generate_series(0, 9) AS step
"""

SEQUENCES = (
    "SELECT setval('allocations_id_seq', 2000000)",
    "SELECT setval('reservations_id_seq', 2000000)",
)

INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND indexdef LIKE 'CREATE INDEX%'
"""


def create(databases: Databases, name: str, rooms: int = ROOMS) -> None:
    """Create a database with tables that others use, too."""
    host = Host(databases.create(name), WORKLOADS[0], rounds=1)
    host.set_up()
    host.close()
    fill(databases, name, rooms)


def fill(databases: Databases, name: str, rooms: int = ROOMS) -> None:
    """Fill a database that has tables and no rows, its indexes last, for speed."""
    indexes = databases.execute(name, INDEXES)
    drops = [f'DROP INDEX "{index}"' for index, _ in indexes]
    allocations = ALLOCATIONS.format(rooms=rooms)
    rows = (allocations, RESERVATIONS, RESERVED_SLOTS, *SEQUENCES)
    creations = [definition for _, definition in indexes]
    databases.execute(name, *drops, *rows, "SET maintenance_work_mem = '512MB'")
    databases.execute(name, *creations)
    databases.settle(name)
