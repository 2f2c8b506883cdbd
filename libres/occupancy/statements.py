"""The SQL of occupancy: who passed where, and what is stored about it.

An event counts at the doorway above which its sensor hung at its moment, and there for
every space that the doorway leads into or out of: `occ_borders` says which.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from sqlalchemy import TextClause, text

from libres.occupancy.algebra import FIELDS

_FIELDS: Final = ", ".join(FIELDS)
"""The columns of a summary."""


def array_of(values: Iterable[object]) -> str:
    """Write numbers, ids, moments or None as an array: drivers take far longer to.

    What may have blanks, quotes or commas in it is passed as a list.
    """
    return f"{{{','.join('NULL' if each is None else str(each) for each in values)}}}"


# Recording ----------------------------------------------------------------------------

_GIVEN: Final = """\
given AS (
    SELECT code, ts, direction, seq, position
    FROM unnest(CAST(:codes AS text[]), CAST(:moments AS timestamptz[]),
        CAST(:directions AS smallint[]), CAST(:seqs AS bigint[]))
    WITH ORDINALITY AS given (code, ts, direction, seq, position)
),
judged AS (
    SELECT given.*, sensor.id AS sensor, hanging.doorway,
        CASE
            WHEN NOT sensor.active OR given.ts > :latest OR given.ts < :earliest
            THEN 'quarantined'
            WHEN hanging.doorway IS NULL THEN 'unassigned'
            ELSE 'counted'
        END AS state,
        row_number() OVER (
            PARTITION BY sensor.id, given.ts, given.direction, given.seq
            ORDER BY position
        ) AS turn
    FROM given
    JOIN occ_sensors AS sensor ON sensor.context = :context AND sensor.code = given.code
    LEFT JOIN occ_assignments AS hanging
    ON hanging.sensor = sensor.id AND hanging.valid @> given.ts
)"""
"""What is sent, of which sensor is it, and does it count?"""


@cache
def recording() -> TextClause:
    """Store what is new; tell what became of each, by its position.

    All write in the same order, so that nobody waits in a circle.
    """
    return text(f"""\
WITH {_GIVEN},
fresh AS (
    INSERT INTO occ_events (context, sensor, ts, direction, seq, source, state)
    SELECT :context, sensor, ts, direction, seq, :source, state
    FROM judged WHERE turn = 1
    ORDER BY sensor, ts, direction, seq
    ON CONFLICT DO NOTHING
    RETURNING sensor, ts, direction, seq, state
)
SELECT position, judged.state, doorway, fresh.sensor IS NULL AS is_duplicate
FROM judged LEFT JOIN fresh ON fresh.sensor = judged.sensor AND fresh.ts = judged.ts
AND fresh.direction = judged.direction AND fresh.seq IS NOT DISTINCT FROM judged.seq
AND turn = 1""")


@cache
def hearing() -> TextClause:
    """Note when sensors were heard last; tell which spaces these doorways lead into.

    All write in the same order, so that nobody waits in a circle.
    """
    return text("""\
WITH heard AS (
    SELECT id, heard.ts FROM occ_sensors AS sensor
    JOIN unnest(CAST(:codes AS text[]), CAST(:moments AS timestamptz[]))
        AS heard (code, ts) ON heard.code = sensor.code
    WHERE context = :context AND (last_seen IS NULL OR last_seen < heard.ts)
    ORDER BY id FOR NO KEY UPDATE OF sensor
),
seen AS (
    UPDATE occ_sensors SET last_seen = heard.ts FROM heard
    WHERE occ_sensors.id = heard.id
)
SELECT doorway, space FROM occ_borders
WHERE doorway = ANY (CAST(:doorways AS uuid[]))""")


@cache
def signing() -> TextClause:
    """Note that sensors are alive; return the codes of those that are there."""
    return text("""\
WITH alive AS (
    SELECT id, code, CAST(:ts AS timestamptz) AS ts FROM occ_sensors
    WHERE context = :context AND code = ANY (CAST(:codes AS text[]))
    ORDER BY id FOR NO KEY UPDATE
),
signed AS (
    INSERT INTO occ_signs (context, sensor, ts)
    SELECT :context, id, ts FROM alive
    ON CONFLICT DO NOTHING
),
seen AS (
    UPDATE occ_sensors SET last_seen = alive.ts FROM alive
    WHERE occ_sensors.id = alive.id AND (last_seen IS NULL OR last_seen < alive.ts)
)
SELECT code FROM alive""")


# Reading ------------------------------------------------------------------------------

_PASSED: Final = """\
wanted JOIN occ_borders AS border ON border.space = wanted.space
JOIN occ_assignments AS hanging ON hanging.doorway = border.doorway
AND hanging.valid && tstzrange(wanted.starts, wanted.ends)
CROSS JOIN LATERAL (
    SELECT ts, direction, seq FROM occ_events
    WHERE sensor = hanging.sensor AND state = 'counted'
    AND ts >= wanted.starts AND ts < wanted.ends AND hanging.valid @> ts
    ORDER BY ts
) AS event"""
"""Who passed in the times of spaces? The order keeps PostgreSQL from reading all events
once, where a look at each sensor is enough."""

_EFFECT: Final = "event.direction * hanging.sign * border.factor"

_TURN: Final = f"event.ts, event.seq NULLS LAST, {_EFFECT} DESC"
"""The order of `libres.occupancy.algebra.in_order`."""


@cache
def happened_in_hours() -> TextClause:
    """What happened in these hours of spaces? By the position of the hour, from 1, and
    only of those in which anything did: a row with the counts that were told, in order,
    and one with the effects of who passed; when that was, only where it matters."""
    return text(f"""\
