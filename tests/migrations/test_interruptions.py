"""Whatever stops an upgrade, and wherever: run again, it ends as if uninterrupted."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from libres.db import migrations
from libres.db.migrations import running
from libres.db.operations.setting_up import create_missing
from libres.modules.errors import UpgradeImpossible
from tests.fixtures.races import DIED, race
from tests.migrations.catalogue import catalogue, everything
from tests.migrations.shapes import libres_0_5, libres_0_10_0, libres_1_1_1

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

READS = ("SELECT", "SET", "SAVEPOINT", "RELEASE")


class Killed(BaseException):
    """Nobody catches this."""


class Killer:
    """Ends an upgrade before or after the first change that would last."""

    def __init__(self, *, after: bool) -> None:
        self.after = after
        self.has_written = self.has_lasted = False

    def before_statement(self, *_args) -> None:
        if self.has_lasted:
            raise Killed

    def after_statement(self, _connection, cursor, statement, *_args) -> None:
        if statement.lstrip().startswith(READS) or cursor.rowcount == 0:
            return
        self.has_written = True
        if "CONCURRENTLY" in statement:
            self.has_lasted = True

    def commit(self, _connection) -> None:
        if self.has_written and not self.after:
            raise Killed
        self.has_lasted = self.has_written

    def rollback(self, _connection) -> None:
        self.has_written = False


@contextmanager
def killed(engine: Engine, *, after: bool) -> Iterator[Killer]:
    """Let a killer watch over the engine."""
    killer = Killer(after=after)
    listeners = [
        ("before_cursor_execute", killer.before_statement),
        ("after_cursor_execute", killer.after_statement),
        ("commit", killer.commit),
        ("rollback", killer.rollback),
    ]
    for name, function in listeners:
        event.listen(engine, name, function)
    try:
        yield killer
    finally:
        for name, function in listeners:
            event.remove(engine, name, function)


def is_killed(engine: Engine, concurrently: bool, *, after: bool) -> bool:
    """Upgrade until the first change that lasts. Is there one left?"""
    with killed(engine, after=after) as killer:
        try:
            migrations.upgrade(engine, concurrently=concurrently)
        except Killed:
            return True
    return killer.has_lasted


def state(engine: Engine):
    """Everything that is in the schema, and the revision."""
    with engine.connect() as connection:
        return everything(connection), migrations.current(connection)


@pytest.mark.parametrize(
    ("concurrently", "changes"),
    [
        # four revisions; ahead of the second for three columns each a stretch of the
        # table, a constraint, its proof; ahead of the others the indexes
        pytest.param(False, 4 + 3 * 3, id="in transactions"),
        pytest.param(True, 4 + 3 * 3 + 29, id="concurrently"),
    ],
)
def test_killed_between_any_two_changes(make, fresh, concurrently, changes):
    """Each run dies right after its first change that lasts; the last one is complete.

    So a run begins in every state that an interruption can leave behind.
    """
    engine, whole = make(libres_0_5()), make(libres_0_5())
    migrations.upgrade(whole)
    runs = 0
    while is_killed(engine, concurrently, after=True):
        runs += 1
    assert runs == changes
    assert state(engine) == state(whole)
    with engine.connect() as connection:
        assert catalogue(connection) == fresh


def test_killed_before_any_change(make):
    """A transaction that is not committed leaves nothing behind, in any state."""
    engine = make(libres_0_10_0())
    more, runs = True, 0
    while more:
        before = state(engine)
        if is_killed(engine, False, after=False):
            runs += 1
        assert state(engine) == before or migrations.current(engine).is_current
        more = is_killed(engine, False, after=True)
    assert runs > 10


def upgrade(dsn: str, concurrently: bool = False) -> str | None:
    """Upgrade in a process of its own."""
    return migrations.upgrade(dsn, concurrently=concurrently).revision


def upgrade_and_die(dsn: str, at: str) -> None:
    """Be killed in the middle of something."""

    def die(what: str) -> None:
        if what.startswith(at):
            os.kill(os.getpid(), signal.SIGKILL)

    migrations.upgrade(dsn, concurrently=True, report=die)


def set_up(dsn: str) -> None:
    """Do what setup_database does."""
    engine = create_engine(dsn, poolclass=NullPool)
    with engine.begin() as connection:
        create_missing(connection)


def dsn_of(engine: Engine) -> str:
    """The DSN with everything in it."""
    return engine.url.render_as_string(hide_password=False)


def test_kill_9(make, fresh):
    """The server cleans up behind a process that is killed."""
    engine = make(libres_0_5())
    for at in ("fills in source_id", "creates the index ix_reservations_email"):
        assert race([partial(upgrade_and_die, dsn_of(engine), at)]) == [DIED]
    migrations.upgrade(engine, concurrently=True)
    with engine.connect() as connection:
        assert catalogue(connection) == fresh


def test_several_at_once(make, fresh):
    """Processes that upgrade the same database wait for each other."""
    engine = make(libres_0_5())
    runs = [partial(upgrade, dsn_of(engine), each) for each in (False, True, True)]
    outcomes = race(runs)
    assert [outcome.value for outcome in outcomes] == ["0004"] * 3, outcomes
    with engine.connect() as connection:
        assert catalogue(connection) == fresh


def test_beside_setup_database(make, fresh):
    """So do those that set up an empty one."""
    engine = make()
    dsn = dsn_of(engine)
    outcomes = race([partial(upgrade, dsn), partial(set_up, dsn)])
    assert all(outcome.ok for outcome in outcomes), outcomes
    with engine.connect() as connection:
        assert catalogue(connection) == fresh


@pytest.mark.parametrize("concurrently", [False, True])
def test_an_index_that_was_interrupted(make, fresh, concurrently):
    """What CREATE INDEX CONCURRENTLY leaves behind is dropped, and made again."""
    engine = make(libres_1_1_1())
    broken = (
        "CREATE UNIQUE INDEX CONCURRENTLY ix_reservations_email ON reservations (email)"
    )
    alone = engine.execution_options(isolation_level="AUTOCOMMIT")
    with alone.connect() as connection, pytest.raises(IntegrityError):
        connection.exec_driver_sql(broken)  # all have the same address
    assert any("interrupted" in each for each in migrations.check(engine))
    migrations.upgrade(engine, concurrently=concurrently)
    assert migrations.check(engine) == []
    with engine.connect() as connection:
        assert catalogue(connection) == fresh


class TestLocks:
    @pytest.fixture(autouse=True)
    def impatience(self, monkeypatch):
        """Nobody waits for long in a test."""
        monkeypatch.setattr(running, "LOCK_SECONDS", 0.05)
        monkeypatch.setattr(running, "ATTEMPTS", 3)
        monkeypatch.setattr(running, "PAUSE", 0.0)

    def test_held_for_good(self, make):
        """A table that stays locked ends the upgrade in words, and unchanged."""
        engine = make(libres_0_5())
        before = state(engine)
        with engine.connect() as other:
            other.exec_driver_sql("LOCK TABLE allocations IN ROW EXCLUSIVE MODE")
            with pytest.raises(
                UpgradeImpossible, match=r"in the way of revision 0001 \(.*lock"
            ):
                migrations.upgrade(engine)
        assert state(engine) == before

    def test_held_for_a_while(self, make, monkeypatch):
        """It steps back, lets others through, and tries again."""
        engine, said = make(libres_0_5()), []
        with engine.connect() as other:
            other.exec_driver_sql("LOCK TABLE allocations IN ROW EXCLUSIVE MODE")
            monkeypatch.setattr(running.time, "sleep", lambda _pause: other.rollback())
            migrations.upgrade(engine, report=said.append)
        assert "waits for other transactions: revision 0001" in said
        assert migrations.current(engine).is_current

    def test_always_limited(self, make):
        """Nothing is changed without a limit for how long others have to wait."""
        engine, limits = make(libres_0_5()), []
        changes, unlimited = [], []
        event.listen(engine, "begin", lambda _connection: limits.clear())

        def look(_connection, _cursor, statement, *_args) -> None:
            if statement.startswith("SET LOCAL lock_timeout"):
                limits.append(statement)
            elif not statement.lstrip().startswith(READS):
                (changes if limits else unlimited).append(statement)

        event.listen(engine, "before_cursor_execute", look)
        migrations.upgrade(engine)
        assert changes
        assert unlimited == []

    def test_others_write_meanwhile(self, make, monkeypatch):
        """Nobody waits for the owners of all slots to be found."""
        monkeypatch.setattr(running, "PAGES", 1)
        engine, written = make(libres_1_1_1()), []

        def write(what: str) -> None:
            if what.startswith("fills in source_id"):
                with engine.begin() as other:
                    other.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
                    other.exec_driver_sql("UPDATE reserved_slots SET modified = now()")
                    other.exec_driver_sql("UPDATE allocations SET modified = now()")
                written.append(what)

        migrations.upgrade(engine, report=write)
        assert written
        assert all(what.endswith("%") for what in written)

    def test_by_pages(self, make, monkeypatch, fresh):
        """A large table is filled in several transactions, and completely."""
        monkeypatch.setattr(running, "PAGES", 1)
        engine, said = make(libres_1_1_1()), []
        with engine.begin() as connection:
            connection.exec_driver_sql(
                'INSERT INTO reserved_slots (resource, start, "end", allocation_id, '
                "source_type, reservation_token, created) SELECT resource, "
                "start + n * interval '1 day', \"end\" + n * interval '1 day', "
                "allocation_id, source_type, reservation_token, created "
                "FROM reserved_slots, generate_series(1, 200) AS n "
                "WHERE allocation_id IN (5, 6)"
            )
        migrations.upgrade(engine, report=said.append)
        percents = [each for each in said if each.startswith("fills in source_id")]
        assert len(set(percents)) > 3
        with engine.connect() as connection:
            count = connection.exec_driver_sql(
                "SELECT count(*) FROM reserved_slots WHERE source_id = 6"
            )
            assert count.scalar_one() == 2 + 2 * 200
            assert catalogue(connection) == fresh
