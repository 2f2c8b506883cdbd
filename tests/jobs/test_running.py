"""Jobs run once at a time, act by a name, and are noted, whatever becomes of them."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from libres import jobs
from libres.context.registry import create_default_registry
from libres.jobs import locking, noting, rooms, running
from libres.jobs.values import Done, Failed, Job, Skip
from libres.sync import configure
from libres.sync.errors import UnknownEntity
from libres.sync.models import SyncChange
from tests.fixtures.races import race
from tests.sync.models import Customer

MINUTE = timedelta(minutes=1)


def job(work, **more):
    """Make a job for a test."""
    return Job("test", "Does something.", MINUTE, work, **more)


# Locked -------------------------------------------------------------------------------


def test_once_at_a_time(context, logged):
    """While another connection holds the lock, the job is skipped, and says so."""
    with locking.held(context, "number") as connection:
        assert connection is not None
        outcome = jobs.run(context, "number")
    assert (outcome.status, outcome.text) == ("skipped", "It runs already.")
    assert jobs.run(context, "number").status == "ok"
    assert [each.status for each in logged()] == ["skipped", "ok"]


def test_others_may_run(context):
    """The lock is of one job, in one context."""
    other = create_default_registry().register_context("other")
    other.set_setting("dsn", context.get_setting("dsn"))
    try:
        with locking.held(context, "number"):
            assert jobs.run(context, "care").status == "ok"
            with locking.held(other, "number") as connection:
                assert connection is not None
    finally:
        other.get_service("session_provider").stop_service()


def test_two_at_once(context):
    """Of two that begin at the same moment one works, the other is skipped."""
    inside, done = threading.Event(), threading.Event()

    def work(_context):
        inside.set()
        assert done.wait(20)
        return Done(1)

    found = []
    thread = threading.Thread(
        target=lambda: found.append(running.run(context, job(work)))
    )
    thread.start()
    assert inside.wait(20)
    found.append(running.run(context, job(work)))
    done.set()
    thread.join(20)
    assert [each.status for each in found] == ["skipped", "ok"]


def hold(dsn):
    """Run the jobs once, in another process."""
    context = create_default_registry().register_context("test")
    context.set_setting("dsn", dsn)
    try:
        return [jobs.run(context, "drop-log").status for _ in range(3)]
    finally:
        context.get_service("session_provider").stop_service()


def test_processes(dsn, sync, old):
    """Whatever two processes do at once, all is dropped, and nothing fails."""
    from functools import partial  # noqa: PLC0415 - only this test needs it

    from libres.sync.models import SyncLog  # noqa: PLC0415 - likewise

    old(SyncLog, 50, days=100)
    first, second = race([partial(hold, dsn)] * 2)
    assert first.ok, first.text
    assert second.ok, second.text
    assert set(first.value + second.value) <= {"ok", "skipped"}
    sync.rollback()
    left = text("SELECT count(*) FROM sync_log WHERE operation = 'push'")
    assert sync.session.scalar(left) == 0


def test_lock_is_lost(context, dsn, logged, caplog):
    """Whoever ends the connection of the lock ends not what the job has done."""

    def work(_context):
        engine = create_engine(dsn, poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(END_IDLE))
        return Done(7)

    outcome = running.run(context, job(work))
    assert (outcome.status, outcome.count) == ("ok", 7)
    assert "was lost" in caplog.text
    assert [each.succeeded for each in logged()] == [7]


END_IDLE = """\
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


# Acting -------------------------------------------------------------------------------


def test_actor(context, sync, acme):
    """What a job changes is noted as made by it, and nothing that comes later."""
    row = Customer(organization_id=acme.id, name="Ada")

    def work(_context):
        context.transaction(lambda: sync.session.add(row))
        return Done(1)

    running.run(context, job(work))
    sync.session.add(Customer(organization_id=acme.id, name="Ben"))
    sync.commit()
    sync.number()
    query = SyncChange.__table__.select().where(
        SyncChange.__table__.c.relation == Customer.__tablename__
    )
    actors = [each.actor for each in sync.session.execute(query)]
    assert actors[0] == "system:test"
    assert actors[1].startswith("database:")


# Noted --------------------------------------------------------------------------------


def test_noted(context, logged, clock):
    """The log tells which job, when, how long, and how much."""
    running.run(context, job(lambda _context: Done(3, "three")))
    (row,) = logged()
    assert (row.user, row.username) == ("system:test", "system:test")
    assert (row.models, row.status, row.succeeded) == (["test"], "ok", 3)
    assert (row.at, row.error, row.failed) == (clock.now, None, 0)
    assert row.seconds >= 0


def test_error(context, logged, caplog):
    """What is raised is told, noted in the log, and by Python with its traceback."""

    def work(_context):
        message = "no luck\nat all"
        raise RuntimeError(message)

    outcome = running.run(context, job(work))
    assert (outcome.status, outcome.text) == ("error", "RuntimeError: no luck")
    (row,) = logged()
    assert (row.status, row.failed, row.error) == ("error", 1, outcome.text)
    assert any(each.exc_info for each in caplog.records)
    with pytest.raises(jobs.JobFailed, match="The job test has failed: RuntimeError"):
        outcome.check()


def test_error_of_the_database(context, sync, logged):
    """A statement that fails leaves nothing behind, and no transaction open."""

    def work(_context):
        context.transaction(lambda: sync.session.execute(text("SELECT 1 / 0")))
        return Done()

    outcome = running.run(context, job(work))
    assert outcome.text == "DivisionByZero: division by zero"
    assert jobs.run(context, "number").status == "ok"
    assert [each.status for each in logged()] == ["error", "ok"]