WITH wanted AS (
    SELECT asked.*, told.moments, told.counts
    FROM (
        SELECT position, space, starts, starts + interval '1 hour' AS ends
        FROM unnest(CAST(:spaces AS uuid[]), CAST(:starts AS timestamptz[]))
        WITH ORDINALITY AS given (space, starts, position)
    ) AS asked
    CROSS JOIN LATERAL (
        SELECT array_agg(ts ORDER BY ts) AS moments,
            array_agg(value ORDER BY ts) AS counts
        FROM occ_calibrations
        WHERE space = asked.space AND ts >= asked.starts AND ts < asked.ends
    ) AS told
)
SELECT position, true AS is_told, moments, counts AS numbers, NULL AS seqs
FROM wanted WHERE moments IS NOT NULL
UNION ALL
SELECT position, false,
    array_agg(event.ts ORDER BY {_TURN}) FILTER (WHERE wanted.moments IS NOT NULL),
    array_agg(CAST({_EFFECT} AS integer) ORDER BY {_TURN}),
    array_agg(event.seq ORDER BY {_TURN}) FILTER (WHERE wanted.moments IS NOT NULL)
FROM {_PASSED}
GROUP BY position""")


@cache
def passed() -> TextClause:
    """Who passed in a space, from a moment until before another? In their order."""
    return text(f"""\
WITH wanted AS (
    SELECT CAST(:space AS uuid) AS space, CAST(:start AS timestamptz) AS starts,
        CAST(:end AS timestamptz) AS ends
)
SELECT event.ts, {_EFFECT} AS effect, event.seq FROM {_PASSED} ORDER BY {_TURN}""")


@cache
def calibrated() -> TextClause:
    """Which calibrations does a space have in a time?"""
    return text(
        "SELECT ts, value FROM occ_calibrations "
        "WHERE space = :space AND ts >= :start AND ts < :end ORDER BY ts"
    )


@cache
def changes() -> TextClause:
    """What changed a count until a moment, in order: whole months, days and hours, then
    what was told and who passed since, each as what it does to a count.

    What was before a month that was calibrated does not matter. If nothing happened in
    the hour after the moment, as when that is now, the hour counts as a whole.
    """
    return text(f"""\
WITH later AS (
    SELECT EXISTS (
        SELECT FROM (
            SELECT CAST(:space AS uuid) AS space, CAST(:end AS timestamptz) AS starts,
                CAST(:hour AS timestamptz) + interval '1 hour' AS ends
        ) AS {_PASSED}
    ) OR EXISTS (
        SELECT FROM occ_calibrations WHERE space = :space AND ts >= :end
        AND ts < CAST(:hour AS timestamptz) + interval '1 hour'
    ) AS is_any
)
SELECT shift, lo_raw, lo_sat FROM (
    SELECT start AS ts, 0 AS turn, CAST(NULL AS bigint) AS seq, shift, lo_raw, lo_sat
    FROM occ_tallies
    WHERE space = :space AND level = 'month' AND start < :month
    AND start >= coalesce((
        SELECT max(start) FROM occ_tallies
        WHERE space = :space AND level = 'month' AND start < :month AND shift IS NULL
    ), '-infinity')
    UNION ALL
    SELECT start, 0, NULL, shift, lo_raw, lo_sat FROM occ_tallies
    WHERE space = :space AND level = 'day' AND start >= :month AND start < :day
    UNION ALL
    SELECT start, 0, NULL, shift, lo_raw, lo_sat FROM occ_tallies
    WHERE space = :space AND level = 'hour' AND start >= :day AND start < :hour
    UNION ALL
    SELECT start, 0, NULL, shift, lo_raw, lo_sat FROM occ_tallies
    WHERE space = :space AND level = 'hour' AND start = :hour
    AND NOT (SELECT is_any FROM later)
    UNION ALL
    SELECT ts, 0, NULL, NULL, value, value FROM occ_calibrations
    WHERE space = :space AND ts >= :hour AND ts < :end AND (SELECT is_any FROM later)
    UNION ALL
    SELECT event.ts, 1, event.seq, {_EFFECT}, NULL, 0 FROM (
        SELECT CAST(:space AS uuid) AS space, CAST(:hour AS timestamptz) AS starts,
            CAST(:end AS timestamptz) AS ends
    ) AS {_PASSED} WHERE (SELECT is_any FROM later)
) AS known ORDER BY ts, turn, seq NULLS LAST, shift DESC""")


@cache
def tallies_within() -> TextClause:
    """What did the buckets of a level do, within a time?"""
    return text(f"""\
