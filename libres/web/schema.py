"""Creates what is missing in the database: the tables of this room."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, func, select

from libres.db.operations.setting_up import SETTING_UP
from libres.web.models import WebKey, WebResource

MODELS: Final = (WebResource, WebKey)


def create_missing(connection: Connection) -> None:
    """Create what is missing; processes that do so at the same moment wait in turn.

    The tables of the core must be there already.
    """
    connection.execute(select(func.pg_advisory_xact_lock(SETTING_UP)))
    tables: list[Any] = [model.__table__ for model in MODELS]
    WebResource.metadata.create_all(connection, tables=tables)
