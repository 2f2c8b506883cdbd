"""The SQL that writes claims; it takes proposals as `passing` does."""

from __future__ import annotations

from functools import cache
from typing import Final

from sqlalchemy import TextClause, text

from libres.conflicts.locking import in_turn, is_locked
from libres.conflicts.models import INHERITED
from libres.conflicts.passing import COLUMNS, IS_ASKED, passed, tree


@cache
def making_room() -> TextClause:
    """Delete what gives way: expired claims, and claims of the same parts on what
    another resource consists of. Give how many rows that were."""
    return text(f"""\
{tree(COLUMNS)},
expired AS (
    DELETE FROM conflict_claims AS claim USING tree JOIN passed USING (position)
    WHERE {IS_ASKED}
    AND claim.during && tstzrange(starts, ends) AND claim.expires <= :now
    RETURNING 1
),
left_over AS (
    DELETE FROM conflict_claims AS claim USING passed
    WHERE claim.context = :context AND claim.source = passed.source
    AND claim.source_id = passed.source_id AND claim.of_part = passed.part
    AND claim.named <> passed.resource
    RETURNING 1
)
SELECT (SELECT count(*) FROM expired) + (SELECT count(*) FROM left_over)""")


_WRITTEN: Final = ("resource", *INHERITED)


def _of(row: str) -> str:
    return ", ".join(f"{row}.{name}" for name in _WRITTEN)


_IN_TURN: Final = in_turn(
    "passed", "CAST(:context AS text)", "resource", "starts", ":locking"
)


@cache
def writing() -> TextClause:
    """Insert the claims that are new, replace those that differ.

    Gives what was written: id, identity, and whether it is new. Reads no claims, so at
    SERIALIZABLE two who want the same are told apart by the guard, which knows names,
    and not by a failure. Locks each resource before it is written, if *locking*.
    """
    return text(f"""\
WITH {passed(COLUMNS)}
INSERT INTO conflict_claims AS claim (
    context, source, source_id, part, modified, {", ".join(_WRITTEN)}
)
SELECT :context, source, source_id, part, :now, resource, tstzrange(starts, ends),
    before, after, numrange(lowest, highest, bounds), span_given, CAST(dims AS jsonb),
    exclusive, capacity, places, tentative, expires, label, url
FROM {_IN_TURN} AS passed
WHERE {is_locked("passed.place", ":locking")}
ON CONFLICT (context, source, source_id, part) DO UPDATE
SET (modified, {", ".join(_WRITTEN)}) = (excluded.modified, {_of("excluded")})
WHERE ({_of("claim")}) IS DISTINCT FROM ({_of("excluded")})
RETURNING id, source, source_id, part, (xmax = 0) AS inserted""")


@cache
def finding() -> TextClause:
    """Which ids have the claims of these parts?"""
    return text(f"""\
WITH {passed(COLUMNS)}
SELECT claim.id, claim.source, claim.source_id, claim.part
FROM passed CROSS JOIN LATERAL (
    SELECT id, source, source_id, part FROM conflict_claims AS claim
    WHERE claim.context = :context AND claim.source = passed.source
    AND claim.source_id = passed.source_id AND claim.part = passed.part
    OFFSET 0
) AS claim""")


@cache
def dropping() -> TextClause:
    """Delete all claims of some records; give how many parts that were."""
    return text("""\
WITH passed AS (
    SELECT DISTINCT source, source_id
    FROM unnest(CAST(:source AS text[]), CAST(:source_id AS text[]))
    AS passed (source, source_id)
),
dropped AS (
    DELETE FROM conflict_claims AS claim USING passed
    WHERE claim.context = :context AND claim.source = passed.source
    AND claim.source_id = passed.source_id
    RETURNING claim.of_part
)
SELECT count(*) FILTER (WHERE of_part IS NULL) FROM dropped""")


@cache
def dropping_expired() -> TextClause:
    """Delete what has expired in a context; give how many rows that were."""
    return text("""\
WITH dropped AS (
    DELETE FROM conflict_claims WHERE context = :context AND expires <= :now
    RETURNING 1
)
SELECT count(*) FROM dropped""")


DEFERRED: Final = text("SET CONSTRAINTS conflict_claims_guard DEFERRED")
IMMEDIATE: Final = text("SET CONSTRAINTS conflict_claims_guard IMMEDIATE")
"""When the guard looks: at the end of each statement, or when it is IMMEDIATE again."""
