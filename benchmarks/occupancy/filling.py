"""Fills a database with a building: rooms on floors, and a year of who walked where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from libres.occupancy import Occupancy

DAYS: Final = 365

PER_FLOOR: Final = 10
"""Rooms, each with one door and one sensor: the first leads outside, the last two into
the room before them, the others to the corridor, which is the floor itself."""

INNER: Final = 8
"""From which room of a floor on a door leads into the room before."""

CALIBRATED: Final = 3
"""Every third room is told once a day that it is empty."""

HEARTBEAT: Final = timedelta(days=1)

VISITS: Final = text("""\
WITH visits AS (
    SELECT number, code, entered, entered + random() * interval '2 hours' AS left_at
    FROM (
        SELECT number, 'sensor ' || number % :sensors AS code,
            CAST(:now AS timestamptz) - floor(random() * :days) * interval '1 day'
                - random() * interval '12 hours' AS entered
        FROM generate_series(0, CAST(:events AS bigint) / 2 - 1) AS number
    ) AS entering
)
INSERT INTO occ_events (context, sensor, ts, direction, source, state)
SELECT 'bench', sensor.id, passage.ts, passage.direction, 'bench', 'counted'
FROM visits JOIN occ_sensors AS sensor ON sensor.code = visits.code
CROSS JOIN LATERAL (VALUES (entered, 1), (left_at, -1)) AS passage (ts, direction)
WHERE passage.ts <= :now
ORDER BY passage.ts""")
"""Every visit is a passage in and one out, in the twelve hours of a day until now."""

TOLD: Final = text("""\
INSERT INTO occ_calibrations (context, space, ts, value, kind, drift, passages)
SELECT 'bench', space.id, CAST(:now AS timestamptz) - day * interval '1 day'
    - interval '14 hours', 0, 'manual', day % 5 - 2, :passages
FROM occ_spaces AS space CROSS JOIN generate_series(0, :days - 1) AS day
WHERE space.name = ANY (CAST(:names AS text[]))""")

AROUND: Final = text("""\
SELECT format('ALTER TABLE occ_events ADD CONSTRAINT %I %s', conname,
    pg_get_constraintdef(oid)) AS made,
    format('ALTER TABLE occ_events DROP CONSTRAINT %I', conname) AS dropped
FROM pg_constraint WHERE conrelid = 'occ_events'::regclass AND contype = 'f'
UNION ALL
SELECT indexdef, format('DROP INDEX %I', indexname)
FROM pg_indexes WHERE tablename = 'occ_events' AND indexname <> 'occ_events_pkey'""")


def room(number: int) -> str:
    """Name a room."""
    return f"room {number}"


def calibrated(number: int) -> bool:
    """Tell whether a room is calibrated every day."""
    return number % CALIBRATED == 0


def furnish(made: Occupancy, rooms: int, since: datetime) -> None:
    """Add a building of so many rooms, with a sensor above each door."""
    made.add_space("building", timezone="UTC")
    for number in range(rooms):
        floor, place = f"floor {number // PER_FLOOR}", number % PER_FLOOR
        if not place:
            made.add_space(floor, timezone="UTC", parent="building")
        made.add_space(room(number), timezone="UTC", parent=floor)
        beyond = None if not place else room(number - 1) if place >= INNER else floor
        made.add_doorway(f"door {number}", room(number), beyond)
        made.add_sensor(f"sensor {number}", heartbeat=HEARTBEAT)
        made.assign(f"sensor {number}", f"door {number}", 1, since)
    made.commit()


def fill(engine: Engine, rooms: int, events: int, now: datetime) -> None:
    """Add so many events, and calibrations, without tallies."""
    passages = max(events // rooms // DAYS, 1)
    names = [room(number) for number in range(rooms) if calibrated(number)]
    values = {"now": now, "days": DAYS}
    with engine.begin() as connection:
        connection.execute(text("SELECT setseed(0.5)"))
        with _bare(connection):
            connection.execute(VISITS, {**values, "sensors": rooms, "events": events})
        connection.execute(TOLD, {**values, "passages": passages, "names": names})
        connection.execute(text("UPDATE occ_sensors SET last_seen = :now"), values)
    settle(engine)


@contextmanager
def _bare(connection: Connection) -> Iterator[None]:
    """Drop the indexes and foreign keys of events, and make them when they are in."""
    around = connection.execute(AROUND).all()
    for row in around:
        connection.exec_driver_sql(row.dropped)
    yield
    for row in around:
        connection.exec_driver_sql(row.made)


def tally(made: Occupancy, engine: Engine, progress: Callable[[int, int], None]) -> int:
    """Count everything anew, a space per transaction; return the hours."""
    spaces = made.spaces()
    hours = 0
    for done, space in enumerate(spaces, 1):
        hours += made.rebuild(space)
        made.commit()
        progress(done, len(spaces))
    settle(engine)
    return hours


def settle(engine: Engine) -> None:
    """Do now what the server would do in the background while others measure."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        with suppress(ProgrammingError):  # on a named server
            connection.execute(text("CHECKPOINT"))
