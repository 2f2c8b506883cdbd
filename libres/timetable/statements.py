"""The SQL of timetables: who is free when, derived from the live rows.

All of it consists of the same parts: the *subjects* asked about, the windows that are
*wanted*, what is *opened* by allocations within them, what is *taken* of it, and what
is *free*. Times are those of the core: UTC without a zone, stored ends one microsecond
short; here they are half-open.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Final

from sqlalchemy import Boolean, Integer, Text, TextClause, text

from libres.db.models.types import UTCDateTime
from libres.timetable.schema import COUNTS, LONGEST, USUAL

_COLUMNS: Final = "name, resource, timezone, tags, data, active"
"""What is read of a subject."""

SUBJECTS: Final = """\
subjects AS MATERIALIZED (
    SELECT name, resource FROM timetable_subjects
    WHERE context = :context AND active
    AND (CAST(:among AS text[]) IS NULL OR name = ANY (CAST(:among AS text[])))
    AND tags @> CAST(:tags AS text[])
)"""
"""Whom is it about? *among*: None for everybody."""

_NAMED: Final = """\
subjects AS (
    SELECT name, resource FROM timetable_subjects
    WHERE context = :context AND name = ANY (CAST(:among AS text[]))
)"""
"""The same, whether they are active or not."""

WANTED: Final = """\
wanted AS (
    SELECT starts, ends, position, starts - CAST(:buffer AS interval) AS near,
        ends + CAST(:buffer AS interval) AS far
    FROM unnest(CAST(:starts AS timestamp[]), CAST(:ends AS timestamp[]))
    WITH ORDINALITY AS wanted (starts, ends, position)
)"""
"""Which windows are asked about? What is taken counts from *near* to *far*."""

_WANTED_ONE: Final = """\
wanted AS NOT MATERIALIZED (
    SELECT 1 AS position, (CAST(:starts AS timestamp[]))[1] AS starts,
        (CAST(:ends AS timestamp[]))[1] AS ends,
        (CAST(:starts AS timestamp[]))[1] - CAST(:buffer AS interval) AS near,
        (CAST(:ends AS timestamp[]))[1] + CAST(:buffer AS interval) AS far
)"""
"""Which is the one window? It is no table, so PostgreSQL sees how long it is."""

_EVER: Final = """\
wanted AS (
    SELECT 1 AS position, timestamp '-infinity' AS starts, timestamp 'infinity' AS ends,
        timestamp '-infinity' AS near, timestamp 'infinity' AS far
)"""
"""All time."""


def _in_window(
    start: str, end: str, since: str, until: str, longest: str = LONGEST
) -> str:
    """Write a condition for rows of a usual length, by an index that begins with the
    start."""
    return f"""\
{start} < wanted.{until} AND {start} >= wanted.{since} - {longest}
    AND {end} >= wanted.{since}"""


def _long_in_window(start: str, end: str, since: str) -> str:
    """Write one for the others, which are few."""
    return f"""\
{end} - {start} >= {LONGEST} AND {start} < wanted.{since} - {LONGEST}
    AND {end} >= wanted.{since}"""


def _all_of(*parts: str) -> str:
    """Write one after the other."""
    return "\n    UNION ALL\n".join(parts)


_PLACES_AT: Final = (
    _in_window("_start", "_end", "starts", "ends"),
    _long_in_window("_start", "_end", "starts"),
)
"""Which allocations overlap a window? The usual ones, and the longest."""


def _opened(where: str, whose: str = "") -> str:
    return f"""\
    SELECT position, resource, quota, _start, greatest(_start, wanted.starts) AS starts,
        least(_end + interval '1 microsecond', wanted.ends) AS ends
    FROM wanted JOIN allocations AS place ON {where}
    {whose}
    WHERE place.resource = place.mirror_of"""


_PLACES: Final = _all_of(*map(_opened, _PLACES_AT))
_OF_SUBJECT: Final = "JOIN subjects USING (resource)"

OPENED_AT_ALL: Final = f"opened AS MATERIALIZED (\n{_PLACES}\n)"
"""What is allocated, of any resource, cut to the windows?"""

OPENED: Final = f"""\
opened AS MATERIALIZED (
    SELECT opened.* FROM (
{_PLACES}
    OFFSET 0
    ) AS opened {_OF_SUBJECT}
)"""
"""The same, of the subjects. OFFSET keeps them out of the search: joined there,
PostgreSQL would read the table, too, and not the index alone."""

OPENED_OF_FEW: Final = f"""\
opened AS MATERIALIZED (
{_all_of(*(_opened(where, _OF_SUBJECT) for where in _PLACES_AT))}
)"""
"""The same, of a few subjects, whose resources are looked up."""

_SLOTS_AT: Final = (
    _in_window("start", '"end"', "near", "far", USUAL),
    f"""\
