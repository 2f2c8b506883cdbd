"""Lets APScheduler run jobs, in a thread of the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libres.jobs import USUAL, run

try:
    from apscheduler.triggers.interval import IntervalTrigger
except ModuleNotFoundError as error:
    MESSAGE: Final = (
        "There is no APScheduler to run jobs: pip install 'libres[apscheduler]'."
    )
    raise ImportError(MESSAGE) from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from libres.context.core import Context
    from libres.jobs import Job, Outcome

PREFIX: Final = "libres."


def schedule(
    scheduler: Any, context: Context, jobs: Iterable[Job] = USUAL
) -> list[Any]:
    """Add jobs to a scheduler, each as often as it should run; return what it made.

    *jobs* are those that need not be named, if nothing is said. Several processes may
    do so: a job runs once at a time. One that has failed raises JobFailed, of which the
    listeners of the scheduler hear.

    They are called ``libres.<job>``, and are kept in memory: a scheduler whose job
    store is a database needs one in memory beside it.
    """
    return [
        scheduler.add_job(
            _running(context, each.name),
            IntervalTrigger(seconds=each.every.total_seconds()),
            id=f"{PREFIX}{each.name}",
            name=each.meaning,
            replace_existing=True,
            # What was late runs once.
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
        for each in jobs
    ]


def _running(context: Context, name: str) -> Callable[[], Outcome]:
    return lambda: run(context, name).check()
