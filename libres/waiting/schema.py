"""Creates what is missing in the database: the table of this room."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from libres.db.operations.setting_up import SETTING_UP
from libres.waiting.models import WaitingEntry


def create_missing(connection: Connection) -> None:
    """Create what is missing; processes that do so at the same moment wait in turn.

    The tables of the core must be there already.
    """
    connection.execute(select(func.pg_advisory_xact_lock(SETTING_UP)))
    table: Any = WaitingEntry.__table__
    WaitingEntry.metadata.create_all(connection, tables=[table])
