"""`libres db` from the outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from libres.cli import main
from libres.db import migrations
from tests.migrations.shapes import libres_0_5

if TYPE_CHECKING:
    from click.testing import Result


HIDDEN = "hunter2"


def run(*arguments: str) -> Result:
    """Run a command of the group."""
    result = CliRunner().invoke(main, ["db", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def old_dsn(empty_dsn: str) -> str:
    """A database with the tables of Libres 0.5."""
    execute(empty_dsn, libres_0_5().sql())
    return empty_dsn


def execute(dsn: str, sql: str) -> None:
    with create_engine(dsn, poolclass=NullPool).begin() as connection:
        connection.exec_driver_sql(sql)


def test_the_whole_way(old_dsn: str) -> None:
    """Look, upgrade, look again: each step says how things are."""
    before = run("current", "--dsn", old_dsn)
    assert "No revision is noted. There are: Libres 0.5 to 0.8." in before.output
    assert "run libres db upgrade" in before.output
    different = run("check", "--dsn", old_dsn)
    assert different.exit_code == 1
    assert "The table reserved_slots has no column source_id." in different.output
    upgraded = run("upgrade", "--dsn", old_dsn)
    assert upgraded.exit_code == 0
    assert (
        upgraded.stdout == "From Libres 0.5 to 0.8 to revision 0004, the newest one.\n"
    )
    assert "adds the column source_id to reserved_slots" in upgraded.stderr
    assert run("current", "--dsn", old_dsn).output == "Revision 0004.\n"
    clean = run("check", "--dsn", old_dsn)
    assert (clean.exit_code, clean.output) == (0, "The tables are as they should be.\n")
    again = run("upgrade", "--dsn", old_dsn)
    assert again.output == "Nothing to do: the revision is 0004, the newest one.\n"


def test_concurrently(old_dsn: str) -> None:
    """Indexes are made while others write, and it says so."""
    result = run("upgrade", "--concurrently", "--dsn", old_dsn)
    assert "creates the index ix_reservations_token concurrently" in result.stderr
    assert migrations.check(old_dsn) == []


def test_sql(old_dsn: str) -> None:
    """What is printed can be run by hand, by whichever client."""
    script = run("sql").stdout
    execute(old_dsn, script)
    assert migrations.check(old_dsn) == []
    assert migrations.current(old_dsn).is_current


def test_refusals_are_sentences(old_dsn: str) -> None:
    """What is in the way is said, without a traceback; the status is 1."""
    execute(old_dsn, "UPDATE allocations SET data = 'secret {' WHERE id = 3")
    result = run("upgrade", "--dsn", old_dsn)
    assert result.exit_code == 1
    assert "Error: The row of allocations with the id 3 holds data" in result.stderr
    assert "SELECT" not in result.stderr


def test_a_demo_on_old_tables(old_dsn: str) -> None:
    """Other commands say what to do about tables that are too old."""
    result = CliRunner().invoke(main, ["demo", "--dsn", old_dsn])
    assert result.exit_code == 1
    assert "libres db upgrade" in result.output


@pytest.mark.parametrize("command", ["upgrade", "current", "check"])
def test_no_server(command: str, empty_dsn: str) -> None:
    """Without a database it is a sentence and the status 2, and no password in it."""
    url = make_url(empty_dsn).set(database="missing", password=HIDDEN)
    result = run(command, "--dsn", url.render_as_string(hide_password=False))
    assert result.exit_code == 2
    assert "missing" in result.stderr
    assert HIDDEN not in result.output


@pytest.mark.parametrize("command", ["upgrade", "current", "check", "sql"])
def test_without_alembic(
    command: str, empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the extra to install."""

    def missing(_name: str) -> None:
        raise migrations.MigrationsMissingError

    monkeypatch.setattr(migrations, "_alembic", missing)
    result = run(command, *(() if command == "sql" else ("--dsn", empty_dsn)))
    assert result.exit_code == 1
    assert "pip install 'libres[migrations]'" in result.stderr
