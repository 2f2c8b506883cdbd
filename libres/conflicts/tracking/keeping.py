"""Notes which models are tracked; compares, mends and rebuilds their claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import TextClause, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from libres.conflicts import statements
from libres.conflicts.differences import Difference, difference
from libres.conflicts.errors import NotTrackable
from libres.conflicts.models import ConflictTracking
from libres.conflicts.refusing import refusal_of, translated
from libres.conflicts.tracking.derivation import COLUMNS
from libres.db.models.timestamp import TimestampMixin
from libres.db.passing import escaped

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

NAMES = ", ".join(COLUMNS)


def note(session: Session, values: dict[str, Any]) -> None:
    """Note how a source is tracked."""
    statement = insert(ConflictTracking).values(values)
    changed = {name: values[name] for name in values if name not in PRIMARY}
    statements.run(
        session,
        statement.on_conflict_do_update(index_elements=PRIMARY, set_=changed),
    )


PRIMARY = ["context", "source"]


def noted(context: Context, session: Session, source: str) -> Any:
    """Return how a source is tracked. Raises NotTrackable if it is not."""
    columns = ConflictTracking.__table__.columns
    query = select(*columns).where(
        ConflictTracking.context == context.name, ConflictTracking.source == source
    )
    rows = statements.fetch(session, query, {})
    if not rows:
        message = f"{source!r} is not tracked in the context {context.name!r}."
        raise NotTrackable(message)
    return rows[0]


def sources(context: Context, session: Session) -> list[str]:
    """Return the sources that are tracked, by name."""
    query = select(ConflictTracking.source).where(
        ConflictTracking.context == context.name
    )
    rows = statements.fetch(session, query.order_by(ConflictTracking.source), {})
    return [row.source for row in rows]


def forget(context: Context, session: Session, source: str) -> int:
    """Forget a source and its claims; return how many."""
    own = (ConflictTracking.context == context.name, ConflictTracking.source == source)
    statements.run(session, delete(ConflictTracking).where(*own))
    values = {"context": context.name, "source": source}
    return int(statements.fetch(session, DROPPING, values)[0][0])


def rebuild(context: Context, session: Session, source: str) -> int:
    """Derive all claims of a source anew; return how many there are."""
    kept = noted(context, session, source)
    with translated(session, context.name, TimestampMixin.timestamp()):
        values = {"context": context.name, "source": source}
        statements.fetch(session, DROPPING, values)
        rows = statements.fetch(session, _inserting(kept.derivation), values)
    return int(rows[0][0])


def verify(
    context: Context, session: Session, source: str, repair: bool
) -> list[Difference]:
    """Compare the claims of a source with its rows; mend what differs if *repair*."""
    kept = noted(context, session, source)
    broken = [
        Difference("broken", source, None, said) for said in _broken(session, kept)
    ]
    found = [*broken, *_differences(context, session, kept)]
    ids = [each.source_id for each in found if each.source_id is not None]
    if repair and ids:
        values = {"context": context.name, "source": source, "ids": ids}
        with translated(session, context.name, TimestampMixin.timestamp()):
            statements.fetch(session, DROPPING_SOME, values)
            statements.fetch(session, _inserting_some(kept.derivation), values)
    return found


def _differences(context: Context, session: Session, kept: Any) -> list[Difference]:
    values = {"context": context.name, "source": kept.source}
    try:
        with session.begin_nested():
            rows = statements.fetch(session, _comparing(kept.derivation), values)
    except DBAPIError as error:
        if refusal_of(error) is not None:
            raise
        said = f"Claims cannot be derived any more: {str(error.orig).splitlines()[0]}."
        return [Difference("broken", kept.source, None, said)]
    return [difference(row.kind, kept.source, row.source_id) for row in rows]


def _broken(session: Session, kept: Any) -> list[str]:
    rows = statements.fetch(session, _TRIGGERS, {"watched": list(kept.watched)})
    return [
        f"The trigger {row.name} on {row.relation} is {row.state}: track it again."
        for row in rows
    ]


# Statements ---------------------------------------------------------------------------


DROPPING = text("""\
WITH dropped AS (
    DELETE FROM conflict_claims WHERE context = :context AND source = :source
    RETURNING of_part
)
SELECT count(*) FILTER (WHERE of_part IS NULL) FROM dropped""")

DROPPING_SOME = text("""\
WITH dropped AS (
    DELETE FROM conflict_claims WHERE context = :context AND source = :source
    AND source_id = ANY (CAST(:ids AS text[]))
    RETURNING of_part
)
SELECT count(*) FILTER (WHERE of_part IS NULL) FROM dropped""")


def _inserting(derivation: str, condition: str = "true") -> TextClause:
    return text(f"""\
WITH written AS (
    INSERT INTO conflict_claims (context, source, {NAMES})
    SELECT :context, :source, {NAMES} FROM ({escaped(derivation)}) AS derived
    WHERE {condition}
    ORDER BY resource, lower(during) NULLS FIRST, source_id
    RETURNING 1
)
SELECT count(*) FROM written""")


def _inserting_some(derivation: str) -> TextClause:
    return _inserting(derivation, "source_id = ANY (CAST(:ids AS text[]))")


def _comparing(derivation: str) -> TextClause:
    return text(f"""\
WITH wanted AS (SELECT {NAMES} FROM ({escaped(derivation)}) AS derived),
found AS (
    SELECT {NAMES} FROM conflict_claims
    WHERE context = :context AND source = :source AND of_part IS NULL
),
lacking AS (SELECT * FROM wanted EXCEPT SELECT * FROM found),
excess AS (SELECT * FROM found EXCEPT SELECT * FROM wanted),
differing AS (SELECT source_id FROM lacking UNION SELECT source_id FROM excess)
SELECT source_id,
    CASE
        WHEN source_id NOT IN (SELECT source_id FROM found) THEN 'missing'
        WHEN source_id NOT IN (SELECT source_id FROM wanted) THEN 'orphaned'
        ELSE 'stale'
    END AS kind
FROM differing ORDER BY source_id""")


_TRIGGERS = text("""\
WITH watched AS (
    SELECT split_part(entry, chr(31), 1) AS relation,
        split_part(entry, chr(31), 2) AS name,
        split_part(entry, chr(31), 3) AS body
    FROM unnest(CAST(:watched AS text[])) AS entry
)
SELECT relation, name,
    CASE
        WHEN found.tgname IS NULL THEN 'missing'
        WHEN found.tgenabled = 'D' THEN 'disabled'
        ELSE 'not the one that was made'
    END AS state
FROM watched
LEFT JOIN pg_trigger AS found
ON found.tgrelid = to_regclass(relation) AND found.tgname = name
LEFT JOIN pg_proc AS function ON function.oid = found.tgfoid
WHERE found.tgname IS NULL OR found.tgenabled = 'D'
OR md5(function.prosrc) <> body
ORDER BY relation, name""")


def watched(triggers: Sequence[Any]) -> TextClause:
    """Ask how the triggers are to be noted: table, name, and what they do."""
    names = ", ".join(f"'{each.name}'" for each in triggers)
    return text(f"""\
SELECT array_agg(concat_ws(
    chr(31), tgrelid::regclass::text, tgname, md5(prosrc)
) ORDER BY tgname)
FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE tgname IN ({names})""")
