"""`libres jobs` from the outside."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from libres import jobs
from libres.cli import main
from libres.jobs import locking, running
from tests.jobs.conftest import (  # noqa: F401 - fixtures
    acme,
    example,
    logged,
    old,
    sync,
    template,
)

OPTIONS = ("--context", "test")


def invoked(*arguments, **env):
    """Run a command of the group."""
    line = ["jobs", *arguments]
    result = CliRunner().invoke(main, line, env={"COLUMNS": "200", **env})
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        result.exc_info
    )
    return result


@pytest.fixture
def run(dsn):
    """Runs jobs on the database of the test."""
    return lambda *arguments: invoked("run", "--dsn", dsn, *OPTIONS, *arguments)


def test_list():
    """Each job is listed, with how often it should run, and what it is for."""
    said = invoked("list").output
    for each in jobs.JOBS:
        assert re.search(
            rf"^{each.name} +\S.*{re.escape(each.meaning)}", said, re.MULTILINE
        )
    assert re.search(r"^no_show +0:05:00 +by name", said, re.MULTILINE)


def test_all(run, logged):  # noqa: F811 - a fixture
    """Without names all jobs run but those that have to be named."""
    result = run()
    assert result.exit_code == 0, result.output
    assert {each.models[0] for each in logged()} == {each.name for each in jobs.USUAL}
    assert "0 operations" in result.output
    assert re.search(r"^drop-log: ok, 0 in \d", result.output, re.MULTILINE)


def test_some(run, old, logged):  # noqa: F811 - fixtures
    """Those that are named run, in this order, each once."""
    from libres.sync.models import SyncLog  # noqa: PLC0415 - only here

    old(SyncLog, 3, days=100)
    result = run("drop-log", "no_show", "drop-log")
    assert result.exit_code == 0
    assert "drop-log: ok, 3 in" in result.output
    assert [each.models for each in logged()] == [["drop-log"], ["no_show"]]


def test_due(run, logged):  # noqa: F811 - a fixture
    """With --due they run if their time has come: right after, nothing does."""
    assert run("--due").exit_code == 0
    count = len(logged())
    assert count == len(jobs.USUAL)
    again = run("--due")
    assert (again.exit_code, again.output) == (0, "")
    assert len(logged()) == count
    assert run("--due", "number").exit_code == 2


def test_dry_run(run, old, logged):  # noqa: F811 - fixtures
    """A dry run tells what there is to do, and does nothing."""
    from libres.sync.models import SyncLog  # noqa: PLC0415 - only here

    old(SyncLog, 3, days=100)
    said = run("--dry-run").output
    assert "Dry run, nothing is written: drop-log, 3 to do.\n" in said
    assert "nothing is written: verify.\n" in said
    assert logged() == []
    assert "drop-log, 3 to do" in run("drop-log", "--dry-run").output


def test_failure(run, monkeypatch):
    """If one fails the others run all the same; the exit status tells."""
    real = running.run

    def broken(context, job):
        if job.name == "number":
            return jobs.Outcome("number", "error", 0, 0.0, "\x1b[31mno luck")
        return real(context, job)

    monkeypatch.setattr(running, "run", broken)
    result = run("number", "care")
    assert result.exit_code == 1
    assert "number: error, 0 in 0.00 s." in result.output
    assert "\x1b" not in result.output
    assert "care: ok" in result.output


def test_runs_already(run, context):
    """A job that runs already is skipped, which is no failure."""
    with locking.held(context, "care"):
        result = run("care")
    assert (result.exit_code, "It runs already." in result.output) == (0, True)


@pytest.mark.parametrize("name", ["", "Care", "care\x1b[2J", "\N{SNOWMAN}"])
def test_unknown(run, logged, name):  # noqa: F811 - a fixture
    """A job that is none is refused before anything runs."""
    result = run("number", name)
    assert result.exit_code == 1
    assert "There is no job" in result.output
    assert "\x1b" not in result.output
    assert logged() == []


def test_empty(empty_dsn):
    """Where nothing is set up all are skipped, and nothing is made."""
    result = invoked("run", "--dsn", empty_dsn)
    assert result.exit_code == 0
    assert result.output.count("skipped") == len(jobs.USUAL)
    assert "to do" not in invoked("run", "--dsn", empty_dsn, "--dry-run").output
    engine = create_engine(empty_dsn, poolclass=NullPool)
    with engine.connect() as connection:
        found = text("SELECT count(*) FROM pg_class WHERE relname LIKE 'sync%'")
        assert connection.scalar(found) == 0


def test_environment(dsn):
    """LIBRES_DSN names the server where no option does."""
    assert "care: ok" in invoked("run", "care", *OPTIONS, LIBRES_DSN=dsn).output


def test_no_server():
    """A server that is away is said in a sentence."""
    result = invoked("run", "--dsn", "postgresql://nobody@127.0.0.1:1/none")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
