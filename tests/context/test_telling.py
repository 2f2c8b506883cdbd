"""Telling: listeners in the transaction, and after it was really committed."""

from __future__ import annotations

import gc
import logging
import weakref

import pytest
import transaction as zope
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from zope.sqlalchemy import register

from libres.context.core import Context
from libres.context.registry import Registry
from libres.context.telling import tell
from libres.modules.events import Event
from tests.context.notes import Base, Line, Note


@pytest.fixture
def where():
    """The context that something happens in."""
    return Context("test", registry=Registry())


@pytest.fixture
def on_note():
    """An event with a list of what its committed-listener was told."""
    on_note = Event()
    on_note.told = []
    on_note.committed.append(lambda _, *args: on_note.told.extend(args))
    return on_note


@pytest.fixture
def statements(engine):
    """The statements the engine has executed since this list was cleared."""
    statements = []

    @event.listens_for(engine, "before_cursor_execute")
    def remember(connection, cursor, statement, *args):  # noqa: ARG001  # SQLAlchemy's
        statements.append(statement)

    return statements


def write(session, said="x"):
    """Make a note and flush it."""
    note = Note(text=said, data={"k": 1})
    session.add(note)
    session.flush()
    return note


def test_both_get_the_same(where, session):
    """Both lists get the context and all arguments: at once, and after the commit."""
    heard, on_note = [], Event()
    on_note.append(lambda *args, **kwargs: heard.append(("now", args, kwargs)))
    on_note.committed.append(lambda *args, **kw: heard.append(("then", args, kw)))
    tell(where, session, on_note, 1, old=2)
    assert heard == [("now", (where, 1), {"old": 2})]
    session.commit()
    assert heard[1:] == [("then", (where, 1), {"old": 2})]


def test_told_once(where, session, on_note):
    """The next commit does not tell again."""
    tell(where, session, on_note, 1)
    session.commit()
    session.commit()
    write(session)
    session.commit()
    assert on_note.told == [1]


def test_order(where, session, on_note):
    """What is told first is heard first, across events."""
    other = Event()
    other.committed.append(lambda _, arg: on_note.told.append(arg))
    for number, which in enumerate([on_note, other, on_note, other]):
        tell(where, session, which, number)
    session.commit()
    assert on_note.told == [0, 1, 2, 3]


def test_after_the_commit(where, session, engine, on_note):
    """When a committed-listener runs, others see what was written."""

    def count(*_):
        with engine.connect() as connection:
            found = connection.execute(text("SELECT count(*) FROM host_notes"))
            on_note.told.append(found.scalar_one())

    on_note.committed[:] = [count]
    write(session)
    tell(where, session, on_note)
    session.commit()
    assert on_note.told == [1]


@pytest.mark.parametrize("end", ["rollback", "close"])
def test_dropped(where, session, on_note, end):
    """What is rolled back is never told, not by a later commit either."""
    write(session)
    tell(where, session, on_note, 1)
    getattr(session, end)()
    write(session)
    session.commit()
    assert on_note.told == []


