"""Runs a job: once at a time, as somebody whom the audit names, and noted."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError

from libres.jobs import locking, noting, rooms
from libres.jobs.values import Failed, Outcome, Skip, Status
from libres.sync import row_security
from libres.sync.acting import Act, acting

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from libres.context.core import Context
    from libres.jobs.values import Job

log = logging.getLogger("libres")

RUNS_ALREADY: Final = "It runs already."


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a job, without how long it took."""

    status: Status
    count: int = 0
    text: str = ""


def run(context: Context, job: Job) -> Outcome:
    """Run a job, note what became of it, and return that; what it raises is told."""
    began = perf_counter()
    told = _locked(context, job)
    seconds = perf_counter() - began
    outcome = Outcome(job.name, told.status, told.count, seconds, _plain(told.text))
    noting.note(context, job, outcome)
    return outcome


def _locked(context: Context, job: Job) -> Told:
    """Run a job if nobody else does. What is raised here is about the lock itself."""
    told: Told | None = None
    try:
        with locking.held(context, job.name) as connection:
            if connection is None:
                return Told("skipped", text=RUNS_ALREADY)
            told = _placed(context, job, connection)
    except Exception as error:
        if told is None:
            return _failed(job, error)
        log.warning("The lock of the job %s was lost as it ran: %s", job.name, error)
    return told


def _placed(context: Context, job: Job, connection: Connection) -> Told:
    """Run a job if what it needs is there."""
    if not rooms.is_there(connection, job.room):
        return Told("skipped", text=job.room.missing)
    try:
        return _acted(context, job)
    except Skip as why:
        return Told("skipped", text=str(why))
    except Failed as why:
        return Told("error", text=str(why))
    except Exception as error:
        return _failed(job, error)


def _acted(context: Context, job: Job) -> Told:
    session = context.get_service("session_provider").session()
    act = Act(job.actor, tells_readers=row_security.is_told(context))
    with acting(session, act):
        done = job.work(context)
    return Told("ok", done.count, done.text)


def _failed(job: Job, error: Exception) -> Told:
    log.error("The job %s has failed.", job.name, exc_info=error)
    said = error.orig if isinstance(error, DBAPIError) else error
    first = next(iter(str(said).strip().splitlines()), "")
    return Told("error", text=f"{type(said).__name__}: {first}")


def _plain(text: str) -> str:
    """Replace what PostgreSQL cannot store."""
    plain = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return plain.encode("utf-8", "replace").decode()
