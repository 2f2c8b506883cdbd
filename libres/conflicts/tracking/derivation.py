"""Writes the SQL that derives claims of rows: of a table, or of what changed in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Table,
    cast,
    literal,
    null,
    select,
)
from sqlalchemy import table as as_table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import coercions, roles, visitors

from libres.conflicts.errors import NotTrackable
from libres.conflicts.models import INHERITED
from libres.conflicts.tracking.folding import normalized, quoted
from libres.conflicts.tracking.mapping import ClaimMapping, Target

DIALECT: Final = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
"""The named style leaves percent signs alone."""

TRACKED: Final = "tracked"
"""What the rows are called, wherever they come from."""

COLUMNS: Final = ("source_id", "part", "resource", *INHERITED)
"""What is derived of a row."""


def sql_name(table: Table) -> str:
    """Write the name of a table, with its schema if it has one."""
    return str(DIALECT.identifier_preparer.format_table(table))


def source_id(target: Target, row: str = TRACKED) -> str:
    """Write the id of a row: its primary key; parts are joined by a comma."""
    names = (_quote(column.name) for column in target.key)
    return " || ',' || ".join(f"CAST({row}.{name} AS text)" for name in names)


def watched_columns(target: Target, mappings: Sequence[ClaimMapping]) -> list[str]:
    """Return which columns of the table matter, quoted, in their order."""
    names = {column.name for column in target.key}
    for mapping in mappings:
        for value in _values(mapping):
            names |= {
                str(getattr(element, "name", ""))
                for element in visitors.iterate(value)
                if _is_of(element, target.table)
            }
    columns = (column.name for column in target.table.columns)
    return [_quote(name) for name in columns if name in names]


def derivation(
    target: Target, mappings: Sequence[ClaimMapping], rows: str | None, folded: bool
) -> str:
    """Write a SELECT of claims: of *rows*, a relation like the table, or of all."""
    origin = _origin(target.table, rows)
    return "\nUNION ALL\n".join(
        _Part(target, mapping, origin, folded).select(number)
        for number, mapping in enumerate(mappings)
    )


def _origin(table: Table, rows: str | None) -> FromClause:
    if rows is None:
        return table.alias(TRACKED)
    columns: list[Any] = [Column(each.name, each.type) for each in table.columns]
    return as_table(rows, *columns).alias(TRACKED)


class _Part:
    """One mapping, read from one origin."""

    def __init__(
        self, target: Target, mapping: ClaimMapping, origin: FromClause, folded: bool
    ) -> None:
        self._target = target
        self._mapping = mapping
        self._origin = origin
        self._folded = folded

    def select(self, number: int) -> str:
        """Write the SELECT; its values are computed below, then brought into form."""
        mapping = self._mapping
        before, after = _interval(mapping.before), _interval(mapping.after)
        given = "(lowest IS NOT NULL OR highest IS NOT NULL)"
        return f"""\
SELECT source_id, CAST({number} AS bigint) AS part,
    {normalized("resource", self._folded)} AS resource,
    {self._during(before, after)} AS during,
    {before} AS before, {after} AS after,
    numrange(CAST(lowest AS numeric), CAST(highest AS numeric),
        CASE WHEN {given} THEN '{mapping.bounds}' ELSE '()' END) AS span,
    {given} AS span_given, CAST(dims AS jsonb) AS dims,
    CAST(exclusive AS boolean) AS exclusive, CAST(capacity AS integer) AS capacity,
    CAST(places AS integer) AS places, CAST(tentative AS boolean) AS tentative,
    CAST(expires AS timestamptz) AS expires,
    CAST(label AS text) AS label, CAST(url AS text) AS url
FROM ({self._values()}) AS derived
WHERE resource IS NOT NULL"""

    def _during(self, before: str, after: str) -> str:
        starts, ends = (self._moment(end) for end in ("starts", "ends"))
        known = [
            f"{name} IS NOT NULL"
            for name, may_be_open in (
                ("starts", self._mapping.open_start),
                ("ends", self._mapping.open_end),
            )
            if not may_be_open
        ]
        span = (
            f"tstzrange(nullif({starts}, '-infinity') - {before}, "
            f"nullif({ends}, 'infinity') + {after})"
        )
        return f"CASE WHEN {' AND '.join(known)} THEN {span} END" if known else span

    def _moment(self, name: str) -> str:
        if self._mapping.timezone is None:
            return f"CAST({name} AS timestamptz)"
        return (
            f"CAST({name} AS timestamp) AT TIME ZONE {quoted(self._mapping.timezone)}"
        )

    def _values(self) -> str:
        mapping = self._mapping
        named = {
            "resource": mapping.resource,
            "starts": mapping.start,
            "ends": mapping.end,
            "lowest": mapping.lower,
            "highest": mapping.upper,
            "dims": mapping.dims,
            "exclusive": mapping.exclusive,
            "capacity": mapping.capacity,
            "places": mapping.places,
            "tentative": mapping.tentative,
            "expires": mapping.expires,
            "label": mapping.label,
            "url": mapping.url,
        }
        columns = [self._moved(value).label(name) for name, value in named.items()]
        query = select(*columns).select_from(self._origin)
        if mapping.where is not None:
            query = query.where(self._moved(mapping.where))
        written = _written(query)
        return f"SELECT {source_id(self._target)} AS source_id, {written[7:]}"

    def _moved(self, value: Any) -> ColumnElement[Any]:
        """Return an expression that reads the origin instead of the table."""
        if value is None:
            return null()

        def move(element: Any, **_options: Any) -> Any:
            if _is_of(element, self._target.table):
                return self._origin.c[element.name]
            return None

        moved: ColumnElement[Any] = visitors.replacement_traverse(
            _clause(value), {}, move
        )
        return moved


def _values(mapping: ClaimMapping) -> Iterator[ColumnElement[Any]]:
    for name in mapping.__dataclass_fields__:
        value = getattr(mapping, name)
        if hasattr(value, "__clause_element__") or hasattr(value, "compile"):
            yield _clause(value)


def _clause(value: Any) -> ColumnElement[Any]:
    if isinstance(value, dict):
        return cast(literal(json.dumps(value)), postgresql.JSONB)
    if isinstance(value, (str, bool, int, float)):
        return literal(value)
    found: ColumnElement[Any] = coercions.expect(roles.ExpressionElementRole, value)
    return found


def _is_of(element: Any, table: Table) -> bool:
    if not isinstance(element, Column):
        return False
    owner = getattr(element, "table", None)
    return getattr(owner, "fullname", None) == table.fullname


def _written(query: Any) -> str:
    try:
        compiled = query.compile(
            dialect=DIALECT, compile_kwargs={"literal_binds": True}
        )
    except (CompileError, NotImplementedError) as error:
        message = f"A value cannot be written as SQL: {error}."
        raise NotTrackable(message) from error
    return str(compiled)


def _interval(length: timedelta) -> str:
    micros = length // timedelta(microseconds=1)
    return f"CAST('{micros} microseconds' AS interval)"


def _quote(name: str) -> str:
    return str(DIALECT.identifier_preparer.quote(name))
