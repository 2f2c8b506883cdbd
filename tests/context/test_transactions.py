"""Transactions: what is retried, how often, how long, and what is never repeated."""

from __future__ import annotations

import threading
from itertools import count, pairwise
from types import SimpleNamespace

import psycopg
import psycopg2
import pytest
import sqlalchemy.exc
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from libres.context.fairness import turns_of
from libres.context.telling import tell
from libres.context.transactions import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    classify,
    run,
)
from libres.modules.errors import AlreadyReservedError, TooManyConflicts
from libres.modules.events import Event
from tests.context.notes import Base, Note


class Psycopg2Error(psycopg2.OperationalError):
    """An error of psycopg2 with a code, which its own classes keep to themselves."""

    pgcode = None
    diag = None

    def __init__(self, code, constraint=None, message=""):
        super().__init__(message)
        self.pgcode = code
        self.diag = SimpleNamespace(constraint_name=constraint)


class Psycopg3Error(psycopg.Error):
    """An error of psycopg 3 with a code."""

    diag = None

    def __init__(self, code, constraint=None, message=""):
        super().__init__(message)
        self.sqlstate = code
        self.diag = SimpleNamespace(constraint_name=constraint)


CODES = [
    ("40001", None, "retryable", "retryable", "serialization failure"),
    ("40P01", None, "retryable", "retryable", "deadlock"),
    ("23505", "reserved_slots_pkey", "retryable", "retryable", "slot taken"),
    ("23505", "resource_start_ix", "retryable", "retryable", "allocation made"),
    (
        "23505",
        "reservation_idempotency_keys_pkey",
        "retryable",
        "retryable",
        "the same request made",
    ),
    ("23505", "host_ix", "no", "no", "a duplicate of the host"),
    ("23505", None, "no", "no", "a duplicate of something unnamed"),
    ("23503", "reserved_slots_pkey", "no", "no", "not a duplicate"),
    ("23P01", None, "no", "no", "exclusion"),
    ("40002", None, "no", "no", "integrity: the same would happen again"),
    ("08000", None, "retryable", "ambiguous", "connection exception"),
    ("08006", None, "retryable", "ambiguous", "connection failure"),
    ("08007", None, "retryable", "ambiguous", "resolution unknown"),
    ("57P01", None, "retryable", "ambiguous", "admin shutdown"),
    ("57P02", None, "retryable", "ambiguous", "crash shutdown"),
    ("57P03", None, "retryable", "ambiguous", "cannot connect now"),
    ("57014", None, "no", "no", "cancelled by a person or a timeout"),
    ("25P02", None, "no", "no", "the transaction is aborted"),
    ("42P01", None, "no", "no", "no such table"),
    ("53300", None, "no", "no", "too many connections"),
    ("XX000", None, "no", "no", "internal error"),
]


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "wrapped"])
@pytest.mark.parametrize("driver", [Psycopg2Error, Psycopg3Error])
@pytest.mark.parametrize(
    ("code", "constraint", "before", "during"),
    [pytest.param(*row[:4], id=f"{row[0]} {row[4]}") for row in CODES],
)
def test_codes(driver, wrapped, code, constraint, before, during):
    """The SQLSTATE decides, with either driver, also through SQLAlchemy."""
    error = driver(code, constraint)
    if wrapped:
        error = sqlalchemy.exc.DBAPIError("SELECT 1", {}, error)
    assert classify(error) == before
    assert classify(error, committing=True) == during


class Raising:
    """Lets PostgreSQL raise errors of any code, through each driver."""

    def __init__(self, dsn):
        self._dsn = make_url(dsn).set(drivername="postgresql")
        self._dsn = self._dsn.render_as_string(hide_password=False)
        self._connections = {}

    def error(self, driver, statement):
        """Return what the driver raises for a statement."""
        if driver not in self._connections:
            self._connections[driver] = driver.connect(self._dsn)
        connection = self._connections[driver]
        with pytest.raises(driver.Error) as raised:
            connection.cursor().execute(statement)
        if not connection.closed:
            connection.rollback()
        return raised.value

    def close(self):
        for connection in self._connections.values():
            connection.close()


@pytest.fixture(scope="module")
def raising(server):
    raising = Raising(server.dsn(server.maintenance_dbname))
    yield raising
    raising.close()


