"""Creates what is missing in a database: types, tables, indexes."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, func, inspect, select

from libres.db.models import (
    Allocation,
    IdempotencyKey,
    ORMBase,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
)
from libres.modules.errors import OutdatedSchema

ADDED_LATER: Final = ("source_type", "source_id")
"""The columns of slots that tables made before Libres 1.2 lack."""

SETTING_UP: Final = 0x6C6962726573
"""The key of the lock, held until the transaction ends: "libres" in ASCII."""

ROOM: Final = "room"
"""Marks, in ``Table.info``, the tables of an optional room, which sets up its own."""

OUR_MODELS = (
    Allocation,
    ReservedSlot,
    Reservation,
    ReservationBlocker,
    IdempotencyKey,
)


def create_missing(connection: Connection) -> None:
    """Create all tables of the declarative base, and our indexes on older tables.

    The tables of optional rooms are left to the ``setup`` of those.
    Processes that do so at the same moment wait for each other. Raises OutdatedSchema
    if a table was made by a Libres that did not have all columns yet.
    """
    connection.execute(select(func.pg_advisory_xact_lock(SETTING_UP)))
    _check_columns(connection)
    tables = [each for each in ORMBase.metadata.sorted_tables if ROOM not in each.info]
    ORMBase.metadata.create_all(connection, tables=tables)
    known = inspect(connection)
    for model in OUR_MODELS:
        table: Any = model.__table__
        existing = {index["name"] for index in known.get_indexes(table.name)}
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            if index.name not in existing:
                index.create(connection)


def _check_columns(connection: Connection) -> None:
    """Refuse tables that cannot be used. To fill columns in is up to migrations."""
    table = ReservedSlot.__tablename__
    known = inspect(connection)
    if not known.has_table(table):
        return
    found = {column["name"] for column in known.get_columns(table)}
    if missing := [name for name in ADDED_LATER if name not in found]:
        raise OutdatedSchema(table=table, missing=", ".join(missing))
