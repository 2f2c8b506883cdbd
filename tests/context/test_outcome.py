"""A COMMIT that nobody has answered: it is found out what became of it, then acted."""

from __future__ import annotations

import time

import pytest
import sqlalchemy.exc
from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.orm import Session

from libres.context.outcome import Witness
from libres.context.telling import tell
from libres.context.transactions import LONGEST_ASKING, classify, leave_trace, run
from libres.modules.errors import OutcomeUnknown, TooManyConflicts
from libres.modules.events import Event
from tests.context.notes import Note

CITUS = "could not commit transaction for shard 102008 on any active node"


@pytest.fixture
def client_dsn(dsn):
    """The database, with the driver to be tested."""
    return dsn


@pytest.fixture
def severed(engine, client_dsn, severing):
    """An engine with one connection at a time, which may be lost at a COMMIT."""
    engine = create_engine(
        severing.dsn(client_dsn),
        isolation_level="SERIALIZABLE",
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.1,
    )
    yield engine
    engine.dispose()


@pytest.fixture
def session(severed):
    with Session(severed) as session:
        yield session


class Work:
    """Writes a note for each attempt and tells about it, now and after the commit."""

    def __init__(self, session):
        self.session = session
        self.calls = 0
        self.told = []
        self.made = Event()
        self.made.committed.append(lambda _, note: self.told.append(note.text))

    def __call__(self):
        self.calls += 1
        note = Note(text=f"attempt {self.calls}")
        self.session.add(note)
        self.session.flush()
        tell(None, self.session, self.made, note)
        return note


@pytest.fixture
def work(session):
    return Work(session)


@pytest.fixture
def written(engine):
    """A function that says which notes were really committed."""

    def read():
        with Session(engine) as session:
            return [note.text for note in session.query(Note).order_by(Note.id)]

    return read


class Watch:
    """A clock that moves when someone sleeps; then it may also do something."""

    def __init__(self, *acts):
        self.now = 0.0
        self.acts = list(acts)

    def sleep(self, seconds):
        self.now += seconds
        if self.acts:
            self.acts.pop(0)()
        time.sleep(0.001)

    def run(self, session, fn, **options):
        options = {"random": lambda: 1.0, **options}
        return run(
            lambda: session, fn, sleep=self.sleep, clock=lambda: self.now, **options
        )


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


class TestLostConnection:
    """Lost at the COMMIT, while the server goes on; once per driver."""

    @pytest.fixture
    def client_dsn(self, driver_dsn):
        return driver_dsn

    def test_before(self, session, severing, work, written):
        """What the server never heard of is run again."""
        severing.plan = ["before"]
        assert run(lambda: session, work).text == "attempt 2"
        assert written() == work.told == ["attempt 2"]

    def test_after(self, session, severing, work, written):
        """What the server has done is returned, and not done again."""
        severing.plan = ["after"]
        assert run(lambda: session, work).text == "attempt 1"
        assert work.calls == 1
        assert written() == work.told == ["attempt 1"]

    def test_several_times(self, session, severing, work, written):
        """Each attempt may be lost."""
        severing.plan = ["before", "before", "after"]
        run(lambda: session, work)
        assert work.calls == 3
        assert written() == work.told == ["attempt 3"]

    def test_at_each_attempt(self, session, severing, work, written):
        """Lost attempts count: after the last one it is said how many there were."""
        severing.plan = ["before"] * 3
        with pytest.raises(TooManyConflicts) as raised:
            run(lambda: session, work, attempts=3)
        assert raised.value.attempts == work.calls == 3
        assert classify(raised.value.__cause__, committing=True) == "ambiguous"
        assert (written(), work.told) == ([], [])

    def test_in(self, session, severing, engine, work, written):
        """While the server is still at it, it is asked again."""
        on_commit(engine, "PERFORM pg_advisory_xact_lock(1);")
        severing.plan = ["in"]
        with engine.connect() as other:
            other.execute(text("SELECT pg_advisory_lock(1)"))

            def let_it_go_on():
                assert written() == []
                other.execute(text("SELECT pg_advisory_unlock(1)"))

            watch = Watch(lambda: None, let_it_go_on)
            watch.run(session, work)
        assert watch.acts == []
        assert work.calls == 1
        assert written() == work.told == ["attempt 1"]

    def test_backend_ended(self, session, engine, work, written):
        """A COMMIT that has taken its server process along is run again."""
        body = (
            "IF NEW.text = 'attempt 1' THEN "
            "PERFORM pg_terminate_backend(pg_backend_pid()); END IF;"
        )
        on_commit(engine, body)
        run(lambda: session, work)
        assert written() == work.told == ["attempt 2"]

    @pytest.mark.parametrize(
        ("moment", "calls"), [("before", 2), ("after", 1)], ids=str
    )
    def test_restart(self, session, severing, work, written, moment, calls):
        """A server that cannot be reached for a while is asked when it is back."""
        severing.plan = [moment]
        nothing = [lambda: None] * 3
        watch = Watch(*nothing, severing.open)
        event.listen(session, "before_commit", lambda _: severing.shut(), once=True)
        watch.run(session, work)
        assert watch.acts == []
        assert work.calls == calls
        assert written() == work.told == [f"attempt {calls}"]

    def test_reading(self, session, severing, work):
        """What was only read is read again, since it was not confirmed."""
        severing.plan = ["after"]
        seen = []
        run(lambda: session, lambda: seen.append(session.query(Note).count()))
        assert seen == [0, 0]

    def test_before_the_commit_is_sent(self, session, work, written):
        """Lost in a hook, before the COMMIT, needs no question: it is run again."""

        def lose(_):
            session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        event.listen(session, "before_commit", lose, once=True)
        run(lambda: session, work)
        assert written() == work.told == ["attempt 2"]


