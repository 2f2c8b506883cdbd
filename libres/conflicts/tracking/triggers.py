"""Writes the triggers that keep claims right, in the statement that changes the rows.

They are triggers for statements with transition tables: one for each event, whatever
the number of rows, and whoever writes: flushes, bulk statements, COPY, cascades.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Column, Table

from libres.conflicts.errors import NotTrackable
from libres.conflicts.locking import MOST_LOCKS, in_turn, is_locked
from libres.conflicts.models import is_of
from libres.conflicts.tracking.derivation import (
    COLUMNS,
    DIALECT,
    TRACKED,
    derivation,
    source_id,
    sql_name,
    watched_columns,
)
from libres.conflicts.tracking.folding import quoted
from libres.conflicts.tracking.mapping import ClaimMapping, Target

TABLES: Final = {
    "INSERT": "REFERENCING NEW TABLE AS fresh",
    "UPDATE": "REFERENCING OLD TABLE AS gone NEW TABLE AS fresh",
    "DELETE": "REFERENCING OLD TABLE AS gone",
    "TRUNCATE": "",
}

NAMES: Final = ", ".join(COLUMNS)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger, and the function it calls, of the same name."""

    table: str
    """As SQL names it."""

    name: str
    event: str
    body: str

    @property
    def creating(self) -> tuple[str, str]:
        """The statements that make function and trigger."""
        function = f"""\
CREATE OR REPLACE FUNCTION {self.name}() RETURNS trigger
LANGUAGE plpgsql AS $tracking$
BEGIN
{self.body}
    RETURN NULL;
END $tracking$"""
        trigger = f"""\
CREATE OR REPLACE TRIGGER {self.name}
AFTER {self.event} ON {self.table} {TABLES[self.event]}
FOR EACH STATEMENT EXECUTE FUNCTION {self.name}()"""
        return function, trigger


