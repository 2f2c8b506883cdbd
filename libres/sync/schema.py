"""Creates what is missing in the database: the tables of this room, and partitions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from libres.db.operations.setting_up import SETTING_UP
from libres.sync.feed import functions, guarding, partitions
from libres.sync.models import MODELS, SyncFeed


def create_missing(connection: Connection) -> None:
    """Create what is missing; processes that do so at the same moment wait in turn.

    The tables of the core must be there already.
    """
    connection.execute(select(func.pg_advisory_xact_lock(SETTING_UP)))
    tables: list[Any] = [model.__table__ for model in MODELS]
    SyncFeed.metadata.create_all(connection, tables=tables)
    functions.create_missing(connection)
    guarding.guard(connection)
    partitions.ensure(connection, connection.execute(select(func.now())).scalar_one())
