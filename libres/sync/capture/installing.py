"""Starts and stops to note the changes of registered tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, DDL, Text, bindparam, text

from libres.sync.capture.triggers import Capture
from libres.sync.registry import SyncModel

if TYPE_CHECKING:
    from sqlalchemy import Connection

ddl: Callable[[str], DDL] = DDL

INSTALLED: Final = text("""\
SELECT tgname::text AS name, obj_description(pg_proc.oid, 'pg_proc') AS noted
FROM unnest(:tables, :names) AS given (relation, name)
JOIN pg_trigger ON tgrelid = to_regclass(given.relation) AND tgname = given.name
    AND tgenabled IN ('O', 'A')
JOIN pg_proc ON pg_proc.oid = tgfoid
""").bindparams(
    bindparam("tables", type_=ARRAY(Text())), bindparam("names", type_=ARRAY(Text()))
)

NOTE: Final = "COMMENT ON FUNCTION {name}() IS '{digest}'"


def install(connection: Connection, context: str, models: Iterable[SyncModel]) -> int:
    """Note the changes of models from now on; return how many tables were new to it.

    What is installed already as it should be is left alone: a trigger that is made
    anew waits for all transactions that write to its table.
    """
    captures = [Capture(context, each) for each in models]
    there = installed(connection, captures)
    missing = [each for each in captures if each.model.name not in there]
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
    return bool(installed(connection, [capture]))


def installed(connection: Connection, captures: Iterable[Capture]) -> set[str]:
    """Return the names of the models of which all triggers are there as they should
    be, and on. One statement."""
    wanted = list(captures)
    triggers = [each for capture in wanted for each in capture.triggers]
    values = {
        "tables": [each.table for each in triggers],
        "names": [each.name for each in triggers],
    }
    rows = connection.execute(INSTALLED, values)
    noted = {row.name: row.noted for row in rows}
    return {
        capture.model.name
        for capture in wanted
        if all(noted.get(each.name) == capture.digest for each in capture.triggers)
    }


def _run(connection: Connection, sql: str) -> None:
    # DDL reads percent signs as its own.
    connection.execute(ddl(sql.replace("%", "%%")))
