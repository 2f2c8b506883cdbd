"""The SQL of plain rows: they are locked, read, made, changed and deleted in sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Text,
    and_,
    bindparam,
    cast,
    delete,
    false,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from libres.db.passing import BIND
from libres.sync.filters import BoundFilter, filter_of
from libres.sync.row_passing import Rows
from libres.sync.tenancy import owned_by

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Row

    from libres.sync.handlers import Work
    from libres.sync.pushing.relations import Reference
    from libres.sync.registry import SyncModel

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A row, as Python holds it."""

    key: Key
    values: Mapping[str, Any]
    """By the names of fields."""


@dataclass(frozen=True)
class Table:
    """The table of a model, as somebody sees it."""

    work: Work
    model: SyncModel

    @property
    def filter(self) -> BoundFilter | None:
        """Which rows the member sees of those of the organisation."""
        return filter_of(self.model, self.work.member)

    def sees(self, found: Found) -> bool:
        """Tell whether the filter shows a row."""
        bound = self.filter
        if bound is None:
            return True
        names = dict(zip((f.name for f in self.model.key), found.key, strict=True))
        return bound.matches({**names, "id": found.key[0], **found.values})

    @property
    def owned(self) -> ColumnElement[bool]:
        """The condition that a row belongs to the organisation; nothing belongs to one
        that is nobody."""
        model, member = self.model, self.work.member
        reference = member.organization.reference
        if not reference or (model.tenant is None and not model.shared):
            return false()
        owned = owned_by(model, reference, self.work.context.name)
        return owned if model.where is None else and_(owned, model.where)

    # Statements -----------------------------------------------------------------------

    def lock(self, keys: Sequence[Key]) -> dict[Key, Found]:
        """Keep others from changing rows, in the order of their keys; return those of
        the organisation."""
        rows = Rows(self._key_columns)
        query = (
            select(*self._told)
            .join_from(rows.table, self.model.table, self._same(rows))
            .where(self.owned)
            .order_by(*self._key_columns)
            .with_for_update(of=self.model.table)
        )
        return self._by_key(self._run(query, rows.of(keys)))

    def existing(self, keys: Sequence[Key]) -> set[Key]:
        """Return which rows there are, of the organisation."""
        rows = Rows(self._key_columns)
        query = select(*self._key_columns).join_from(
            rows.table, self.model.table, self._same(rows)
        )
        return {tuple(row) for row in self._run(query.where(self.owned), rows.of(keys))}

    def visible(self, reference: Reference, values: Sequence[Key]) -> set[Key]:
        """Return which references lead to a row that the member sees; to be asked of
        the table that they lead to."""
        columns = [self.model.table.c[name] for name in reference.columns]
        rows = Rows(columns)
        same = and_(*(each == rows.value(n) for n, each in enumerate(columns)))
        bound = self.filter
        shown = true() if bound is None else bound.sql()
        query = select(rows.table.c.position).join_from(
            rows.table, self.model.table, same
        )
        found = self._run(query.where(self.owned, shown), rows.of(values))
        return {tuple(values[row.position - 1]) for row in found}

    def insert(
        self, columns: Sequence[Column[Any]], rows: Sequence[Sequence[Any]]
    ) -> list[Found]:
        """Make rows, of which some columns are given; return them in this order.

        If the key is among them, rows whose key is taken are left out. INSERT … SELECT
        … ORDER BY makes, and returns, one row after the other.
        """
        passed = Rows(columns)
        targets: list[Any] = list(columns)
        values: list[Any] = [passed.value(n) for n in range(len(columns))]
        tenant = self.model.tenant
        if tenant is not None and tenant not in targets:
            reference = self.work.member.organization.reference
            owner = bindparam("sync_owner", reference, type_=Text())
            targets.append(tenant)
            values.append(cast(owner, tenant.type))
        for column in self.model.table.columns:
            default: Any = column.default
            if default is not None and column not in targets:
                drawn = default.is_sequence or default.is_clause_element
                if drawn:
                    targets.append(column)
                    values.append(
                        default.next_value() if default.is_sequence else default.arg
                    )
        source = select(*values).select_from(passed.table)
        made: Any = insert(self.model.table).from_select(
            targets, source.order_by(passed.table.c.position), include_defaults=False
        )
        if set(self._key_columns) <= set(columns):
            made = made.on_conflict_do_nothing(index_elements=self._key_columns)
        found = self._run(made.returning(*self._told), passed.of(rows))
        return [self._found(each) for each in found]

    def update(
        self, columns: Sequence[Column[Any]], rows: Sequence[Sequence[Any]]
    ) -> dict[Key, Found]:
        """Change columns of rows that are locked: a key and a value per column each."""
        passed = Rows([*self._key_columns, *columns])
        first = len(self._key_columns)
        changed: Any = (
            update(self.model.table)
            .where(self._same(passed), self.owned)
            .values({each: passed.value(first + n) for n, each in enumerate(columns)})
            .returning(*self._told)
        )
        return self._by_key(self._run(changed, passed.of(rows)))

    def delete(self, keys: Sequence[Key]) -> set[Key]:
        """Delete rows that are locked; return the keys of those that are gone."""
        passed = Rows(self._key_columns)
        gone = delete(self.model.table).where(self._same(passed), self.owned)
        found = self._run(gone.returning(*self._key_columns), passed.of(keys))
        return {tuple(row) for row in found}

    # Details --------------------------------------------------------------------------

    @property
    def _key_columns(self) -> list[Column[Any]]:
        return [each.column for each in self.model.key]

    @property
    def _told(self) -> list[Any]:
        """The key and all fields, by position: names of columns may be anything."""
        fields = [each.column for each in self.model.fields.values()]
        columns = [*self._key_columns, *fields]
        return [each.label(f"told_{n}") for n, each in enumerate(columns)]

    def _same(self, rows: Rows) -> ColumnElement[bool]:
        return and_(*(c == rows.value(n) for n, c in enumerate(self._key_columns)))

    def _run(self, statement: Any, parameters: Mapping[str, Any]) -> list[Row[Any]]:
        found = self.work.session.execute(statement, parameters, bind_arguments=BIND)
        return list(found.all())

    def _found(self, row: Sequence[Any]) -> Found:
        count = len(self.model.key)
        values = dict(zip(self.model.fields, row[count:], strict=True))
        return Found(tuple(row[:count]), values)

    def _by_key(self, rows: Sequence[Sequence[Any]]) -> dict[Key, Found]:
        return {each.key: each for each in map(self._found, rows)}
