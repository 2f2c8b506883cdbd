"""Whatever is killed in the middle of load, what was acknowledged is there."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from random import Random

import pytest
from click.testing import CliRunner
from sqlalchemy import make_url

from benchmarks.databases import Databases
from benchmarks.soak.checking import verdict
from benchmarks.soak.cli import Plan, main, run
from benchmarks.soak.clients import Clients
from benchmarks.soak.killing import BACKENDS, DATABASE
from benchmarks.soak.ledger import Ledger, Notes
from benchmarks.soak.server import own_server
from benchmarks.soak.world import (
    GUEST,
    allocate,
    context_on,
    create_tables,
    hours,
    resource,
    state_of,
)

CHANCE = Random(1)  # noqa: S311 - load, no secret

LIMIT = 60.0
"""Seconds; nothing takes that long unless something is broken."""


@pytest.fixture(scope="module")
def server():
    """A server that may be killed."""
    with own_server() as server:
        yield server


@pytest.fixture
def databases(server):
    """The databases of that server."""
    databases = Databases(make_url(server.dsn))
    yield databases
    databases.drop_all()


@pytest.fixture
def context(databases):
    """A database with everything that can be booked, and nothing booked."""
    context = context_on(databases.create(DATABASE))
    create_tables(context)
    context.transaction(lambda: allocate(context))
    yield context
    context.get_service("session_provider").stop_service()


@contextmanager
def working(databases, folder, number=3):
    """Let clients work during a with-block, and finish afterwards."""
    clients = Clients(databases.dsn(DATABASE), folder, number, CHANCE)
    try:
        work(clients)
        yield clients
        clients.finish()
    finally:
        clients.end()


def work(clients, operations=40):
    """Wait until so many more operations are done."""
    wanted, deadline = clients.ledger.operations + operations, time.monotonic() + LIMIT
    while clients.ledger.operations < wanted:
        assert time.monotonic() < deadline, "the clients do nothing"
        time.sleep(0.05)
        clients.read()


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("who", ["client", "backend", "server"])
def test_killed(server, databases, tmp_path, who):
    """Everybody else goes on, and nothing is lost or half there."""
    with working(databases, tmp_path) as clients:
        if who == "client":
            clients.kill(CHANCE)
        elif who == "backend":
            server.kill_backend(databases.execute(DATABASE, BACKENDS)[0][0])
        else:
            server.kill()
        work(clients)
    found = verdict(databases, clients.ledger)
    assert (found.double_bookings, found.lost, found.findings) == ([], [], [])
    assert any(clients.ledger.acknowledged.values())
    assert clients.died_alone == 0


def test_short_run(server, databases, capsys):
    """A run tells how it went."""
    found = run(
        databases, server, Plan(seconds=3, processes=2, seed=1, foreign_rooms=2)
    )
    assert found.holds
    said = capsys.readouterr().out
    for expected in ("p99 ms", "double bookings", "lost acknowledged reservations"):
        assert expected in said


def test_named_server_is_not_killed():
    """Only our own server may be killed."""
    arguments = ["--dsn", "postgresql://nowhere/x", "--kill-server"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "is not killed" in result.output


class TestVerdict:
    """What is wrong is found, so an empty verdict means something."""

    @pytest.fixture
    def acknowledged(self, context):
        """A ledger with one booking, and its token."""
        room = resource(context, "room 1")
        [booking] = room.book(GUEST, hours(0, 9, 10))
        token = str(booking.token)
        ledger = Ledger(acknowledged={token: state_of(room.session, token)})
        room.commit()
        return ledger, token

    def test_well(self, databases, acknowledged):
        """It is all there."""
        assert verdict(databases, acknowledged[0]).holds

    @pytest.mark.parametrize("column", ["quota = 2", "status = 'pending'"])
    def test_changed(self, databases, acknowledged, column):
        """It is not what was acknowledged."""
        databases.execute(DATABASE, f"UPDATE reservations SET {column}")  # noqa: S608
        assert len(verdict(databases, acknowledged[0]).lost) == 1

    def test_lost(self, databases, acknowledged):
        """It is gone."""
        databases.execute(
            DATABASE, "DELETE FROM reserved_slots", "DELETE FROM reservations"
        )
        assert len(verdict(databases, acknowledged[0]).lost) == 1

    def test_uncertain(self, databases, acknowledged):
        """What a killed client was removing may be gone."""
        ledger, token = acknowledged
        ledger.uncertain.add(token)
        databases.execute(
            DATABASE, "DELETE FROM reserved_slots", "DELETE FROM reservations"
        )
        assert verdict(databases, ledger).holds

    def test_half(self, databases, acknowledged):
        """The auditor misses some of its slots."""
        databases.execute(
            DATABASE,
            "DELETE FROM reserved_slots WHERE start = "
            "(SELECT min(start) FROM reserved_slots)",
        )
        assert verdict(databases, acknowledged[0]).findings

    def test_twice(self, databases, context):
        """The hall and its stage are booked at the same time."""
        for name in ("hall", "stage"):
            room = resource(context, name)
            room.blocking_names = ()
            room.book(GUEST, hours(0, 9, 9.25))
        room.commit()
        assert len(verdict(databases, Ledger()).double_bookings) == 1


class TestNotes:
    """What a client has written is read once, and completely."""

    @pytest.fixture
    def notes(self, tmp_path):
        return Notes(tmp_path / "notes", Ledger())

    @staticmethod
    def write(notes, **facts):
        with notes.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")

    def begin(self, notes, token=None):
        self.write(notes, begin="change", token=token)

    def end(self, notes, **facts):
        figures = {"retries": 1, "conflicts": ["40001"], "seconds": 0.1}
        self.write(notes, end="change", **figures, **facts)

    def test_acknowledged(self, notes):
        """The last state counts, and who holds it is known."""
        for state in (["first"], ["second"]):
            self.begin(notes, "t")
            self.end(notes, token="t", state=state, item=["booked", "room 1"])  # noqa: S106 - no secret
        notes.read()
        notes.read()
        assert notes._ledger.acknowledged == {"t": ["second"]}
        assert notes._ledger.operations == 2
        assert notes.items == {"t": ["booked", "room 1"]}

    @pytest.mark.parametrize(
        ("certain", "uncertain"),
        [
            pytest.param(True, set(), id="refused"),
            pytest.param(False, {"t"}, id="unknown"),
        ],
    )
    def test_error(self, notes, certain, uncertain):
        """After a refusal all is as it was; after other errors nobody knows."""
        self.begin(notes, "t")
        self.end(notes, error="Oops", certain=certain, text="")
        notes.read()
        assert notes._ledger.uncertain == uncertain
        assert notes._ledger.refusals["change"] == {"Oops": 1}

    def test_killed(self, notes):
        """What was begun and not ended is uncertain, once the client is dead."""
        self.begin(notes, "t")
        notes.read()
        assert notes._ledger.uncertain == set()
        notes.client_died()
        assert notes._ledger.uncertain == {"t"}

    def test_half_a_line(self, notes):
        """A line that is still being written waits."""
        notes.path.write_text('{"begin": "cha', encoding="utf-8")
        notes.read()
        with notes.path.open("a", encoding="utf-8") as file:
            file.write('nge", "token": "t"}\n')
        notes.client_died()
        assert notes._ledger.uncertain == {"t"}