def test_dropped_if_the_commit_fails(where, session, engine, on_note):
    """A refused COMMIT is no commit."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "ALTER TABLE host_notes ADD UNIQUE (text) DEFERRABLE INITIALLY DEFERRED"
            )
        )
    write(session), write(session)
    tell(where, session, on_note, 1)
    with pytest.raises(Exception, match="host_notes_text_key"):
        session.commit()
    session.rollback()
    write(session)
    session.commit()
    assert on_note.told == []


def test_listener_in_the_transaction_fails(where, session, on_note):
    """If a listener refuses, nothing is told after a commit."""

    def refuse(*_):
        raise ZeroDivisionError

    on_note.append(refuse)
    with pytest.raises(ZeroDivisionError):
        tell(where, session, on_note, 1)
    session.commit()
    assert on_note.told == []


def test_nobody_subscribed(where, session):
    """Without committed-listeners the session of the host is left alone."""
    tell(where, session, Event(), 1)
    assert not session.info
    assert not session.in_transaction()


def test_no_transaction_yet(where, session, on_note):
    """A session that has not begun begins: a rollback drops, a commit tells."""
    tell(where, session, on_note, 1)
    session.rollback()
    tell(where, session, on_note, 2)
    session.commit()
    assert on_note.told == [2]


def test_no_autobegin(where, engine, on_note):
    """The same without autobegin."""
    with Session(engine, autobegin=False) as session:
        tell(where, session, on_note, 1)
        session.commit()
    assert on_note.told == [1]


def test_begin_block(where, engine, on_note):
    """``with session.begin()`` commits at its end."""
    with Session(engine) as session, session.begin():
        on_note.committed[:] = [lambda _, note: on_note.told.append(note.text)]
        tell(where, session, on_note, write(session))
        assert on_note.told == []
    assert on_note.told == ["x"]


def test_statement_in_begin_block(where, engine, on_note, caplog):
    """Inside such a block SQLAlchemy refuses statements: logged, the others go on."""
    with Session(engine) as session, session.begin():
        on_note.committed.insert(0, lambda *_: session.query(Note).all())
        tell(where, session, on_note, 1)
    assert on_note.told == [1]
    assert "InvalidRequestError" in caplog.text


def test_list_changed_meanwhile(where, session, on_note):
    """A list that the caller empties is told as it was."""
    numbers = [1, 2]
    on_note.committed[:] = [lambda _, arg: on_note.told.append(arg)]
    tell(where, session, on_note, numbers)
    numbers.clear()
    session.commit()
    assert on_note.told == [[1, 2]]


def test_unsubscribed_meanwhile(where, session, on_note):
    """Who has unsubscribed before the commit is not called."""
    tell(where, session, on_note, 1)
    on_note.committed.clear()
    session.commit()
    assert on_note.told == []


class TestSavepoints:
    """News depend on the savepoint they were told in."""

    def test_released(self, where, session, on_note):
        """Releasing keeps them, in the order of telling."""
        tell(where, session, on_note, 1)
        with session.begin_nested():
            tell(where, session, on_note, 2)
        tell(where, session, on_note, 3)
        assert on_note.told == []
        session.commit()
        assert on_note.told == [1, 2, 3]

    def test_rolled_back(self, where, session, on_note):
        """Rolling back drops them, and only them."""
        tell(where, session, on_note, 1)
        savepoint = session.begin_nested()
        tell(where, session, on_note, 2)
        savepoint.rollback()
        tell(where, session, on_note, 3)
        session.commit()
        assert on_note.told == [1, 3]

    def test_outer_rolled_back(self, where, session, on_note):
        """A released savepoint falls with the outer one."""
        outer = session.begin_nested()
        with session.begin_nested():
            tell(where, session, on_note, 1)
        outer.rollback()
        session.commit()
        assert on_note.told == []

    def test_outer_rolled_back_first(self, where, session, on_note):
        """An open savepoint falls with the outer one."""
        outer = session.begin_nested()
        session.begin_nested()
        tell(where, session, on_note, 1)
        outer.rollback()
        session.commit()
        assert on_note.told == []

    def test_told_after_inner(self, where, session, on_note):
        """A rolled back sibling leaves the outer savepoint's news alone."""
        with session.begin_nested():
            inner = session.begin_nested()
            tell(where, session, on_note, 1)
            inner.rollback()
            tell(where, session, on_note, 2)
        session.commit()
        assert on_note.told == [2]

    def test_open_at_commit(self, where, session, on_note):
        """A commit releases what is open."""
        session.begin_nested()
        session.begin_nested()
        tell(where, session, on_note, 1)
        session.commit()
        assert on_note.told == [1]

    def test_first_told_inside(self, where, session, on_note):
        """It does not matter that the first news came in a savepoint."""
        write(session)
        savepoint = session.begin_nested()
        tell(where, session, on_note, 1)
        savepoint.rollback()
        session.commit()
        assert on_note.told == []

    def test_failing_flush(self, where, session, on_note):
        """A savepoint that ends in an error drops its news."""
        note = write(session)
        duplicate = text("INSERT INTO host_notes VALUES (:id, '', '{}')")

        def fail():
            with session.begin_nested():
                tell(where, session, on_note, 1)
                session.execute(duplicate, {"id": note.id})

        with pytest.raises(Exception, match="host_notes_pkey"):
            fail()
        session.commit()
        assert on_note.told == []


