"""Which revisions there are, and which one a database has: all that Alembic knows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from libres.db.migrations import VERSION_TABLE
from libres.modules.errors import UpgradeImpossible

if TYPE_CHECKING:
    from alembic.script import Script
    from sqlalchemy import Connection

    from libres.db.migrations.steps import Step


@cache
def directory() -> ScriptDirectory:
    """Return the folder of this package, as Alembic sees it."""
    return ScriptDirectory(str(Path(__file__).parent))


@cache
def all_revisions() -> tuple[Script, ...]:
    """Return the revisions in the order in which they are run."""
    return tuple(directory().walk_revisions())[::-1]


def head() -> str:
    """Return the newest revision."""
    return all_revisions()[-1].revision


def steps_of(revision: Script) -> Iterable[Step]:
    """Return what a revision does."""
    steps: tuple[Step, ...] = revision.module.STEPS
    return steps


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})


def noted(connection: Connection) -> str | None:
    """Return the revision that is noted in the database."""
    heads = _context(connection).get_current_heads()
    if len(heads) > 1:
        message = (
            f"The table {VERSION_TABLE} holds the revisions {', '.join(heads)}, but "
            f"only one can be true: delete the others."
        )
        raise UpgradeImpossible(message)
    return heads[0] if heads else None


def after(revision: str | None) -> Script | None:
    """Return the revision that comes next, None after the last one.

    Raises UpgradeImpossible for a revision that is not known.
    """
    if revision is None:
        return all_revisions()[0]
    names = [each.revision for each in all_revisions()]
    if revision not in names:
        message = (
            f"This database has the revision {revision!r}, but this version of libres "
            f"knows none after {head()}: a newer one was here, so install that."
        )
        raise UpgradeImpossible(message)
    return next(iter(all_revisions()[names.index(revision) + 1 :]), None)


def note(connection: Connection, revision: Script) -> None:
    """Note in the database that a revision is done."""
    _context(connection).stamp(directory(), revision.revision)
