"""The SQL of findings: who has reserved, who checked in, what was found already."""

from __future__ import annotations

from functools import cache
from typing import Final

from sqlalchemy import TextClause, bindparam, text

from libres.db.models.types import UTCDateTime

_RESERVED: Final = """\
wanted AS (SELECT unnest(CAST(:resources AS uuid[])) AS resource),
booked AS (
    SELECT reservation.id, reservation.start AS starts, reservation."end" AS ends,
        allocation.timezone, _raster, partly_available
    FROM reservations AS reservation
    JOIN wanted USING (resource)
    JOIN allocations AS allocation ON allocation."group" = reservation.target
    AND allocation.resource = reservation.resource
    AND allocation._start <= reservation.start AND allocation._end >= reservation.start
    WHERE target_type = 'allocation' AND status = 'approved'
    AND reservation.start BETWEEN :first AND :last
    UNION ALL
    SELECT reservation.id, _start, _end, allocation.timezone, _raster, false
    FROM wanted
    JOIN allocations AS allocation ON allocation.mirror_of = wanted.resource
    AND allocation.resource = wanted.resource AND _start BETWEEN :first AND :last
    JOIN reservations AS reservation ON reservation.target = allocation."group"
    AND reservation.resource = wanted.resource
    WHERE target_type = 'group' AND status = 'approved'
)"""
"""What is approved, at which times? A reservation of a group has several."""


@cache
def reserved() -> TextClause:
    """Who has reserved these resources, from a start to a last one, of whom it has not
    been found yet that they did something? In the order of their starts."""
    statement = text(f"""\
WITH {_RESERVED}
SELECT reservation.id, token, reservation.resource, type, email, quota, starts, ends,
    coalesce(booked.timezone, 'UTC') AS timezone, _raster AS raster,
    partly_available AS is_partly, check_ins
FROM booked JOIN reservations AS reservation USING (id)
LEFT JOIN LATERAL (
    SELECT array_agg(ts ORDER BY ts) AS check_ins FROM occ_check_ins
    WHERE context = :context AND reservation = booked.id
) AS told ON true
WHERE NOT EXISTS (
    SELECT FROM occ_findings AS known
    WHERE known.context = :context AND known.reservation = booked.id
    AND known.kind = :kind
)
ORDER BY starts, id""")
    ends = (bindparam(each, type_=UTCDateTime()) for each in ("first", "last"))
    return statement.bindparams(*ends).columns(  # type: ignore[return-value]
        starts=UTCDateTime(), ends=UTCDateTime()
    )


@cache
def checking_in() -> TextClause:
    """Note that somebody is there, if one of our spaces is reserved by it."""
    return text("""\
WITH known AS (
    SELECT id FROM reservations WHERE id = :reservation AND resource IN (
        SELECT resource FROM occ_spaces WHERE context = :context
    )
),
told AS (
    INSERT INTO occ_check_ins (context, reservation, ts)
    SELECT :context, id, :ts FROM known
    ON CONFLICT DO NOTHING
)
SELECT id FROM known""")


_NEW: Final = """\
SELECT :context, given.space, given.reservation, given.kind,
    tstzrange(given.starts, given.ends), given.email, given.evidence
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (
    space uuid, reservation integer, kind text, starts timestamptz, ends timestamptz,
    email text, evidence jsonb
)"""

_COLUMNS: Final = "context, space, reservation, kind, during, email, evidence"


@cache
def storing() -> TextClause:
    """Store what was found of reservations, the first time that it is found.

    All write in the same order, so that nobody waits in a circle.
    """
    return text(f"""\
INSERT INTO occ_findings ({_COLUMNS}) {_NEW}
ORDER BY given.reservation, given.kind, given.starts
ON CONFLICT (context, reservation, kind) WHERE reservation IS NOT NULL DO NOTHING
RETURNING id, reservation""")


@cache
def storing_periods() -> TextClause:
    """Store what was found of spaces; what lasts longer than was known is longer."""
    return text(f"""\
INSERT INTO occ_findings ({_COLUMNS}) {_NEW}
ORDER BY given.space, given.kind, given.starts
ON CONFLICT (space, kind, lower(during)) WHERE reservation IS NULL DO UPDATE
SET during = excluded.during, evidence = excluded.evidence || jsonb_build_object(
    'highest', greatest(
        (excluded.evidence ->> 'highest')::integer,
        (occ_findings.evidence ->> 'highest')::integer
    )
)
WHERE upper(excluded.during) > upper(occ_findings.during)
RETURNING id, space, lower(during) AS start, xmax = 0 AS is_new""")


@cache
def acting() -> TextClause:
    """Note what was done about findings."""
    return text("""\
UPDATE occ_findings SET action = given.action, evidence = given.evidence
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (
    id bigint, action text, evidence jsonb
)
WHERE occ_findings.id = given.id
RETURNING occ_findings.id""")


@cache
def strikes() -> TextClause:
    """How often did somebody not come who was not exempt, and has not checked in?"""
    return text("""\
SELECT lower(email) AS email, count(*) AS number FROM occ_findings AS finding
WHERE context = :context AND kind = 'no_show' AND NOT evidence ? 'exempt'
AND (CAST(:since AS timestamptz) IS NULL OR lower(during) >= :since)
AND NOT EXISTS (
    SELECT FROM occ_check_ins AS told
    WHERE told.context = finding.context AND told.reservation = finding.reservation
    AND ts BETWEEN lower(during) - CAST(:early AS interval) AND upper(during)
)
GROUP BY lower(email) ORDER BY number DESC, email""")
