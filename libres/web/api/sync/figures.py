"""What was asked, and what it has cost: read from the log and the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Integer,
    Text,
    Uuid,
    bindparam,
    case,
    func,
    select,
    text,
    tuple_,
)

from libres.db.passing import fetch
from libres.sync.counting import memory
from libres.sync.models import SyncLog, SyncMetric
from libres.sync.models.columns import MOMENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from libres.sync.values import Member

LOG: Final[Any] = SyncLog.__table__.c
METRIC: Final[Any] = SyncMetric.__table__.c

JOB: Final = "job"
"""What is no request, though it is in the log: it may take its time."""

FAILED: Final = ("error",)

# History ------------------------------------------------------------------------------

_TOLD: Final = (
    *("id", "at", "operation", "models", "status", "succeeded", "failed", "seconds"),
    *("request", "device", "error"),
)

_OWN: Final = (
    select(*(LOG[name] for name in _TOLD))
    .where(
        LOG.context == bindparam("context", type_=Text()),
        LOG.user == bindparam("user", type_=Text()),
        LOG.organization == bindparam("organization", type_=Uuid()),
    )
    .order_by(LOG.at.desc(), LOG.id.desc())
    .limit(bindparam("limit", type_=Integer()))
)

_OWN_BEFORE: Final = _OWN.where(
    tuple_(LOG.at, LOG.id)
    < tuple_(bindparam("at", type_=MOMENT), bindparam("id", type_=BigInteger()))
)


def history(
    session: Session,
    context: str,
    member: Member,
    limit: int,
    before: tuple[datetime, int] | None = None,
) -> Sequence[Any]:
    """Return what somebody has asked for in their organisation, the latest first;
    *before* is the moment and the id of the last one that they know."""
    values: dict[str, Any] = {
        "context": context,
        "user": member.user.id,
        "organization": member.organization.id,
        "limit": limit,
    }
    if before is None:
        return fetch(session, _OWN, values)
    return fetch(session, _OWN_BEFORE, {**values, "at": before[0], "id": before[1]})


# Performance --------------------------------------------------------------------------

_SINCE: Final = bindparam("since", type_=MOMENT)
_CONTEXT: Final = bindparam("context", type_=Text())

_OPERATIONS: Final = (
    select(
        LOG.operation,
        func.count().label("requests"),
        func.count(case((LOG.status.in_(FAILED), 1))).label("failed"),
        func.sum(LOG.succeeded).label("records"),
        func.avg(LOG.seconds).label("average_seconds"),
        func.percentile_cont(0.95).within_group(LOG.seconds).label("p95_seconds"),
        func.max(LOG.seconds).label("slowest_seconds"),
    )
    .where(LOG.context == _CONTEXT, LOG.at >= _SINCE, LOG.operation != JOB)
    .group_by(LOG.operation)
)

_COSTS: Final = select(
    func.avg(METRIC.statements).label("statements"),
    func.avg(METRIC.memory).label("memory"),
).where(METRIC.context == _CONTEXT, METRIC.at >= _SINCE)

CACHE: Final = text("""\
SELECT blks_hit AS hits, blks_read AS reads
FROM pg_stat_database WHERE datname = current_database()
""")
"""What the database has found in its memory, and what not; all who use it count."""


def performance(
    session: Session, context: str, days: int, now: datetime
) -> dict[str, Any]:
    """Return figures of the last days, and what follows from them. Three statements."""
    values = {"context": context, "since": now - timedelta(days=days)}
    operations = {
        row.operation: _operation(row) for row in fetch(session, _OPERATIONS, values)
    }
    (costs,) = fetch(session, _COSTS, values)
    stats = {
        "days": days,
        "operations": operations,
        "average_statements": _float(costs.statements),
        "average_memory": _float(costs.memory),
    }
    cache = cache_of(session)
    return {
        "performance_stats": stats,
        "current_memory_usage": memory(),
        "cache_stats": cache,
        "optimization_suggestions": advice(stats, cache),
    }


def cache_of(session: Session) -> dict[str, Any]:
    """Return what the database has found in its memory. One statement."""
    row = session.execute(CACHE).one()
    asked = row.hits + row.reads
    ratio = row.hits / asked if asked else None
    return {"hits": row.hits, "reads": row.reads, "hit_ratio": ratio}


def _operation(row: Any) -> dict[str, Any]:
    told = row._asdict()
    del told["operation"]
    counts = "requests", "failed", "records"
    return {
        name: int(value or 0) if name in counts else float(value)
        for name, value in told.items()
    }


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


# Advice -------------------------------------------------------------------------------

SLOW: Final = 5.0
MANY_STATEMENTS: Final = 50
MUCH_MEMORY: Final = 500
FEW_HITS: Final = 0.7
MANY_FAILURES: Final = 0.1
ENOUGH: Final = 10_000
"""Blocks that must have been asked for, until a ratio says anything."""


def advice(stats: Mapping[str, Any], cache: Mapping[str, Any]) -> list[str]:
    """Return what figures suggest; nothing if there are none."""
    if not stats["operations"]:
        return []
    said = [each for one in stats["operations"].items() for each in _of_operation(*one)]
    if (stats["average_statements"] or 0) > MANY_STATEMENTS:
        said.append(
            f"A request takes {stats['average_statements']:.0f} statements on average: "
            "look for handlers that write row by row."
        )
    if (stats["average_memory"] or 0) > MUCH_MEMORY:
        said.append(
            f"Processes hold {stats['average_memory']:.0f} MB: let clients use smaller "
            "batches."
        )
    if is_cache_small(cache):
        said.append(
            f"Only {cache['hit_ratio']:.0%} of what is read is in memory: raise "
            "shared_buffers of the database."
        )
    return said


def is_cache_small(cache: Mapping[str, Any]) -> bool:
    """Tell whether the memory of the database is too small, as far as can be told."""
    asked = cache["hits"] + cache["reads"]
    return bool(asked >= ENOUGH and cache["hit_ratio"] < FEW_HITS)


def _of_operation(name: str, found: Mapping[str, Any]) -> list[str]:
    said = []
    if found["average_seconds"] > SLOW:
        said.append(
            f"A {name} takes {found['average_seconds']:.1f} s on average: use smaller "
            "batches."
        )
    if found["failed"] > MANY_FAILURES * found["requests"]:
        said.append(
            f"{found['failed']} of {found['requests']} requests to {name} were "
            "refused: look at the log for the reasons."
        )
    return said
