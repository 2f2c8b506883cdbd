"""The questions of timetables in SQL, made of the parts in `libres.timetable.parts`."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Final

from sqlalchemy import Boolean, Integer, Text, TextClause, text

from libres.db.models.types import UTCDateTime
from libres.timetable.parts import (
    EXPIRING,
    FREE,
    IN_CACHE,
    LASTING,
    OPENED_OF_FEW,
    SLOTS_OF_FEW,
    SUBJECTS,
    WANTED_ONE,
    Source,
    Windows,
    known,
)
from libres.timetable.schema import COUNTS

_COLUMNS: Final = "name, resource, timezone, tags, data, active"
"""What is read of a subject."""

TIMES: Final = {"starts": UTCDateTime(), "ends": UTCDateTime()}


@cache
def free_spans(source: Source) -> TextClause:
    """When are these subjects free within the window? A row for each who is, with two
    lists of naive times: a row for each time would cost more than finding it."""
    statement = text(f"""\
{known(source, few=True)},
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
{known(source, few=True)}
SELECT name, is_taken, spans.starts, spans.ends
FROM (
    SELECT resource, false AS is_taken, starts, ends FROM opened
    UNION ALL
    SELECT resource, true, starts, ends FROM taken
) AS spans JOIN subjects USING (resource)
ORDER BY name, spans.starts""")
    return statement.columns(name=Text, is_taken=Boolean, **TIMES)  # type: ignore[return-value]


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
    SELECT resource FROM wanted JOIN timetable_free AS free ON {IN_CACHE}
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
    return f"{known(source, few, whole, windows)},\n{found}"


@cache
def whole_of_each(source: Source, few: bool = False) -> TextClause:
    """Who is free during the whole of each window? By position and name."""
    statement = text(f"""\
{known(source, few, windows=Windows.MANY)},
{_whole_windows(source, Windows.MANY)}
SELECT position, name FROM whole JOIN subjects USING (resource)
ORDER BY position, name""")
    return statement.columns(position=Integer, name=Text)  # type: ignore[return-value]


@cache
def reasons() -> TextClause:
    """What takes time of a subject, and why? By start."""
    statement = text(f"""\
WITH {SUBJECTS},
{WANTED_ONE},
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
    WHERE claim.context = :context AND {COUNTS} AND ({LASTING} OR {EXPIRING})
) AS known
ORDER BY starts NULLS FIRST, ends, kind, label""")
    return statement.columns(kind=Text, label=Text, **TIMES)  # type: ignore[return-value]


@cache
def how_many(whole: bool, source: Source, whom: Whom, windows: Windows) -> TextClause:
    """How many are free?"""
    return text(f"{_found(whole, source, whom, windows)}\nSELECT count(*) FROM found")


@cache
def counts(source: Source, few: bool = False) -> TextClause:
    """How many are free during each whole step of a window? Steps count from 0."""
    return text(f"""\
{known(source, few)},
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
