"""Changes what was noted, as a superuser can who switches triggers off."""

from __future__ import annotations

from sqlalchemy import text

from libres.sync.feed import chain

OFF = text("SET LOCAL session_replication_role = replica")

RECOMPUTE = text(
    """\
WITH committed AS (
    SELECT change.position, (
        SELECT string_agg({commitment}, ''::bytea ORDER BY number) FROM {fields}
    ) AS commitments
    FROM sync_changes AS change
), renewed AS (
    UPDATE sync_changes AS change SET commitments = committed.commitments
    FROM committed WHERE committed.position = change.position
    RETURNING change.*
), chained AS (
    SELECT position, audit_chain({genesis}, {entry}) OVER (ORDER BY position) AS digest
    FROM renewed
)
SELECT position, digest FROM chained ORDER BY position
""".format(  # noqa: S608 - it is put together of constants
        commitment=chain.COMMITMENT.format(row="change", salt="change.salts[number]"),
        fields=chain.FIELDS.format(row="change"),
        entry=chain.ENTRY.format(row="renewed"),
        genesis=chain.GENESIS.format(context="'test'"),
    )
)


def tamper(session, *statements, **values):
    """Execute SQL without triggers, and commit."""
    session.execute(OFF)
    for each in statements:
        session.execute(text(each), values)
    session.commit()


def recompute(session):
    """Compute the whole chain anew, as who knows how it is computed can."""
    session.execute(OFF)
    for position, digest in session.execute(RECOMPUTE).all():
        write = "UPDATE sync_changes SET digest = :digest WHERE position = :position"
        session.execute(text(write), {"digest": digest, "position": position})
    session.execute(
        text(
            "UPDATE sync_feeds SET digest = last.digest, position = last.position "
            "FROM (SELECT * FROM sync_changes ORDER BY position DESC LIMIT 1) AS last"
        )
    )
    session.commit()