@pytest.mark.parametrize("driver", [psycopg2, psycopg], ids=lambda each: each.__name__)
@pytest.mark.parametrize(
    ("code", "constraint", "before", "during"),
    [pytest.param(*row[:4], id=f"{row[0]} {row[4]}") for row in CODES],
)
def test_real_codes(raising, driver, code, constraint, before, during):
    """The same with what the drivers make of an error of PostgreSQL."""
    error = raising.error(
        driver,
        f"DO $$ BEGIN RAISE EXCEPTION 'on purpose' USING "
        f"ERRCODE = '{code}', CONSTRAINT = '{constraint or ''}'; END $$",
    )
    assert classify(error) == before
    assert classify(error, committing=True) == during


LOST = "SELECT pg_terminate_backend(pg_backend_pid())"


@pytest.mark.parametrize("driver", [psycopg2, psycopg], ids=lambda each: each.__name__)
def test_real_losses(server, driver):
    """A connection that is ended, and one that was ended already."""
    raising = Raising(server.dsn(server.maintenance_dbname))
    for statement in (LOST, "SELECT 1"):
        error = raising.error(driver, statement)
        assert classify(error) == "retryable"
        assert classify(error, committing=True) == "ambiguous"
    raising.close()


CITUS = "could not commit transaction for shard 102008 on any active node"

OTHERS = [
    (psycopg2.OperationalError("SSL SYSCALL error"), "retryable", "ambiguous"),
    (psycopg2.InterfaceError("connection already closed"), "retryable", "ambiguous"),
    (psycopg.OperationalError("consuming input failed"), "retryable", "ambiguous"),
    (psycopg2.ProgrammingError("no results to fetch"), "no", "no"),
    (psycopg.ProgrammingError("no result available"), "no", "no"),
    (psycopg.errors.SerializationFailure(), "retryable", "retryable"),
    (psycopg.errors.DeadlockDetected(), "retryable", "retryable"),
    (psycopg.errors.AdminShutdown(), "retryable", "ambiguous"),
    (psycopg.errors.QueryCanceled(), "no", "no"),
    (Psycopg3Error("XX000", message=CITUS), "no", "ambiguous"),
    (Psycopg2Error("XX000", message=CITUS), "no", "ambiguous"),
    (AlreadyReservedError(), "no", "no"),
    (sqlalchemy.exc.TimeoutError("QueuePool limit"), "no", "no"),
    (sqlalchemy.exc.PendingRollbackError("rolled back"), "no", "no"),
    (sqlalchemy.exc.StatementError("x", "y", {}, ValueError()), "no", "no"),
    (ConnectionError("of something else"), "no", "no"),
    (KeyboardInterrupt(), "no", "no"),
]


@pytest.mark.parametrize("error", OTHERS, ids=lambda row: repr(row[0]))
def test_others(error):
    """Errors without a code are lost connections, or none of our business."""
    error, before, during = error
    assert classify(error) == before
    assert classify(error, committing=True) == during


def test_invalidated():
    """What SQLAlchemy takes for a lost connection is one, whatever its code."""
    error = sqlalchemy.exc.DBAPIError(
        "SELECT 1", {}, psycopg2.DatabaseError(), connection_invalidated=True
    )
    assert classify(error) == "retryable"
    assert classify(error, committing=True) == "ambiguous"


class Watch:
    """A clock that only moves when someone sleeps, or by *step* when it is read."""

    def __init__(self, step=0.0):
        self.now = 0.0
        self.step = step
        self.pauses = []

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def clock(self):
        self.now += self.step
        return self.now

    def run(self, session, fn, **options):
        return run(
            lambda: session,
            fn,
            **{
                "sleep": self.sleep,
                "clock": self.clock,
                "random": lambda: 1.0,
                **options,
            },
        )


@pytest.fixture
def watch():
    return Watch()


def fail(session, code="40001", constraint="x"):
    """Let PostgreSQL raise an error."""
    session.execute(
        text(
            f"DO $$ BEGIN RAISE EXCEPTION 'on purpose' USING "
            f"ERRCODE = '{code}', CONSTRAINT = '{constraint}'; END $$"
        )
    )


def is_turn_of_another(session):
    """Whether another thread would have to wait for this one, which goes first."""
    seen = []
    turns = turns_of(session)
    thread = threading.Thread(target=lambda: seen.append(_would_wait(turns)))
    thread.start()
    thread.join()
    return seen == [True]


def _would_wait(turns):
    with turns.first(0):
        return turns._first != threading.get_ident()


