"""Fills a database with subjects, their open hours, and reservations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import text

from libres.timetable import Timetable

START: Final = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""

HOLIDAYS_BEGIN: Final = 5
"""Saturday."""

DAY: Final = timedelta(days=1)

RESERVING: Final = """\
WITH chosen AS (
    SELECT place.id, place.resource, place."group", booking.start
    FROM allocations AS place
    CROSS JOIN LATERAL generate_series(
        place._start, place._end, interval '1 hour'
    ) AS booking (start)
    WHERE hashtext(place.id || booking.start::text) & 1023 < :share
),
reserved AS (
    INSERT INTO reservations (
        type, token, target, target_type, resource, start, "end", timezone, status,
        email, quota, created
    )
    SELECT 'generic', gen_random_uuid(), "group", 'allocation', resource, start,
        start + interval '1 hour' - interval '1 microsecond', 'UTC', 'approved',
        'bench@example.org', 1, now() AT TIME ZONE 'UTC'
    FROM chosen
    RETURNING id, token, resource, target, start
)
INSERT INTO reserved_slots (
    resource, start, "end", allocation_id, reservation_token, source_type, source_id,
    created
)
SELECT reserved.resource, slot.start, slot.start + interval '15 minutes'
    - interval '1 microsecond', place.id, reserved.token, 'reservation', reserved.id,
    now() AT TIME ZONE 'UTC'
FROM reserved JOIN allocations AS place
ON place.resource = reserved.resource AND place."group" = reserved.target
CROSS JOIN LATERAL generate_series(
    reserved.start, reserved.start + interval '45 minutes', interval '15 minutes'
) AS slot (start)"""


def subjects(table: Timetable, number: int) -> list[str]:
    """Add so many subjects."""
    names = [f"person {each:06}" for each in range(number)]
    for first in range(0, number, 1000):
        table.add(*names[first : first + 1000], timezone="UTC")
    return names


def working_days(days: int) -> list[datetime]:
    """Return the working days among so many."""
    found = (START + number * DAY for number in range(days))
    return [day for day in found if day.weekday() < HOLIDAYS_BEGIN]


def open_days(table: Timetable, names: list[str], days: int) -> int:
    """Open two blocks a working day; when, differs from group to group."""
    written = 0
    for shift in range(4):
        begins = timedelta(hours=7 + shift)
        spans = [
            (day + begins + gap, day + begins + gap + timedelta(hours=4))
            for day in working_days(days)
            for gap in (timedelta(), timedelta(hours=5))
        ]
        written += table.open(names[shift::4], spans)
    return written


def reserve(table: Timetable, busy: int) -> None:
    """Reserve hours at random, so many percent of all."""
    table.session.execute(text(RESERVING), {"share": busy * 1024 // 100})
