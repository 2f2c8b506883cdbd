"""Reserve and approve in one statement: find, judge, reserve, take the slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from benchmarks.dates import hours
from benchmarks.floor import ASKED, WRITING, Floor, passed, rows
from benchmarks.host import GUEST
from benchmarks.workloads.reserving import hour, members
from libres.domain.places import place_resources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg2.extensions import connection as Connection

    from benchmarks.dates import Range
    from benchmarks.host import Host

GROUP_QUOTA = 3
SOLD_BEYOND = 10

RESERVATION = """
INSERT INTO reservations (token, target, target_type, type, resource, start, "end",
    timezone, status, data, email, quota, created)
"""

SLOT = """
INSERT INTO reserved_slots (resource, start, "end", allocation_id, source_type,
    reservation_token, source_id, created)
"""

MIRROR = """
INSERT INTO allocations (resource, type, mirror_of, "group", quota, quota_limit,
    partly_available, approve_manually, timezone, data, _start, _end, _raster, created)
SELECT {place}.place, {place}.type, {place}.mirror_of, {place}."group", {place}.quota,
    {place}.quota_limit, {place}.partly_available, {place}.approve_manually,
    {place}.timezone, {place}.data, {place}._start, {place}._end, {place}._raster,
    now() AT TIME ZONE 'UTC'
"""
"""The record of a place, from the columns of its master."""

# One place, any number of dates

RESERVE = f"""
WITH asked AS ({ASKED}),
free AS (
    SELECT master.*, start, stop, CASE
        WHEN partly_available THEN make_interval(mins => _raster)
        ELSE stop - start
        END AS step
    FROM asked, LATERAL (
        SELECT id, "group", partly_available, _start, _end, _raster FROM allocations
        WHERE resource = %(room)s AND mirror_of = %(room)s AND _start <= asked.start
        ORDER BY _start DESC LIMIT 1
    ) AS master
    WHERE _end >= stop - interval '1 microsecond' AND NOT EXISTS (
        SELECT FROM reserved_slots AS slot
        WHERE slot.resource = %(room)s
            AND slot.start >= asked.start AND slot.start < asked.stop
    )
),
made AS (
    {RESERVATION}
    SELECT %(token)s, "group", 'allocation', 'generic', %(room)s, start,
        stop - interval '1 microsecond', 'Europe/Zurich', 'approved', '{{}}',
        %(email)s, 1, now() AT TIME ZONE 'UTC'
    FROM free
    WHERE (SELECT count(*) FROM free) = (SELECT count(*) FROM asked)
    RETURNING id, start
)
{SLOT}
SELECT %(room)s, slot, slot + step - interval '1 microsecond', free.id,
    'reservation', %(token)s, made.id, now() AT TIME ZONE 'UTC'
FROM free
JOIN made USING (start),
generate_series(start, stop - interval '1 microsecond', step) AS slot
RETURNING start
"""  # noqa: S608 - constants


def _reserve(connection: Connection, host: Host, asked: Sequence[Range]) -> int:
    return len(rows(connection, RESERVE, {**_common(host), **passed(asked)}))


def _common(host: Host) -> dict[str, str]:
    room, token = host.kept["room"], str(uuid4())
    return {"room": room, "token": token, "email": GUEST}


def _name_room(_connection: Connection, host: Host, _number: int) -> None:
    host.kept["room"] = str(host.room.resource)


def _reserve_hours(connection: Connection, host: Host, number: int) -> int:
    numbers = host.numbers(number)
    return sum(_reserve(connection, host, [hour(n, host.size)]) for n in numbers)


def _reserve_days(connection: Connection, host: Host, number: int) -> int:
    numbers = host.numbers(number)
    return sum(_reserve(connection, host, [hours(n, 0, host.size)]) for n in numbers)


def _reserve_dates(connection: Connection, host: Host, number: int) -> int:
    numbers = host.numbers(number)
    return sum(_reserve(connection, host, members(host, each)) for each in numbers)


# The first free of many places; they are passed before, in their order

PLACES = """
DROP TABLE IF EXISTS places;
CREATE TEMPORARY TABLE places AS
SELECT number, resource AS place
FROM unnest(%(places)s::uuid[]) WITH ORDINALITY AS named (resource, number);
ANALYZE places;
"""

FREE_PLACE = """
SELECT place FROM places
WHERE NOT EXISTS (
    SELECT FROM reserved_slots AS slot
    WHERE slot.resource = place
        AND slot.start >= master._start AND slot.start <= master._end
)
ORDER BY number LIMIT 1
"""

CLAIMED = f"""
mirrored AS (
    {MIRROR.format(place="free")}
    FROM free
    WHERE NOT EXISTS (
        SELECT FROM allocations AS known
        WHERE known.resource = place AND known._start = free._start
    )
    RETURNING id, resource, _start
)
{SLOT}
SELECT place, free._start, free._end, coalesce(mirrored.id, known.id), 'reservation',
    %(token)s, made.id, now() AT TIME ZONE 'UTC'
