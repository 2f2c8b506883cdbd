"""Reads proposals, and passes them to SQL: as arrays, one for each column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from libres.conflicts.claim import Proposal
from libres.conflicts.errors import InvalidClaim
from libres.conflicts.keys import resource_key
from libres.conflicts.models import is_of

if TYPE_CHECKING:
    from libres.context.core import Context

BATCH: Final = 1000
"""Rows per statement."""


def read_proposal(row: object) -> Proposal:
    """Return a proposal, or make one of a dict. Raises InvalidClaim if it is none."""
    if isinstance(row, Mapping):
        return _from_mapping(row)
    if not isinstance(row, Proposal):
        message = f"A Proposal is needed, or a dict of its values, not {row!r}."
        raise InvalidClaim(message)
    return row


def _from_mapping(row: Mapping[str, Any]) -> Proposal:
    try:
        return Proposal(**row)
    except TypeError as error:
        message = f"This is no proposal ({error}): see the names of Proposal."
        raise InvalidClaim(message) from None


def batches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield so many rows as one statement takes."""
    for first in range(0, len(rows), BATCH):
        yield rows[first : first + BATCH]


# Columns ------------------------------------------------------------------------------

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


def passed(names: Iterable[str]) -> str:
    """Write the rows that are passed."""
    kinds = {"resource": "text", **{name: COLUMNS[name][0] for name in names}}
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in kinds.items())
    return f"""\
passed AS (
    SELECT * FROM unnest({arrays}) WITH ORDINALITY
    AS passed ({", ".join(kinds)}, position)
)"""


def tree(names: Iterable[str]) -> str:
    """Write the rows, and the resources of each: its own and what that consists of."""
    return f"""\
WITH RECURSIVE {passed(names)},
tree AS (
    SELECT position, resource FROM passed
    UNION ALL
    SELECT tree.position, below.resource
    FROM tree CROSS JOIN LATERAL (
        SELECT resource FROM conflict_resources
        WHERE context = :context AND parent = tree.resource OFFSET 0
    ) AS below
)"""


TREE: Final = tree(ASKED)

IS_ASKED: Final = is_of("claim", "CAST(:context AS text)", "tree.resource")
"""Does a claim have a resource of the tree?"""
