"""Keeps the cache of free times in the transactions that change the rows: triggers.

Free times are cached by days of UTC. Whatever a statement changes, the days that it
touches are computed anew at its end, so nothing can be forgotten; and those who change
days of the same subject wait for each other.
"""

from __future__ import annotations

from typing import Final

from libres.timetable.schema import COUNTS, LONGEST

LOCKS: Final = 1953066341
"""The first half of the number of our locks: "time" in ASCII."""


def _of_day(table: str, start: str, end: str, columns: str) -> str:
    """Write which rows of a resource overlap a wanted day, whatever their length."""
    return f"""\
SELECT {columns} FROM {table} WHERE resource = wanted.resource
        AND {start} < wanted.ends AND {start} >= wanted.starts - {LONGEST}
        AND {end} >= wanted.starts
        UNION ALL
        SELECT {columns} FROM {table} WHERE resource = wanted.resource
        AND {end} - {start} >= {LONGEST} AND {start} < wanted.starts - {LONGEST}
        AND {end} >= wanted.starts"""


COMPUTED: Final = f"""\
CREATE OR REPLACE FUNCTION timetable_computed(
    contexts text[], resources uuid[], days timestamp[]
) RETURNS TABLE (context text, resource uuid, starts timestamp, ends timestamp)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN RETURN QUERY
WITH wanted AS (
    SELECT context, resource, day AS starts, day + interval '1 day' AS ends
    FROM unnest(contexts, resources, days) AS wanted (context, resource, day)
),
opened AS MATERIALIZED (
    SELECT wanted.context, wanted.resource, wanted.starts AS day, quota, _start,
        greatest(_start, wanted.starts) AS starts,
        least(_end + interval '1 microsecond', wanted.ends) AS ends
    FROM wanted CROSS JOIN LATERAL (
        {_of_day("allocations", "_start", "_end", "quota, _start, _end")}
    ) AS place
),
crowds AS MATERIALIZED (
    SELECT context, resource, day, quota, _start FROM opened
    WHERE (resource, day) IN (SELECT resource, day FROM opened WHERE quota > 1)
),
taken AS (
    SELECT wanted.resource, wanted.starts AS day, slot.start AS starts,
        slot."end" + interval '1 microsecond' AS ends
    FROM wanted CROSS JOIN LATERAL (
        {_of_day("reserved_slots", "start", '"end"', 'start, "end"')}
    ) AS slot
    WHERE (wanted.resource, wanted.starts) NOT IN (SELECT resource, day FROM crowds)
    UNION ALL
    SELECT crowds.resource, crowds.day, slot.start,
        slot."end" + interval '1 microsecond'
    FROM crowds JOIN allocations AS place
    ON place.mirror_of = crowds.resource AND place._start = crowds._start
    JOIN reserved_slots AS slot ON slot.allocation_id = place.id
    AND slot.start < crowds.day + interval '1 day' AND slot."end" >= crowds.day
    GROUP BY crowds.resource, crowds.day, crowds.quota, slot.start, slot."end"
    HAVING count(*) >= crowds.quota
    UNION ALL
    SELECT wanted.resource, wanted.starts, lower(claim.during) AT TIME ZONE 'UTC',
        upper(claim.during) AT TIME ZONE 'UTC'
    FROM wanted CROSS JOIN LATERAL (
        SELECT during FROM conflict_claims AS claim
        WHERE hash = conflict_hash(wanted.context, wanted.resource::text)
        AND context = wanted.context AND resource = wanted.resource::text
        AND during && tstzrange(
            wanted.starts AT TIME ZONE 'UTC', wanted.ends AT TIME ZONE 'UTC'
        )
        AND {COUNTS} AND expires IS NULL
        OFFSET 0
    ) AS claim
)
SELECT known.context, known.resource, lower(span), upper(span)
FROM (
    SELECT context, resource, day, range_agg(tsrange(starts, ends)) AS spans
    FROM opened GROUP BY context, resource, day
) AS known
LEFT JOIN (
    SELECT resource, day, range_agg(tsrange(starts, ends)) AS spans
    FROM taken GROUP BY resource, day
) AS gone USING (resource, day)
CROSS JOIN unnest(known.spans - coalesce(gone.spans, '{{}}'::tsmultirange)) AS span;
END $$"""
"""When are these subjects free on these days? Each pair of subject and day once."""

REFRESH: Final = f"""\
CREATE OR REPLACE FUNCTION timetable_refresh(
    contexts text[], resources uuid[], days timestamp[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF resources IS NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock({LOCKS}, place)
    FROM (
        SELECT DISTINCT hashtext(resource::text) AS place
        FROM unnest(resources) AS resource ORDER BY 1
    ) AS places;
    DELETE FROM timetable_free AS free
    USING unnest(contexts, resources, days) AS changed (context, resource, day)
    WHERE free.context = changed.context AND free.resource = changed.resource
    AND free.starts >= changed.day AND free.starts < changed.day + interval '1 day';
    INSERT INTO timetable_free (context, resource, starts, ends)
    SELECT context, resource, starts, ends
    FROM timetable_computed(contexts, resources, days);
END $$"""

