"""Writes the SQL that keeps what was noted as it is: append-only, but for erasures.

PostgreSQL asks it for each row, whoever changes it and however; only who may switch
triggers off gets past it, and verifying finds what they do. Values may become null
together with their salts, and changes go from the oldest on, once the feed says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from sqlalchemy import DDL, bindparam, text

if TYPE_CHECKING:
    from sqlalchemy import Connection

ddl: Callable[[str], DDL] = DDL

CHANGES: Final = "sync_changes"
SIGNATURES: Final = "audit_anchors"
ERASURES: Final = "audit_erasures"

BLANKED: Final = """\
CREATE OR REPLACE FUNCTION audit_blanked(image jsonb, fields text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT image || coalesce(
        (
            SELECT jsonb_object_agg(field, NULL) FROM unnest(fields) AS given (field)
            WHERE image ? field
        ),
        '{}'
    )
$$"""
"""An image without the values of some fields; it still says that it has them."""

GUARD_CHANGES: Final = """\
CREATE OR REPLACE FUNCTION audit_guard_changes() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    gone text[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.position > coalesce(
            (SELECT dropped FROM sync_feeds WHERE context = OLD.context), 0
        ) THEN
            RAISE EXCEPTION 'What was noted stays: change % of % cannot be deleted.',
                OLD.position, OLD.context
                USING ERRCODE = 'restrict_violation',
                HINT = 'Old changes go by Audit.drop_old or libres jobs.';
        END IF;
        RETURN OLD;
    END IF;
    SELECT array_agg(field) INTO gone
    FROM jsonb_object_keys(
        coalesce(OLD.before, '{}') || coalesce(OLD.after, '{}')
    ) WITH ORDINALITY AS fields (field, number)
    WHERE OLD.salts[number] IS NOT NULL AND NEW.salts[number] IS NULL;
    IF gone IS NULL
        OR NEW.before IS DISTINCT FROM audit_blanked(OLD.before, gone)
        OR NEW.after IS DISTINCT FROM audit_blanked(OLD.after, gone)
        OR cardinality(NEW.salts) <> cardinality(OLD.salts)
        OR EXISTS (
            SELECT FROM unnest(OLD.salts, NEW.salts) AS salts (was, is_now)
            WHERE is_now IS NOT NULL AND is_now IS DISTINCT FROM was
        )
        OR (
            NEW.context, NEW.position, NEW.seq, NEW.xid, NEW.tx_end, NEW.relation,
            NEW.key, NEW.operation, NEW.tenant, NEW.tenant_before, NEW.actor,
            NEW.request, NEW.reason, NEW.at, NEW.numbered, NEW.commitments, NEW.digest
        ) IS DISTINCT FROM (
            OLD.context, OLD.position, OLD.seq, OLD.xid, OLD.tx_end, OLD.relation,
            OLD.key, OLD.operation, OLD.tenant, OLD.tenant_before, OLD.actor,
            OLD.request, OLD.reason, OLD.at, OLD.numbered, OLD.commitments, OLD.digest
        )
    THEN
        RAISE EXCEPTION 'What was noted stays: change % of % cannot be changed.',
            OLD.position, OLD.context
            USING ERRCODE = 'restrict_violation',
            HINT = 'Values are erased, together with their salts, by Audit.erase.';
    END IF;
    RETURN NEW;
END $$"""
"""Lets a change be changed if it is a pure erasure, and deleted if it is dropped."""

GUARD_ROWS: Final = """\
CREATE OR REPLACE FUNCTION audit_guard_rows() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.position < coalesce(
        (SELECT dropped FROM sync_feeds WHERE context = OLD.context), 0
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'What was noted stays: rows of % cannot be changed or deleted.',
        TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$"""
"""Lets signatures and erasures go with the changes that they are about."""

GUARD_TABLE: Final = """\
CREATE OR REPLACE FUNCTION audit_guard_table() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'What was noted stays: % cannot be emptied.', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
        HINT = 'Old changes go by Audit.drop_old or libres jobs.';
END $$"""

FUNCTIONS: Final = (BLANKED, GUARD_CHANGES, GUARD_ROWS, GUARD_TABLE)

STAYS: Final = "audit_stays"
"""The trigger for rows; partitions get it from their table."""

STAYS_WHOLE: Final = "audit_stays_whole"
"""The trigger for TRUNCATE; partitions need one of their own."""

ROWS: Final = """\
CREATE OR REPLACE TRIGGER {name} BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION {function}()"""

WHOLE: Final = """\
CREATE OR REPLACE TRIGGER {name} BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION audit_guard_table()"""

HAS: Final = text("""\
SELECT EXISTS (
    SELECT FROM pg_trigger
    WHERE tgrelid = to_regclass(:table) AND tgname = :name AND tgenabled IN ('O', 'A')
)
""").bindparams(bindparam("table"), bindparam("name"))

PARTITIONS: Final = text("""\
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = to_regclass('sync_changes') ORDER BY relname
""")

CAN_GUARD: Final = text("SELECT to_regproc('audit_guard_table') IS NOT NULL")


def guard(connection: Connection) -> None:
    """Let what was noted stay as it is, from now on.

    What is guarded already is left alone: a trigger that is made anew waits for all
    transactions that write to its table.
    """
    for name, table, sql in _missing(connection):
        _run(connection, sql.format(name=name, table=table, function=_function(table)))


def guard_partition(connection: Connection, name: str) -> None:
    """Guard a new partition, unless nothing is guarded yet."""
    if connection.execute(CAN_GUARD).scalar():
        _run(connection, WHOLE.format(name=STAYS_WHOLE, table=name))


def partitions_of(connection: Connection) -> list[str]:
    """Return the names of the partitions of the changes, the oldest first."""
    return list(connection.execute(PARTITIONS).scalars())


def _missing(connection: Connection) -> Iterator[tuple[str, str, str]]:
    tables = (CHANGES, SIGNATURES, ERASURES)
    parts = partitions_of(connection)
    wanted = [(STAYS, each, ROWS) for each in tables]
    wanted += [(STAYS_WHOLE, each, WHOLE) for each in (*tables, *parts)]
    for name, table, sql in wanted:
        if not connection.execute(HAS, {"table": table, "name": name}).scalar():
            yield name, table, sql


def _function(table: str) -> str:
    return "audit_guard_changes" if table == CHANGES else "audit_guard_rows"


def _run(connection: Connection, sql: str) -> None:
    # DDL reads percent signs as its own.
    connection.execute(ddl(sql.replace("%", "%%")))
