"""Creates the functions of the chain in the database, unless they are there already.

Who may only add changes cannot make functions anew, and need not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sqlalchemy import DDL, text

from libres.sync.feed import chain, erasing, guarding

if TYPE_CHECKING:
    from sqlalchemy import Connection

ddl: Callable[[str], DDL] = DDL

ALL: Final = (*chain.FUNCTIONS, *guarding.FUNCTIONS, *erasing.FUNCTIONS)

SCHEMA: Final = text("""\
SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace
    ON pg_namespace.oid = relnamespace
WHERE pg_class.oid = to_regclass('sync_changes')
""")
"""What runs with the rights of its owner looks there, and nowhere else."""

NOTED: Final = text("""\
SELECT obj_description(to_regprocedure(:name), 'pg_proc')
""")

NOTE: Final = "COMMENT ON FUNCTION {name} IS '{digest}'"


def create_missing(connection: Connection) -> None:
    """Create the functions; the tables must be there."""
    schema = connection.execute(SCHEMA).scalar_one()
    made = [sql.replace("{schema}", schema) for sql in ALL]
    digest = hashlib.sha256("\n".join(made).encode()).hexdigest()
    if connection.execute(NOTED, {"name": erasing.NAME}).scalar() == digest:
        return
    for sql in (*made, NOTE.format(name=erasing.NAME, digest=digest)):
        # DDL reads percent signs as its own.
        connection.execute(ddl(sql.replace("%", "%%")))