class TestNoAnswer:
    """Nobody can tell in time."""

    @pytest.fixture(autouse=True)
    def unreachable(self, session, severing):
        severing.plan = ["after"]
        event.listen(session, "before_commit", lambda _: severing.shut(), once=True)

    def test_error(self, session, severing, work, written):
        """One typed error says so, with the number to look for, and its cause."""
        watch = Watch()
        with pytest.raises(OutcomeUnknown) as raised:
            watch.run(session, work)
        assert int(raised.value.number) > 0
        assert classify(raised.value.__cause__, committing=True) == "ambiguous"
        assert LONGEST_ASKING - 1 <= watch.now < LONGEST_ASKING
        assert work.calls == 1
        assert not session.in_transaction()

    def test_usable_afterwards(self, session, severing, work, written):
        """The session goes on, and nobody is told what is not known."""
        with pytest.raises(OutcomeUnknown):
            Watch().run(session, work)
        severing.open()
        run(lambda: session, work)
        assert written() == ["attempt 1", "attempt 2"]
        assert work.told == ["attempt 2"]

    @pytest.mark.parametrize("deadline", [0, 0.1])
    def test_deadline(self, session, work, deadline):
        """Nobody waits beyond the deadline."""
        watch = Watch()
        with pytest.raises(OutcomeUnknown):
            watch.run(session, work, deadline=deadline)
        assert watch.now <= deadline

    def test_interrupted(self, session, severing, work):
        """Who is interrupted while asking gets out, with a session that is free."""

        def interrupt():
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Watch(interrupt).run(session, work)
        assert not session.in_transaction()
        assert work.told == []


class TestSession:
    """After a COMMIT that was done without an answer, all is as after any other."""

    @pytest.fixture(params=[True, False], ids=["expiring", "keeping"])
    def session(self, request, severed, severing):
        with Session(severed, expire_on_commit=request.param) as session:
            session.add(Note(text="old"))
            session.commit()
            severing.plan = ["after"]
            yield session

    def test_new(self, session, work):
        """New objects belong to the session, expired as usual."""
        note = run(lambda: session, work)
        assert inspect(note).persistent
        assert bool(inspect(note).unloaded & {"text"}) == session.expire_on_commit
        assert note.text == "attempt 1"

    def test_changed(self, session, written):
        """Changed objects have the new value."""
        note = session.query(Note).one()
        run(lambda: session, lambda: setattr(note, "text", "new"))
        assert note.text == "new"
        assert written() == ["new"]

    def test_deleted(self, session, written):
        """Deleted objects do not come back."""
        note = session.query(Note).one()
        run(lambda: session, lambda: session.delete(note))
        assert note not in session
        session.expire_all()
        assert session.query(Note).all() == written() == []

    def test_hooks(self, session, work):
        """The hooks of the host are called once."""
        called = []
        for hook in ("after_commit", "after_rollback"):
            event.listen(session, hook, lambda _, hook=hook: called.append(hook))
        run(lambda: session, work)
        assert called == ["after_commit"]

    def test_failing_listener(self, session, work, caplog):
        """A listener that fails is logged, the others are told."""
        work.made.committed.insert(0, lambda *_: 1 / 0)
        run(lambda: session, work)
        assert work.told == ["attempt 1"]
        assert "ZeroDivisionError" in caplog.text

    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_earlier_work(self, session, severing, work, written, moment):
        """Uncommitted work from before the call is not repeated, nor lost silently."""
        severing.plan = [moment]
        session.add(Note(text="earlier"))
        if moment == "before":
            with pytest.raises(sqlalchemy.exc.OperationalError):
                run(lambda: session, work)
            assert written() == ["old"]
        else:
            run(lambda: session, work)
            assert written() == ["old", "earlier", "attempt 1"]
        assert work.calls == 1