def test_failed(context, logged):
    """What a job was to look for and has found is an error, without a traceback."""

    def work(_context):
        message = "Change 7: it was changed."
        raise Failed(message)

    assert running.run(context, job(work)).status == "error"
    assert logged()[0].error == "Change 7: it was changed."


def test_skipped(context, logged):
    """A job may say why there is nothing to do."""

    def work(_context):
        message = "No keys."
        raise Skip(message)

    assert running.run(context, job(work)).status == "skipped"
    assert logged()[0].error == "No keys."


@pytest.mark.parametrize(
    "said",
    [
        "a\0b",
        "\ud800",
        "'; DROP TABLE sync_log; --",
        "<script>",
        "\N{RIGHT-TO-LEFT OVERRIDE}",
    ],
    ids=["nul", "surrogate", "quote", "script", "rtl"],
)
def test_hostile(context, logged, said, caplog):
    """Whatever an error says can be noted."""
    # What is captured goes to another process, which not all of this could.
    caplog.set_level("CRITICAL", logger="libres")

    def work(_context):
        raise RuntimeError(said)

    outcome = running.run(context, job(work))
    (row,) = logged()
    assert row.error == outcome.text
    assert "\0" not in row.error


def test_much(context, logged):
    """More than the log can count is noted as the most that it can."""
    running.run(context, job(lambda _context: Done(2**40)))
    assert logged()[0].succeeded == 2**31 - 1


def test_interrupted(context):
    """Who interrupts a process ends it, and the lock is free again."""

    def work(_context):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        running.run(context, job(work))
    assert running.run(context, job(lambda _context: Done(1))).status == "ok"


def test_not_set_up(context, logged):
    """What needs a room that is not there is skipped with a word."""
    nowhere = rooms.Room("no_such_table", "There is none.")
    found = running.run(context, job(lambda _context: 1 / 0, room=nowhere))
    assert (found.status, found.text) == ("skipped", "There is none.")
    assert logged()[0].status == "skipped"


def test_no_tables(empty_dsn, caplog):
    """In an empty database all jobs are skipped, and Python alone notes it."""
    caplog.set_level(logging.INFO, "libres")
    context = create_default_registry().register_context("test")
    context.set_setting("dsn", empty_dsn)
    try:
        found = [jobs.run(context, each.name) for each in jobs.JOBS]
        assert jobs.due(context) == list(jobs.USUAL)
    finally:
        context.get_service("session_provider").stop_service()
    assert {each.status for each in found} == {"skipped"}
    assert "libres sync setup" in caplog.text


def test_no_database(caplog):
    """A database that is away is an error that is told, not raised."""
    context = create_default_registry().register_context("test")
    context.set_setting("dsn", "postgresql+psycopg2://nobody@127.0.0.1:1/none")
    assert jobs.run(context, "number").status == "error"
    assert "is not noted" in caplog.text


def test_log_is_away(context, monkeypatch, caplog):
    """That it could not be noted does not undo what was done."""

    def broken(_context):
        raise OperationalError(None, {}, Exception("away"))

    monkeypatch.setattr(noting, "apart", broken)
    assert jobs.run(context, "number").status == "ok"
    assert "is not noted" in caplog.text


@pytest.mark.parametrize("name", ["", "Number", "number\0", "../number"])
def test_unknown(context, name):
    """There are no other jobs than those of the list."""
    with pytest.raises(UnknownEntity) as raised:
        jobs.run(context, name)
    assert raised.value.kind == "job"


def test_nothing_left_open(context, dsn):
    """No job leaves a transaction behind, which would keep PostgreSQL from its own."""
    configure(context, {"k1": "s" * 64})
    found = [jobs.run(context, each.name) for each in jobs.JOBS]
    assert {each.status for each in found} <= {"ok", "skipped"}, found
    engine = create_engine(dsn, poolclass=NullPool)
    with engine.connect() as connection:
        assert connection.scalar(text(OPEN)) == 0


OPEN = """\
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%'
"""


def test_light():
    """Who imports jobs does not import what only some of them need."""
    heavy = ("celery", "apscheduler", "flask", "apiflask", "click")
    script = f"""
import sys
import libres.jobs
print([each for each in {heavy!r} if each in sys.modules])
"""
    line = [sys.executable, "-c", script]
    found = subprocess.run(  # noqa: S603 - a script of ours
        line, capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"


# Due ----------------------------------------------------------------------------------


def names(found):
    """Name jobs."""
    return {each.name for each in found}


def test_due(context, clock):
    """A job is due when its interval is over, a little earlier too, and never so if it
    has to be named."""
    everything = names(jobs.USUAL)
    assert names(jobs.due(context)) == everything
    for each in jobs.USUAL:
        jobs.run(context, each.name)
    assert names(jobs.due(context)) == set()
    clock.advance(timedelta(seconds=29))
    assert names(jobs.due(context)) == set()
    clock.advance(timedelta(seconds=1))
    assert names(jobs.due(context)) == {"number"}
    clock.advance(timedelta(hours=23, minutes=58, seconds=29))
    assert "verify" not in names(jobs.due(context))
    clock.advance(timedelta(seconds=1))
    assert names(jobs.due(context)) == everything


def test_jobs():
    """Each has a name of its own that can be an actor, and a sentence."""
    found = jobs.JOBS
    assert len(names(found)) == len(found)
    for each in found:
        assert each.actor == f"system:{each.name}"
        assert each.meaning.endswith(".")
        assert each.every >= MINUTE
    assert names(found) - names(jobs.USUAL) == {"no_show"}
