"""Creates what is missing in the database: the tables of this room, and of waiting
lists, which its API and its pages show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import DDL, Connection, func, select

from libres.db.operations.setting_up import SETTING_UP
from libres.waiting import schema as waiting
from libres.web.feeds import schema as feeds
from libres.web.feeds.models import WebFeed, WebFeedEntry
from libres.web.models import WebKey, WebResource

ddl: Callable[[str], DDL] = DDL

MODELS: Final = (WebResource, WebKey, WebFeed, WebFeedEntry)


def create_missing(connection: Connection) -> None:
    """Create what is missing; processes that do so at the same moment wait in turn.

    The tables of the core must be there already.
    """
    connection.execute(select(func.pg_advisory_xact_lock(SETTING_UP)))
    tables: list[Any] = [model.__table__ for model in MODELS]
    WebResource.metadata.create_all(connection, tables=tables)
    waiting.create_missing(connection)
    for statement in feeds.CREATING:
        connection.execute(ddl(statement))
