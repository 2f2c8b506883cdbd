"""The SQL that asks; it takes proposals as `passing` does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, DateTime, Text, bindparam, case, func, select, text
from sqlalchemy import cast as as_type
from sqlalchemy.dialects.postgresql import TSTZRANGE

from libres.conflicts import statements
from libres.conflicts.claim import Proposal
from libres.conflicts.models import ConflictClaim
from libres.conflicts.passing import ASKED, IS_ASKED, TREE, parameters

if TYPE_CHECKING:
    from libres.context.core import Context


def checking_parameters(
    context: Context, proposals: Sequence[Proposal], missing: str, now: datetime
) -> dict[str, Any]:
    """Return what `checking` takes."""
    values = parameters(context, proposals, ASKED)
    return {**values, "now": now, "ignoring": missing == "ignore"}


_NAMES: Final = [column.key for column in statements.COLUMNS]

_NO_CLAIM: Final = {
    "id": "-row_number() OVER ()",
    "span": "numrange(NULL, NULL)",
    "span_given": "false",
    "dims": "NULL::jsonb",
    "before": "interval '0'",
    "after": "interval '0'",
    "url": "NULL",
    "named": "NULL",
    "of_part": "NULL::bigint",
}
"""What a claim has that a reservation has not."""

_RESERVED: Final = f"""\
    UNION ALL
    SELECT {", ".join(_NO_CLAIM.get(name, f"claim.{name}") for name in _NAMES)}
    FROM conflict_reserved(
        :context, tree.resource, passed.starts, passed.ends
    ) AS claim
    WHERE passed.dims IS NULL AND NOT (passed.span_given AND :ignoring)
    AND (claim.source, claim.source_id)
        IS DISTINCT FROM (passed.source, passed.source_id)
"""
"""What the scheduler has given away."""


@cache
def checking(with_reserved: bool) -> Any:
    """Who is in the way of each proposal? At least one row for each of its resources,
    which is empty if nobody is; by position, from 1."""
    columns = ", ".join(f"claim.{name}" for name in _NAMES)
    own = ", ".join(_NAMES)
    statement = text(f"""\
{TREE}
SELECT tree.position, tree.resource AS asked, {columns}
FROM tree JOIN passed USING (position)
LEFT JOIN LATERAL (
    SELECT {own} FROM conflict_claims AS claim
    WHERE {IS_ASKED}
    AND claim.during && tstzrange(passed.starts, passed.ends)
    AND claim.span && numrange(passed.lowest, passed.highest, passed.bounds)
    AND (claim.expires IS NULL OR claim.expires > :now)
    AND (claim.span_given OR NOT passed.span_given OR NOT :ignoring)
    AND (passed.dims IS NULL OR claim.dims @> CAST(passed.dims AS jsonb))
    AND (claim.source, claim.source_id)
        IS DISTINCT FROM (passed.source, passed.source_id)
{_RESERVED if with_reserved else ""}    OFFSET 0
) AS claim ON true
ORDER BY tree.position, lower(claim.during) NULLS FIRST, claim.id""")
    typed = [column.label(column.key) for column in statements.COLUMNS]
    kinds = {each.name: each.type for each in typed}
    return statement.columns(position=BigInteger, asked=Text, **kinds)


@cache
def busy(with_reserved: bool) -> Any:
    """When is any of these resources taken, of a time? By resource and start."""
    reserved = """\
    UNION ALL
    SELECT during FROM conflict_reserved(
        :context, tree.resource, passed.starts, passed.ends
    ) AS claim
    WHERE (claim.source, claim.source_id)
        IS DISTINCT FROM (passed.source, passed.source_id)
"""
    return text(f"""\
{TREE}
SELECT tree.position, claim.during
FROM tree JOIN passed USING (position)
CROSS JOIN LATERAL (
    SELECT during FROM conflict_claims AS claim
    WHERE {IS_ASKED}
    AND claim.during && tstzrange(passed.starts, passed.ends)
    AND claim.span && numrange(passed.lowest, passed.highest, passed.bounds)
    AND claim.exclusive AND (claim.expires IS NULL OR claim.expires > :now)
    AND (claim.source, claim.source_id)
        IS DISTINCT FROM (passed.source, passed.source_id)
{reserved if with_reserved else ""}    OFFSET 0
) AS claim
ORDER BY tree.position, lower(claim.during) NULLS FIRST""").columns(
        position=BigInteger, during=TSTZRANGE()
    )


@cache
def counting() -> Any:
    """How many claims of each source are there, and of which kinds?"""
    now = bindparam("now", type_=DateTime(timezone=True))
    return (
        select(
            ConflictClaim.source,
            func.count().label("claims"),
            _number(ConflictClaim.exclusive).label("exclusive"),
            _number(ConflictClaim.tentative).label("tentative"),
            _number(ConflictClaim.expires <= now).label("expired"),
            _number(ConflictClaim.capacity.is_not(None)).label("counted"),
        )
        .where(ConflictClaim.context == bindparam("context"))
        .group_by(ConflictClaim.source)
        .order_by(ConflictClaim.source)
    )


def _number(condition: Any) -> Any:
    return func.count(case((condition, as_type(1, ConflictClaim.id.type))))
