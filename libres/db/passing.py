"""Passes rows to statements as parameters, so that a statement is made only once.

Making a statement costs SQLAlchemy more than running it costs PostgreSQL. Hence the
statements of the library are functions without arguments that remember their result;
what varies, and how much of it there is, comes in parameters: one array per column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, bindparam, column, func

from libres.db.models import Allocation
from libres.db.models.types import UUID, UTCDateTime

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Executable, Row, TableValuedAlias
    from sqlalchemy.orm import Session
    from sqlalchemy.types import TypeEngine


def escaped(sql: str) -> str:
    """Write SQL of others for text(), so that no colon in it begins a parameter."""
    return sql.replace(":", "\\:")


class PassedRows:
    """A table whose rows are given when a statement runs.

    Beside its *columns* the table has ``position``: the number of the row, from 1.
    """

    def __init__(self, name: str, columns: Mapping[str, TypeEngine[Any]]) -> None:
        self._name = name
        self._columns = columns

    @cached_property
    def table(self) -> TableValuedAlias:
        """The table, to select from."""
        arrays = [passed_array(*each) for each in self._items()]
        names = [column(key, item) for key, item in self._columns.items()]
        table = func.unnest(*arrays).table_valued(*names, with_ordinality="position")
        return table.render_derived(self._name)

    def of(self, rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Any]]:
        """Return the parameters that fill the table; a value per column in each row."""
        columns = zip(*rows, strict=True)
        filled = dict(zip(self._names(), map(list, columns), strict=False))
        return filled or {name: [] for name in self._names()}

    def _items(self) -> Iterable[tuple[str, TypeEngine[Any]]]:
        return zip(self._names(), self._columns.values(), strict=True)

    def _names(self) -> list[str]:
        return [f"{self._name}_{key}" for key in self._columns]


def passed_array(name: str, item: TypeEngine[Any]) -> ColumnElement[Any]:
    """Make a parameter that takes a list of values."""
    return bindparam(name, type_=ARRAY(item))


WINDOWS: Final = PassedRows(
    "windows", {"resource": UUID(), "start": UTCDateTime(), "end": UTCDateTime()}
)
"""The times in which allocations of some resources are looked for, borders included."""


def fetch(
    session: Session, statement: Executable, parameters: Mapping[str, Any]
) -> list[Row[Any]]:
    """Run a statement that gives plain values; flushes before, as a query does."""
    if session.autoflush:
        session.flush()
    rows = session.execute(statement, parameters, bind_arguments=BIND).all()
    return list(rows)


BIND: Final = {"mapper": Allocation.__mapper__}
"""Hosts may keep the tables of different models in different databases."""