"end" - start >= {USUAL} AND start < wanted.near - {USUAL}
    AND start >= wanted.near - {LONGEST} AND "end" >= wanted.near""",
    _long_in_window("start", '"end"', "near"),
)
"""Which slots overlap a window? The usual ones, longer ones, and the longest."""


def _slots(where: str) -> str:
    return f"""\
    SELECT position, resource, allocation_id, start, "end"
    FROM wanted JOIN reserved_slots ON {where}"""


SLOTS: Final = f"""\
slots AS NOT MATERIALIZED (
{_all_of(*map(_slots, _SLOTS_AT))}
)"""
"""What is reserved or blocked, of any resource? Nearly always they are read
once, so they are not put down first."""

_OF_MIRRORS: Final = """\
    SELECT position, slot.resource, allocation_id, start, "end"
    FROM opened JOIN wanted USING (position)
    JOIN allocations AS place
    ON place.mirror_of = opened.resource AND place._start = opened._start
    JOIN reserved_slots AS slot ON slot.allocation_id = place.id
    WHERE opened.quota > 1 AND place.resource <> place.mirror_of
    AND start < wanted.far AND "end" >= wanted.near"""


def _slots_of_few(where: str) -> str:
    return f"""\
    SELECT position, resource, allocation_id, start, "end"
    FROM subjects CROSS JOIN wanted JOIN reserved_slots USING (resource)
    WHERE {where}"""


SLOTS_OF_FEW: Final = f"""\
slots AS NOT MATERIALIZED (
{
    _all_of(
        _slots_of_few(_in_window("start", '"end"', "near", "far")),
        _slots_of_few(_long_in_window("start", '"end"', "near")),
        _OF_MIRRORS,
    )
}
)"""
"""The same, of a few subjects: found by their resources, not by the time."""

CROWDS: Final = """\
crowds AS (
    SELECT DISTINCT position, resource, _start, quota FROM opened
    WHERE resource IN (SELECT resource FROM opened WHERE quota > 1)
)"""
"""What is allocated of those who have more than one place?"""

_RESERVED: Final = """\
    SELECT position, resource, start AS starts,
        "end" + interval '1 microsecond' AS ends
    FROM slots WHERE resource NOT IN (SELECT resource FROM crowds)"""

_CROWDED: Final = """\
    SELECT crowds.position, crowds.resource, slots.start,
        slots."end" + interval '1 microsecond'
    FROM crowds JOIN allocations AS place
    ON place.mirror_of = crowds.resource AND place._start = crowds._start
    JOIN slots ON slots.allocation_id = place.id AND slots.position = crowds.position
    GROUP BY crowds.position, crowds.resource, crowds.quota, slots.start, slots."end"
    HAVING count(*) >= crowds.quota"""


def _claimed(which: str) -> str:
    """Write what claims take, of those that last, or expire, or both."""
    return f"""\
    SELECT position, subjects.resource,
        lower(claim.during) AT TIME ZONE 'UTC' AS starts,
        upper(claim.during) AT TIME ZONE 'UTC' AS ends
    FROM wanted JOIN conflict_claims AS claim
    ON claim.during && tstzrange(
        wanted.near AT TIME ZONE 'UTC', wanted.far AT TIME ZONE 'UTC'
    )
    JOIN subjects ON subjects.resource::text = claim.resource
    WHERE claim.context = :context AND {COUNTS}
    AND ({which})"""


_LASTING: Final = "claim.expires IS NULL"
_EXPIRING: Final = "claim.expires > CAST(:now AS timestamptz)"

_PENDING: Final = """\
    SELECT position, subjects.resource, asked.start,
        asked."end" + interval '1 microsecond'
    FROM wanted JOIN (
        SELECT reservations.resource, reservations.start, reservations."end", created,
            modified, session_id
        FROM reservations
        WHERE status = 'pending' AND target_type = 'allocation'
        UNION ALL
        SELECT member.resource, member._start, member._end, reservations.created,
            reservations.modified, session_id
        FROM reservations JOIN allocations AS member
        ON member."group" = target AND member.resource = member.mirror_of
        WHERE status = 'pending' AND target_type = 'group'
    ) AS asked ON asked.start < wanted.far AND asked."end" >= wanted.near
    JOIN subjects USING (resource)
    WHERE asked.session_id IS NULL
    OR coalesce(asked.modified, asked.created)
        > CAST(:now AS timestamptz) AT TIME ZONE 'UTC' - interval '15 minutes'"""


def _taken(*parts: str) -> str:
    """Write what takes time."""
    return f"taken AS (\n{_all_of(*parts)}\n)"


FREE: Final = """\
free AS (
    SELECT position, resource,
        range_agg(span) FILTER (WHERE NOT is_taken)
        - coalesce(range_agg(span) FILTER (WHERE is_taken), '{}'::tsmultirange) AS spans
    FROM (
        SELECT position, resource, false AS is_taken, tsrange(starts, ends) AS span
        FROM opened
        UNION ALL
        SELECT position, resource, true, tsrange(
            starts - CAST(:buffer AS interval), ends + CAST(:buffer AS interval)
        ) FROM taken
    ) AS known
    GROUP BY position, resource HAVING bool_or(NOT is_taken)
)"""
"""What is opened and not taken, in one piece where it touches? Nothing is joined, as
PostgreSQL cannot know how many there are, and would do so one by one."""


class Windows(Enum):
    """How many windows are asked about."""

    WITHIN_DAY = "within a day"
    """One, within a day of UTC."""

    ONE = "one"
    MANY = "many"


class Source(Enum):
    """What free time is derived of."""

    ROWS = "rows"
    """Allocations, slots, claims."""

    TENTATIVE = "tentative"
    """The same, and what waits to be approved."""

    CACHE = "cache"
    """What is cached, and claims that expire, which is not."""


_IN_CACHE: Final = """\
free.context = :context AND free.starts >= date_trunc('day', wanted.starts)"""
"""Which rows begin so late that they can overlap a window? None reaches over midnight.
"""


def _cached(subjects: str) -> str:
    """Write the same of the cache, in which what is taken is missing."""
    return f"""\
