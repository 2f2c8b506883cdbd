"""Runs jobs as tasks of Celery, and lets its beat say when.

Brokers deliver a task twice now and then: a job may be repeated, and runs once at a
time, so that does no harm.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from libres.jobs import JOBS, USUAL, bulk, run

try:
    from celery import Celery
except ModuleNotFoundError as error:
    MESSAGE: Final = "There is no Celery to run jobs: pip install 'libres[celery]'."
    raise ImportError(MESSAGE) from error

if TYPE_CHECKING:
    from libres.context.core import Context

ContextFactory = Callable[[], "Context"]

PREFIX: Final = "libres."
BULK: Final = f"{PREFIX}bulk"


def register(app: Celery, context_factory: ContextFactory) -> dict[str, Any]:
    """Make a task ``libres.<job>`` of each job, and ``libres.bulk``, and schedule those
    that need not be named; return the tasks by their names.

    *context_factory* returns the context; it is called once in each process, when a
    task first needs it, since connections cannot be shared among processes. Tasks
    answer with the outcome as JSON. They are not tried again, since the next time comes
    anyway; one that has failed raises JobFailed.

    ``libres.bulk`` takes the id of a user and of an organisation, and a batch as JSON;
    it answers as a push does. Each item has its effect once, however often the same
    task is delivered.
    """
    context = _PerProcess(context_factory)
    tasks = {
        f"{PREFIX}{each.name}": _task(app, context, each.name) for each in JOBS
    } | {BULK: _bulk_task(app, context)}
    app.conf.beat_schedule = {**(app.conf.beat_schedule or {}), **schedule()}
    return tasks


def schedule() -> Mapping[str, Mapping[str, Any]]:
    """Return when the jobs should run, as the beat of Celery takes it."""
    return {
        f"{PREFIX}{each.name}": {
            "task": f"{PREFIX}{each.name}",
            "schedule": each.every,
            # If nobody has worked for long, once is enough.
            "options": {"expires": each.every.total_seconds()},
        }
        for each in USUAL
    }


class _PerProcess:
    """Makes a context once in each process: a forked worker begins with none."""

    def __init__(self, factory: ContextFactory) -> None:
        self.factory = factory
        self.made: dict[int, Context] = {}

    def __call__(self) -> Context:
        process = os.getpid()
        if process not in self.made:
            self.made = {process: self.factory()}
        return self.made[process]


def _task(app: Celery, context: _PerProcess, name: str) -> Any:
    def work() -> dict[str, Any]:
        return asdict(run(context(), name).check())

    return app.task(work, name=f"{PREFIX}{name}", shared=False, max_retries=0)


def _bulk_task(app: Celery, context: _PerProcess) -> Any:
    def push(self: Any, user_id: str, organization_id: str, body: Any) -> Any:
        about = context(), user_id, UUID(organization_id), body
        return bulk(*about, request=self.request.id).body

    return app.task(push, name=BULK, bind=True, shared=False, max_retries=0)
