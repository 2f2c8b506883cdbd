"""Describes the least that a workload can cost: the same by hand-written SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from psycopg2.extensions import connection as Connection

    from benchmarks.dates import Range
    from benchmarks.host import Host
    from benchmarks.workload import Answer

WRITING, READING = 2.0, 3.0
"""This library should take no more than so many times as long."""


def nothing(_connection: Connection, _host: Host, _number: int) -> None:
    """Need nothing before a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A workload, done with as few statements as possible.

    Each statement is a transaction by itself, SERIALIZABLE, so an operation is one
    round trip. What is written is decided within it.
    """

    name: str
    """That of the workload."""
    at_most: float
    """So many times the floor is what this library aims at."""
    run: Callable[[Connection, Host, int], Answer]
    """Make the operations of a round; return what the workload returns."""
    before: Callable[[Connection, Host, int], None] = nothing
    """Look up or pass what a round needs, untimed."""


def rows(
    connection: Connection, statement: str, values: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Execute a statement, and fetch what it returns."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def passed(asked: Sequence[Range]) -> dict[str, str]:
    """Pass dates as two array literals, which costs less than one by one."""
    starts, ends = zip(*asked, strict=True)
    return {"starts": _literal(starts), "ends": _literal(ends)}


def _literal(values: Sequence[object]) -> str:
    return f"{{{','.join(map(str, values))}}}"


ASKED = """
SELECT first AT TIME ZONE 'Europe/Zurich' AT TIME ZONE 'UTC' AS start,
    last AT TIME ZONE 'Europe/Zurich' AT TIME ZONE 'UTC' AS stop
FROM unnest(%(starts)s::timestamp[], %(ends)s::timestamp[]) AS dates (first, last)
"""
"""The dates of the caller, naive and local, as times of UTC."""
