"""Jobs of APScheduler, in a thread of its own."""

from __future__ import annotations

import sys
import threading
from datetime import timedelta

import pytest
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.schedulers.background import BackgroundScheduler

from libres import jobs
from libres.jobs import running
from libres.jobs.apscheduler import schedule

WAIT = 30


@pytest.fixture
def scheduler():
    """A scheduler that runs, and whose jobs nobody has called yet."""
    made = BackgroundScheduler(timezone="UTC")
    made.start(paused=True)
    yield made
    made.shutdown()


def wait_for(scheduler, mask):
    """Return what is set, with the event in it, when a job is over."""
    heard, over = [], threading.Event()

    def hear(event):
        heard.append(event)
        over.set()

    scheduler.add_listener(hear, mask)
    return heard, over


@pytest.mark.usefixtures("sync")
def test_runs(scheduler, context, clock):
    """A job whose time has come runs in the scheduler, and others do not."""
    made = schedule(scheduler, context)
    heard, over = wait_for(scheduler, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
    (number,) = (each for each in made if each.id == "libres.number")
    number.modify(next_run_time=clock.now)
    scheduler.resume()
    assert over.wait(WAIT)
    scheduler.pause()
    assert [each.job_id for each in heard] == ["libres.number"]
    assert heard[0].retval.status == "ok"


@pytest.mark.usefixtures("sync")
def test_failure(scheduler, context, clock, monkeypatch):
    """Listeners hear of a job that has failed."""

    def broken(_context, job):
        return jobs.Outcome(job.name, "error", 0, 0.0, "no luck")

    monkeypatch.setattr(running, "run", broken)
    heard, over = wait_for(scheduler, EVENT_JOB_ERROR)
    (made,) = schedule(scheduler, context, [jobs.named("no_show")])
    made.modify(next_run_time=clock.now)
    scheduler.resume()
    assert over.wait(WAIT)
    assert isinstance(heard[0].exception, jobs.JobFailed)


def test_intervals(scheduler, context):
    """Each runs as often as it should; to schedule twice changes nothing."""
    for _ in range(2):
        made = schedule(scheduler, context)
        assert len(scheduler.get_jobs()) == len(jobs.USUAL)
    found = {each.id: each for each in made}
    assert found["libres.number"].trigger.interval == timedelta(minutes=1)
    assert found["libres.verify"].trigger.interval == timedelta(days=1)
    assert {each.max_instances for each in made} == {1}
    assert "libres.no_show" not in found


def test_missing(monkeypatch):
    """Without the package it is said which one to install."""
    monkeypatch.delitem(sys.modules, "libres.jobs.apscheduler")
    monkeypatch.setitem(sys.modules, "apscheduler.triggers.interval", None)
    with pytest.raises(ImportError, match=r"pip install 'libres\[apscheduler\]'"):
        __import__("libres.jobs.apscheduler")
