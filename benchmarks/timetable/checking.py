"""Finds who is free without any clever statement: quarter by quarter, in Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

QUARTER: Final = timedelta(minutes=15)

NAMES: Final = text("SELECT resource, name FROM timetable_subjects")

OPENED: Final = text(
    "SELECT resource, _start, _end FROM allocations "
    "WHERE _start < :last AND _end >= :first"
)
TAKEN: Final = text(
    'SELECT resource, start, "end" FROM reserved_slots '
    'WHERE start < :last AND "end" >= :first'
)

Quarters = dict[UUID, set[datetime]]


def brute_force(session: Session, window: tuple[datetime, datetime]) -> set[str]:
    """Return the names of all who are free in every quarter of a window.

    It knows places of a quota of one, and one context, as the benchmark makes them.
    """
    first, last = (moment.replace(tzinfo=None) for moment in window)
    wanted = set(_quarters(first, last))
    ends = {"first": first, "last": last}
    opened, taken = (
        _known(wanted, session.execute(query, ends)) for query in (OPENED, TAKEN)
    )
    return {
        name
        for resource, name in session.execute(NAMES)
        if opened[resource] == wanted and not taken[resource]
    }


def _known(wanted: set[datetime], rows: Iterable[Any]) -> Quarters:
    """Return which of the wanted quarters the rows of each resource touch."""
    found: Quarters = defaultdict(set)
    for resource, start, end in rows:
        found[resource].update(wanted.intersection(_quarters(start, end)))
    return found


def _quarters(start: datetime, end: datetime) -> list[datetime]:
    return [start + number * QUARTER for number in range(-((start - end) // QUARTER))]