def write(session, said="x"):
    """Make a note and flush it."""
    session.add(Note(text=said))
    session.flush()


def written(engine):
    """The notes that were really committed."""
    with Session(engine) as session:
        return [note.text for note in session.query(Note).order_by(Note.id)]


class Failing:
    """Writes a note, and fails so many times before it succeeds."""

    def __init__(self, session, times, code="40001", constraint="x"):
        self.session = session
        self.times = times
        self.how = (code, constraint)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        write(self.session, f"attempt {self.calls}")
        if self.calls <= self.times:
            fail(self.session, *self.how)
        return self.calls


class TestRun:
    """One transaction around a function."""

    @pytest.fixture
    def session(self, driver_dsn):
        engine = create_engine(driver_dsn, isolation_level="SERIALIZABLE")
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            yield session
        engine.dispose()

    def test_commits(self, session, engine, watch):
        """The result is returned, what was written is committed."""
        assert watch.run(session, Failing(session, 0)) == 1
        assert not session.in_transaction()
        assert written(engine) == ["attempt 1"]
        assert watch.pauses == []

    def test_flushes(self, session, engine, watch):
        """What was only added is written as well."""
        watch.run(session, lambda: session.add(Note(text="x")))
        assert written(engine) == ["x"]

    def test_falsy_result(self, session, watch):
        """None and other empty results are returned as they are."""
        assert watch.run(session, lambda: None) is None
        assert watch.run(session, list) == []

    @pytest.mark.parametrize(
        ("code", "constraint"),
        [
            ("40001", "x"),
            ("40P01", "x"),
            ("23505", "reserved_slots_pkey"),
            ("23505", "resource_start_ix"),
        ],
    )
    def test_retries(self, session, engine, watch, code, constraint):
        """After a conflict the whole of it runs again; only the last run is written."""
        fn = Failing(session, 2, code, constraint)
        assert watch.run(session, fn) == 3
        assert written(engine) == ["attempt 3"]
        assert len(watch.pauses) == 2

    def test_too_many(self, session, engine, watch):
        """After the last attempt one error says how often and how long."""
        fn = Failing(session, 99)
        with pytest.raises(TooManyConflicts) as raised:
            watch.run(session, fn, attempts=3)
        assert fn.calls == 3
        assert raised.value.attempts == 3
        assert raised.value.seconds == sum(watch.pauses)
        assert classify(raised.value.__cause__) == "retryable"
        assert not session.in_transaction()
        assert written(engine) == []

    def test_single_attempt(self, session, watch):
        """With one attempt nothing is repeated, nobody sleeps."""
        with pytest.raises(TooManyConflicts):
            watch.run(session, Failing(session, 1), attempts=1)
        assert watch.pauses == []

    @pytest.mark.parametrize("error", [AlreadyReservedError, KeyboardInterrupt])
    def test_other_errors(self, session, engine, watch, error):
        """Any other exception rolls back and propagates at once."""
        calls = []

        def fn():
            calls.append(1)
            write(session)
            raise error

        with pytest.raises(error):
            watch.run(session, fn)
        assert calls == [1]
        assert not session.in_transaction()
        assert written(engine) == []

    def test_other_database_errors(self, session, watch):
        """A duplicate of the host's own is not retried."""
        fn = Failing(session, 9, "23505", "host_ix")
        with pytest.raises(sqlalchemy.exc.IntegrityError):
            watch.run(session, fn)
        assert fn.calls == 1

    def test_swallowed_error(self, session, engine, watch):
        """A COMMIT that PostgreSQL would turn into a ROLLBACK is not sent."""

        def fn():
            write(session)
            with pytest.raises(sqlalchemy.exc.DBAPIError):
                fail(session)

        with pytest.raises(sqlalchemy.exc.DBAPIError, match="transaction is aborted"):
            watch.run(session, fn)
        assert written(engine) == []

    def test_survived_error(self, session, engine, watch):
        """An error that a savepoint has caught does not matter."""

        def fn():
            write(session)
            savepoint = session.begin_nested()
            with pytest.raises(sqlalchemy.exc.DBAPIError):
                fail(session)
            savepoint.rollback()

        watch.run(session, fn)
        assert written(engine) == ["x"]

    def test_lost_connection(self, session, engine, watch):
        """A connection lost before the COMMIT is replaced."""
        calls = count(1)

        def fn():
            write(session, f"attempt {next(calls)}")
            if next(calls) == 2:
                me = text("SELECT pg_terminate_backend(pg_backend_pid())")
                session.execute(me)

        watch.run(session, fn)
        assert written(engine) == ["attempt 3"]

    def test_fresh_snapshot(self, session, engine, watch):
        """The second attempt sees what the first one lost against."""
        seen = []

        def fn():
            notes = session.query(Note).count()
            seen.append(notes)
            if notes == 0:
                with Session(engine) as other:
                    other.query(Note).count()
                    write(other, "theirs")
                    other.commit()
            write(session, "ours")

        watch.run(session, fn)
        assert seen == [0, 1]
        assert written(engine) == ["theirs", "ours"]


