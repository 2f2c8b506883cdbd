"""A database with the models of a host, and commands that work on it."""

from __future__ import annotations

import re

import pytest
from pytest_postgresql.factories import postgresql_noproc
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool

from libres.sync.examples import USERS, set_up_example
from tests.cli.sync import running
from tests.cli.sync.running import PASSWORD, invoked
from tests.conflicts.conftest import make_claims
from tests.fixtures.database import PREFIX, make_tables
from tests.occupancy.conftest import make_occupancy
from tests.sync.conftest import make_sync, sync  # noqa: F401 - a fixture
from tests.timetable.conftest import make_timetable
from tests.web.conftest import make_web

PASSWORDS = {**dict.fromkeys(USERS), "john_manager": PASSWORD}

template = postgresql_noproc(
    dbname=f"{PREFIX}clisync",
    load=[
        *(make_tables, make_claims, make_timetable, make_occupancy),
        *(make_web, make_sync),
    ],
    load_autocommit=False,
    depends_on="server",
)
"""What the databases of these tests are cloned from."""


@pytest.fixture
def run(dsn):
    """Runs a command on the database of the test: run("org list")."""
    models = f"{running.__name__}:register"
    options = ("--dsn", dsn, "--context", "test", "--models", models)

    def run(command, *arguments, **more):
        return invoked(*command.split(), *options, *arguments, **more)

    return run


@pytest.fixture
def done(run):
    """Runs a command that must succeed, and gives what it says."""

    def done(command, *arguments, **more):
        result = run(command, *arguments, **more)
        assert result.exit_code == 0, result.output
        return result.stdout

    return done


@pytest.fixture
def house(context, sync):  # noqa: F811 - a fixture
    """The example of three organisations; John has a password."""
    set_up_example(context, passwords=PASSWORDS)
    sync.commit()
    return sync


@pytest.fixture
def content(dsn):
    """Reads all that is stored, to be compared."""

    def content():
        engine = create_engine(dsn, poolclass=NullPool)
        with engine.connect() as connection:
            return {
                name: sorted(
                    str([_plain(value) for value in row])
                    for row in connection.execute(text(f"TABLE {name}"))
                )
                for name in inspect(connection).get_table_names()
            }

    return content


def _plain(value):
    """What is written as it is, wherever it lies in memory."""
    return bytes(value) if isinstance(value, memoryview) else value


@pytest.fixture
def refuses(run, content):
    """Runs a command that is refused, in words, and of which nothing is stored."""

    def refuses(command, arguments, said, **more):
        before = content()
        result = run(command, *arguments, **more)
        assert result.exit_code in {1, 2}
        assert re.search(said, " ".join(result.output.split())), result.output
        assert "\x1b" not in result.output
        assert content() == before

    return refuses