opened AS MATERIALIZED (
    SELECT position, resource, greatest(free.starts, wanted.starts) AS starts,
        least(free.ends, wanted.ends) AS ends
    FROM wanted CROSS JOIN timetable_free AS free {subjects}
    WHERE {_IN_CACHE}
    AND free.starts < wanted.ends AND free.ends > wanted.starts
)"""


_INACTIVE: Final = """\
    SELECT position, resource, starts, ends FROM wanted CROSS JOIN timetable_subjects
    WHERE context = :context AND NOT active"""
"""Who is not active is cached, but not listed: taken all the time."""


def _known(
    source: Source,
    few: bool = False,
    whole: bool = False,
    windows: Windows = Windows.ONE,
) -> str:
    """Write all the parts that lead to what is taken, of a *few* subjects, if so said.

    For *whole* windows `_OF_SUBJECTS` picks them out at the end.
    """
    claimed = _claimed(f"{_LASTING} OR {_EXPIRING}")
    everybody = [OPENED_AT_ALL if whole else OPENED, SLOTS]
    slots = [*([OPENED_OF_FEW, SLOTS_OF_FEW] if few else everybody), CROWDS]
    late = whole and not few
    cached = _cached("" if late else "JOIN subjects USING (resource)")
    gone = [_claimed(_EXPIRING), *([_INACTIVE] if late else [])]
    parts = {
        Source.ROWS: [*slots, _taken(_RESERVED, _CROWDED, claimed)],
        Source.TENTATIVE: [*slots, _taken(_RESERVED, _CROWDED, claimed, _PENDING)],
        Source.CACHE: [cached, _taken(*gone)],
    }
    wanted = WANTED if windows is Windows.MANY else _WANTED_ONE
    return "WITH " + ",\n".join([SUBJECTS, wanted, *parts[source]])


_LASTING_ROWS: Final = _taken(_RESERVED, _CROWDED, _claimed(_LASTING))

DERIVED: Final = f"""\
WITH {_NAMED},
{_EVER},
{OPENED_OF_FEW},
{SLOTS_OF_FEW},
{CROWDS},
{_LASTING_ROWS},
{FREE},
derived AS (
    SELECT resource, greatest(lower(span), day) AS starts,
        least(upper(span), day + interval '1 day') AS ends
    FROM free CROSS JOIN unnest(spans) AS span
    CROSS JOIN generate_series(
        date_trunc('day', lower(span)), upper(span) - interval '1 microsecond',
        interval '1 day'
    ) AS day
)"""
"""What is to be cached of some subjects?"""


# Questions ----------------------------------------------------------------------------

_TIMES: Final = {"starts": UTCDateTime(), "ends": UTCDateTime()}


@cache
def free_spans(source: Source) -> TextClause:
    """When are these subjects free within the window? A row for each who is, with two
    lists of naive times: a row for each time would cost more than finding it."""
    statement = text(f"""\
{_known(source, few=True)},
{FREE}
SELECT name, starts, ends
FROM free JOIN subjects USING (resource) CROSS JOIN LATERAL (
    SELECT array_agg(lower(span)) AS starts, array_agg(upper(span)) AS ends
    FROM unnest(spans) AS span
) AS lists
WHERE starts IS NOT NULL""")
    return statement.columns(name=Text)  # type: ignore[return-value]


@cache
def known_spans(source: Source) -> TextClause:
    """What is opened, and what is taken? By name and start."""
    statement = text(f"""\
{_known(source, few=True)}
SELECT name, is_taken, spans.starts, spans.ends
FROM (
    SELECT resource, false AS is_taken, starts, ends FROM opened
    UNION ALL
    SELECT resource, true, starts, ends FROM taken
) AS spans JOIN subjects USING (resource)
ORDER BY name, spans.starts""")
    return statement.columns(name=Text, is_taken=Boolean, **_TIMES)  # type: ignore[return-value]


_AT_MIDNIGHT: Final = """\
starts > first AND starts = date_trunc('day', starts)
    OR ends < last AND ends = date_trunc('day', ends)"""
"""Is it a part of a longer time, which the cache has cut at midnight?"""


def _whole_windows(source: Source, windows: Windows) -> str:
    """Write who is free during the whole of each window, in one piece or in several.

    Allocations of a resource never overlap, and neither do rows of the cache, so what
    they cover is the sum of their lengths.
    """
    if source is Source.CACHE and windows is Windows.WITHIN_DAY:
        return _WHOLE_IN_CACHE
    whom = "position, resource" if windows is Windows.MANY else "resource"
    parts = "starts > first OR ends < last"
    if source is Source.CACHE:
        parts = _AT_MIDNIGHT
    return f"""\
