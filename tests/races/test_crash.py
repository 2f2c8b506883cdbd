"""A crash may give the number of a transaction to another one, which is committed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

from benchmarks.soak.server import own_server
from libres.context.outcome import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from benchmarks.soak.server import OwnServer

LIMIT = 30.0
NUMBER = text("SELECT pg_current_xact_id_if_assigned()::text")


@pytest.fixture(scope="module")
def own() -> Iterator[OwnServer]:
    """A server that may be killed."""
    with own_server() as server:
        yield server


@pytest.fixture
def engine(own: OwnServer) -> Iterator[Engine]:
    """Connects to it; there is a table of notes."""
    engine = create_engine(own.dsn)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS notes (said text)"))
    yield engine
    engine.dispose()


def write(connection: Connection, said: str) -> str:
    """Write a note and return the number of the transaction."""
    connection.execute(text("INSERT INTO notes VALUES (:said)"), {"said": said})
    return str(connection.execute(NUMBER).scalar_one())


def crash(own: OwnServer, connection: Connection, who: str) -> None:
    """Kill a backend or the whole server, and wait until it is there again."""
    process = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    if who == "server":
        own.kill()
    else:
        own.kill_backend(process)
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        engine = create_engine(own.dsn)
        try:
            with engine.connect():
                return
        except OperationalError:
            time.sleep(0.05)
        finally:
            engine.dispose()


@pytest.mark.parametrize("who", ["server", "backend"])
@pytest.mark.parametrize(
    ("traced", "outcome"),
    [
        pytest.param(None, "unknown", id="nobody can tell"),
        pytest.param(False, "undone", id="its records are not there"),
        pytest.param(True, "committed", id="its records are there"),
    ],
)
def test_number_is_used_again(
    own: OwnServer, engine: Engine, who: str, traced: bool | None, outcome: str
) -> None:
    """That the number is committed says nothing about the one that had it before."""
    traces = [] if traced is None else [lambda _: traced]
    with engine.connect() as connection:
        number = write(connection, "lost")
        witness = Witness(connection, traces)
        witness.note(connection)
        crash(own, connection, who)
        while True:
            with engine.begin() as other:
                if int(write(other, "another")) >= int(number):
                    break
        assert witness.find_out(lambda _: False) == outcome
    with engine.connect() as other:
        query = text("SELECT count(*) FROM notes WHERE said = 'lost'")
        assert other.execute(query).scalar_one() == 0
