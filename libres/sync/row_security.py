"""Lets PostgreSQL itself show each organisation only its rows: a second wall.

The first one, in `libres.sync.tenancy`, is part of each statement of this room. The
second one also stands where somebody forgot it, in raw SQL for instance. It binds roles
that do not own the tables; owners only if they ask for it, superusers never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import DDL, bindparam, text

from libres.sync.acting import Act, acting
from libres.sync.capture.triggers import DIALECT
from libres.sync.feed import erasing
from libres.sync.models import (
    MODELS,
    AuditAnchor,
    AuditErasure,
    SyncChange,
    SyncFeed,
    SyncPending,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from libres.context.core import Context
    from libres.sync.registry import SyncModel
    from libres.sync.values import Member

ddl: Callable[[str], DDL] = DDL

SETTING: Final = "sync_row_security"
"""Of the context: True, where transactions that only read have to be told, too, for
whom they read. It costs them a statement."""

POLICY: Final = "libres_organization"

WHOSE: Final = "nullif(current_setting('libres.organization', true), '')"
"""Nothing is equal to null: without organisation nothing is shown."""

EVERYTHING: Final = "current_setting('libres.feed', true) = 'all'"
"""Said by the transactions that number the feed, which is that of all."""

SEEING_THE_FEED: Final = text("SELECT set_config('libres.feed', 'all', true)")

FEED: Final = (SyncPending.__table__, SyncChange.__table__)

APPENDED: Final = tuple(
    each.__table__ for each in (SyncChange, AuditAnchor, AuditErasure)
)
"""What is only added to."""

SEQUENCES: Final = text(
    "SELECT pg_get_serial_sequence(:table, attname) FROM pg_attribute "
    "WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped "
    "AND attidentity = '' AND pg_get_serial_sequence(:table, attname) IS NOT NULL"
).bindparams(bindparam("table"))

IS_ON: Final = text(
    "SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass(:table)"
).bindparams(bindparam("table"))


def is_told(context: Context) -> bool:
    """Tell whether transactions that only read are told for whom they read."""
    return context.get_setting(SETTING) is True


@contextmanager
def seen_by(context: Context, member: Member) -> Iterator[None]:
    """Read what the organisation of a member sees; costs nothing without the wall."""
    if not is_told(context):
        yield
        return
    reference = member.organization.reference
    act = Act(member.user.username, organization=reference, tells_readers=True)
    with acting(context.get_service("session_provider").session(), act):
        yield


def enable(
    connection: Connection, models: Iterable[SyncModel], *, owners: bool = False
) -> int:
    """Show rows of models, and of the feed, to their organisation only; return how
    many tables there are. Who owns the tables is bound only as one of the *owners*."""
    count = 0
    for table, rows, written in _walls(models):
        count += 1
        for sql in _enabling(table, rows, written, owners=owners):
            _run(connection, sql)
    return count


def disable(connection: Connection, models: Iterable[SyncModel]) -> int:
    """Show all rows again to who may read the tables; return how many tables there
    are."""
    count = 0
    for table, _rows, _written in _walls(models):
        count += 1
        _run(connection, f"DROP POLICY IF EXISTS {POLICY} ON {table}")
        _run(connection, f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        _run(connection, f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    return count


def is_on(connection: Connection, table: Table) -> bool:
    """Tell whether a table shows each organisation only its rows."""
    return bool(connection.execute(IS_ON, {"table": _named(table)}).scalar())


def grants(connection: Connection, models: Iterable[SyncModel], role: str) -> list[str]:
    """Return the statements that let a role push and pull without owning a table.

    Numbered changes it may only add and read. New partitions of them are made by their
    owner: let `libres sync` run under it at least once a month.
    """
    to = str(DIALECT.identifier_preparer.quote(role))
    own = [model.__table__ for model in MODELS]
    told = [f"GRANT {_rights(each)} ON {_named(each)} TO {to}" for each in own]
    for model in models:
        table = _named(model.table)
        told.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {to}")
        found = connection.execute(SEQUENCES, {"table": table}).scalars()
        told += [f"GRANT USAGE ON SEQUENCE {each} TO {to}" for each in found]
    told.append(f"GRANT EXECUTE ON FUNCTION {erasing.NAME} TO {to}")
    return told


def _rights(table: object) -> str:
    if table in APPENDED:
        return "SELECT, INSERT"
    if table is SyncFeed.__table__:
        return "SELECT, INSERT, UPDATE"
    return "SELECT, INSERT, UPDATE, DELETE"


# Policies -----------------------------------------------------------------------------


def _walls(models: Iterable[SyncModel]) -> list[tuple[str, str, str]]:
    """Return tables, which of their rows are shown, and which may be written."""
    walls = []
    for model in models:
        if model.tenant is not None:
            column = DIALECT.identifier_preparer.quote(model.tenant.name)
            rule = f"{column}::text = {WHOSE}"
            walls.append((_named(model.table), rule, rule))
    shown = f"tenant IS NULL OR tenant = {WHOSE} OR tenant_before = {WHOSE}"
    # Whoever changes a row notes it, whosever it is: triggers add, and never ask.
    return walls + [(_named(each), f"{shown} OR {EVERYTHING}", "true") for each in FEED]


def _enabling(table: str, shown: str, written: str, *, owners: bool) -> tuple[str, ...]:
    force = "FORCE" if owners else "NO FORCE"
    return (
        f"DROP POLICY IF EXISTS {POLICY} ON {table}",
        f"CREATE POLICY {POLICY} ON {table} USING ({shown}) WITH CHECK ({written})",
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} {force} ROW LEVEL SECURITY",
    )


def _named(table: Any) -> str:
    return str(DIALECT.identifier_preparer.format_table(table))


def _run(connection: Connection, sql: str) -> None:
    connection.execute(ddl(sql.replace("%", "%%")))