@dataclass(frozen=True)
class Plan:
    """All that is installed to track a model."""

    context: str
    target: Target
    mappings: Sequence[ClaimMapping]
    depends_on: Sequence[Any]
    folded: bool

    @cached_property
    def everything(self) -> str:
        """The SELECT of all claims that the table stands for."""
        return derivation(self.target, self.mappings, None, self.folded)

    @cached_property
    def triggers(self) -> list[Trigger]:
        """The triggers on the table, and on those it depends on."""
        table = sql_name(self.target.table)
        own = [
            Trigger(table, self._name(event), event, body)
            for event, body in (
                ("INSERT", self._insert()),
                ("UPDATE", self._update()),
                ("DELETE", self._delete("gone")),
                ("TRUNCATE", f"    DELETE FROM conflict_claims WHERE {self._owned};"),
            )
        ]
        return [*own, *self._dependencies()]

    @property
    def digest(self) -> str:
        """What everything is recognised by."""
        parts = [self.everything, *(f"{each.creating}" for each in self.triggers)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    # Bodies ---------------------------------------------------------------------------

    def _insert(self) -> str:
        return self._write(derivation(self.target, self.mappings, "fresh", self.folded))

    def _update(self) -> str:
        """Write what follows an update: nothing, if no column that matters changed."""
        columns = ", ".join(watched_columns(self.target, self.mappings))
        old, new = (
            f"SELECT {source_id(self.target, rows)} AS id, ROW({columns})::text "
            f"FROM {rows}"
            for rows in ("gone", "fresh")
        )
        derived = derivation(self.target, self.mappings, "fresh", self.folded)
        changed = f"SELECT id FROM ({new} EXCEPT ALL {old}) AS changed"
        return f"""\
    IF NOT EXISTS ({new} EXCEPT ALL {old}) THEN
        RETURN NULL;
    END IF;
{self._forget(f"SELECT id FROM ({old} EXCEPT ALL {new}) AS left_over")}
{self._write(f"SELECT * FROM ({derived}) AS derived WHERE source_id IN ({changed})")}"""

    def _delete(self, rows: str) -> str:
        return self._forget(f"SELECT {source_id(self.target)} FROM {rows} AS {TRACKED}")

    def _forget(self, ids: str) -> str:
        """Write what deletes claims of rows. An array makes it an index scan also in a
        plan that is kept from when there were many of them, or few."""
        return f"""\
    DELETE FROM conflict_claims
    WHERE {self._owned} AND source_id = ANY (ARRAY({ids}));"""

    @property
    def _owned(self) -> str:
        return f"context = {self._context} AND source = {self._source}"

    @property
    def _context(self) -> str:
        return quoted(self.context)

    @property
    def _source(self) -> str:
        return quoted(self.target.source)

    def _write(self, derived: str, rows: str = "fresh") -> str:
        """Write what inserts claims, and locks their resources if they are few; before,
        what is in the way and has expired goes, if anything has expired at all."""
        few = f"""\
(SELECT count(*) <= {MOST_LOCKS}
    FROM (SELECT FROM {rows} LIMIT {MOST_LOCKS + 1}) AS few)"""
        ordered = in_turn(
            f"({derived}) AS derived",
            self._context,
            "resource",
            "lower(during)",
            few,
        )
        return f"""\
    IF EXISTS (
        SELECT FROM conflict_claims
        WHERE expires <= statement_timestamp() AND context = {self._context}
    ) THEN
        DELETE FROM conflict_claims AS claim
        USING (SELECT resource, during FROM ({derived}) AS derived) AS wanted
        WHERE {is_of("claim", self._context, "wanted.resource")}
        AND claim.during && wanted.during
        AND claim.expires <= statement_timestamp();
    END IF;
    INSERT INTO conflict_claims (context, source, {NAMES})
    SELECT {self._context}, {self._source}, {NAMES} FROM {ordered} AS ordered
    WHERE {is_locked("ordered.place", few)};"""

    # Other tables ---------------------------------------------------------------------

    def _dependencies(self) -> Iterator[Trigger]:
        by_table: dict[Table, list[Column[Any]]] = {}
        for value in self.depends_on:
            column = _column(value)
            by_table.setdefault(column.table, []).append(column)
        for number, (table, columns) in enumerate(by_table.items()):
            name = self._name(f"UPDATE {number}")
            body = self._follow(table, columns)
            yield Trigger(sql_name(table), name, "UPDATE", body)

    def _follow(self, table: Table, columns: Sequence[Column[Any]]) -> str:
        """Derive anew the rows that refer to what has changed in another table."""
        names = ", ".join(_quote(column.name) for column in columns)
        pairs = _references(self.target.table, table)
        own = ", ".join(f"{TRACKED}.{_quote(column.name)}" for column, _ in pairs)
        theirs = ", ".join(_quote(other.name) for _, other in pairs)
        old, new = (
            f"SELECT {theirs}, ROW({names})::text FROM {rows}"
            for rows in ("gone", "fresh")
        )
        changed = f"""\
(SELECT {theirs} FROM ({old} EXCEPT ALL {new}) AS old
UNION SELECT {theirs} FROM ({new} EXCEPT ALL {old}) AS new)"""
        table_name = sql_name(self.target.table)
        affected = f"FROM {table_name} AS {TRACKED} WHERE ({own}) IN {changed}"
        derived = f"""\
WITH affected AS (SELECT {TRACKED}.* {affected})
{derivation(self.target, self.mappings, "affected", self.folded)}"""
        return f"""\
    IF NOT EXISTS ({new} EXCEPT ALL {old}) THEN
        RETURN NULL;
    END IF;
{self._forget(f"SELECT {source_id(self.target)} {affected}")}
{self._write(derived)}"""

    def _name(self, event: str) -> str:
        named = f"{self.context}\x1f{self.target.source}\x1f{event}"
        digest = hashlib.sha256(named.encode()).hexdigest()
        return f"conflict_track_{digest[:20]}_{event[:6].lower()}"


def _column(value: Any) -> Column[Any]:
    clause = (
        value.__clause_element__() if hasattr(value, "__clause_element__") else value
    )
    if isinstance(clause, Column) and isinstance(clause.table, Table):
        return clause.table.c.get(clause.name, clause)
    message = f"depends_on lists columns of other tables, not {value!r}."
    raise NotTrackable(message)


def _references(own: Table, other: Table) -> list[tuple[Column[Any], Column[Any]]]:
    """Return the pairs of columns by which a table refers to another one."""
    pairs = [
        (key.parent, key.column)
        for key in own.foreign_keys
        if key.column.table.fullname == other.fullname
    ]
    if not pairs:
        message = (
            f"{own.name} has no foreign key to {other.name}, so which rows depend on "
            f"it cannot be told: call rebuild() when it changes."
        )
        raise NotTrackable(message)
    return pairs


def _quote(name: str) -> str:
    return str(DIALECT.identifier_preparer.quote(name))
