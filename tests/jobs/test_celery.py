"""Jobs as tasks of Celery, with a broker in memory and a worker in a thread."""

from __future__ import annotations

import os
import sys
from datetime import timedelta

import celery
import pytest
from celery import signals
from celery.contrib.testing.worker import start_worker

from libres import jobs
from libres.context.registry import create_default_registry
from libres.jobs import running
from libres.jobs.celery import _PerProcess, register, schedule
from libres.sync.registry import registry_of
from tests.jobs.test_jobs import batch
from tests.sync import models
from tests.sync.models import Customer

WAIT = 30


class Opening:
    """Makes the context of the worker, on the database of the test that runs."""

    def __init__(self):
        self.dsn = None
        self.made = []

    def __call__(self):
        context = create_default_registry().register_context("test")
        context.set_setting("dsn", self.dsn)
        models.register(registry_of(context))
        self.made.append(context)
        return context


@pytest.fixture(scope="module")
def dsn(module_dsn):
    """One database for all tests, as there is one worker."""
    return module_dsn


@pytest.fixture(scope="module")
def opening():
    """What a host gives."""
    return Opening()


@pytest.fixture(scope="module")
def app(opening, dsn):
    """An application of Celery whose tasks are jobs, and a worker of it: to end one
    takes seconds."""
    made = celery.Celery("test", broker="memory://", backend="cache+memory://")
    made.conf.beat_schedule = {"own": {"task": "own", "schedule": 1.0}}
    opening.dsn = dsn
    register(made, opening)
    signals.setup_logging.connect(leave_logging)
    with start_worker(made, perform_ping_check=False, pool="solo"):
        yield made
    signals.setup_logging.disconnect(leave_logging)
    made.close()
    for context in opening.made:
        context.get_service("session_provider").stop_service()


def leave_logging(**_told):
    """Let Celery leave the logging of the tests alone."""


@pytest.mark.usefixtures("sync")
def test_tasks(app, opening):
    """Tasks run jobs, in a context that is made once, and answer with JSON."""
    first = app.send_task("libres.number").get(WAIT)
    assert (first["name"], first["status"]) == ("number", "ok")
    assert app.send_task("libres.care").get(WAIT)["count"] > 15
    assert len(opening.made) == 1


def test_failure(app, monkeypatch):
    """A job that has failed fails its task, which is not tried again."""
    calls = []

    def broken(_context, job):
        calls.append(job.name)
        return jobs.Outcome(job.name, "error", 0, 0.0, "no luck")

    monkeypatch.setattr(running, "run", broken)
    result = app.send_task("libres.verify")
    with pytest.raises(Exception, match="The job verify has failed: no luck"):
        result.get(WAIT)
    assert calls == ["verify"]


def test_bulk(app, sync, john, acme):
    """A batch is pushed; delivered twice, it has its effect once."""
    told = [john.user.id, str(acme.id), batch("Ada")]
    answers = [app.send_task("libres.bulk", told, task_id="t1") for _ in range(2)]
    assert answers[0].get(WAIT)["success_count"] == 1
    app.send_task("libres.number").get(WAIT)  # behind both of them
    sync.rollback()
    assert sync.session.query(Customer).count() == 1


def test_schedule(app):
    """The beat knows when; what was there is there, and what has to be named is not."""
    found = app.conf.beat_schedule
    assert found["own"]["task"] == "own"
    assert found["libres.number"]["schedule"] == timedelta(minutes=1)
    assert {f"libres.{each.name}" for each in jobs.USUAL} == set(schedule())
    assert "libres.no_show" in app.tasks
    assert "libres.no_show" not in found


def test_per_process(monkeypatch):
    """A forked process makes a context of its own."""
    context = _PerProcess(Opening())
    first = context()
    assert context() is first
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert context() is not first


def test_missing(monkeypatch):
    """Without the package it is said which one to install."""
    monkeypatch.delitem(sys.modules, "libres.jobs.celery")
    monkeypatch.setitem(sys.modules, "celery", None)
    with pytest.raises(ImportError, match=r"pip install 'libres\[celery\]'"):
        __import__("libres.jobs.celery")
