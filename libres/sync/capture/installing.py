"""Starts and stops to note the changes of registered tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from sqlalchemy import DDL, bindparam, text

from libres.sync.capture.triggers import Capture
from libres.sync.registry import SyncModel

if TYPE_CHECKING:
    from sqlalchemy import Connection

ddl: Callable[[str], DDL] = DDL

INSTALLED: Final = text("""\
SELECT obj_description(pg_proc.oid, 'pg_proc') AS noted
FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE tgrelid = to_regclass(:table) AND tgname = :name AND tgenabled IN ('O', 'A')
""").bindparams(bindparam("table"), bindparam("name"))

NOTE: Final = "COMMENT ON FUNCTION {name}() IS '{digest}'"


def install(connection: Connection, context: str, models: Iterable[SyncModel]) -> int:
    """Note the changes of models from now on; return how many tables were new to it.

    What is installed already as it should be is left alone: a trigger that is made
    anew waits for all transactions that write to its table.
    """
    captures = [Capture(context, each) for each in models]
    missing = [each for each in captures if not is_installed(connection, each)]
    for capture in missing:
        for trigger in capture.triggers:
            for sql in trigger.creating:
                _run(connection, sql)
            _run(connection, NOTE.format(name=trigger.name, digest=capture.digest))
    return len(missing)


def uninstall(connection: Connection, context: str, models: Iterable[SyncModel]) -> int:
    """Note nothing more of models; return how many tables there were."""
    count = 0
    for model in models:
        count += 1
        for trigger in Capture(context, model).triggers:
            _run(connection, trigger.dropping)
    return count


def is_installed(connection: Connection, capture: Capture) -> bool:
    """Tell whether all triggers of a table are there as they should be, and on."""
    for trigger in capture.triggers:
        values = {"table": trigger.table, "name": trigger.name}
        if connection.execute(INSTALLED, values).scalar() != capture.digest:
            return False
    return True


def _run(connection: Connection, sql: str) -> None:
    # DDL reads percent signs as its own.
    connection.execute(ddl(sql.replace("%", "%%")))
