"""Remove, move and block in one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from benchmarks.dates import hours
from benchmarks.floor import ASKED, WRITING, Floor, passed, rows
from benchmarks.floors.reserving import MIRROR, SLOT, name_places
from benchmarks.workloads.changing import QUOTA, month

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from benchmarks.host import Host

REMOVE = """
WITH gone AS (
    DELETE FROM reservations WHERE token = %(token)s RETURNING id
),
freed AS (
    DELETE FROM reserved_slots USING gone
    WHERE reservation_token = %(token)s AND source_type = 'reservation'
        AND source_id = gone.id
)
SELECT id FROM gone
"""


def _remove(connection: Connection, host: Host, _number: int) -> int:
    for token, _ in host.kept["keys"]:
        rows(connection, REMOVE, {"token": str(token)})
    return len(host.kept["keys"])


CHANGE = f"""
WITH asked AS ({ASKED}),
moving AS (
    SELECT old.id, master.id AS allocation_id, asked.start, stop,
        make_interval(mins => _raster) AS step
    FROM asked, reservations AS old
    JOIN allocations AS master
        ON master."group" = old.target AND master.resource = master.mirror_of
    WHERE old.id = %(id)s AND token = %(token)s
        AND _start <= asked.start AND _end >= stop - interval '1 microsecond'
        AND NOT EXISTS (
            SELECT FROM reserved_slots AS slot
            WHERE slot.resource = %(room)s AND slot.start >= asked.start
                AND slot.start < stop AND source_id <> old.id
        )
),
freed AS (
    DELETE FROM reserved_slots USING moving
    WHERE reservation_token = %(token)s AND source_type = 'reservation'
        AND source_id = moving.id
        AND NOT (reserved_slots.start >= moving.start AND reserved_slots.start < stop)
),
taken AS (
    {SLOT}
    SELECT %(room)s, slot, slot + step - interval '1 microsecond', allocation_id,
        'reservation', %(token)s, moving.id, now() AT TIME ZONE 'UTC'
    FROM moving,
        generate_series(moving.start, stop - interval '1 microsecond', step) AS slot
    ON CONFLICT DO NOTHING
)
UPDATE reservations SET start = moving.start, "end" = stop - interval '1 microsecond',
    modified = now() AT TIME ZONE 'UTC'
FROM moving WHERE reservations.id = moving.id
RETURNING reservations.id
"""  # noqa: S608 - constants


def _change(connection: Connection, host: Host, number: int) -> int:
    changed = 0
    for day, (token, key) in zip(host.numbers(number), host.kept["keys"], strict=True):
        values = {"room": host.kept["room"], "token": str(token), "id": key}
        later = passed([hours(day, 10, 10.25 + host.size)])
        changed += len(rows(connection, CHANGE, {**values, **later}))
    return changed


BLOCK = f"""
WITH asked AS ({ASKED}),
master AS (
    SELECT found.*, start, stop
    FROM asked, LATERAL (
        SELECT * FROM allocations
        WHERE resource = %(room)s AND mirror_of = %(room)s AND _start <= asked.start
        ORDER BY _start DESC LIMIT 1
    ) AS found
    WHERE _end >= stop - interval '1 microsecond'
),
free AS (
    SELECT master.*, place
    FROM places, master
    WHERE NOT EXISTS (
        SELECT FROM allocations AS other
        JOIN reserved_slots AS slot ON slot.allocation_id = other.id
        WHERE other.mirror_of = %(room)s AND other._start = master._start
    )
),
mirrored AS (
    {MIRROR.format(place="free")}
    FROM free
    WHERE place <> %(room)s
    ON CONFLICT (resource, _start) DO UPDATE SET quota = excluded.quota
    RETURNING id, resource, _start
),
made AS (
    INSERT INTO reservation_blockers (token, target, target_type, resource, start,
        "end", timezone, reason, created)
    SELECT %(token)s, "group", 'allocation', %(room)s, start,
        stop - interval '1 microsecond', timezone, 'closed', now() AT TIME ZONE 'UTC'
    FROM free WHERE place = %(room)s
    RETURNING id, start
),
taken AS (
    {SLOT}
    SELECT place, free._start, free._end, coalesce(mirrored.id, free.id), 'blocker',
        %(token)s, made.id, now() AT TIME ZONE 'UTC'
    FROM free
    JOIN made ON made.start = free.start
    LEFT JOIN mirrored ON mirrored.resource = place AND mirrored._start = free._start
)
SELECT id FROM made
"""  # noqa: S608 - constants


def _block(connection: Connection, host: Host, number: int) -> int:
    count = 0
    for each in host.numbers(number):
        values = {"room": host.kept["room"], "token": str(uuid4())}
        asked = passed(month(host, each))
        count += len(rows(connection, BLOCK, {**values, **asked}))
    return count


def _name_room(_connection: Connection, host: Host, _number: int) -> None:
    host.kept["room"] = str(host.room.resource)


def _name_places(connection: Connection, host: Host, number: int) -> None:
    _name_room(connection, host, number)
    name_places(connection, host, QUOTA)


FLOORS = (
    Floor(name="remove-three-hours", at_most=WRITING, run=_remove),
    Floor(name="change-time", at_most=WRITING, before=_name_room, run=_change),
    Floor(name="block-month", at_most=WRITING, before=_name_places, run=_block),
)
