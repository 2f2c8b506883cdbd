"""Passes rows of any table to a statement: one array per column, whatever its type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    ARRAY,
    Numeric,
    Text,
    bindparam,
    case,
    cast,
    column,
    func,
    null,
    select,
    types,
)
from sqlalchemy.dialects.postgresql import JSONB

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, TableValuedAlias

NAME: Final = "passed"


class Rows:
    """Rows that are given when a statement runs: of some columns of a table, in order.

    Arrays cannot be unnested by the row; each goes as a list of texts in jsonb.
    """

    def __init__(self, columns: Sequence[Column[Any]]) -> None:
        self.columns = tuple(columns)
        # Rows of no column are counted by one of nulls.
        self._items = [_item(each.type) for each in self.columns] or [Text()]

    @cached_property
    def table(self) -> TableValuedAlias:
        """The table, to select from; it has a ``position``, from 1."""
        arrays = [
            cast(bindparam(f"{NAME}_{n}", type_=ARRAY(item, dimensions=1)), ARRAY(item))
            for n, item in enumerate(self._items)
        ]
        names = [column(f"c{n}", item) for n, item in enumerate(self._items)]
        table = func.unnest(*arrays).table_valued(*names, with_ordinality="position")
        return table.render_derived(NAME)

    def value(self, number: int) -> ColumnElement[Any]:
        """Return what is passed for one of the columns, as the column holds it."""
        passed = self.table.c[f"c{number}"]
        kind = self.columns[number].type
        return _array(passed, kind) if isinstance(kind, ARRAY) else passed

    def of(self, rows: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
        """Return the parameters; a value per column in each row."""
        parameters: dict[str, list[Any]] = {
            f"{NAME}_{n}": [] for n in range(len(self._items))
        }
        if not self.columns:
            return {name: [None for _row in rows] for name in parameters}
        lists = list(parameters.values())
        are_arrays = [isinstance(each.type, ARRAY) for each in self.columns]
        for row in rows:
            for values, value, is_array in zip(lists, row, are_arrays, strict=True):
                values.append(_texts(value) if is_array else value)
        return parameters


def _item(kind: Any) -> Any:
    """Return as what values are passed: not cut or rounded on the way."""
    if isinstance(kind, ARRAY):
        return JSONB(none_as_null=True)
    if isinstance(kind, types.JSON):
        return type(kind)(none_as_null=True)
    if isinstance(kind, types.TypeDecorator | types.Enum):
        return kind
    if isinstance(kind, types.String):
        return Text()
    if isinstance(kind, types.Numeric) and not isinstance(kind, types.Float):
        return Numeric()
    return kind


def _array(passed: Any, kind: Any) -> ColumnElement[Any]:
    elements = func.jsonb_array_elements_text(passed).column_valued("element")
    texts = func.array(select(elements).scalar_subquery(), type_=ARRAY(Text()))
    return case((passed.is_(None), null()), else_=cast(texts, kind))


def _texts(values: Sequence[Any] | None) -> list[str | None] | None:
    if values is None:
        return None
    return [None if each is None else _text(each) for each in values]


def _text(value: Any) -> str:
    """Write a value as PostgreSQL reads it."""
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} seconds"
    return str(value)