def on_commit(engine, body):
    """Run PL/pgSQL during each COMMIT that has written a note."""
    with engine.begin() as connection:
        connection.execute(
            text(f"""
            CREATE FUNCTION on_commit() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN {body} RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER on_commit AFTER INSERT ON host_notes
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION on_commit();
        """)
        )


def test_conflict_at_commit(session, engine, watch):
    """A conflict that shows at the COMMIT is retried."""
    on_commit(
        engine,
        "IF NEW.text = 'attempt 1' THEN RAISE serialization_failure; END IF;",
    )
    assert watch.run(session, Failing(session, 0)) == 2
    assert written(engine) == ["attempt 2"]


@pytest.mark.parametrize("hook", ["after_commit", "after_transaction_end"])
def test_failing_hook(session, engine, watch, hook):
    """A hook of the host that fails after the COMMIT does not cause a second run."""

    def refuse(_, transaction=None):
        if transaction is None or transaction.parent is None:
            raise psycopg.errors.SerializationFailure

    fn = Failing(session, 0)
    sqlalchemy.event.listen(session, hook, refuse)
    with pytest.raises(Exception):  # noqa: B017, PT011  # SQLAlchemy may replace it
        watch.run(session, fn)
    sqlalchemy.event.remove(session, hook, refuse)
    assert fn.calls == 1
    assert written(engine) == ["attempt 1"]


class TestTurns:
    """A repeated attempt goes before what other threads have not begun."""

    @pytest.mark.parametrize(
        ("failures", "expected"),
        [
            pytest.param(0, [False], id="a first attempt lets others begin"),
            pytest.param(2, [False, True, True], id="those after a failure do not"),
        ],
    )
    def test_first(self, session, watch, failures, expected):
        """Others begin at the first attempt, and wait for the later ones."""
        seen = []

        def act():
            seen.append(is_turn_of_another(session))
            if len(seen) <= failures:
                fail(session)

        watch.run(session, act)
        assert seen == expected

    def test_given_back(self, session, watch):
        """Afterwards anybody may begin, also if nothing came of it."""
        with pytest.raises(TooManyConflicts):
            watch.run(session, lambda: fail(session), attempts=2)
        assert not is_turn_of_another(session)


class TestPauses:
    """How long it waits."""

    def test_exponential(self, session, watch):
        """The bound of the pause doubles, up to a limit."""
        with pytest.raises(TooManyConflicts):
            watch.run(session, Failing(session, 99))
        assert watch.pauses[0] == FIRST_PAUSE
        assert watch.pauses[-1] == LONGEST_PAUSE
        assert len(watch.pauses) == 9
        for one, two in pairwise(watch.pauses):
            assert two == min(one * 2, LONGEST_PAUSE)

    def test_many_attempts(self, session, watch):
        """Thousands of attempts do not overflow the bound."""
        assert watch.run(session, Failing(session, 1100), attempts=2000) == 1101

    def test_full_jitter(self, session, watch):
        """The pause is anything between nothing and the bound."""
        draws = iter([0.0, 0.25])
        watch.run(session, Failing(session, 2), random=lambda: next(draws))
        assert watch.pauses == [0.0, 2 * FIRST_PAUSE / 4]

    def test_deadline(self, session, watch):
        """No attempt begins after the deadline, and nobody waits for nothing."""
        fn = Failing(session, 99)
        with pytest.raises(TooManyConflicts) as raised:
            watch.run(session, fn, deadline=0.1, attempts=99)
        assert watch.pauses == [0.02, 0.04]
        assert fn.calls == raised.value.attempts == 3
        assert raised.value.seconds == watch.now < 0.1

    def test_deadline_passed_by_work(self, session):
        """The time that fn takes counts as well."""
        slow = Watch(step=10)
        with pytest.raises(TooManyConflicts) as raised:
            slow.run(session, Failing(session, 1), deadline=5)
        assert (raised.value.attempts, raised.value.seconds) == (1, 10)

    def test_deadline_zero(self, session, watch):
        """A deadline of 0 seconds allows one attempt."""
        assert watch.run(session, Failing(session, 0), deadline=0) == 1
        with pytest.raises(TooManyConflicts):
            watch.run(session, Failing(session, 1), deadline=0)


