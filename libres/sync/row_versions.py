"""Tells of which version rows are, and what has become of them since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import ARRAY, BigInteger, Text, bindparam, text

from libres.db.passing import BIND
from libres.sync.models.columns import DOCUMENT

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.sync.registry import Image, SyncModel

_OF_ROWS: Final = (
    bindparam("context", type_=Text()),
    bindparam("relation", type_=Text()),
    bindparam("keys", type_=ARRAY(Text())),
)

VERSIONS: Final = (
    text("""\
SELECT key, version, gone FROM sync_versions
WHERE context = :context AND relation = :relation AND key = ANY(:keys)
UNION ALL
SELECT key, seq, operation = 'delete' FROM sync_pending
WHERE context = :context AND relation = :relation AND key = ANY(:keys)
""")
    .bindparams(*_OF_ROWS)
    .columns(key=Text(), version=BigInteger())
)
"""What is numbered, and what is not yet; also what this transaction has written."""

CHANGES: Final = (
    text("""\
SELECT key, seq, operation, before, after,
    (SELECT kept FROM sync_feeds WHERE context = :context) AS kept
FROM (
    SELECT key, seq, operation, before, after FROM sync_changes
    WHERE context = :context AND relation = :relation AND key = ANY(:keys)
        AND seq >= :since
    UNION ALL
    SELECT key, seq, operation, before, after FROM sync_pending
    WHERE context = :context AND relation = :relation AND key = ANY(:keys)
        AND seq >= :since
) AS noted
ORDER BY seq
""")
    .bindparams(*_OF_ROWS, bindparam("since", type_=BigInteger()))
    .columns(key=Text(), seq=BigInteger(), before=DOCUMENT, after=DOCUMENT)
)


class Version(NamedTuple):
    """Of which version a row is."""

    number: int = 0
    gone: bool = False


UNKNOWN: Final = Version()
"""Of a row that has not changed since its model is registered."""


def versions_of(
    context: Context, session: Session, model: SyncModel, keys: Iterable[str]
) -> dict[str, Version]:
    """Return the versions of rows by their keys, as the feed has those. One statement.

    Who asks before writing has locked the rows by a statement before: only so it is
    sure that nothing newer is missing.
    """
    values = {"context": context.name, "relation": model.relation, "keys": list(keys)}
    found: dict[str, Version] = {}
    for key, number, gone in session.execute(VERSIONS, values, bind_arguments=BIND):
        found[key] = max(found.get(key, UNKNOWN), Version(number, gone))
    return found


class Change(NamedTuple):
    """A change of a row, as the feed has it."""

    version: int
    operation: str
    before: Image | None
    after: Image | None


class History(NamedTuple):
    """What the feed has of rows."""

    changes: dict[str, list[Change]]
    is_whole: bool
    """Nothing has been dropped from the feed yet."""


def changes_of(
    context: Context,
    session: Session,
    model: SyncModel,
    keys: Sequence[str],
    since: int,
) -> History:
    """Return the changes of rows from a version on, by their keys. One statement."""
    values = {
        "context": context.name,
        "relation": model.relation,
        "keys": list(keys),
        "since": since,
    }
    found: dict[str, list[Change]] = {}
    kept = 0
    for row in session.execute(CHANGES, values, bind_arguments=BIND):
        kept = row.kept or 0
        found.setdefault(row.key, []).append(
            Change(row.seq, row.operation, row.before, row.after)
        )
    return History(found, kept == 0)
