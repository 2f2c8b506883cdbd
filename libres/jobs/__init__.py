"""Jobs: what is to be done now and then, as plain functions, whoever calls them.

Each may be repeated at any time, runs once at a time in all processes, acts as
``system:<job>``, and is noted in the log. Cron runs them by ``libres jobs run``;
`libres.jobs.celery` and `libres.jobs.apscheduler` are there for those who have these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libres.jobs import noting, running
from libres.jobs.catalogue import JOBS, USUAL, named
from libres.jobs.pushing import bulk
from libres.jobs.reporting import Report, daily_report
from libres.jobs.values import Job, JobFailed, Outcome

if TYPE_CHECKING:
    from libres.context.core import Context

__all__ = (
    "JOBS",
    "USUAL",
    "Job",
    "JobFailed",
    "Outcome",
    "Report",
    "bulk",
    "daily_report",
    "due",
    "named",
    "run",
)


def run(context: Context, name: str) -> Outcome:
    """Run a job, and say what became of it; it is noted in the log as well.

    It works in transactions of its own: the session must not hold changes. Whatever
    it raises is told by the outcome, whose `check` raises it. Raises UnknownEntity for
    a name that is none.
    """
    return running.run(context, named(name))


def due(context: Context) -> list[Job]:
    """Return the jobs that are due, of those that need not be named: by the log, they
    have not run for as long as they should."""
    return noting.due(context, USUAL)
