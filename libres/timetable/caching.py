"""Keeps free times of a context in a table, or not; compares and makes them anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import DDL, Text, delete, exists, func, select, text

from libres.db.models.types import UTCDateTime
from libres.db.operations.setting_up import SETTING_UP
from libres.db.passing import fetch
from libres.timetable import cache_schema, parts
from libres.timetable.errors import NotCached
from libres.timetable.models import TimetableCache, TimetableFree, TimetableSubject

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.timetable.opening import Progress

ddl: Callable[[str], DDL] = DDL

BATCH: Final = 200
"""Subjects per statement."""


@dataclass(frozen=True, slots=True)
class CacheDifference:
    """Free time that is cached wrongly."""

    kind: str
    """``missing`` or ``wrong``."""

    subject: str
    starts: datetime
    ends: datetime


def is_cached(context: Context, session: Session) -> bool:
    """Tell whether free times are cached."""
    query = select(exists().where(TimetableCache.context == context.name))
    return bool(fetch(session, query, {})[0][0])


def switch_on(context: Context, session: Session, progress: Progress | None) -> int:
    """Cache free times from now on; return how many rows that are."""
    session.execute(select(func.pg_advisory_xact_lock(SETTING_UP)))
    for statement in cache_schema.CREATING:
        session.execute(ddl(statement))
    # Nobody may write between what is read now and what the triggers see.
    session.execute(_LOCKING)
    session.execute(_NOTING, {"context": context.name})
    return rebuild(context, session, progress)


def switch_off(context: Context, session: Session) -> None:
    """Do not cache them any more."""
    for model in (TimetableFree, TimetableCache):
        session.execute(
            delete(model)
            .where(model.context == context.name)
            .execution_options(synchronize_session=False)
        )


def rebuild(context: Context, session: Session, progress: Progress | None) -> int:
    """Make the cache anew; return how many rows it has. Raises NotCached."""
    if not is_cached(context, session):
        raise NotCached
    session.execute(
        delete(TimetableFree)
        .where(TimetableFree.context == context.name)
        .execution_options(synchronize_session=False)
    )
    names = _names(context, session)
    written = 0
    for first in range(0, len(names), BATCH):
        some = names[first : first + BATCH]
        values = {"context": context.name, "among": some, "buffer": timedelta()}
        written += int(fetch(session, _filling(), values)[0][0])
        if progress is not None:
            progress(first + len(some), len(names))
    return written


def verify(context: Context, session: Session) -> list[CacheDifference]:
    """Compare the cache with what is derived; empty if they are equal."""
    names = _names(context, session) if is_cached(context, session) else []
    found: list[CacheDifference] = []
    for first in range(0, len(names), BATCH):
        some = names[first : first + BATCH]
        values = {"context": context.name, "among": some, "buffer": timedelta()}
        rows = fetch(session, _comparing(), values)
        found += [
            CacheDifference(row.kind, row.name, row.starts, row.ends) for row in rows
        ]
    return found


def _names(context: Context, session: Session) -> list[str]:
    query = (
        select(TimetableSubject.name)
        .where(TimetableSubject.context == context.name)
        .order_by(TimetableSubject.name)
    )
    return [row.name for row in fetch(session, query, {})]


_LOCKING: Final = text(
    "LOCK TABLE allocations, reserved_slots, conflict_claims, timetable_subjects "
    "IN SHARE ROW EXCLUSIVE MODE"
)

_NOTING: Final = text(
    "INSERT INTO timetable_caches VALUES (:context) ON CONFLICT (context) DO NOTHING"
)


def _filling() -> Any:
    """Fill in all that some subjects have."""
    return text(f"""\
{parts.DERIVED},
written AS (
    INSERT INTO timetable_free (context, resource, starts, ends)
    SELECT :context, resource, starts, ends FROM derived
    RETURNING 1
)
SELECT count(*) FROM written""")


def _comparing() -> Any:
    """What is cached that is not derived, and the reverse?"""
    statement = text(f"""\
{parts.DERIVED},
cached AS (
    SELECT resource, starts, ends FROM timetable_free
    JOIN subjects USING (resource) WHERE context = :context
)
SELECT kind, name, starts, ends FROM (
    SELECT 'missing' AS kind, missing.* FROM (
        SELECT * FROM derived EXCEPT SELECT * FROM cached
    ) AS missing
    UNION ALL
    SELECT 'wrong', wrong.* FROM (
        SELECT * FROM cached EXCEPT SELECT * FROM derived
    ) AS wrong
) AS differences JOIN subjects USING (resource)
ORDER BY name, starts, kind""")
    times = {"starts": UTCDateTime(), "ends": UTCDateTime()}
    return statement.columns(kind=Text, name=Text, **times)