class TestErrors:
    """What a committed-listener raises is logged, no more."""

    def test_logged(self, where, session, on_note, caplog):
        """The others are called, the commit stands, the log has the traceback."""

        def refuse(*_):
            raise ZeroDivisionError

        on_note.committed.insert(0, refuse)
        note = write(session)
        with caplog.at_level(logging.ERROR, "libres"):
            tell(where, session, on_note, 1)
            tell(where, session, on_note, 2)
            session.commit()
        assert on_note.told == [1, 2]
        assert [record.name for record in caplog.records] == ["libres", "libres"]
        assert caplog.records[0].exc_info[0] is ZeroDivisionError
        assert session.get(Note, note.id) is note

    def test_half_done_is_rolled_back(self, where, session, on_note):
        """What a failed listener had begun is not committed by the next one."""

        def half(*_):
            session.add(Note(text="half done"))
            session.flush()
            raise ZeroDivisionError

        def whole(*_):
            session.add(Note(text="done"))
            session.commit()

        on_note.committed[:] = [half, whole]
        tell(where, session, on_note)
        session.commit()
        assert [note.text for note in session.query(Note)] == ["done"]

    def test_interrupt(self, where, session, on_note):
        """An interrupt is not swallowed; the session tells again afterwards."""

        def interrupt(*_):
            raise KeyboardInterrupt

        on_note.committed.append(interrupt)
        tell(where, session, on_note, 1)
        with pytest.raises(KeyboardInterrupt):
            session.commit()
        on_note.committed.remove(interrupt)
        tell(where, session, on_note, 2)
        session.commit()
        assert on_note.told == [1, 2]


class TestListenersThatWrite:
    """A committed-listener may use the session."""

    def test_tells_again(self, where, session, on_note):
        """What it tells and commits is told after all that waits already."""

        def again(_, number):
            on_note.told.append(number)
            if number < 10:
                write(session)
                tell(where, session, on_note, number + 10)
                session.commit()

        on_note.committed[:] = [again]
        tell(where, session, on_note, 1)
        tell(where, session, on_note, 2)
        session.commit()
        assert on_note.told == [1, 2, 11, 12]
        assert session.query(Note).count() == 2

    def test_tells_without_commit(self, where, session, on_note):
        """What it tells without committing waits for the commit of the caller."""

        def again(_, number):
            on_note.told.append(number)
            if number < 10:
                tell(where, session, on_note, number + 10)

        on_note.committed[:] = [again]
        tell(where, session, on_note, 1)
        session.commit()
        assert on_note.told == [1]
        session.commit()
        assert on_note.told == [1, 11]

    def test_changes_what_it_gets(self, where, session, on_note):
        """It may change an object and commit: the change is written."""

        def change(_, note):
            note.text = "changed"
            note.data["k"] = 2
            session.commit()

        on_note.committed[:] = [change]
        note = write(session)
        tell(where, session, on_note, note)
        session.commit()
        session.expire_all()
        assert (note.text, note.data) == ("changed", {"k": 2})

    def test_changes_are_kept_pending(self, where, session, on_note):
        """A change it does not commit is left to the caller."""

        def change(_, note):
            note.text = "changed"

        on_note.committed[:] = [change]
        note = write(session)
        tell(where, session, on_note, note)
        session.commit()
        session.commit()
        assert note.text == "changed"


class TestReading:
    """Listeners read what was loaded, without a statement."""

    def told(self, where, session, on_note, statements, *args):
        on_note.committed.append(lambda *_: on_note.told.append(list(statements)))
        tell(where, session, on_note, *args)
        statements.clear()
        session.commit()
        return on_note.told

    @pytest.mark.parametrize("wrap", [list, tuple, set, lambda x: {"notes": list(x)}])
    @pytest.mark.parametrize("expire", [True, False])
    def test_read(self, where, engine, on_note, statements, wrap, expire):
        """Objects in any collection are readable, for every listener."""
        on_note.committed[:] = []

        def read(_, notes):
            notes = notes["notes"] if isinstance(notes, dict) else notes
            on_note.told.extend((n.id, n.text, n.data["k"]) for n in notes)

        on_note.committed.extend([read, read])
        with Session(engine, expire_on_commit=expire) as session:
            note = write(session)
            facts = (note.id, "x", 1)
            told = self.told(where, session, on_note, statements, wrap([note]))
        assert told == [facts, facts, []]

    def test_relations(self, where, session, on_note, statements):
        """Loaded relations are readable, in both directions."""

        def read(_, note):
            on_note.told.append([(line.text, line.note is note) for line in note.lines])

        on_note.committed[:] = [read]
        note = Note(text="x", lines=[Line(text="1"), Line(text="2")])
        session.add(note)
        session.flush()
        told = self.told(where, session, on_note, statements, note)
        assert told == [[("1", True), ("2", True)], []]

    def test_expired_afterwards(self, where, session, engine, on_note):
        """After the listeners the caller reads what is in the database."""
        seen = []
        on_note.committed[:] = [lambda _, note: seen.append(note.text)]
        note = write(session)
        tell(where, session, on_note, note)
        session.commit()
        with engine.begin() as connection:
            connection.execute(text("UPDATE host_notes SET text = 'other'"))
        assert seen == ["x"]
        assert note.text == "other"
        assert not session.dirty

    def test_deleted(self, where, session, on_note, statements):
        """What was deleted is readable."""
        on_note.committed[:] = [lambda _, note: on_note.told.append(note.text)]
        note = write(session)
        session.commit()
        assert note.text == "x"
        session.delete(note)
        session.flush()
        told = self.told(where, session, on_note, statements, note)
        assert told == ["x", []]

    def test_detached(self, where, session, on_note, statements):
        """What was expunged is readable."""
        on_note.committed[:] = [lambda _, note: on_note.told.append(note.text)]
        note = write(session)
        session.expunge(note)
        told = self.told(where, session, on_note, statements, note)
        assert told == ["x", []]

    def test_readable_after_another_listener(self, where, session, on_note):
        """A listener that commits does not spoil the objects of the next one."""
        on_note.committed[:] = [
            lambda *_: (write(session), session.commit()),
            lambda _, note: on_note.told.append((note.text, session.in_transaction())),
        ]
        tell(where, session, on_note, write(session))
        session.commit()
        assert on_note.told == [("x", False)]

    def test_kept_alive(self, where, session, on_note):
        """Objects that nobody else holds are still told."""
        on_note.committed[:] = [lambda _, note: on_note.told.append(note.text)]
        tell(where, session, on_note, write(session))
        gc.collect()
        session.commit()
        assert on_note.told == ["x"]