class TestNesting:
    """The outermost transaction commits and retries."""

    def test_joins(self, session, engine, watch):
        """An inner call neither commits nor retries."""
        calls = []

        def inner():
            calls.append("inner")
            write(session)

        def outer():
            calls.append("outer")
            watch.run(session, inner)
            assert written(engine) == []
            if len(calls) < 4:
                watch.run(session, lambda: fail(session))

        watch.run(session, outer)
        assert calls == ["outer", "inner"] * 2
        assert written(engine) == ["x"]

    def test_inner_first(self, session, engine, watch):
        """It joins also if the outer call has not talked to the database yet."""

        def outer():
            watch.run(session, lambda: write(session))
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            watch.run(session, outer)
        assert written(engine) == []

    def test_other_session(self, session, engine, watch):
        """Another session has a transaction of its own."""

        def outer():
            with Session(engine) as other:
                watch.run(other, lambda: write(other, "theirs"))
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            watch.run(session, outer)
        assert written(engine) == ["theirs"]

    def test_savepoint(self, session, engine, watch):
        """Inside a savepoint it only runs the function."""
        with session.begin_nested():
            watch.run(session, lambda: write(session))
            with pytest.raises(sqlalchemy.exc.OperationalError):  # noqa: SIM117
                # the savepoint has to be inside, to survive the error
                with session.begin_nested():
                    watch.run(session, lambda: fail(session))
        assert written(engine) == []
        session.commit()
        assert written(engine) == ["x"]
        assert watch.pauses == []

    def test_explicit_begin(self, session, engine, watch):
        """Inside ``session.begin()`` the host commits."""
        with session.begin():
            watch.run(session, lambda: write(session))
            assert written(engine) == []
        assert written(engine) == ["x"]

    def test_afterwards(self, session, engine, watch):
        """After an outer call, successful or not, the next one commits again."""
        with pytest.raises(ZeroDivisionError):
            watch.run(session, lambda: 1 / 0)
        watch.run(session, lambda: write(session, "1"))
        watch.run(session, lambda: write(session, "2"))
        assert written(engine) == ["1", "2"]

    def test_from_a_committed_listener(self, session, engine, watch):
        """A listener after the commit gets a transaction that commits."""
        made = Event()

        def mail(_, said):
            watch.run(session, Failing(session, 1))
            made.told = said

        def fn():
            write(session)
            tell(None, session, made, "x")

        made.committed.append(mail)
        watch.run(session, fn)
        assert made.told == "x"
        assert written(engine) == ["x", "attempt 2"]

    def test_told_once(self, session, watch):
        """What the failed attempts have told is forgotten."""
        made, told, work = Event(), [], Failing(session, 2)
        made.committed.append(lambda _, number: told.append(number))

        def fn():
            tell(None, session, made, work.calls + 1)
            return work()

        watch.run(session, fn)
        assert told == [3]


