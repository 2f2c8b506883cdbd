"""Compares the tables of a database with the models, and says what differs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Enum, inspect, text

from libres.db.migrations.revisions import head, noted
from libres.db.migrations.running import connected
from libres.db.models import ORMBase
from libres.db.operations.setting_up import OUR_MODELS

if TYPE_CHECKING:
    from libres.db.migrations import Target

OUR_TABLES: Final = frozenset(str(model.__tablename__) for model in OUR_MODELS)

UNFINISHED: Final = text("""
    SELECT indexrelid::regclass::text FROM pg_index
    JOIN pg_class ON pg_class.oid = indrelid
    WHERE NOT indisvalid AND relname = ANY(:tables) AND pg_table_is_visible(indrelid)
    ORDER BY 1
""")

LABELS: Final = text("""
    SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum
    WHERE enumtypid = to_regtype(:name)
""")


def check(target: Target) -> list[str]:
    """Return what differs, in sentences."""
    with connected(target) as connection:
        return [
            *_revision(connection),
            *_types(connection),
            *_tables(connection),
            *_keys(connection),
            *_unfinished(connection),
        ]


def _revision(connection: Connection) -> Iterator[str]:
    if (found := noted(connection)) != head():
        yield f"The revision is {found or 'not noted'}, not {head()}."


def _types(connection: Connection) -> Iterator[str]:
    for name, labels in _enums().items():
        found = connection.execute(LABELS, {"name": name}).scalar_one()
        if found is None:
            yield f"The type {name} is missing."
        elif found != labels:
            yield f"The type {name} has the labels {', '.join(found)}."


def _enums() -> dict[str, list[str]]:
    columns = (column for model in OUR_MODELS for column in model.__table__.columns)
    types = (column.type for column in columns)
    return {str(t.name): list(t.enums) for t in types if isinstance(t, Enum)}


def _tables(connection: Connection) -> Iterator[str]:
    options = {
        "include_name": _is_ours,
        "include_object": _is_wanted,
        "compare_type": True,
    }
    context = MigrationContext.configure(connection, opts=options)
    for kind, *facts in _flat(compare_metadata(context, ORMBase.metadata)):
        if kind != "add_index" or inspect(connection).has_table(facts[0].table.name):
            yield _sentence(kind, *facts)


def _flat(differences: list[Any]) -> Iterator[tuple[Any, ...]]:
    """Take the changes of one column out of the list that Alembic puts them into."""
    for each in differences:
        yield from each if isinstance(each, list) else [each]


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name in OUR_TABLES


def _is_wanted(
    _item: object, name: str | None, kind: str, reflected: bool, other: object
) -> bool:
    """Leave out what applications have added, to our tables or beside them."""
    if kind == "table":
        return name in OUR_TABLES
    return not (reflected and other is None)


def _sentence(kind: str, *facts: Any) -> str:
    if kind == "add_table":
        return f"The table {facts[0].name} is missing."
    if kind == "add_column":
        return f"The table {facts[1]} has no column {facts[2].name}."
    if kind.startswith("modify_"):
        _schema, table, column, _given, found, wanted = facts
        what = kind.removeprefix("modify_")
        return f"The column {column} of {table} has the {what} {found}, not {wanted}."
    if kind.startswith("add_"):
        what = "index" if kind == "add_index" else "constraint"
        return f"The table {facts[0].table.name} has no {what} {facts[0].name}."
    return f"There is something else: {kind} {facts[0]}."


def _keys(connection: Connection) -> Iterator[str]:
    """Alembic does not compare primary keys, and one of ours is the first promise."""
    known = inspect(connection)
    for model in OUR_MODELS:
        table: Any = model.__table__
        wanted = [column.name for column in table.primary_key.columns]
        if known.has_table(table.name):
            found = known.get_pk_constraint(table.name)["constrained_columns"]
            if found != wanted:
                columns = ", ".join(wanted)
                yield f"The table {table.name} has no primary key over {columns}."


def _unfinished(connection: Connection) -> Iterator[str]:
    for name in connection.execute(
        UNFINISHED, {"tables": sorted(OUR_TABLES)}
    ).scalars():
        yield f"The index {name} was interrupted while it was made."
