"""The SQL that writes claims; it takes rows as arrays, one for each column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import TextClause, text

from libres.conflicts.claim import Proposal
from libres.conflicts.keys import resource_key
from libres.conflicts.models import INHERITED, is_of
from libres.context.core import Context

LOCKS: Final = 1668047209
"""The first half of the number of our locks: "clai" in ASCII."""

MOST_LOCKS: Final = 100
"""Resources that one call locks; who writes more of them, locks none of them."""


def in_turn(rows: str, context: str, resource: str, start: str, locking: str) -> str:
    """Write a relation in the order in which its resources are to be locked, which is
    that of ``place``, a number made of context and resource.

    Without *locking* it is that of the guard's index, in which many rows are faster.
    """
    place = f"hashtext({context} || U&'\\001F' || {resource})"
    return (
        f"(SELECT *, {place} AS place FROM {rows} "
        f"ORDER BY CASE WHEN {locking} THEN {place} END, "
        f"conflict_hash({context}, {resource}), {start} NULLS FIRST OFFSET 0)"
    )


def is_locked(place: str, wanted: str) -> str:
    """Write a condition that waits for others who write claims of a resource.

    All ask in one order, so nobody waits in a circle; without it PostgreSQL would find
    out about two who insert at once only after a second, and end one of them.
    """
    lock = f"pg_advisory_xact_lock({LOCKS}, {place})"
    return f"CASE WHEN {wanted} THEN {lock}::text IS NOT NULL ELSE true END"


Read = Callable[[Proposal], Any]

COLUMNS: Final[dict[str, tuple[str, Read]]] = {
    "source": ("text", lambda each: each.source),
    "source_id": ("text", lambda each: each.source_id),
    "part": ("bigint", lambda each: each.part),
    "starts": ("timestamptz", lambda each: each.blocked.start),
    "ends": ("timestamptz", lambda each: each.blocked.end),
    "before": ("interval", lambda each: each.before),
    "after": ("interval", lambda each: each.after),
    "lowest": ("numeric", lambda each: each.span and each.span.lower),
    "highest": ("numeric", lambda each: each.span and each.span.upper),
    "bounds": ("text", lambda each: each.span.bounds if each.span else "()"),
    "span_given": ("boolean", lambda each: each.span is not None),
    "dims": ("text", lambda each: each.dims_as_text),
    "exclusive": ("boolean", lambda each: each.exclusive),
    "capacity": ("integer", lambda each: each.capacity),
    "places": ("integer", lambda each: each.places),
    "tentative": ("boolean", lambda each: each.tentative),
    "expires": ("timestamptz", lambda each: each.expires),
    "label": ("text", lambda each: each.label),
    "url": ("text", lambda each: each.url),
}
"""What is passed of a proposal, beside its resource: type, and where it is found."""


ASKED: Final = (
    "source",
    "source_id",
    "starts",
    "ends",
    "lowest",
    "highest",
    "bounds",
    "span_given",
    "dims",
)
"""What a question needs of it."""


def parameters(
    context: Context, rows: Sequence[Proposal], names: Iterable[str] = COLUMNS
) -> dict[str, Any]:
    """Return what the statements of this module take: an array for each name."""
    arrays = {name: [COLUMNS[name][1](each) for each in rows] for name in names}
    resources = [resource_key(context, each.resource) for each in rows]
    return {"context": context.name, "resource": resources, **arrays}


def _passed(names: Iterable[str]) -> str:
    """Write the rows that are passed."""
    kinds = {"resource": "text", **{name: COLUMNS[name][0] for name in names}}
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in kinds.items())
    return f"""\
passed AS (
    SELECT * FROM unnest({arrays}) WITH ORDINALITY
    AS passed ({", ".join(kinds)}, position)
)"""


def _tree(names: Iterable[str]) -> str:
    """Write the rows, and the resources of each: its own and what that consists of."""
    return f"""\
WITH RECURSIVE {_passed(names)},
tree AS (
    SELECT position, resource FROM passed
    UNION ALL
    SELECT tree.position, below.resource
    FROM tree CROSS JOIN LATERAL (
        SELECT resource FROM conflict_resources
        WHERE context = :context AND parent = tree.resource OFFSET 0
    ) AS below
)"""


_PASSED: Final = _passed(COLUMNS)

TREE: Final = _tree(ASKED)

IS_ASKED: Final = is_of("claim", "CAST(:context AS text)", "tree.resource")
"""Does a claim have a resource of the tree?"""


@cache
def locking_bulk() -> TextClause:
    """Let nobody change the tree of the context; claims may be written."""
    return text(f"SELECT pg_advisory_xact_lock_shared({LOCKS + 1}, hashtext(:context))")


@cache
def making_room() -> TextClause:
    """Delete what gives way: expired claims, and claims of the same parts on what
    another resource consists of. Give how many rows that were."""
    return text(f"""\
{_tree(COLUMNS)},
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
WITH {_PASSED}
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
WITH {_PASSED}
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
