"""The one list of jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from libres.jobs import dropping, rooms, working
from libres.jobs.values import Job
from libres.sync.errors import UnknownEntity

MINUTE: Final = timedelta(minutes=1)
OFTEN: Final = timedelta(minutes=5)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

JOBS: Final = (
    Job(
        "number",
        "Number changes that wait, so that readers find them numbered.",
        MINUTE,
        working.number,
        waiting=working.waiting_changes,
    ),
    Job(
        "partitions",
        "Make the partitions of the months to come.",
        DAY,
        working.make_partitions,
    ),
    Job("anchor", "Sign the chain, if there are keys.", HOUR, working.anchor),
    Job(
        "drop-log",
        "Drop what is older in the log than log_kept says.",
        DAY,
        working.dropping(dropping.LOG),
        waiting=dropping.LOG.count,
    ),
    Job(
        "drop-metrics",
        "Drop metrics that are older than metrics_kept says.",
        DAY,
        working.dropping(dropping.METRICS),
        waiting=dropping.METRICS.count,
    ),
    Job(
        "drop-applied",
        "Drop results of pushes that are older than applied_kept says.",
        DAY,
        working.dropping(dropping.APPLIED),
        waiting=dropping.APPLIED.count,
    ),
    Job(
        "drop-changes",
        "Drop changes that no device may be behind, as feed_kept says.",
        DAY,
        working.drop_changes,
    ),
    Job(
        "drop-audit",
        "Drop changes from the audit that are older than audit_kept says.",
        DAY,
        working.drop_audit,
    ),
    Job(
        "drop-tokens",
        "Forget tokens, and counts of requests, that are over.",
        HOUR,
        working.drop_tokens,
        waiting=working.tokens_over,
    ),
    Job(
        "drop-feeds",
        "Forget removed reservations that calendars know of by now.",
        DAY,
        working.drop_feeds,
        rooms.FEEDS,
    ),
    Job(
        "drop-carts",
        "Remove reservations that nobody has confirmed in time.",
        OFTEN,
        working.drop_carts,
        rooms.CORE,
        working.carts_over,
    ),
    Job(
        "drop-keys",
        "Forget keys of reservations that are not repeated any more.",
        DAY,
        working.drop_keys,
        rooms.KEYS,
    ),
    Job(
        "no_show",
        "Give back what was reserved by those who do not come.",
        OFTEN,
        working.release_no_shows,
        rooms.OCCUPANCY,
        by_name=True,
    ),
    Job(
        "daily-report",
        "Say what devices have asked for in the last day.",
        DAY,
        working.report,
    ),
    Job(
        "analyze",
        "Say what the figures of the last week suggest.",
        DAY,
        working.analyze,
    ),
    Job("care", "Let PostgreSQL know anew what is in the tables.", DAY, working.care),
    Job(
        "verify",
        "Look whether anybody has tampered with the audit.",
        DAY,
        working.verify,
    ),
)
"""All jobs, in the order in which they run."""

USUAL: Final = tuple(each for each in JOBS if not each.by_name)
"""Those that run if nobody names any."""

_BY_NAME: Final = {each.name: each for each in JOBS}


def named(name: str) -> Job:
    """Return the job of a name. Raises UnknownEntity."""
    found = _BY_NAME.get(name)
    if found is None:
        raise UnknownEntity(kind="job", name=name)
    return found
