"""Looks at a database before it is touched: whose tables are these, and how old?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, text
from sqlalchemy.exc import DBAPIError

from libres.db.migrations import VERSION_TABLE
from libres.db.migrations.steps import has_column, has_index, has_table
from libres.modules.errors import UpgradeImpossible

if TYPE_CHECKING:
    from sqlalchemy import Connection

TABLES: Final = {
    "allocations": (
        "id resource mirror_of group quota quota_limit partly_available "
        "approve_manually timezone data _start _end _raster created modified"
    ),
    "reserved_slots": (
        "resource start end allocation_id reservation_token created modified"
    ),
    "reservations": (
        "id token target target_type resource start end timezone status data email "
        "session_id quota created modified"
    ),
    "reservation_blockers": (
        "id token target target_type resource start end timezone reason created "
        "modified"
    ),
}
"""The columns that the tables of every Libres from 0.5 on have."""

TYPES: Final = (
    "reservation_target_type",
    "reservation_status",
    "reserved_slot_source_type",
    "reservation_blocker_target_type",
)

OLDEST_POSTGRES: Final = (15,)

SHAPES: Final = (
    (f"NOT {has_table('allocations')}", "no tables yet"),
    (has_table("reservation_idempotency_keys"), "libres 2"),
    (has_column("reserved_slots", "source_id"), "Libres 1.2 to 1.4"),
    (has_index("start_end_tsrange_ix"), "Libres 1.1"),
    (has_column("allocations", "type", "attnotnull"), "Libres 0.10.1 to 1.0"),
    (has_column("reserved_slots", "source_type"), "Libres 0.10.0"),
    (has_column("allocations", "data", "atttypid = to_regtype('jsonb')"), "Libres 0.9"),
    ("true", "Libres 0.5 to 0.8"),
)
"""What tells the ages apart, the first that holds; in words for people."""


def shape_of(connection: Connection) -> str:
    """Say whose tables these are, by their looks."""
    cases = " ".join(f"WHEN {condition} THEN '{name}'" for condition, name in SHAPES)
    shape: str = connection.execute(text(f"SELECT CASE {cases} END")).scalar_one()
    return shape


def check_adoptable(connection: Connection) -> None:
    """Raise UpgradeImpossible unless these are tables of Libres, in one schema."""
    _check_server(connection)
    _check_schema(connection)
    for table, columns in TABLES.items():
        _check_columns(connection, table, set(columns.split()))


def _check_server(connection: Connection) -> None:
    version = connection.dialect.server_version_info or OLDEST_POSTGRES
    if version < OLDEST_POSTGRES:
        message = (
            f"PostgreSQL {OLDEST_POSTGRES[0]} or newer is needed, but this server is "
            f"PostgreSQL {version[0]}: upgrade it, or use another one."
        )
        raise UpgradeImpossible(message)


# What is seen in another schema than the one where new things are created.
ELSEWHERE: Final = text("""
    SELECT relname, nspname, current_schema() FROM (
        SELECT relname, relnamespace AS place FROM pg_class
        WHERE relname IN :tables AND relkind IN ('r', 'p', 'v', 'm', 'f')
            AND pg_table_is_visible(oid)
        UNION ALL
        SELECT typname, typnamespace FROM pg_type
        WHERE typname IN :types AND pg_type_is_visible(oid)
    ) AS seen JOIN pg_namespace ON pg_namespace.oid = place
    WHERE nspname IS DISTINCT FROM current_schema() ORDER BY relname
""").bindparams(bindparam("tables", expanding=True), bindparam("types", expanding=True))


def _check_schema(connection: Connection) -> None:
    names = {"tables": [*TABLES, VERSION_TABLE], "types": list(TYPES)}
    for name, elsewhere, schema in connection.execute(ELSEWHERE, names):
        message = (
            f"{name} is found in the schema {elsewhere}, but new tables would go to "
            f"{schema or 'no schema at all'}: set the search path to the one schema "
            f"that is meant, as in ?options=-csearch_path%3D{elsewhere} in the DSN."
        )
        raise UpgradeImpossible(message)


def _check_columns(connection: Connection, table: str, expected: set[str]) -> None:
    query = text(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:table) "
        "AND attnum > 0 AND NOT attisdropped"
    )
    found = set(connection.execute(query, {"table": table}).scalars())
    if found and (missing := expected - found):
        message = (
            f"The table {table} has no column {', '.join(sorted(missing))}: it is "
            f"not one of Libres, or one from before 0.5, so it is left alone."
        )
        raise UpgradeImpossible(message)


def first_unreadable(connection: Connection, table: str) -> int | None:
    """Find the lowest id whose data PostgreSQL does not take for JSON, by halving."""
    bounds = text(f"SELECT min(id), max(id) FROM {table}")
    low, high = connection.execute(bounds).one()
    while low is not None and low < high:
        middle = (low + high) // 2
        low, high = (
            (middle + 1, high)
            if _is_readable(connection, table, low, middle)
            else (low, middle)
        )
    found: int | None = low
    return found


def _is_readable(connection: Connection, table: str, low: int, high: int) -> bool:
    cast = text(
        f"SELECT count(data::jsonb) FROM {table} WHERE id BETWEEN :low AND :high"
    )
    try:
        with connection.begin_nested():
            connection.execute(cast, {"low": low, "high": high})
    except DBAPIError:
        return False
    return True
