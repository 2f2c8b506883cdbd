"""Lets Alembic's own commands run the revisions.

Their ``script_location`` is ``libres.db:migrations``. They get the connection in
``config.attributes["connection"]``, or the option ``sqlalchemy.url``. The
functions of this package need no configuration.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from libres.db.migrations import VERSION_TABLE
from libres.db.migrations.inspecting import check_adoptable
from libres.db.migrations.running import Taker, engine_for


def _run(connection: Connection) -> None:
    context.configure(connection=connection, version_table=VERSION_TABLE)
    check_adoptable(connection)
    with context.begin_transaction():
        context.run_migrations(take=Taker(connection, print))


if given := context.config.attributes.get("connection"):
    _run(given)
else:
    with (
        engine_for(context.config.get_main_option("sqlalchemy.url", "")) as engine,
        engine.begin() as connection,
    ):
        _run(connection)
