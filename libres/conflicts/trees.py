"""Keeps which resource is a part of which: who claims a building claims its rooms.

A claim has a row for each resource that its own one consists of, which a trigger writes
(`libres.conflicts.schema`). So a change of the tree changes claims, under the guard.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import TextClause, text

from libres.conflicts import statements
from libres.conflicts.errors import InvalidClaim
from libres.conflicts.keys import resource_key
from libres.conflicts.locking import LOCKS
from libres.conflicts.models import INHERITED, derived_part, is_of
from libres.conflicts.refusing import translated
from libres.db.models.timestamp import TimestampMixin

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context


def arrange(context: Context, session: Session, resource: str, within: str) -> None:
    """Make a resource a part of another one; what claims that, claims it as well."""
    own, parent = resource_key(context, resource), resource_key(context, within)
    values: dict[str, Any] = {"context": context.name, "resource": own}
    values["parent"] = parent
    now = TimestampMixin.timestamp()
    with translated(session, context.name, now):
        _run(session, _alone(), values)
        below = _names(session, _below(), values)
        if parent in below:
            message = f"{parent!r} is {own!r} or a part of it: a tree has no loops."
            raise InvalidClaim(message)
        above = _names(session, _above(), values)
        values |= {"above": above, "below": below, "now": now}
        _run(session, _locking(), values)
        _run(session, _placing(), values)
        _run(session, _hanging(), values)


def detach(context: Context, session: Session, resource: str) -> bool:
    """Make a resource a part of nothing; return whether it was a part before."""
    own = resource_key(context, resource)
    values = {"context": context.name, "resource": own}
    _run(session, _alone(), values)
    below = _names(session, _below(), values)
    found = _run(session, _taking_off(), {**values, "below": below})
    return bool(found[0][0])


def parts_of(context: Context, session: Session, resource: str) -> list[str]:
    """Return what a resource consists of, at all depths, sorted."""
    own = resource_key(context, resource)
    values = {"context": context.name, "resource": own}
    return sorted(set(_names(session, _below(), values)) - {own})


def _run(session: Session, statement: Any, values: dict[str, Any]) -> list[Any]:
    return statements.fetch(session, statement, values)


def _names(session: Session, statement: Any, values: dict[str, Any]) -> list[str]:
    return [name for (name,) in _run(session, statement, values)]


# Statements ---------------------------------------------------------------------------


@cache
def _alone() -> TextClause:
    """Let nobody else change the tree of this context, or write claims in bulk."""
    return text(f"SELECT pg_advisory_xact_lock({LOCKS + 1}, hashtext(:context))")


@cache
def _locking() -> TextClause:
    """Wait for those who write claims of these resources."""
    key = "CAST(:context AS text) || U&'\\001F' || resource"
    return text(f"""\
SELECT count(pg_advisory_xact_lock({LOCKS}, place))
FROM (
    SELECT DISTINCT hashtext({key}) AS place
    FROM unnest(CAST(:above AS text[]) || CAST(:below AS text[])) AS resource
    ORDER BY place
) AS ordered""")


@cache
def _below() -> TextClause:
    """What does this resource consist of? Itself included."""
    return text("""\
WITH RECURSIVE tree AS (
    SELECT CAST(:resource AS text) AS resource
    UNION
    SELECT part.resource FROM tree CROSS JOIN LATERAL (
        SELECT resource FROM conflict_resources
        WHERE context = :context AND parent = tree.resource OFFSET 0
    ) AS part
)
SELECT resource FROM tree""")


@cache
def _above() -> TextClause:
    """What is this resource to be a part of? Its parent, and what that is a part of."""
    return text("""\
WITH RECURSIVE tree AS (
    SELECT CAST(:parent AS text) AS resource
    UNION
    SELECT whole.parent FROM tree CROSS JOIN LATERAL (
        SELECT parent FROM conflict_resources
        WHERE context = :context AND resource = tree.resource OFFSET 0
    ) AS whole
)
SELECT resource FROM tree""")


@cache
def _placing() -> TextClause:
    """Note the parent, and delete the claims that came from another one."""
    return text(f"""\
WITH placed AS (
    INSERT INTO conflict_resources (context, resource, parent)
    VALUES (:context, :resource, :parent)
    ON CONFLICT (context, resource) DO UPDATE SET parent = excluded.parent
    RETURNING 1
),
left_over AS (
    {_FROM_ABOVE}
)
SELECT count(*) FROM placed""")


_FROM_ABOVE: Final = f"""\
DELETE FROM conflict_claims AS claim
    USING unnest(CAST(:below AS text[])) AS parts (name)
    WHERE {is_of("claim", "CAST(:context AS text)", "parts.name")}
    AND of_part IS NOT NULL AND NOT named = ANY (CAST(:below AS text[]))
    RETURNING 1"""
"""Deletes the claims of a part of the tree that come from above it."""


@cache
def _hanging() -> TextClause:
    """Claim a part of the tree for all who have claimed something above it."""
    columns = ", ".join(INHERITED)
    return text(f"""\
WITH written AS (
    INSERT INTO conflict_claims (
        context, source, source_id, part, modified, named, of_part, resource, {columns}
    )
    SELECT context, source, source_id, {derived_part("part", "below.resource")},
        :now, claim.resource, part, below.resource, {columns}
    FROM unnest(CAST(:above AS text[])) AS parents (name)
    JOIN conflict_claims AS claim
    ON {is_of("claim", "CAST(:context AS text)", "parents.name")}
    CROSS JOIN unnest(CAST(:below AS text[])) AS below (resource)
    WHERE of_part IS NULL
    RETURNING 1
)
SELECT count(*) FROM written""")


@cache
def _taking_off() -> TextClause:
    """Forget the parent, and delete the claims that came from it."""
    return text(f"""\
WITH taken AS (
    DELETE FROM conflict_resources
    WHERE context = :context AND resource = :resource
    RETURNING 1
),
left_over AS (
    {_FROM_ABOVE}
)
SELECT count(*) FROM taken""")
