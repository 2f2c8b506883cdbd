"""Brings the tables of a database up to date, from whichever version they are.

Needs the extra ``migrations`` (Alembic), which is loaded by the first call. The
version is kept in the table ``reservation_schema_version``, so that an
``alembic_version`` of the application's own is left alone. No schema is named: what is
brought up to date is what the search path of the connection leads to.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import URL, Connection, Engine

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = (
    "MigrationsMissingError",
    "State",
    "check",
    "current",
    "script",
    "upgrade",
)

Target: TypeAlias = str | URL | Engine | Connection
"""A DSN, an engine, or a connection whose transaction is joined."""

VERSION_TABLE: Final = "reservation_schema_version"


class MigrationsMissingError(ImportError):
    """Alembic is not installed: pip install 'libres[migrations]'"""

    def __str__(self) -> str:
        return str(self.__doc__)


@dataclass(frozen=True, slots=True)
class State:
    """How old the tables of a database are."""

    revision: str | None
    """The revision that is noted in the database; None if there is no note."""

    head: str
    """The newest revision that this version of the library knows."""

    shape: str
    """Whose tables these are, by their looks, in words."""

    @property
    def is_current(self) -> bool:
        """Whether there is nothing to upgrade."""
        return self.revision == self.head


def upgrade(
    target: Target,
    *,
    concurrently: bool = False,
    report: Callable[[str], object] | None = None,
) -> State:
    """Bring the tables up to date, create those that are missing, return the result.

    Each revision is a transaction, which waits for others that do the same. Locks are
    not waited for longer than seconds at a time, then it steps back and tries again.
    May be interrupted and run again at any time. With *concurrently* indexes are made
    while others write. *report* is told in words what is being done.

    A connection is used in its own transaction, which the caller commits; so then
    everything is done at once, and *concurrently* raises Misuse.

    Raises UpgradeImpossible, in words, if something is in the way.
    """
    state: State = _alembic("running").upgrade(target, concurrently, report or _silent)
    return state


def current(target: Target) -> State:
    """Tell how old the tables are. Changes nothing."""
    state: State = _alembic("running").current(target)
    return state


def check(target: Target) -> list[str]:
    """Compare the tables with the models; return what differs, in sentences.

    Empty when all is well. What applications add to the tables is their own business.
    Changes nothing.
    """
    found: list[str] = _alembic("comparing").check(target)
    return found


def script() -> str:
    """Return SQL that does the same as `upgrade`, to be run by hand.

    It fits every database, as its steps look at what is there.
    """
    sql: str = _alembic("writing").script()
    return sql


def _silent(_said: str) -> None:
    pass


def _alembic(name: str) -> Any:
    """Load what needs Alembic. Raises MigrationsMissingError without it."""
    try:
        return importlib.import_module(f"libres.db.migrations.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "alembic":
            raise MigrationsMissingError from error
        raise
