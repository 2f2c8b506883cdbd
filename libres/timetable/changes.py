"""What opens and closes time of subjects, in SQL."""

from __future__ import annotations

from functools import cache
from typing import Final

from sqlalchemy import Boolean, Integer, Text, TextClause, text

from libres.db.models.types import UTCDateTime
from libres.timetable.statements import TIMES

# Opening ------------------------------------------------------------------------------

_NEW: Final = """\
WITH asked AS (
    SELECT subject.resource, subject.name, subject.timezone, span.starts, span.ends
    FROM unnest(CAST(:name AS text[]), CAST(:starts AS timestamp[]),
        CAST(:ends AS timestamp[])) AS span (name, starts, ends)
    JOIN timetable_subjects AS subject
    ON subject.context = :context AND subject.name = span.name
),
-- Of those that start before the end, only the last one can reach into the span, as
-- allocations of a resource do not overlap.
judged AS (
    SELECT asked.*, before._start AS taken_from, before._end AS taken_until,
        coalesce(before._end >= asked.starts, false) AS is_taken
    FROM asked LEFT JOIN LATERAL (
        SELECT _start, _end FROM allocations
        WHERE resource = asked.resource AND _start <= asked.ends
        ORDER BY resource DESC, _start DESC LIMIT 1
    ) AS before ON true
)"""
"""Which spans are asked for, and what is in the way of each? Ends are stored ends."""


@cache
def overlapping() -> TextClause:
    """Which of the spans overlaps something? The first by name and start."""
    statement = text(f"""\
{_NEW}
SELECT name, starts, ends, taken_from, taken_until FROM judged WHERE is_taken
ORDER BY name, starts LIMIT 1""")
    times = {"taken_from": UTCDateTime(), "taken_until": UTCDateTime()}
    return statement.columns(name=Text, **TIMES, **times)  # type: ignore[return-value]


@cache
def opening() -> TextClause:
    """Allocate those spans that overlap nothing, and count them."""
    return text(f"""\
{_NEW},
written AS (
    INSERT INTO allocations (
        resource, mirror_of, type, "group", quota, quota_limit, partly_available,
        approve_manually, timezone, data, _start, _end, _raster, created
    )
    SELECT resource, resource, 'generic', gen_random_uuid(), :quota, 0, true, false,
        timezone, :data, starts, ends, :raster, CAST(:now AS timestamp)
    FROM judged WHERE NOT is_taken
    ORDER BY resource, starts
    RETURNING 1
)
SELECT count(*) FROM written""")


# Closing ------------------------------------------------------------------------------


@cache
def touching() -> TextClause:
    """Which allocations overlap these spans, and who holds any of them?"""
    statement = text("""\
WITH asked AS (
    SELECT resource, subject.name, span.starts, span.ends
    FROM unnest(CAST(:name AS text[]), CAST(:starts AS timestamp[]),
        CAST(:ends AS timestamp[])) AS span (name, starts, ends)
    JOIN timetable_subjects AS subject
    ON subject.context = :context AND subject.name = span.name
),
touched AS (
    SELECT DISTINCT asked.name, place.id, place."group", place.resource, _start, _end
    FROM asked JOIN allocations AS place ON place.resource = asked.resource
    AND place.mirror_of = asked.resource
    AND _start <= asked.ends AND _end >= asked.starts
)
SELECT name, id, _start AS starts, _end AS ends,
    EXISTS (SELECT FROM reservations WHERE target = touched."group")
    OR EXISTS (SELECT FROM reservation_blockers WHERE target = touched."group")
    OR EXISTS (
        SELECT FROM allocations AS place JOIN reserved_slots AS slot
        ON slot.allocation_id = place.id
        WHERE place.mirror_of = touched.resource AND place._start = touched._start
    ) AS is_held
FROM touched ORDER BY name, starts""")
    return statement.columns(name=Text, id=Integer, is_held=Boolean, **TIMES)  # type: ignore[return-value]


@cache
def removing() -> TextClause:
    """Delete what has no part left, and the mirrors of all that is cut."""
    return text("""\
WITH cut AS (
    SELECT resource, _start FROM allocations WHERE id = ANY (CAST(:cut AS integer[]))
)
DELETE FROM allocations AS place
WHERE place.id = ANY (CAST(:removed AS integer[]))
OR resource <> mirror_of
AND (mirror_of, _start) IN (SELECT resource, _start FROM cut)""")


@cache
def adding_parts() -> TextClause:
    """Add the further parts of what is cut."""
    return text("""\
INSERT INTO allocations (
    resource, mirror_of, type, "group", quota, quota_limit, partly_available,
    approve_manually, timezone, data, _start, _end, _raster, created
)
SELECT resource, mirror_of, type, gen_random_uuid(), quota, quota_limit,
    partly_available, approve_manually, timezone, data, part.starts, part.ends,
    _raster, CAST(:now AS timestamp)
FROM unnest(CAST(:ids AS integer[]), CAST(:starts AS timestamp[]),
    CAST(:ends AS timestamp[])) AS part (id, starts, ends)
JOIN allocations USING (id)""")


@cache
def cutting() -> TextClause:
    """Leave the first part of what is cut."""
    return text("""\
UPDATE allocations SET _start = part.starts, _end = part.ends,
    modified = CAST(:now AS timestamp)
FROM unnest(CAST(:ids AS integer[]), CAST(:starts AS timestamp[]),
    CAST(:ends AS timestamp[])) AS part (id, starts, ends)
WHERE allocations.id = part.id""")
