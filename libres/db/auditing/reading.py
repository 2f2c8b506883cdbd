"""Audits a database: runs one statement after the other and sorts what they give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Text, TextClause, bindparam, text

from libres.db.auditing import statements
from libres.db.auditing.checks import BY_NAME, CHECKS
from libres.db.auditing.findings import Finding, Level, MissingTablesError, Row
from libres.db.auditing.mirrors import is_beyond_quota
from libres.db.models.timestamp import TimestampMixin
from libres.db.models.types import UUID as UUIDType
from libres.db.models.types import UTCDateTime
from libres.db.operations.sessions import LIFETIME
from libres.db.passing import BIND
from libres.domain.days import check_timezone
from libres.modules.errors import Misuse

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Values: TypeAlias = Mapping[str, Any]
Progress: TypeAlias = Callable[[str], object]

PARAMETERS: Final[dict[str, Any]] = {
    "resources": ARRAY(UUIDType()),
    "ids": ARRAY(Integer()),
    "names": ARRAY(Text()),
    "expired": UTCDateTime(),
}
UUIDS: Final = {"resource", "mirror_of", "group", "target", "session_id"}
TOKENS: Final = {"token", "reservation_token"}
"""The columns that hold UUIDs, which not every driver reads as such."""

JUDGEMENTS: Final = ("check", "mendable", "excused")
"""The columns that are not about the row itself."""


def audit(
    session: Session,
    resources: Iterable[object] | None = None,
    progress: Progress | None = None,
    *,
    notices: bool = False,
) -> list[Finding]:
    """Look at all rows, or those of some resources; change nothing.

    Empty if all is well. With *notices* it also tells what the library itself may
    leave behind and does no harm. *progress* is told what is looked at next.

    Everything is read in the session's transaction, rows that it has not committed
    included; below REPEATABLE READ each statement sees what others have committed
    meanwhile. Raises MissingTablesError.
    """
    session.flush()
    values = {
        "resources": None if resources is None else [str(each) for each in resources],
        "expired": TimestampMixin.timestamp() - LIFETIME,
    }
    told = progress or (lambda _name: None)
    findings = _findings(_rows(session, values, told))
    return [each for each in findings if notices or each.level == "error"]


def _rows(session: Session, values: Values, progress: Progress) -> Iterator[Row]:
    missing = _missing_columns(session)
    if missing & BASE:
        raise MissingTablesError
    if missing:
        names = [f"{table}.{column}" for table, column in sorted(missing)]
        yield {"check": "old-schema", "missing": names}
    for look in LOOKS:
        if missing.isdisjoint(look.needs):
            progress(look.name)
            yield from look.find(session, values)


def _findings(rows: Iterable[Row]) -> list[Finding]:
    """Put rows together by check, level, and whether they can be mended."""
    sorts: defaultdict[tuple[str, bool, Level], list[Row]] = defaultdict(list)
    for row in rows:
        check = BY_NAME[row["check"]]
        mendable = check.mended is not None and row.get("mendable", True)
        level: Level = "notice" if check.is_notice or row.get("excused") else "error"
        sorts[check.name, mendable, level].append(_told(row))
    order = [check.name for check in CHECKS]
    keys = sorted(sorts, key=lambda key: (order.index(key[0]), *key))
    return [_finding(key, sorts[key]) for key in keys]


def _told(row: Row) -> Row:
    return {name: each for name, each in row.items() if name not in JUDGEMENTS}


def _finding(key: tuple[str, bool, Level], rows: list[Row]) -> Finding:
    name, repairable, level = key
    check = BY_NAME[name]
    mended = f"libres check --repair mends this: {check.mended}"
    remedy = mended if repairable else check.remedy
    return Finding(name, tuple(rows), check.message, remedy, repairable, level)


# What is looked at -------------------------------------------------------------------

Column: TypeAlias = tuple[str, str]

BASE: Final[frozenset[Column]] = frozenset(
    {
        ("allocations", "mirror_of"),
        ("reserved_slots", "reservation_token"),
        ("reservations", "token"),
    }
)
LATER: Final[frozenset[Column]] = frozenset(
    {
        ("reserved_slots", "source_type"),
        ("reserved_slots", "source_id"),
        ("reservation_blockers", "id"),
    }
)
"""What the oldest databases do not have."""


@dataclass(frozen=True, slots=True)
class Look:
    """A part of the audit, and the later columns without which it cannot be made."""

    name: str
    find: Callable[[Session, Values], Iterable[Row]]
    needs: frozenset[Column] = LATER


def _missing_columns(session: Session) -> frozenset[Column]:
    rows = run(session, statements.COLUMNS, {})
    return (BASE | LATER) - {(row["table"], row["column"]) for row in rows}


def run(session: Session, sql: str, values: Values, **options: Any) -> Iterator[Row]:
    """Run a statement and yield its rows: times aware, UUIDs as such.

    *values* may hold more than the statement asks for.
    """
    used = {name: each for name, each in values.items() if f":{name}" in sql}
    result = session.execute(
        _statement(sql), used, bind_arguments=BIND, execution_options=options
    )
    names = list(result.keys())
    for row in result:
        yield {name: _read(name, each) for name, each in zip(names, row, strict=True)}


@cache
def _statement(sql: str) -> TextClause:
    used = [name for name in PARAMETERS if f":{name}" in sql]
    return text(sql).bindparams(*(bindparam(n, type_=PARAMETERS[n]) for n in used))


def _read(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if value is not None and name in UUIDS | TOKENS:
        return UUID(str(value))
    return value


def _plain(sql: str) -> Callable[[Session, Values], Iterator[Row]]:
    return lambda session, values: run(session, sql, values)


def _beyond_quota(session: Session, values: Values) -> Iterator[Row]:
    """Which mirrors are no place of their master? PostgreSQL cannot name them."""
    given = run(session, statements.KEYS, values, yield_per=10_000)
    found = [row for row in given if is_beyond_quota(row)]
    ids = [row["id"] for row in found]
    occupied = run(session, statements.OCCUPIED, {"ids": ids}) if found else ()
    taken = {row["allocation_id"] for row in occupied}
    for row in found:
        mendable = row["id"] not in taken
        yield {"check": "mirror-beyond-quota", **row, "mendable": mendable}


def _in_unknown_timezones(session: Session, values: Values) -> Iterator[Row]:
    rows = run(session, statements.TIMEZONES, {})
    names = [row["timezone"] for row in rows if not _is_known(row["timezone"])]
    if names:
        yield from run(session, statements.IN_TIMEZONES, {**values, "names": names})


def _is_known(timezone: str) -> bool:
    try:
        check_timezone(timezone)
    except Misuse:
        return False
    return True


ALWAYS: Final[frozenset[Column]] = frozenset()

LOOKS: Final = (
    Look("slots and allocations", _plain(statements.SLOTS)),
    Look("slots and owners", _plain(statements.OWNERS)),
    Look("what owners hold", _plain(statements.HOLDINGS)),
    Look("targets", _plain(statements.TARGETS)),
    Look("sessions", _plain(statements.SESSIONS), ALWAYS),
    Look("overlaps", _plain(statements.OVERLAPS), ALWAYS),
    Look("mirrors and masters", _plain(statements.MIRRORS), ALWAYS),
    Look("mirrors and quotas", _beyond_quota, ALWAYS),
    Look("groups", _plain(statements.GROUPS), ALWAYS),
    Look("values", _plain(statements.VALUES)),
    Look("timezones", _in_unknown_timezones),
)
