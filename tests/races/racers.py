"""Processes that race: each carries out deeds and stops where the test wants it to.

A racer is started once and used for many races, as a new process takes most of a
second. It stops at most once per deed, in the first attempt of its transaction; so a
test decides which of several transactions reads, writes and commits when.
"""

from __future__ import annotations

import multiprocessing
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias

from sqlalchemy import event

from tests.fixtures.races import Outcome
from tests.races.stage import Stage, stage_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from sqlalchemy import Engine

Deed: TypeAlias = "Callable[[Stage], Any]"

Stop: TypeAlias = int | Literal["write", "commit"]
"""Before the n-th statement, or before the first that is no SELECT; whoever comes to
the COMMIT before that stops there."""

LIMIT = 30.0
"""Seconds; no race takes longer unless something is broken."""

ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class Task:
    """What a racer does: a deed, importable by name, on a stage of a database."""

    dsn: str
    stage: str
    deed: Deed
    stop: Stop | None = None
    isolation: str | None = None
    attempts: int = ATTEMPTS
    without: Callable[[], AbstractContextManager[Any]] | None = None
    """Switches a guard of the library off."""


@dataclass(frozen=True, slots=True)
class Held:
    """Tells that a racer has stopped, and where: at a statement or at the COMMIT."""

    at: str


# In the test ------------------------------------------------------------------------


class Racer:
    """A process that waits for tasks."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, other = spawn.Pipe()
        self.process: SpawnProcess = spawn.Process(
            target=_serve, args=(other,), daemon=True
        )
        self.process.start()
        other.close()

    def start(self, task: Task) -> None:
        """Begin a task."""
        self._pipe.send(task)

    def go_on(self) -> None:
        """Leave the stop."""
        self._pipe.send(None)

    def has_news(self, seconds: float = 0.0) -> bool:
        """Has it stopped or finished, now or within so many *seconds*?"""
        return self._pipe.poll(seconds)

    def news(self) -> Held | Outcome:
        """Wait for its next stop, or for its end."""
        if not self.has_news(LIMIT):
            self.end()
            raise TimeoutError
        news: Held | Outcome = self._pipe.recv()
        return news

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()
        self._pipe.close()


# In the process ---------------------------------------------------------------------


def _serve(pipe: Connection) -> None:
    while True:
        try:
            task: Task = pipe.recv()
        except EOFError:
            return
        pipe.send(_outcome(task, pipe))


def _outcome(task: Task, pipe: Connection) -> Outcome:
    try:
        with task.without() if task.without else nullcontext():
            return Outcome(_carry_out(task, pipe))
    except Exception as error:
        text = f"{error} {error.__cause__ or ''}"
        return Outcome(error=type(error).__name__, text=text)


def _carry_out(task: Task, pipe: Connection) -> Any:
    stage = stage_on(task.dsn, task.stage, task.isolation)

    def stop(at: str) -> None:
        pipe.send(Held(at))
        pipe.recv()

    try:
        with stopping(stage.engine, task.stop, stop):
            return stage.context.transaction(
                lambda: task.deed(stage), attempts=task.attempts
            )
    finally:
        stage.context.get_service("session_provider").session.remove()


@contextmanager
def stopping(
    engine: Engine, where: Stop | None, stop: Callable[[str], None]
) -> Iterator[None]:
    """Call *stop* once, before the statement or the COMMIT that *where* names."""
    if where is None:
        yield
        return
    gate = _Gate(where, stop)
    event.listen(engine, "before_cursor_execute", gate.before_statement)
    event.listen(engine, "commit", gate.before_commit)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", gate.before_statement)
        event.remove(engine, "commit", gate.before_commit)


class _Gate:
    def __init__(self, where: Stop, stop: Callable[[str], None]) -> None:
        self._where = where
        self._stop = stop
        self._passed = False
        self._statements = 0

    def before_statement(
        self, _connection: Any, _cursor: Any, statement: str, *_: Any
    ) -> None:
        self._statements += 1
        writes = not statement.lstrip().upper().startswith("SELECT")
        if self._where == self._statements or (self._where == "write" and writes):
            self._hold("statement")

    def before_commit(self, _connection: Any) -> None:
        self._hold("commit")

    def _hold(self, at: str) -> None:
        if not self._passed:
            self._passed = True
            self._stop(at)


def late(what: str) -> NoReturn:
    """Raise TimeoutError."""
    raise TimeoutError(what)


def until(condition: Callable[[], bool], what: str, pause: float = 0.002) -> None:
    """Wait until a condition holds. Raises TimeoutError with *what* after the limit."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            late(what)
        time.sleep(pause)
