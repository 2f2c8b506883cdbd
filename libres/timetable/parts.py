"""The parts of the SQL of timetables: who is free when, derived from the live rows.

All of it consists of the same parts: the *subjects* asked about, the windows that are
*wanted*, what is *opened* by allocations within them, what is *taken* of it, and what
is *free*. Times are those of the core: UTC without a zone, stored ends one microsecond
short; here they are half-open.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from libres.timetable.schema import COUNTS, LONGEST, USUAL

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

WANTED_ONE: Final = """\
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


LASTING: Final = "claim.expires IS NULL"
EXPIRING: Final = "claim.expires > CAST(:now AS timestamptz)"

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


IN_CACHE: Final = """\
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
    WHERE {IN_CACHE}
    AND free.starts < wanted.ends AND free.ends > wanted.starts
)"""


_INACTIVE: Final = """\
    SELECT position, resource, starts, ends FROM wanted CROSS JOIN timetable_subjects
    WHERE context = :context AND NOT active"""
"""Who is not active is cached, but not listed: taken all the time."""


def known(
    source: Source,
    few: bool = False,
    whole: bool = False,
    windows: Windows = Windows.ONE,
) -> str:
    """Write all the parts that lead to what is taken, of a *few* subjects, if so said.

    For *whole* windows `_OF_SUBJECTS` picks them out at the end.
    """
    claimed = _claimed(f"{LASTING} OR {EXPIRING}")
    everybody = [OPENED_AT_ALL if whole else OPENED, SLOTS]
    slots = [*([OPENED_OF_FEW, SLOTS_OF_FEW] if few else everybody), CROWDS]
    late = whole and not few
    cached = _cached("" if late else "JOIN subjects USING (resource)")
    gone = [_claimed(EXPIRING), *([_INACTIVE] if late else [])]
    parts = {
        Source.ROWS: [*slots, _taken(_RESERVED, _CROWDED, claimed)],
        Source.TENTATIVE: [*slots, _taken(_RESERVED, _CROWDED, claimed, _PENDING)],
        Source.CACHE: [cached, _taken(*gone)],
    }
    wanted = WANTED if windows is Windows.MANY else WANTED_ONE
    return "WITH " + ",\n".join([SUBJECTS, wanted, *parts[source]])


_LASTING_ROWS: Final = _taken(_RESERVED, _CROWDED, _claimed(LASTING))

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