class TestCitus:
    """A distributed COMMIT that failed: only what was written can tell."""

    @pytest.fixture(autouse=True)
    def failing(self, engine):
        when = "IF NEW.text = 'attempt 1' THEN"
        on_commit(engine, f"{when} RAISE '{CITUS}' USING ERRCODE = 'XX000'; END IF;")

    def test_without_traces(self, session, work):
        """Without traces nobody knows."""
        with pytest.raises(OutcomeUnknown) as raised:
            run(lambda: session, work)
        assert CITUS in str(raised.value.__cause__)
        assert work.calls == 1

    @pytest.mark.parametrize(("found", "calls"), [(True, 1), (False, 2)])
    def test_traces(self, session, work, found, calls):
        """What has left its traces is not run again, what has not is."""

        def fn():
            leave_trace(session, lambda _: found)
            work()

        run(lambda: session, fn)
        assert work.calls == calls
        assert work.told == [f"attempt {calls}"]


def never(_asked):
    """Do not ask again."""
    return False


@pytest.fixture
def witness(session):
    """A function that makes the witness of a lost connection."""

    def make(number, *traces):
        connection = session.connection()
        connection.invalidate()
        return Witness(connection, traces, sent=True, number=number, search_path="x")

    return make


FUTURE = "999999999999"
"""The number of a transaction that this server will not see."""

TRACES = [
    pytest.param([], "unknown", id="no traces"),
    pytest.param([False], "undone", id="not there"),
    pytest.param([False, True], "committed", id="one of them is there"),
]


class TestWitness:
    """Another server, or an older state of it, does not know the number."""

    @pytest.mark.parametrize(("found", "outcome"), TRACES)
    def test_unknown_number(self, witness, found, outcome):
        """Then the traces tell, looked for where the tables are."""
        asked = []

        def trace(number):
            def look(connection):
                path = connection.execute(text("SHOW search_path")).scalar_one()
                asked.append(path)
                return found[number]

            return look

        traces = map(trace, range(len(found)))
        assert witness(FUTURE, *traces).find_out(never) == outcome
        assert asked == ["x"] * len(found)

    def test_trace_beside_an_aborted_number(self, witness, aborted):
        """On another server the number is somebody else's: a trace weighs more."""
        assert witness(aborted).find_out(never) == "undone"
        assert witness(aborted, lambda _: True).find_out(never) == "committed"

    @pytest.fixture
    def aborted(self, engine):
        """The number of a transaction that was rolled back."""
        with engine.connect() as other:
            asked = text("SELECT pg_current_xact_id()::text")
            return other.execute(asked).scalar_one()

    def test_unreadable_trace(self, witness, aborted):
        """A trace that cannot be read tells nothing; the number may."""

        def look(connection):
            connection.execute(text("SELECT * FROM nowhere"))

        assert witness(FUTURE, look).find_out(never) == "unknown"
        assert witness(aborted, look).find_out(never) == "undone"

    def test_several_binds(self):
        """Without a connection for the whole session nothing is known."""
        assert Witness(None).find_out(never) == "unknown"

    def test_traces_are_kept_for_one_run(self, session):
        """Outside of a run, and in a savepoint, nothing is noted."""
        leave_trace(session, pytest.fail)
        noted = []

        def fn():
            leave_trace(session, pytest.fail)
            with session.begin_nested():
                leave_trace(session, pytest.fail)
            noted.extend(session.info["libres.transaction"])

        run(lambda: session, fn)
        assert noted == [pytest.fail]
        assert "libres.transaction" not in session.info