FROM made, free
LEFT JOIN mirrored ON mirrored.resource = place AND mirrored._start = free._start
LEFT JOIN allocations AS known
    ON known.resource = place AND known._start = free._start
RETURNING start
"""  # noqa: S608 - constants

SELL = f"""
WITH asked AS ({ASKED}),
free AS (
    SELECT master.*, place, start, stop
    FROM asked, LATERAL (
        SELECT * FROM allocations
        WHERE resource = %(room)s AND mirror_of = %(room)s AND _start <= asked.start
        ORDER BY _start DESC LIMIT 1
    ) AS master,
    LATERAL ({FREE_PLACE}) AS first
    WHERE _end >= stop - interval '1 microsecond'
),
made AS (
    {RESERVATION}
    SELECT %(token)s, "group", 'allocation', 'generic', %(room)s, start,
        stop - interval '1 microsecond', 'Europe/Zurich', 'approved', '{{}}',
        %(email)s, 1, now() AT TIME ZONE 'UTC'
    FROM free
    RETURNING id
),
{CLAIMED}
"""  # noqa: S608 - constants

SELL_GROUP = f"""
WITH master AS (
    SELECT * FROM allocations
    WHERE "group" = %(group)s AND resource = %(room)s AND mirror_of = %(room)s
),
free AS (SELECT * FROM master, LATERAL ({FREE_PLACE}) AS first),
made AS (
    {RESERVATION}
    SELECT %(token)s, %(group)s, 'group', 'generic', %(room)s, NULL::timestamp,
        NULL::timestamp, NULL, 'approved', '{{}}', %(email)s, 1,
        now() AT TIME ZONE 'UTC'
    WHERE (SELECT count(*) FROM free) = (SELECT count(*) FROM master)
    RETURNING id
),
{CLAIMED}
"""  # noqa: S608 - constants


def name_places(connection: Connection, host: Host, quota: int) -> None:
    """Pass the resources of the places, as a temporary table."""
    places = [str(each) for each in place_resources(host.room.resource, quota)]
    with connection.cursor() as cursor:
        cursor.execute(PLACES, {"places": places})


def _name_quota(connection: Connection, host: Host, number: int) -> None:
    _name_room(connection, host, number)
    name_places(connection, host, host.size)


def _name_large_quota(connection: Connection, host: Host, number: int) -> None:
    _name_room(connection, host, number)
    name_places(connection, host, host.size + SOLD_BEYOND)


def _name_group_quota(connection: Connection, host: Host, number: int) -> None:
    _name_room(connection, host, number)
    name_places(connection, host, GROUP_QUOTA)


def _sell(connection: Connection, host: Host, number: int) -> int:
    values: dict[str, Any] = passed([hours(number, 8, 17)])
    return len(rows(connection, SELL, {**_common(host), **values}))


def _sell_places(connection: Connection, host: Host, number: int) -> int:
    return sum(_sell(connection, host, number) for _ in range(host.operations))


def _sell_groups(connection: Connection, host: Host, _number: int) -> int:
    return sum(
        len(rows(connection, SELL_GROUP, {**_common(host), "group": str(group)}))
        for group in host.kept["groups"]
    )


FLOORS = (
    Floor(
        name="reserve-hour",
        at_most=WRITING,
        before=_name_room,
        run=_reserve_hours,
    ),
    Floor(
        name="reserve-day",
        at_most=WRITING,
        before=_name_room,
        run=_reserve_days,
    ),
    Floor(
        name="sell-60-of-500",
        at_most=WRITING,
        before=_name_quota,
        run=_sell_places,
    ),
    Floor(
        name="sell-4990th",
        at_most=WRITING,
        before=_name_large_quota,
        run=_sell,
    ),
    Floor(
        name="reserve-group",
        at_most=WRITING,
        before=_name_group_quota,
        run=_sell_groups,
    ),
    Floor(
        name="reserve-50-dates",
        at_most=WRITING,
        before=_name_room,
        run=_reserve_dates,
    ),
)