pieces AS NOT MATERIALIZED (
    SELECT position, resource, opened.starts, opened.ends, wanted.starts AS first,
        wanted.ends AS last
    FROM opened JOIN wanted USING (position)
),
whole AS (
    SELECT {whom} FROM pieces WHERE starts = first AND ends = last
    UNION ALL
    SELECT {whom} FROM pieces
    WHERE {parts}
    GROUP BY {whom} HAVING sum(ends - starts) = max(last - first)
    EXCEPT SELECT {whom} FROM taken
)"""


_WHOLE_IN_CACHE: Final = f"""\
whole AS (
    SELECT resource FROM wanted JOIN timetable_free AS free ON {_IN_CACHE}
    AND free.starts <= wanted.starts AND free.ends >= wanted.ends
    EXCEPT SELECT resource FROM taken
)"""
"""Who is free during the whole window? Within a day that is one row of the cache."""


class Whom(Enum):
    """Whom a question is about."""

    EVERYBODY = "everybody"
    SOME = "some"
    """By tags, or of very many names."""

    FEW = "few"
    """Named ones, each of which is looked up."""


_OF_SUBJECTS: Final = {
    Whom.EVERYBODY: """\
    INTERSECT SELECT resource FROM timetable_subjects
    WHERE context = :context AND active