_CACHED: Final = """\
JOIN timetable_subjects AS subject ON {subject}
    JOIN timetable_caches USING (context)"""

_DAYS: Final = (
    "CROSS JOIN generate_series("
    "date_trunc('day', {start}), {end}, interval '1 day') AS day"
)


def _changed(rows: str, on: str, start: str, end: str) -> str:
    return f"""\
SELECT subject.context, subject.resource, day FROM {rows}
    {_CACHED.format(subject=on)}
    {_DAYS.format(start=start, end=end)}"""


def _allocations(rows: str) -> str:
    return _changed(rows, f"subject.resource = {rows}.resource", "_start", "_end")


def _slots(rows: str) -> str:
    return f"""\
SELECT subject.context, subject.resource, day FROM {rows}
    JOIN allocations AS place ON place.id = {rows}.allocation_id
    {_CACHED.format(subject="subject.resource = place.mirror_of")}
    {_DAYS.format(start=f"{rows}.start", end=f'{rows}."end"')}"""


def _claims(rows: str) -> str:
    """Write the days of claims, which may have no ends, that are allocated."""
    return f"""\
SELECT subject.context, subject.resource, day FROM {rows}
    JOIN timetable_subjects AS subject ON subject.context = {rows}.context
    AND subject.resource::text = {rows}.resource
    JOIN timetable_caches ON timetable_caches.context = subject.context
    CROSS JOIN LATERAL (
        SELECT min(_start) AS first, max(_end) AS last FROM allocations
        WHERE resource = subject.resource
    ) AS allocated
    CROSS JOIN generate_series(
        date_trunc('day', greatest(lower(during) AT TIME ZONE 'UTC', first)),
        least(upper(during) AT TIME ZONE 'UTC', last), interval '1 day'
    ) AS day
    WHERE {COUNTS} AND expires IS NULL"""


def _subjects(rows: str) -> str:
    return f"""\
SELECT {rows}.context, {rows}.resource, day FROM {rows}
    JOIN timetable_caches USING (context)
    JOIN allocations ON allocations.resource = {rows}.resource
    {_DAYS.format(start="_start", end="_end")}"""


SOURCES: Final = {
    "allocations": _allocations,
    "reserved_slots": _slots,
    "conflict_claims": _claims,
    "timetable_subjects": _subjects,
}

EVENTS: Final = {
    "insert": ("REFERENCING NEW TABLE AS fresh", ("fresh",)),
    "update": ("REFERENCING OLD TABLE AS gone NEW TABLE AS fresh", ("gone", "fresh")),
    "delete": ("REFERENCING OLD TABLE AS gone", ("gone",)),
}


def _watching(table: str) -> list[str]:
    """Write the functions and triggers of a table."""
    found = []
    for event, (reads, rows) in EVENTS.items():
        if table == "timetable_subjects" and event != "insert":
            continue
        name = f"timetable_{table}_{event}"
        changed = "\n    UNION ".join(SOURCES[table](each) for each in rows)
        found += [_function(name, changed), _trigger(name, table, event, reads)]
    if table != "timetable_subjects":
        found.append(_trigger("timetable_forget", table, "truncate", ""))
    return found


def _function(name: str, changed: str) -> str:
    return f"""\
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    contexts text[];
    resources uuid[];
    days timestamp[];
BEGIN
    SELECT array_agg(context), array_agg(resource), array_agg(day)
    INTO contexts, resources, days
    FROM (
    SELECT DISTINCT context, resource, day FROM (
    {changed}
    ) AS changed
    ORDER BY context, resource, day
    ) AS ordered;
    PERFORM timetable_refresh(contexts, resources, days);
    RETURN NULL;
END $$"""


def _trigger(name: str, table: str, event: str, reads: str) -> str:
    trigger = f"{name}_{table}" if event == "truncate" else name
    return f"""\
CREATE OR REPLACE TRIGGER {trigger} AFTER {event.upper()} ON {table} {reads}
FOR EACH STATEMENT EXECUTE FUNCTION {name}()"""


FORGET: Final = """\
CREATE OR REPLACE FUNCTION timetable_forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM timetable_free;
    DELETE FROM timetable_caches;
    RETURN NULL;
END $$"""
"""After a TRUNCATE nothing is cached any more."""

CREATING: Final = (
    COMPUTED,
    REFRESH,
    FORGET,
    *(statement for table in SOURCES for statement in _watching(table)),
)

DROPPING: Final = tuple(
    f"DROP TRIGGER IF EXISTS timetable_{table}_{event} ON {table}"
    for table in SOURCES
    for event in EVENTS
) + tuple(
    f"DROP TRIGGER IF EXISTS timetable_forget_{table} ON {table}" for table in SOURCES
)
