"""Is the synchronisation well? Its database, its numbering, its memory, its log.

Nothing of it helps somebody who wants to break in: nobody is asked who they are.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, text

from libres.db.models.timestamp import TimestampMixin
from libres.web.api.sync import figures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from libres.context.core import Context

HEALTHY: Final = "healthy"
DEGRADED: Final = "degraded"
UNHEALTHY: Final = "unhealthy"

WORST_FIRST: Final = (UNHEALTHY, DEGRADED, HEALTHY)

SOON: Final = timedelta(minutes=5)
"""Within it changes should have their numbers: whoever reads them gives them some."""

PENDING: Final = text("""\
SELECT count(*) AS pending,
    extract(epoch FROM clock_timestamp() - min(at))::float AS age
FROM sync_pending WHERE context = :context
""").bindparams(bindparam("context"))

LOGGING: Final = text("""\
SELECT pg_is_in_recovery() AS is_replica,
    has_table_privilege('sync_log', 'INSERT') AS is_writable
""")


def unreachable() -> dict[str, Any]:
    """Tell of a database that does not answer: then nothing is known of the rest."""
    check = {"status": UNHEALTHY}
    names = "database", "sequencer", "cache", "logging"
    return _told(dict.fromkeys(names, check))


def examined(session: Session, context: Context) -> dict[str, Any]:
    """Tell how it is. Three statements."""
    return _told(
        {
            "sequencer": _sequencer(session, context),
            "cache": _cache(session),
            "logging": _logging(session),
            "database": {"status": HEALTHY},
        }
    )


def _told(checks: Mapping[str, Any]) -> dict[str, Any]:
    found = {each["status"] for each in checks.values()}
    return {
        "status": next(each for each in WORST_FIRST if each in found),
        "timestamp": TimestampMixin.timestamp(),
        "checks": checks,
    }


def _sequencer(session: Session, context: Context) -> dict[str, Any]:
    row = session.execute(PENDING, {"context": context.name}).one()
    age = None if row.age is None else max(0.0, row.age)
    return {"status": judged(age), "pending": row.pending, "oldest_seconds": age}


def judged(age: float | None) -> str:
    """Judge by the oldest change that has no number, in seconds; None: there is none.

    It cannot be worse than degraded: nothing is lost, and whoever pulls numbers it.
    """
    return DEGRADED if age is not None and age > SOON.total_seconds() else HEALTHY


def _cache(session: Session) -> dict[str, Any]:
    found = figures.cache_of(session)
    status = DEGRADED if figures.is_cache_small(found) else HEALTHY
    return {"status": status, "hit_ratio": found["hit_ratio"]}


def _logging(session: Session) -> dict[str, Any]:
    """Tell whether it can be logged what was asked; of a replica its primary knows."""
    row = session.execute(LOGGING).one()
    is_well = row.is_writable or row.is_replica
    return {"status": HEALTHY if is_well else UNHEALTHY}