""",
    Whom.SOME: "    INTERSECT SELECT resource FROM subjects\n",
    Whom.FEW: "",
}
"""Who of all is asked about? A few are, from the beginning."""

_IN_ALL: Final = (
    "    GROUP BY resource HAVING count(*) = (SELECT count(*) FROM wanted)\n"
)


def _found_whole(source: Source, whom: Whom, windows: Windows) -> str:
    """Write who is free during the whole of all windows."""
    is_known = source is Source.CACHE and whom is Whom.EVERYBODY
    return f"""\
{_whole_windows(source, windows)},
found AS (
    SELECT resource FROM whole
{_IN_ALL if windows is Windows.MANY else ""}{"" if is_known else _OF_SUBJECTS[whom]})"""


_PARTLY: Final = f"""\
{FREE},
found AS (
    SELECT resource FROM (
        SELECT position, resource FROM free JOIN wanted USING (position)
        CROSS JOIN LATERAL (
            SELECT sum(upper(span) - lower(span)) AS total,
                max(upper(span) - lower(span)) AS longest
            FROM unnest(spans) AS span
        ) AS measured
        WHERE measured.longest >= CAST(:duration AS interval)
        AND extract(epoch FROM measured.total)
            >= :fraction * extract(epoch FROM wanted.ends - wanted.starts) - 0.000001
    ) AS partly
    GROUP BY resource HAVING count(*) = (SELECT count(*) FROM wanted)
)"""
"""Who is free for so long in one piece, and for such a share, in all windows?"""

_SUBJECTS_FOUND: Final = f"""\
SELECT {_COLUMNS} FROM found JOIN timetable_subjects AS subject USING (resource)
{{load}}
WHERE subject.context = :context"""

_BY_NAME: Final = f"""\
{_SUBJECTS_FOUND.format(load="")}
AND (CAST(:after AS text) IS NULL OR name > :after)
ORDER BY name LIMIT :most"""

_LOAD: Final = """\
LEFT JOIN LATERAL (
    SELECT sum(slot."end" - slot.start) AS booked FROM reserved_slots AS slot
    WHERE slot.resource = found.resource AND slot.start >= :since
    AND slot.start < :until AND slot.source_type = 'reservation'
) AS load ON true"""

_LEAST_BOOKED: Final = f"""\
{_SUBJECTS_FOUND.format(load=_LOAD)}
ORDER BY coalesce(booked, interval '0'), name LIMIT :most"""


@cache
def who(
    whole: bool, source: Source, whom: Whom, windows: Windows, fair: bool
) -> TextClause:
    """Who is free? By name, or those first who have been booked least."""
    order = _LEAST_BOOKED if fair else _BY_NAME
    statement = text(f"{_found(whole, source, whom, windows)}\n{order}")
    return statement.columns(name=Text)  # type: ignore[return-value]


def _found(whole: bool, source: Source, whom: Whom, windows: Windows) -> str:
    """Write all the parts that lead to who is found."""
    few = whom is Whom.FEW
    found = _found_whole(source, whom, windows) if whole else _PARTLY
    return f"{_known(source, few, whole, windows)},\n{found}"


@cache
def whole_of_each(source: Source, few: bool = False) -> TextClause:
    """Who is free during the whole of each window? By position and name."""
    statement = text(f"""\
{_known(source, few, windows=Windows.MANY)},
{_whole_windows(source, Windows.MANY)}
SELECT position, name FROM whole JOIN subjects USING (resource)
ORDER BY position, name""")
    return statement.columns(position=Integer, name=Text)  # type: ignore[return-value]


@cache
def reasons() -> TextClause:
    """What takes time of a subject, and why? By start."""
    statement = text(f"""\
