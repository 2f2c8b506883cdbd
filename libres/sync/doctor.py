"""Examines what could keep a synchronisation from working, and says what to do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import Text, bindparam, cast, func, select, text

from libres.context.core import missing
from libres.sync import row_security
from libres.sync.audit.tables import Tables
from libres.sync.capture import installing
from libres.sync.capture.triggers import PREFIX, Capture
from libres.sync.errors import KeysMissing
from libres.sync.feed import partitions
from libres.sync.filter_store import Filters
from libres.sync.keyring import keyring_of
from libres.sync.models import (
    MODELS,
    SyncDevice,
    SyncFeed,
    SyncMembership,
    SyncPermission,
    SyncUser,
)
from libres.sync.registry import registry_of
from libres.sync.switches import Switches

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.sync.registry import Registry, SyncModel

Severity = Literal["error", "warning", "info"]
"""It does not work; it will not, or not as it should; good to know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found, and what to do about it."""

    name: str
    """Of the examination: ``triggers``, ``partitions``, …"""

    severity: Severity
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Case:
    """What is examined."""

    context: Context
    session: Session

    @property
    def connection(self) -> Connection:
        """That of the session."""
        return self.session.connection()

    @property
    def registry(self) -> Registry:
        """The models that should be synchronised."""
        return registry_of(self.context)

    def value(self, sql: Any, **values: Any) -> Any:
        """Run a statement that gives one value."""
        return self.session.execute(sql, values).scalar()


def examine(context: Context, session: Session) -> list[Finding]:
    """Return all that is wrong, or good to know; the worst first.

    While tables are missing, nothing else is examined.
    """
    case = Case(context, session)
    found = list(_tables(case))
    if not found:
        found = [each for examination in EXAMINATIONS for each in examination(case)]
    return sorted(found, key=lambda each: SEVERITIES.index(each.severity))


SEVERITIES: Final = ("error", "warning", "info")

EXISTS: Final = text("SELECT to_regclass(:table) IS NOT NULL").bindparams(
    bindparam("table")
)


def _tables(case: Case) -> Iterator[Finding]:
    names = [model.__tablename__ for model in MODELS]
    gone = [each for each in names if not case.value(EXISTS, table=each)]
    if gone:
        yield Finding(
            *("tables", "error", f"Tables are missing: {', '.join(gone)}."),
            "Call libres.sync.setup(context), and commit.",
        )


def _triggers(case: Case) -> Iterator[Finding]:
    for model in case.registry:
        capture = Capture(case.context.name, model)
        if not case.value(EXISTS, table=capture.table):
            yield Finding(
                *("models", "error", f"{model.name} has no table {capture.table}."),
                "Create it, and call libres.sync.setup(context).",
            )
        elif not installing.is_installed(case.connection, capture):
            yield Finding(
                *("triggers", "error", f"Changes of {model.name} are not all noted."),
                "Its triggers are missing, off, or of an earlier version: mend().",
            )


FOREIGN: Final = text(
    "SELECT DISTINCT nspname, relname, tgname FROM pg_trigger "
    "JOIN pg_class ON pg_class.oid = tgrelid "
    "JOIN pg_namespace ON pg_namespace.oid = relnamespace "
    f"WHERE starts_with(tgname, '{PREFIX}_') ORDER BY nspname, relname"
)


def _strangers(case: Case) -> Iterator[Finding]:
    """Find the triggers of this context on tables of no model that is registered, or
    audited."""
    known = {
        trigger.name
        for model in Tables(case.context)
        for trigger in Capture(case.context.name, model).triggers
    }
    tables = {
        relation: None
        for schema, relation, name in case.session.execute(FOREIGN)
        if name not in known and _is_ours(case.context.name, schema, relation, name)
    }
    for table in tables:
        yield Finding(
            *("strangers", "warning", f"{table} is not registered, but still noted."),
            f"Register its model, or drop the functions {PREFIX}_{table}_… by CASCADE.",
        )


def _is_ours(context: str, schema: str, relation: str, name: str) -> bool:
    for known in (relation, f"{schema}.{relation}"):
        digest = hashlib.sha256(f"{context}\0{known}".encode()).hexdigest()[:8]
        if f"_{digest}_" in name:
            return True
    return False


def _permissions(case: Case) -> Iterator[Finding]:
    query = select(SyncPermission.model).where(
        SyncPermission.context == case.context.name
    )
    given = set(case.session.scalars(query.distinct()))
    for name in sorted(given - {each.name for each in case.registry}):
        yield Finding(
            *("permissions", "warning", f"There are rights for {name}, no model."),
            "Register it, or revoke them.",
        )
    for model in case.registry:
        if model.name not in given:
            yield Finding(
                *("rights", "info", f"Nobody has rights for {model.name}."),
                "Grant some to a role.",
            )


def _filters(case: Case) -> Iterator[Finding]:
    for each in Filters(case.context).all():
        if each.problem is not None:
            yield Finding(
                "filters",
                "error",
                f"A filter of {each.code} for {each.model} shows nothing: "
                f"{each.problem}",
                "Set it again, or remove it.",
            )


def _switches(case: Case) -> Iterator[Finding]:
    for each in Switches(case.context).all():
        if not each.on:
            yield Finding(
                *("switches", "info", f"{each.model} is switched off."),
                "Switch it on, if anybody is to push or pull it.",
            )


INDEXED: Final = text(
    "SELECT EXISTS (SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid "
    "AND attnum = indkey[0] WHERE indrelid = to_regclass(:table) "
    "AND attname = :column AND indisvalid AND indpred IS NULL)"
).bindparams(bindparam("table"), bindparam("column"))


def _indexes(case: Case) -> Iterator[Finding]:
    for model in case.registry:
        if model.tenant is None:
            continue
        table = Capture(case.context.name, model).table
        if not case.value(INDEXED, table=table, column=model.tenant.name):
            yield Finding(
                "indexes",
                "warning",
                f"{table}.{model.tenant.name} has no index: who pulls {model.name} "
                f"for the first time reads the rows of all organisations.",
                f"CREATE INDEX ON {table} ({model.tenant.name}).",
            )


def _references(case: Case) -> Iterator[Finding]:
    known = {each.relation for each in case.registry}
    for model in case.registry:
        for field in model.fields.values():
            for key in field.column.foreign_keys:
                target = key.column.table.fullname
                if target not in known:
                    yield Finding(
                        "references",
                        "warning",
                        f"{model.name}.{field.name} refers to {target}, which is not "
                        f"synchronised: devices do not know what it means.",
                        "Register its model, or leave the field out.",
                    )


def _members(case: Case) -> Iterator[Finding]:
    for user in _unknown_users(case):
        yield Finding(
            *("members", "warning", f"Nobody knows the user {user} of a membership."),
            "Remove the membership, or see that your user service finds them.",
        )


def _unknown_users(case: Case) -> Iterable[str]:
    query = (
        select(SyncMembership.user)
        .where(SyncMembership.context == case.context.name)
        .distinct()
        .order_by(SyncMembership.user)
    )
    if case.context.get("service/sync_users") is not missing:
        service: Any = case.context.get_service("sync_users")
        return [each for each in case.session.scalars(query) if not service.user(each)]
    known = select(cast(SyncUser.id, Text)).where(SyncUser.context == case.context.name)
    return case.session.scalars(query.where(SyncMembership.user.not_in(known))).all()


def _partitions(case: Case) -> Iterator[Finding]:
    now = case.value(select(func.now()))
    for moment in (now, now + partitions.AHEAD):
        name = partitions.name_of(moment)
        if not case.value(EXISTS, table=name):
            yield Finding(
                *("partitions", "error", f"The partition {name} is missing."),
                "Call libres.sync.setup(context) as the owner of the tables.",
            )
            return


OLDEST: Final = text(
    "SELECT extract(epoch FROM now() - min(at))::bigint FROM sync_pending "
    "WHERE context = :context AND at < now() - interval '1 minute'"
).bindparams(bindparam("context"))


def _pending(case: Case) -> Iterator[Finding]:
    seconds = case.value(OLDEST, context=case.context.name)
    if seconds is not None:
        yield Finding(
            *("pending", "warning", f"A change has waited for {seconds} seconds."),
            "Nobody numbers the feed: let a worker run, or call number().",
        )


def _devices(case: Case) -> Iterator[Finding]:
    query = (
        select(func.count())
        .select_from(SyncDevice)
        .join(SyncFeed, SyncFeed.context == SyncDevice.context)
        .where(
            SyncDevice.context == case.context.name,
            SyncDevice.revoked.is_(None),
            SyncDevice.position < SyncFeed.kept,
        )
    )
    count = case.value(query)
    if count:
        yield Finding(
            *("devices", "info", f"{count} devices are behind what is kept."),
            "They fetch everything anew; revoke those that are not in use any more.",
        )


def _secrets(case: Case) -> Iterator[Finding]:
    try:
        keyring_of(case.context)
    except KeysMissing as error:
        yield Finding(
            *("secrets", "error", "There is no secret that is long enough."), str(error)
        )


def _row_security(case: Case) -> Iterator[Finding]:
    owned = [each for each in case.registry if each.tenant is not None]
    is_on = {each: row_security.is_on(case.connection, each.table) for each in owned}
    if not any(is_on.values()):
        yield Finding(
            *("row_security", "info", "Row-level security is off."),
            "Call enable_row_security() for a second wall between organisations.",
        )
        return
    yield from _gaps(model for model, has in is_on.items() if not has)
    if not row_security.is_told(case.context):
        yield Finding(
            *(
                "row_security",
                "error",
                "Row-level security is on, and readers unaware.",
            ),
            f"Call context.set_setting({row_security.SETTING!r}, True) at each start.",
        )


def _gaps(models: Iterable[SyncModel]) -> Iterator[Finding]:
    for model in models:
        yield Finding(
            *("row_security", "error", f"{model.name} is not behind the second wall."),
            "Call enable_row_security() again.",
        )


EXAMINATIONS: Final[tuple[Callable[[Case], Iterable[Finding]], ...]] = (
    _triggers,
    _strangers,
    _permissions,
    _filters,
    _switches,
    _indexes,
    _references,
    _members,
    _partitions,
    _pending,
    _devices,
    _secrets,
    _row_security,
)
