"""Locks resources before they are written, all in one order, within a statement."""

from __future__ import annotations

from functools import cache
from typing import Final

from sqlalchemy import TextClause, text

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


@cache
def locking_bulk() -> TextClause:
    """Let nobody change the tree of the context; claims may be written."""
    return text(f"SELECT pg_advisory_xact_lock_shared({LOCKS + 1}, hashtext(:context))")
