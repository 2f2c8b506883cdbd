"""Notes in the log what became of jobs, and tells which are due."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, bindparam, text
from sqlalchemy.exc import SQLAlchemyError

from libres.db.models.timestamp import TimestampMixin
from libres.jobs import rooms
from libres.sync.journal import LOG
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from datetime import datetime

    from libres.context.core import Context
    from libres.jobs.values import Job, Outcome

log = logging.getLogger("libres")

OPERATION: Final = "job"
"""What the log calls all of them; the model is the name of the job."""

LONGEST: Final = 2000
"""Characters of what is noted."""

MOST: Final = 2**31 - 1


def note(context: Context, job: Job, outcome: Outcome) -> None:
    """Note what became of a job: for Python, and in the log of synchronisation, where
    there is one."""
    level = logging.ERROR if outcome.status == "error" else logging.INFO
    about = outcome.name, outcome.status, outcome.count, outcome.seconds, outcome.text
    log.log(level, "Job %s: %s, %d in %.2f s. %s", *about)
    try:
        with apart(context) as connection:
            if rooms.is_there(connection, rooms.SYNC):
                connection.execute(LOG, _row(context, job, outcome))
    except (SQLAlchemyError, RuntimeError) as error:
        log.warning("What became of the job %s is not noted: %s", job.name, error)


def _row(context: Context, job: Job, outcome: Outcome) -> dict[str, Any]:
    return {
        "context": context.name,
        "at": TimestampMixin.timestamp(),
        "user": job.actor,
        "username": job.actor,
        "operation": OPERATION,
        "models": [job.name],
        "status": outcome.status,
        "succeeded": min(outcome.count, MOST),
        "failed": int(outcome.status == "error"),
        "seconds": outcome.seconds,
        "error": None if outcome.status == "ok" else outcome.text[:LONGEST],
    }


# What is due --------------------------------------------------------------------------

LAST: Final = text("""\
SELECT at FROM sync_log
WHERE context = :context AND "user" = :user AND operation = 'job'
ORDER BY at DESC LIMIT 1
""").bindparams(bindparam("context", type_=Text()), bindparam("user", type_=Text()))
"""When did it run last, whatever became of it?"""

EARLY: Final = timedelta(minutes=1)
"""So much, or half of its interval, a job may come earlier: cron is not exact."""


def due(context: Context, jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs whose time has come, by the log; all of them without one."""
    now = TimestampMixin.timestamp()
    with apart(context) as connection:
        if not rooms.is_there(connection, rooms.SYNC):
            return list(jobs)
        values = {"context": context.name}
        return [
            each
            for each in jobs
            if _is_due(
                each,
                connection.execute(LAST, {**values, "user": each.actor}).scalar(),
                now,
            )
        ]


def _is_due(job: Job, last: datetime | None, now: datetime) -> bool:
    return last is None or last + job.every - min(job.every / 2, EARLY) <= now