WITH {SUBJECTS},
{_WANTED_ONE},
{OPENED_OF_FEW},
{SLOTS_OF_FEW}
SELECT kind, label, starts, ends FROM (
    SELECT slot.source_type::text AS kind,
        coalesce(reservation.email, blocker.reason)::text AS label,
        slot.start AS starts, slot."end" + interval '1 microsecond' AS ends
    FROM slots JOIN allocations AS place ON place.id = slots.allocation_id
    JOIN subjects ON subjects.resource = place.mirror_of
    JOIN reserved_slots AS slot
    ON slot.resource = slots.resource AND slot.start = slots.start
    LEFT JOIN reservations AS reservation
    ON slot.source_type = 'reservation' AND reservation.id = slot.source_id
    LEFT JOIN reservation_blockers AS blocker
    ON slot.source_type = 'blocker' AND blocker.id = slot.source_id
    UNION ALL
    SELECT 'claim', coalesce(claim.label, claim.source),
        lower(claim.during) AT TIME ZONE 'UTC', upper(claim.during) AT TIME ZONE 'UTC'
    FROM wanted JOIN conflict_claims AS claim
    ON claim.during && tstzrange(
        wanted.starts AT TIME ZONE 'UTC', wanted.ends AT TIME ZONE 'UTC'
    )
    JOIN subjects ON subjects.resource::text = claim.resource
    WHERE claim.context = :context AND {COUNTS} AND ({_LASTING} OR {_EXPIRING})
) AS known
ORDER BY starts NULLS FIRST, ends, kind, label""")
    return statement.columns(kind=Text, label=Text, **_TIMES)  # type: ignore[return-value]


@cache
def how_many(whole: bool, source: Source, whom: Whom, windows: Windows) -> TextClause:
    """How many are free?"""
    return text(f"{_found(whole, source, whom, windows)}\nSELECT count(*) FROM found")


@cache
def counts(source: Source, few: bool = False) -> TextClause:
    """How many are free during each whole step of a window? Steps count from 0."""
    return text(f"""\
{_known(source, few)},
{FREE},
changes AS (
    SELECT change.step, sum(change.number) AS number
    FROM free JOIN wanted USING (position) CROSS JOIN unnest(spans) AS span
    CROSS JOIN LATERAL (
        SELECT
            ceil(extract(epoch FROM lower(span) - wanted.starts) / :step) AS first,
            floor(extract(epoch FROM upper(span) - wanted.starts) / :step) AS last
    ) AS steps
    CROSS JOIN LATERAL (
        VALUES (steps.first, 1), (steps.last, -1)
    ) AS change (step, number)
    WHERE steps.first < steps.last
    GROUP BY change.step
)
SELECT step::integer AS step, sum(number) OVER (ORDER BY step)::integer AS number
FROM changes ORDER BY step""")


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
    return statement.columns(name=Text, **_TIMES, **times)  # type: ignore[return-value]


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
    return statement.columns(name=Text, id=Integer, is_held=Boolean, **_TIMES)  # type: ignore[return-value]


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
