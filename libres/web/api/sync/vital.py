"""Is the synchronisation well? Its database, numbering, memory, log, audit and disk.

Nothing of it helps somebody who wants to break in: nobody is asked who they are.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, bindparam, text

from libres.db.models.timestamp import TimestampMixin
from libres.sync.feed.anchoring import keys_or_none
from libres.sync.models.columns import MOMENT
from libres.web.api.sync import figures, space

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

FAR_TOO_LATE: Final = timedelta(hours=1)
"""After it nobody numbers anything: no device comes through, and no worker runs."""

SIGNED: Final = timedelta(days=1)
"""Within it changes should be under a signature, where they are audited."""

LITTLE: Final = 0.05
ALMOST_NONE: Final = 0.01
"""Of a disk: below, writing becomes a risk, and soon impossible."""

PENDING: Final = text("""\
SELECT count(*) AS pending,
    extract(epoch FROM clock_timestamp() - min(at))::float AS age
FROM sync_pending WHERE context = :context
""").bindparams(bindparam("context"))

LOGGING: Final = text("""\
SELECT pg_is_in_recovery() AS is_replica,
    has_table_privilege('sync_log', 'INSERT') AS is_writable
""")

AUDIT: Final = (
    text("""\
SELECT position, anchored, digest IS NOT NULL AS is_chained,
    CASE WHEN anchored > 0 THEN anchored_at END AS signed,
    (
        SELECT min(numbered) FROM sync_changes AS change
        WHERE change.context = :context AND change.position = feed.anchored + 1
    ) AS unsigned
FROM sync_feeds AS feed WHERE context = :context AND audited
""")
    .bindparams(bindparam("context", type_=Text()))
    .columns(signed=MOMENT, unsigned=MOMENT)
)


def unreachable() -> dict[str, Any]:
    """Tell of a database that does not answer: then nothing is known of the rest."""
    check = {"status": UNHEALTHY}
    names = "database", "sequencer", "cache", "logging"
    return _told(dict.fromkeys(names, check))


def examined(session: Session, context: Context) -> dict[str, Any]:
    """Tell how it is. Five statements.

    What nobody can tell is left out: the audit where there is none, and a disk that is
    elsewhere.
    """
    found = {
        "sequencer": _sequencer(session, context),
        "cache": _cache(session),
        "logging": _logging(session),
        "audit": _audit(session, context),
        "disk": _disk(session),
        "database": {"status": HEALTHY},
    }
    return _told({name: check for name, check in found.items() if check is not None})


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

    Nothing is lost, and whoever pulls numbers it; but if nobody does so for an hour,
    something is wrong.
    """
    if age is None or age <= SOON.total_seconds():
        return HEALTHY
    return DEGRADED if age <= FAR_TOO_LATE.total_seconds() else UNHEALTHY


def _cache(session: Session) -> dict[str, Any]:
    found = figures.cache_of(session)
    status = DEGRADED if figures.is_cache_small(found) else HEALTHY
    return {"status": status, "hit_ratio": found["hit_ratio"]}


def _logging(session: Session) -> dict[str, Any]:
    """Tell whether it can be logged what was asked; of a replica its primary knows."""
    row = session.execute(LOGGING).one()
    is_well = row.is_writable or row.is_replica
    return {"status": HEALTHY if is_well else UNHEALTHY}


def _audit(session: Session, context: Context) -> dict[str, Any] | None:
    """Tell whether what was noted is chained and signed; None: nothing is audited."""
    row = session.execute(AUDIT, {"context": context.name}).one_or_none()
    if row is None:
        return None
    now = TimestampMixin.timestamp()
    waits = None if row.unsigned is None else (now - row.unsigned).total_seconds()
    is_chained = row.is_chained or not row.position
    return {
        "status": judged_audit(
            # Without a secret nobody expects signatures.
            None if keys_or_none(context) is None else waits,
            is_chained=is_chained,
        ),
        "position": row.position,
        "chained": is_chained,
        "signed_position": row.anchored,
        "signed": row.signed,
        "unsigned_seconds": None if waits is None else max(0.0, waits),
    }


def judged_audit(waits: float | None, *, is_chained: bool) -> str:
    """Judge by how long the oldest change waits for a signature, in seconds (None: all
    are signed), and whether the last one is in the chain."""
    is_late = waits is not None and waits > SIGNED.total_seconds()
    return DEGRADED if is_late or not is_chained else HEALTHY


def _disk(session: Session) -> dict[str, Any] | None:
    free = space.free(session)
    return None if free is None else {"status": judged_disk(free), "free": free}


def judged_disk(free: float) -> str:
    """Judge by how much of a disk is free, from 0 to 1."""
    if free >= LITTLE:
        return HEALTHY
    return DEGRADED if free >= ALMOST_NONE else UNHEALTHY
