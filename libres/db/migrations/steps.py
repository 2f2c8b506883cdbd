"""What a revision is made of: statements, and the condition that makes them needless.

Every step looks at what is there. So it may be taken again, after an interruption or by
a second process, and databases of any age end up equal. Steps say all they have to say
in SQL, so that the same ones make the script for those who run it by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Condition: TypeAlias = str
"""A boolean expression in SQL, which looks at the catalogue."""

Manner: TypeAlias = Literal["once", "by pages", "concurrently"]
"""``by pages``: once for each stretch of the table, which is put into the statement in
place of ``{pages}``. ``concurrently``: in no transaction, and only if it is wanted."""


@dataclass(frozen=True, slots=True)
class Short:
    """A statement that is done ahead of a revision, in short transactions."""

    sql: str
    unless: Condition = "false"
    manner: Manner = "once"
    table: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Statements of one transaction, and what may be done ahead to make them short."""

    says: str
    unless: Condition
    sql: tuple[str, ...]
    ahead: tuple[Short, ...] = ()
    casts: str | None = None
    """The table whose column ``data`` is read as JSON, which may fail."""


Take: TypeAlias = Callable[[Step], None]
"""What a revision hands its steps to, one after the other."""


# Conditions -------------------------------------------------------------------------


def has_table(table: str) -> Condition:
    """Is there such a table, or index?"""
    return f"to_regclass('{table}') IS NOT NULL"


def has_column(table: str, column: str, and_it: Condition = "true") -> Condition:
    """Is there such a column, of a table that may be missing?"""
    return (
        f"EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('{table}') "
        f"AND attname = '{column}' AND NOT attisdropped AND {and_it})"
    )


def has_check(table: str, name: str, and_it: Condition = "true") -> Condition:
    """Is there such a constraint?"""
    return (
        f"EXISTS (SELECT FROM pg_constraint WHERE conrelid = to_regclass('{table}') "
        f"AND conname = '{name}' AND {and_it})"
    )


def has_index(name: str, and_it: Condition = "indisvalid") -> Condition:
    """Is there such an index? One that was interrupted while it was made is none."""
    return (
        f"EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('{name}') "
        f"AND {and_it})"
    )


# Steps ------------------------------------------------------------------------------


def enum(name: str, *labels: str) -> Step:
    """Make a type."""
    listed = ", ".join(f"'{label}'" for label in labels)
    return Step(
        says=f"creates the type {name}",
        unless=f"to_regtype('{name}') IS NOT NULL",
        sql=(f"CREATE TYPE {name} AS ENUM ({listed})",),
    )


def table(name: str, columns: str) -> Step:
    """Make a table, without indexes."""
    return Step(
        says=f"creates the table {name}",
        unless=has_table(name),
        sql=(f"CREATE TABLE {name} ({columns})",),
    )


def column(table: str, name: str, definition: str, *then: str) -> Step:
    """Add a column, then do what else is needed under the same lock."""
    return Step(
        says=f"adds the column {name} to {table}",
        unless=has_column(table, name),
        sql=(f"ALTER TABLE {table} ADD COLUMN {name} {definition}", *then),
    )


def jsonb(table: str) -> Step:
    """Store data as jsonb instead of text. Rewrites the table; NULL stays NULL."""
    return Step(
        says=f"stores the data of {table} as jsonb",
        unless=has_column(table, "data", "atttypid = to_regtype('jsonb')"),
        sql=(f"ALTER TABLE {table} ALTER COLUMN data TYPE jsonb USING data::jsonb",),
        casts=table,
    )


def required(table: str, column: str, fill: str) -> tuple[Step, ...]:
    """Fill a column, then refuse NULL in it.

    *fill* updates the rows that hold NULL in ``{pages}``, a condition. Ahead, it is run
    by pages until a constraint keeps NULL out; that proves to PostgreSQL that it need
    not read the table again while everybody waits.
    """
    check = f"{table}_{column}_is_known"
    is_strict = has_column(table, column, "attnotnull")
    is_proven = f"({is_strict} OR {has_check(table, check, 'convalidated')})"
    by_pages = Short(fill, is_proven, "by pages", table)
    guard = (
        f"ALTER TABLE {table} ADD CONSTRAINT {check} "
        f"CHECK ({column} IS NOT NULL) NOT VALID"
    )
    prove = f"ALTER TABLE {table} VALIDATE CONSTRAINT {check}"
    return (
        Step(
            says=f"fills in {column} of {table}",
            unless=is_proven,
            sql=(fill.replace("{pages}", "true"),),
            ahead=(
                by_pages,
                Short(guard, f"({is_strict} OR {has_check(table, check)})"),
                by_pages,  # what was written before the constraint came
                Short(prove, is_proven),
            ),
        ),
        Step(
            says=f"requires {column} of {table}",
            unless=is_strict,
            sql=(f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL",),
        ),
        Step(
            says=f"tidies up {table}",
            unless=f"NOT {has_check(table, check)}",
            sql=(f"ALTER TABLE {table} DROP CONSTRAINT {check}",),
        ),
    )


def index(name: str, table: str, over: str) -> Step:
    """Make an index, in place of one that was interrupted while it was made."""
    is_needless = f"({has_index(name)} OR NOT {has_table(table)})"
    is_leftover = has_index(name, "NOT indisvalid")
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {name}"
    create = f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} {over}"
    return Step(
        says=f"creates the index {name}",
        unless=has_index(name),
        sql=(f"DROP INDEX IF EXISTS {name}", f"CREATE INDEX {name} ON {table} {over}"),
        ahead=(
            Short(drop, f"NOT {is_leftover}", "concurrently"),
            Short(create, is_needless, "concurrently"),
        ),
    )


def indexes(table: str, *columns: str) -> tuple[Step, ...]:
    """Make an index over each column, with the usual name."""
    return tuple(
        index(f"ix_{table}_{column.strip('_')}", table, f'("{column}")')
        for column in columns
    )
