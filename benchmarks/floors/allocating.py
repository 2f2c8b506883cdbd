"""Allocate much in one statement, which looks for what is in the way, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.floor import ASKED, WRITING, Floor, passed, rows
from benchmarks.workloads.allocating import half_hours, year

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg2.extensions import connection as Connection

    from benchmarks.dates import Range
    from benchmarks.host import Host

ALLOCATE = f"""
WITH asked AS ({ASKED})
INSERT INTO allocations (resource, type, mirror_of, "group", quota, quota_limit,
    partly_available, approve_manually, timezone, data, _start, _end, _raster, created)
SELECT %(room)s, 'generic', %(room)s, gen_random_uuid(), 1, 0, %(partly)s, false,
    'Europe/Zurich', '{{}}', start, stop - interval '1 microsecond', %(raster)s,
    now() AT TIME ZONE 'UTC'
FROM asked
WHERE NOT EXISTS (
    SELECT FROM allocations AS other
    WHERE other.resource = %(room)s AND other.mirror_of = %(room)s
        AND other._start < stop AND other._end >= start
)
RETURNING id
"""  # noqa: S608 - constants


def _allocate(
    connection: Connection, host: Host, number: int, asked: Sequence[Range], raster: int
) -> int:
    room = host.kept["rooms"][number]
    partly = raster == HOURS_RASTER
    values = {"room": room, "partly": partly, "raster": raster, **passed(asked)}
    return len(rows(connection, ALLOCATE, values))


HOURS_RASTER, DEFAULT_RASTER = 15, 5


def _name_rooms(_connection: Connection, host: Host, _number: int) -> None:
    name = host.workload.name
    host.kept["rooms"] = {
        each: str(host.scheduler(f"{name} {each}").resource)
        for each in host.all_numbers
    }


def _allocate_year(connection: Connection, host: Host, number: int) -> int:
    days = year(host)
    return sum(
        _allocate(connection, host, each, days, HOURS_RASTER)
        for each in host.numbers(number)
    )


def _allocate_many(connection: Connection, host: Host, number: int) -> int:
    return _allocate(connection, host, number, half_hours(host), DEFAULT_RASTER)


FLOORS = (
    Floor(
        name="allocate-year",
        at_most=WRITING,
        before=_name_rooms,
        run=_allocate_year,
    ),
    Floor(
        name="allocate-20000",
        at_most=WRITING,
        before=_name_rooms,
        run=_allocate_many,
    ),
)