SELECT start, {_FIELDS} FROM occ_tallies
WHERE space = :space AND level = :level AND start >= :start AND start < :end
ORDER BY start""")


@cache
def siblings() -> TextClause:
    """Which hours have these days of spaces, and which days these months? By the
    position of these, from 1; their summaries as a list of values each."""
    return text(f"""\
WITH wanted AS (
    SELECT space, level, starts, ends, position
    FROM unnest(CAST(:spaces AS uuid[]), CAST(:levels AS text[]),
        CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
    WITH ORDINALITY AS wanted (space, level, starts, ends, position)
)
SELECT position, known.* FROM wanted CROSS JOIN LATERAL (
    SELECT array_agg(start ORDER BY start) AS starts,
        array_agg(ARRAY[{_FIELDS}] ORDER BY start) AS summaries
    FROM occ_tallies WHERE space = wanted.space AND level = wanted.level
    AND start >= wanted.starts AND start < wanted.ends
) AS known
WHERE known.starts IS NOT NULL""")


_TYPES: Final = ", ".join(f"CAST(:{field} AS bigint[])" for field in FIELDS)


@cache
def tallying() -> TextClause:
    """Store what buckets do. All write in the same order."""
    kept = ", ".join(f"{field} = excluded.{field}" for field in FIELDS)
    return text(f"""\
INSERT INTO occ_tallies (context, space, level, start, {_FIELDS})
SELECT :context, tally.* FROM unnest(
    CAST(:spaces AS uuid[]), CAST(:levels AS text[]), CAST(:starts AS timestamptz[]),
    {_TYPES}
) AS tally (space, level, start, {_FIELDS})
ORDER BY space, level, start
ON CONFLICT (space, level, start) DO UPDATE SET {kept}""")


@cache
def locking() -> TextClause:
    """Lock the tallies of buckets in the order of `tallying`, as some will be forgotten
    after it: else two could wait for each other."""
    return text("""\
SELECT FROM occ_tallies JOIN unnest(
    CAST(:spaces AS uuid[]), CAST(:levels AS text[]), CAST(:starts AS timestamptz[])
) AS wanted (space, level, start) USING (space, level, start)
ORDER BY space, level, start FOR NO KEY UPDATE OF occ_tallies""")


@cache
def forgetting() -> TextClause:
    """Forget buckets in which nothing is left."""
    return text("""\
DELETE FROM occ_tallies USING unnest(
    CAST(:spaces AS uuid[]), CAST(:levels AS text[]), CAST(:starts AS timestamptz[])
) AS gone (space, level, start)
WHERE occ_tallies.space = gone.space AND occ_tallies.level = gone.level
AND occ_tallies.start = gone.start""")


@cache
def hours_of_space() -> TextClause:
    """In which hours did anything happen in a space, or is said to have?"""
    return text("""\
SELECT date_trunc('hour', event.ts, 'UTC') AS start
FROM occ_borders AS border
JOIN occ_assignments AS hanging ON hanging.doorway = border.doorway
JOIN occ_events AS event ON event.sensor = hanging.sensor AND state = 'counted'
AND hanging.valid @> event.ts
WHERE border.space = :space
UNION
SELECT date_trunc('hour', ts, 'UTC') FROM occ_calibrations WHERE space = :space
UNION
SELECT start FROM occ_tallies WHERE space = :space AND level = 'hour'
ORDER BY start""")


# Sensors ------------------------------------------------------------------------------


@cache
def silences() -> TextClause:
    """When was a sensor that is to watch a space not heard for too long, in a time?

    Signs and events tell that it is alive; looked for as long before and after as it
    may be silent. A row each, cut to the time; none if nothing is to watch it.
    """
    return text("""\
WITH watching AS (
    SELECT DISTINCT sensor.id, heartbeat,
        greatest(coalesce(lower(valid), '-infinity'), CAST(:start AS timestamptz))
            AS starts,
        least(coalesce(upper(valid), 'infinity'), CAST(:end AS timestamptz)) AS ends
    FROM occ_borders AS border
    JOIN occ_assignments AS hanging ON hanging.doorway = border.doorway
    AND valid && tstzrange(:start, :end, '[]')
    JOIN occ_sensors AS sensor ON sensor.id = hanging.sensor
    WHERE border.space = :space
),
heard AS (
    SELECT watching.id, event.ts FROM watching JOIN occ_events AS event
    ON event.sensor = watching.id AND state = 'counted'
    AND event.ts BETWEEN starts - heartbeat AND ends
    UNION
    SELECT watching.id, sign.ts FROM watching JOIN occ_signs AS sign
    ON sign.sensor = watching.id AND sign.ts BETWEEN starts - heartbeat AND ends
),
gaps AS (
    SELECT id, ts AS last, lead(ts) OVER (PARTITION BY id ORDER BY ts) AS next
    FROM heard
    UNION ALL
    SELECT id, starts - heartbeat - interval '1 microsecond',
        (SELECT min(ts) FROM heard WHERE heard.id = watching.id)
    FROM watching
)
SELECT greatest(last + heartbeat, starts) AS start, least(next, ends) AS end
FROM gaps JOIN watching USING (id)
WHERE (next IS NULL OR next - last > heartbeat)
AND greatest(last + heartbeat, starts) < least(next, ends)
ORDER BY 1""")


@cache
def unwatched() -> TextClause:
    """When did no sensor hang above a doorway of a space, in a time? All the time, if
    it has no doorway."""
    return text("""\
WITH wanted AS (SELECT tstzmultirange(tstzrange(:start, :end)) AS span),
gaps AS (
    SELECT span - coalesce((
        SELECT range_agg(valid) FROM occ_assignments WHERE doorway = border.doorway
    ), '{}') AS spans
    FROM wanted JOIN occ_borders AS border ON border.space = :space
    UNION ALL
    SELECT span FROM wanted
    WHERE NOT EXISTS (SELECT FROM occ_borders WHERE space = :space)
)
SELECT lower(gap) AS start, upper(gap) AS end FROM gaps CROSS JOIN unnest(spans) AS gap
ORDER BY 1""")


@cache
def standing() -> TextClause:
    """Is a space watched at a moment: does a sensor hang above each doorway,
    and was every one heard lately? And what do its calibrations say of its drift?"""
    return text("""\
SELECT coalesce(bool_and(sensor.id IS NOT NULL AND (
    EXISTS (
        SELECT FROM occ_events AS event
        WHERE event.sensor = sensor.id AND state = 'counted'
        AND event.ts >= CAST(:at AS timestamptz) - heartbeat AND event.ts <= :at
    ) OR EXISTS (
        SELECT FROM occ_signs AS sign WHERE sign.sensor = sensor.id
        AND sign.ts >= CAST(:at AS timestamptz) - heartbeat AND sign.ts <= :at
    )
)), false) AS is_watched,
    max(told.drift) AS drift, max(told.passages) AS passages
FROM (
    SELECT sum(drift) AS drift, sum(passages) AS passages FROM occ_calibrations
    WHERE space = :space AND kind <> 'schedule'
) AS told
LEFT JOIN occ_borders AS border ON border.space = :space
LEFT JOIN occ_assignments AS hanging ON hanging.doorway = border.doorway
AND valid @> CAST(:at AS timestamptz) - interval '1 microsecond'
LEFT JOIN occ_sensors AS sensor ON sensor.id = hanging.sensor""")


# Proving ------------------------------------------------------------------------------


@cache
def all_tallies() -> TextClause:
    """What is stored of a space?"""
    return text(f"SELECT level, start, {_FIELDS} FROM occ_tallies WHERE space = :space")


@cache
def rebooking() -> TextClause:
    """Tell of the events of a sensor whether they count now, within a time.

    One index knows those that do, another one those that do not.
    """
    return text("""\
UPDATE occ_events SET state = CASE
    WHEN EXISTS (
        SELECT FROM occ_assignments AS hanging
        WHERE hanging.sensor = occ_events.sensor AND hanging.valid @> occ_events.ts
    ) THEN 'counted' ELSE 'unassigned'
END
WHERE sensor = :sensor AND (state = 'counted' OR state = 'unassigned')
AND ts >= :start AND ts < :end""")


@cache
def hours_of_sensor() -> TextClause:
    """In which hours did a sensor tell anything, within a time?"""
    return text("""\
SELECT DISTINCT date_trunc('hour', ts, 'UTC') AS start FROM occ_events
WHERE sensor = :sensor AND (state = 'counted' OR state = 'unassigned')
AND ts >= :start AND ts < :end""")


@cache
def spaces_of_sensor() -> TextClause:
    """Into which spaces does a sensor count, within a time?"""
    return text("""\
SELECT DISTINCT border.space FROM occ_assignments AS hanging
JOIN occ_borders AS border ON border.doorway = hanging.doorway
WHERE hanging.sensor = :sensor AND valid && tstzrange(:start, :end)""")
