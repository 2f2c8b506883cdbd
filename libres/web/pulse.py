"""Is the database well? Asks it shortly, once at a time, and not for every asker.

Nothing that is told here helps somebody who wants to break in: whoever watches over the
application has no key.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import cache
from pkgutil import iter_modules
from threading import Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeAlias, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from libres.conflicts import schema as conflicts
from libres.db.migrations import VERSION_TABLE, versions
from libres.db.models import ORMBase
from libres.db.operations.setting_up import OUR_MODELS, ROOM
from libres.occupancy import schema as occupancy
from libres.sync import schema as sync
from libres.timetable import schema as timetable
from libres.waiting import schema as waiting
from libres.web import schema as web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from libres.context.core import Context

log = logging.getLogger("libres")

PATIENCE: Final = 2.0
"""Seconds that an answer may take."""

FRESH: Final = 1.0
"""Seconds for which it is told again without asking."""

OPTIONAL: Final = frozenset({"conflicts", "timetable", "occupancy", "sync"})
"""The rooms whose tables need not be there."""

ROOMS: Final = (conflicts, timetable, occupancy, sync, waiting, web)
"""Imported here, so that their tables are known."""

CORE: Final = "core"

T = TypeVar("T")

Found: TypeAlias = Literal["current", "outdated", "missing"]
Noted: TypeAlias = Literal["current", "outdated", "newer", "none noted"]

COLUMNS: Final = text("""\
SELECT relname, attname FROM pg_class
JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
WHERE relname = ANY (:tables) AND pg_table_is_visible(pg_class.oid)""")

REVISION: Final = text(f"SELECT max(version_num) FROM {VERSION_TABLE}")  # noqa: S608
"""The name is a constant of ours."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a database is."""

    is_reached: bool
    tables: Mapping[str, Found] = field(default_factory=dict)
    """By room."""

    migrations: Noted = "none noted"
    """Of the core. Tables that were made at once, as they are today, have no note; a
    newer one was left by a version that is about to take over."""

    @property
    def is_well(self) -> bool:
        """Tell whether requests can be answered; optional rooms may be missing."""
        are_there = all(
            found == "current" or (found == "missing" and room in OPTIONAL)
            for room, found in self.tables.items()
        )
        return self.is_reached and are_there and self.migrations != "outdated"


class Asker(Generic[T]):
    """Asks the database of a context the same question, for whoever wants to know."""

    def __init__(self, context: Context, ask: Callable[[Context], T]) -> None:
        self.context = context
        self._examine = ask
        self._lock = Lock()
        self._asked: Future[T] | None = None
        self._fresh_until = 0.0

    def answer(self) -> T | None:
        """Tell what it says, after two seconds at the latest; None: it says nothing.

        A question that hangs is waited for by all who ask, and not asked twice.
        """
        try:
            return self._question().result(PATIENCE)
        except TimeoutError:
            log.error("The database has not answered within %s seconds.", PATIENCE)
        except (SQLAlchemyError, RuntimeError) as error:
            log.exception("The database cannot be asked.", exc_info=error)
        return None

    def _question(self) -> Future[T]:
        with self._lock:
            asked = self._asked
            if asked is None or (asked.done() and monotonic() >= self._fresh_until):
                asked = self._asked = self._ask()
                self._fresh_until = monotonic() + FRESH
            return asked

    def _ask(self) -> Future[T]:
        """Ask in a thread: a server that is gone keeps whoever connects to it."""
        future: Future[T] = Future()

        def ask() -> None:
            try:
                future.set_result(self._examine(self.context))
            except BaseException as error:  # it is raised to who waits
                future.set_exception(error)

        Thread(target=copy_context().run, args=(ask,), daemon=True).start()
        return future


class Doctor(Asker[Pulse]):
    """Feels the pulse of the database of a context."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, lambda context: _pulse(context))  # noqa: PLW0108 - looked up late

    def pulse(self) -> Pulse:
        """Tell how the database is, after two seconds at the latest."""
        return self.answer() or Pulse(is_reached=False)


def _pulse(context: Context) -> Pulse:
    return asked(context, _examined)


def asked(context: Context, examine: Callable[[Session], T]) -> T:
    """Let something be read from a database that may take two seconds for it."""
    provider = context.get_service("session_provider")
    if not callable(getattr(provider, "read_only_session", None)):
        return _hurried(provider.session(), examine)
    with context.read_only() as session:
        return _hurried(session, examine)


def _hurried(session: Session, examine: Callable[[Session], T]) -> T:
    session.execute(text(f"SET LOCAL statement_timeout = {PATIENCE * 1000:.0f}"))
    return examine(session)


def _examined(session: Session) -> Pulse:
    expected = _expected()
    names = [name for tables in expected.values() for name in tables]
    found = defaultdict(set)
    for table, column in session.execute(COLUMNS, {"tables": [*names, VERSION_TABLE]}):
        found[table].add(column)
    revision = session.scalar(REVISION) if VERSION_TABLE in found else None
    compared = {room: _compared(tables, found) for room, tables in expected.items()}
    return Pulse(is_reached=True, tables=compared, migrations=_noted(revision))


def _expected() -> dict[str, dict[str, set[str]]]:
    """Return the columns of the tables of the rooms, by room and table."""
    core = {model.__tablename__ for model in OUR_MODELS}
    expected: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for table in ORMBase.metadata.sorted_tables:
        room = CORE if table.name in core else table.info.get(ROOM)
        if room is not None:
            expected[room][table.name] = {column.name for column in table.columns}
    return expected


def _compared(expected: dict[str, set[str]], found: Mapping[str, set[str]]) -> Found:
    there = {name: found.get(name, set()) for name in expected}
    if not any(there.values()):
        return "missing"
    is_current = all(columns <= there[name] for name, columns in expected.items())
    return "current" if is_current else "outdated"


def _noted(revision: str | None) -> Noted:
    if revision is None:
        return "none noted"
    newest = _newest()
    if revision == newest:
        return "current"
    return "outdated" if revision < newest else "newer"


@cache
def _newest() -> str:
    """Return the newest revision, by the names of the files: Alembic is an extra."""
    return max(
        each.name[1:].partition("_")[0] for each in iter_modules(versions.__path__)
    )
