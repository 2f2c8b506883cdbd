"""Numbers what is pending: one at a time per context, and only what is committed.

A reader by position can never pass a change that it has not seen: only what is visible
is numbered, and nobody numbers at the same time. Changes of one row are in order,
because the transactions that made them have waited for each other; those of one
transaction are together, since they are sorted by the last change of their transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from libres.sync.feed import anchoring, chain, partitions
from libres.sync.transacting import alone, apart

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from libres.context.core import Context

IS_PENDING: Final = text(
    "SELECT EXISTS (SELECT FROM sync_pending WHERE context = :context)"
).bindparams(bindparam("context"))

LOCK: Final = text("""\
SELECT pg_advisory_xact_lock(hashtextextended('libres.sync/' || :context, 0)),
    clock_timestamp()
""")
"""Held until the commit; the statement after it sees what others have committed."""

NUMBER: Final = (
    text(
        """\
WITH head AS (
    SELECT position, coalesce(digest, {genesis}) AS digest,
        greatest(numbered + interval '1 microsecond', clock_timestamp()) AS numbered
    FROM sync_feeds WHERE context = :context
), moved AS (
    DELETE FROM sync_pending WHERE context = :context RETURNING *
), ranked AS (
    SELECT moved.*, max(seq) OVER (PARTITION BY xid) AS last_seq FROM moved
), placed AS (
    SELECT ranked.*, seq = last_seq AS tx_end, head.numbered, head.digest AS before_all,
        head.position + row_number() OVER (ORDER BY last_seq, seq) AS position,
        salts, commitments
    FROM ranked CROSS JOIN head CROSS JOIN LATERAL (
        {salted}
    ) AS committed
), chained AS (
    SELECT placed.*, audit_chain(before_all, {entry}) OVER (ORDER BY position) AS digest
    FROM placed
), written AS (
    INSERT INTO sync_changes (
        context, position, seq, xid, tx_end, relation, key, operation, before, after,
        tenant, tenant_before, actor, request, reason, at, numbered,
        salts, commitments, digest
    )
    SELECT context, position, seq, xid, tx_end, relation, key, operation, before, after,
        tenant, tenant_before, actor, request, reason, at, numbered,
        salts, commitments, digest
    FROM chained ORDER BY position
    RETURNING relation, key, seq, operation, position, digest
), versions AS (
    INSERT INTO sync_versions (context, relation, key, version, gone)
    SELECT DISTINCT ON (relation, key)
        :context, relation, key, seq, operation = 'delete'
    FROM written ORDER BY relation, key, seq DESC
    ON CONFLICT (context, relation, key)
    DO UPDATE SET version = excluded.version, gone = excluded.gone
), last AS (
    SELECT position, digest FROM written ORDER BY position DESC LIMIT 1
)
UPDATE sync_feeds SET
    position = last.position, digest = last.digest, numbered = head.numbered
FROM head, last WHERE context = :context
RETURNING (SELECT count(*) FROM written) AS total,
    sync_feeds.position, sync_feeds.digest, sync_feeds.numbered,
    audited, anchored, anchored_at,
    (
        SELECT value FROM sync_settings
        WHERE sync_settings.context = :context AND name = 'anchor_rows'
    ) AS rows,
    (
        SELECT value FROM sync_settings
        WHERE sync_settings.context = :context AND name = 'anchor_minutes'
    ) AS minutes
""".format(
            genesis=chain.GENESIS.format(context=":context"),
            salted=chain.SALTED.format(row="ranked"),
            entry=chain.ENTRY.format(row="placed"),
        )
    )
    .bindparams(bindparam("context", type_=Text()))
    .columns(rows=JSONB(), minutes=JSONB())
)


def number(context: Context) -> int:
    """Number what is pending and committed, in a transaction of its own; return how
    many changes there were. One statement if there is nothing to do."""
    with alone(context) as connection:
        if not connection.execute(IS_PENDING, {"context": context.name}).scalar():
            return 0
    with apart(context) as connection:
        return _number(connection, context)


def _number(connection: Connection, context: Context) -> int:
    values = {"context": context.name}
    now: datetime = connection.execute(LOCK, values).one()[1]
    partitions.ensure(connection, now)
    connection.execute(BEGIN, values)
    row = connection.execute(NUMBER, values).one_or_none()
    if row is None:
        return 0
    found = anchoring.Numbered(
        count=row.total,
        head=anchoring.Head(row.position, bytes(row.digest)),
        at=row.numbered,
        audited=row.audited,
        anchored=row.anchored,
        anchored_at=row.anchored_at,
        rows=row.rows,
        minutes=row.minutes,
    )
    anchoring.write_if_due(connection, context, found)
    return found.count


BEGIN: Final = text("""\
INSERT INTO sync_feeds (context) VALUES (:context) ON CONFLICT (context) DO NOTHING
""").bindparams(bindparam("context"))
"""Without a head nothing would be numbered, and what is pending would be lost."""
