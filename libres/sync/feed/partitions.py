"""Keeps the numbered changes in one partition per month."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import DDL, bindparam, text

from libres.domain.days import UTC
from libres.sync.feed import guarding

if TYPE_CHECKING:
    from sqlalchemy import Connection

ddl: Callable[[str], DDL] = DDL

EXISTS: Final = text("SELECT to_regclass(:name) IS NOT NULL").bindparams(
    bindparam("name")
)

AHEAD: Final = timedelta(days=2)
"""So long before a month begins its partition is made: clocks differ."""


def ensure(connection: Connection, now: datetime) -> None:
    """Make the partition of a moment, and of the days to come, if it is missing."""
    months = {name_of(each): each for each in (now, now + AHEAD)}
    for name, month in months.items():
        if not connection.execute(EXISTS, {"name": name}).scalar():
            _make(connection, name, month)


def ahead(connection: Connection, now: datetime, months: int) -> list[str]:
    """Make the partitions of a month and of so many months after it, for roles that may
    only add changes; return the names of the new ones."""
    made, month = [], borders(now)[0]
    for _each in range(months + 1):
        name = name_of(month)
        if not connection.execute(EXISTS, {"name": name}).scalar():
            _make(connection, name, month)
            made.append(name)
        month = borders(month)[1]
    return made


def name_of(moment: datetime) -> str:
    """Name the partition of a moment: ``sync_changes_2026_11``."""
    return f"sync_changes_{moment.astimezone(UTC):%Y_%m}"


def borders(moment: datetime) -> tuple[datetime, datetime]:
    """Return from when to when the month of a moment lasts, in UTC."""
    first = moment.astimezone(UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return first, (first + timedelta(days=32)).replace(day=1)


def _make(connection: Connection, name: str, month: datetime) -> None:
    """Make a partition beside the others, so that nobody has to wait for it."""
    first, last = borders(month)
    create = f"CREATE TABLE {name} (LIKE sync_changes INCLUDING ALL)"
    attach = f"ALTER TABLE sync_changes ATTACH PARTITION {name} FOR VALUES"
    connection.execute(ddl(create))
    guarding.guard_partition(connection, name)
    connection.execute(ddl(f"{attach} FROM ('{first}') TO ('{last}')"))