class TestEarlierWork:
    """The session may have been used before."""

    def test_read(self, session, engine, watch):
        """What was only read can be repeated: it is retried."""
        session.query(Note).all()
        assert watch.run(session, Failing(session, 1)) == 2
        assert written(engine) == ["attempt 2"]

    @pytest.mark.parametrize("flushed", [True, False])
    def test_written(self, session, engine, watch, flushed):
        """What was written before is committed along."""
        session.add(Note(text="before"))
        if flushed:
            session.flush()
        watch.run(session, Failing(session, 0))
        assert sorted(written(engine)) == ["attempt 1", "before"]

    @pytest.mark.parametrize("flushed", [True, False])
    def test_written_and_conflict(self, session, engine, watch, flushed):
        """It is never silently lost: the conflict is raised, as without a retry."""
        session.add(Note(text="before"))
        if flushed:
            session.flush()
        fn = Failing(session, 1)
        with pytest.raises(sqlalchemy.exc.OperationalError) as raised:
            watch.run(session, fn)
        assert classify(raised.value) == "retryable"
        assert fn.calls == 1
        assert written(engine) == []

    def test_several_binds(self, engine, watch):
        """A session without a connection for everything is taken to have written."""

        def fn():
            write(session)
            raise psycopg.errors.SerializationFailure

        with Session(binds={Base: engine}) as session:
            watch.run(session, lambda: write(session))
            session.query(Note).all()
            with pytest.raises(psycopg.errors.SerializationFailure):
                watch.run(session, fn)
        assert written(engine) == ["x"]

    def test_aborted(self, session, engine, watch):
        """A transaction that is aborted already is rolled back and reported."""
        with pytest.raises(sqlalchemy.exc.DBAPIError):
            fail(session)
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="transaction is aborted"):
            watch.run(session, lambda: write(session))
        watch.run(session, lambda: write(session))
        assert written(engine) == ["x"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"attempts": 0}, ValueError),
        ({"attempts": -1}, ValueError),
        ({"attempts": 1.5}, TypeError),
        ({"attempts": True}, TypeError),
        ({"attempts": None}, TypeError),
        ({"deadline": -0.1}, ValueError),
        ({"deadline": float("nan")}, ValueError),
        ({"deadline": "1"}, TypeError),
        ({"deadline": True}, TypeError),
    ],
    ids=str,
)
def test_limits(options, error):
    """Limits that make no sense are refused before anything is run."""
    name = next(iter(options))
    with pytest.raises(error, match=name):
        run(lambda: pytest.fail("asked for a session"), lambda: None, **options)


@pytest.mark.usefixtures("engine")
class TestContext:
    """Context.transaction, as a call and as a decorator."""

    @pytest.fixture
    def session(self, context):
        return context.get_service("session_provider").session()

    def test_call(self, context, session, engine):
        """The function runs at once, its result is returned."""
        assert context.transaction(Failing(session, 0)) == 1
        assert written(engine) == ["attempt 1"]

    def test_limits(self, context, session):
        """The limits are passed on."""
        fn = Failing(session, 99)
        with pytest.raises(TooManyConflicts):
            context.transaction(fn, attempts=1)
        with pytest.raises(TooManyConflicts):
            context.transaction(fn, deadline=0)
        assert fn.calls == 2

    def test_decorator(self, context, session, engine):
        """A decorated function keeps its name and takes its arguments."""

        @context.transaction(attempts=2)
        def note(said, *, twice=False):
            """Write a note."""
            write(session, said)
            return said * (1 + twice)

        assert note.__name__ == "note"
        assert note.__doc__ == "Write a note."
        assert written(engine) == []
        assert note("a") == "a"
        assert note("b", twice=True) == "bb"
        assert written(engine) == ["a", "b"]

    def test_decorated_inside(self, context, session, engine):
        """Decorated functions may call each other."""

        @context.transaction()
        def inner():
            write(session)

        @context.transaction()
        def outer():
            inner()
            assert written(engine) == []

        outer()
        assert written(engine) == ["x"]

    @pytest.mark.parametrize("fn", [42, "fn"])
    def test_not_callable(self, context, fn):
        """What cannot be called is refused."""
        with pytest.raises(TypeError, match="function"):
            context.transaction(fn)
        with pytest.raises(TypeError, match="function"):
            context.transaction()(fn)

    def test_limits_of_the_decorator(self, context):
        """Wrong limits are refused where they are written."""
        with pytest.raises(ValueError, match="attempts"):
            context.transaction(attempts=0)

    def test_host_provider(self, context, engine):
        """Any provider with .session() will do, also one that gives a proxy."""
        scoped = scoped_session(sessionmaker(engine))

        class Manager:
            def session(self):
                return scoped

        context.set_service("session_provider", lambda _: Manager())
        context.transaction(lambda: context.transaction(lambda: write(scoped)))
        assert written(engine) == ["x"]
        scoped.remove()

    def test_threads(self, context, engine):
        """Threads that conflict all get through."""
        ready = threading.Barrier(4)
        barrier_passed = threading.local()

        def add_one():
            own = context.get_service("session_provider").session()
            number = own.query(Note).count()
            if not getattr(barrier_passed, "done", False):
                barrier_passed.done = True
                ready.wait()
            write(own, str(number))

        def work():
            context.transaction(add_one, attempts=100)
            context.get_service("session_provider").session.remove()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(written(engine)) == ["0", "1", "2", "3"]
