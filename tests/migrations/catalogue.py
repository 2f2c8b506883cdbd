"""Reads from PostgreSQL's own catalogue what there is in a schema, and all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from libres.db.migrations import VERSION_TABLE

if TYPE_CHECKING:
    from sqlalchemy import Connection

QUERIES = {
    "columns": """
        SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull,
            pg_get_expr(adbin, adrelid), attidentity, attgenerated, attcollation,
            col_description(pg_class.oid, attnum)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
            AND attnum > 0 AND NOT attisdropped
    """,
    "relations": """
        SELECT relname, relkind, relpersistence, relrowsecurity, obj_description(oid)
        FROM pg_class WHERE relnamespace = current_schema()::regnamespace
    """,
    "indexes": """
        SELECT pg_get_indexdef(indexrelid), indisvalid, indisunique, indisprimary
        FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
        WHERE relnamespace = current_schema()::regnamespace
    """,
    "constraints": """
        SELECT conrelid::regclass, conname, contype, convalidated,
            pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
    """,
    "enums": """
        SELECT typname, enumlabel, row_number() OVER (
            PARTITION BY enumtypid ORDER BY enumsortorder)
        FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid
        WHERE typnamespace = current_schema()::regnamespace
    """,
    "sequences": """
        SELECT sequencename, data_type, start_value, increment_by, cycle
        FROM pg_sequences WHERE schemaname = current_schema()
    """,
    "triggers": """
        SELECT tgname, pg_get_triggerdef(pg_trigger.oid)
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal
    """,
}

ROWS = "SELECT to_jsonb(t) - 'data', {data} FROM {table} AS t ORDER BY {order}"

TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
    ORDER BY relname
"""


def catalogue(connection: Connection) -> dict[str, list[str]]:
    """All that is in the current schema but the note of the revision, as lines.

    The order of columns does not count: what is added comes last.
    """
    schema = connection.execute(text("SELECT current_schema()")).scalar_one()
    return {
        kind: sorted(
            line.replace(f"{schema}.", "")
            for row in connection.execute(text(query))
            if VERSION_TABLE not in (line := " | ".join(map(str, row)))
        )
        for kind, query in QUERIES.items()
    }


def everything(connection: Connection) -> tuple[dict[str, list[str]], list[str]]:
    """The catalogue and all rows of all tables, to see whether something changed."""
    tables = connection.execute(text(TABLES)).scalars().all()
    rows = "SELECT to_jsonb(t)::text FROM {} AS t ORDER BY 1"
    return catalogue(connection), [
        f"{table}: {row}"
        for table in tables
        for row in connection.execute(text(rows.format(table))).scalars()
    ]


def rows_of(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """All rows by table, in one order, their data as PostgreSQL understands it."""
    names = ("allocations", "reservations", "reserved_slots", "reservation_blockers")
    there = text("SELECT to_regclass(:name) IS NOT NULL")
    return {
        name: _rows(connection, name)
        for name in names
        if connection.execute(there, {"name": name}).scalar_one()
    }


def _rows(connection: Connection, table: str) -> list[dict[str, Any]]:
    has_data = table in ("allocations", "reservations")
    query = ROWS.format(
        table=table,
        data="data::jsonb" if has_data else "NULL::jsonb",
        order="resource, start" if table == "reserved_slots" else "id",
    )
    return [{**row, "data": data} for row, data in connection.execute(text(query))]