def test_scoped_session(where, engine, on_note):
    """A scoped_session stands for the session of the thread, and only for that."""
    scoped = scoped_session(sessionmaker(engine))
    tell(where, scoped, on_note, 1)
    with scoped.session_factory() as other:
        write(other)
        other.commit()
    assert on_note.told == []
    scoped.commit()
    assert on_note.told == [1]
    tell(where, scoped, on_note, 2)
    scoped.remove()
    write(scoped)
    scoped.commit()
    scoped.remove()
    assert on_note.told == [1]


def test_sessions_are_separate(where, engine, on_note):
    """The commit of one session tells nothing of another one."""
    with Session(engine) as one, Session(engine) as two:
        tell(where, one, on_note, 1)
        tell(where, two, on_note, 2)
        two.commit()
        assert on_note.told == [2]


def test_no_leak(where, engine, on_note):
    """A session that has told can be collected."""
    session = Session(engine)
    tell(where, session, on_note, write(session))
    session.commit()
    session.close()
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("keep_session", [False, True])
class TestZope:
    """With zope.sqlalchemy the transaction manager commits."""

    @pytest.fixture
    def scoped(self, dsn, keep_session):
        engine = create_engine(dsn)
        Base.metadata.create_all(engine)
        scoped = scoped_session(sessionmaker(engine))
        register(scoped, keep_session=keep_session)
        yield scoped
        zope.abort()
        scoped.remove()
        engine.dispose()

    @pytest.fixture(autouse=True)
    def _read(self, on_note):
        on_note.committed[:] = [
            lambda _, note: on_note.told.append((note.text, note.data["k"]))
        ]

    def test_commit(self, where, scoped, on_note):
        """Its commit tells, and the objects are readable."""
        tell(where, scoped(), on_note, write(scoped))
        assert on_note.told == []
        zope.commit()
        assert on_note.told == [("x", 1)]

    def test_abort(self, where, scoped, on_note):
        """Its abort drops what it rolls back.

        With keep_session zope.sqlalchemy does not: the next commit writes both notes,
        so the first is told as well.
        """
        tell(where, scoped(), on_note, write(scoped, "aborted"))
        zope.abort()
        write(scoped, "other")
        zope.commit()
        written = {note.text for note in scoped.query(Note)} - {"other"}
        assert {said for said, _ in on_note.told} == written

    def test_savepoint(self, where, scoped, on_note):
        """Its savepoints are savepoints."""
        tell(where, scoped(), on_note, write(scoped, "kept"))
        savepoint = zope.savepoint()
        tell(where, scoped(), on_note, write(scoped, "dropped"))
        savepoint.rollback()
        zope.commit()
        assert on_note.told == [("kept", 1)]

    def test_one_by_one(self, where, scoped, on_note):
        """One transaction after the other tells its own."""
        for said in "abc":
            tell(where, scoped(), on_note, write(scoped, said))
            zope.commit()
        assert [said for said, _ in on_note.told] == ["a", "b", "c"]
