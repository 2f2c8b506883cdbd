"""Creates what is missing in a database: types, tables, indexes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, inspect

from libres.db.models import (
    Allocation,
    ORMBase,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
)

OUR_MODELS = (Allocation, ReservedSlot, Reservation, ReservationBlocker)


def create_missing(connection: Connection) -> None:
    """Create all tables of the declarative base, and our indexes on older tables."""
    ORMBase.metadata.create_all(connection)
    known = inspect(connection)
    for model in OUR_MODELS:
        table: Any = model.__table__
        existing = {index["name"] for index in known.get_indexes(table.name)}
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            if index.name not in existing:
                index.create(connection)
