"""Undoes changes of plain rows: sets columns back, removes rows, brings them back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from sqlalchemy import (
    ARRAY,
    Text,
    bindparam,
    delete,
    func,
    inspect,
    select,
    text,
    update,
)

from libres.db.passing import escaped
from libres.sync import acting
from libres.sync.audit import rows
from libres.sync.audit.undoing import (
    ERASED_SINCE,
    NOTHING,
    THERE,
    Undone,
)
from libres.sync.audit.values import Reverted
from libres.sync.capture.triggers import DIALECT
from libres.sync.errors import NotRevertible
from libres.sync.models import SyncSetting

if TYPE_CHECKING:
    from sqlalchemy import Column

    from libres.sync.registry import SyncModel

OURS: Final = "libres.sync."
"""Begins the names of the models of the configuration."""

UNKNOWN: Final = "This process does not know the columns {fields}: set them by hand."

NEVER_NOTED: Final = (
    "What {fields} held was never noted, and it cannot be empty: write the row by hand."
)

REFERRED_TO: Final = (
    "Rows of {tables} refer to it, and would be changed as well: remove them first."
)


def undo(undone: Undone) -> Reverted:
    """Undo a change of a plain row. Raises NotRevertible."""
    return VERBS[undone.entry.action](undone)


# Updates ------------------------------------------------------------------------------


def _set_back(undone: Undone) -> Reverted:
    changed = undone.entry.changes
    if any(each.is_erased for each in changed):
        raise NotRevertible(ERASED_SINCE)
    own = _renewed(undone)
    fixed = {each.name for each in undone.model.table.columns if each.computed}
    fields = [each.field for each in changed if each.field not in {*own, *fixed}]
    if not fields:
        raise NotRevertible(NOTHING)
    unknown = [name for name in fields if name not in _columns(undone.model)]
    if unknown:
        raise NotRevertible(UNKNOWN.format(fields=", ".join(unknown)))
    undone.check_unchanged(fields)
    _write(undone, fields, own)
    return Reverted(undone.entry, "update", undone.entry.key, tuple(fields))


def _write(undone: Undone, fields: Collection[str], own: dict[str, Any]) -> None:
    target: Any = undone.model.table
    was = undone.record(undone.before, "was", fields)
    columns = _columns(undone.model)
    values: dict[Any, Any] = {
        columns[name]: select(was.c[name]).scalar_subquery() for name in fields
    }
    values |= {columns[name]: value for name, value in own.items() if value is not None}
    query = update(target).values(values)
    undone.session.execute(
        query.where(rows.is_row(target, undone.model, undone.entry.key)),
        execution_options={"synchronize_session": False},
    )


def _columns(model: SyncModel) -> dict[str, Any]:
    return {each.name: each for each in model.table.columns}


def _renewed(undone: Undone) -> dict[str, Any]:
    """Return the columns that each change of a row renews, with their new values; None:
    SQLAlchemy knows. They are not set back: a version only grows."""
    model = undone.model
    found: dict[str, Any] = {
        each.name: None
        for each in model.table.columns
        if each.onupdate is not None or each.server_onupdate is not None
    }
    counter = _counter(model)
    if counter is not None:
        found[counter.name] = counter + 1
    if model.model is SyncSetting:
        found |= {"changed": func.now(), "changed_by": acting.who_acts().actor}
    return found


def _counter(model: SyncModel) -> Any:
    """Return the column that counts the versions of a row; None: there is none."""
    counter = inspect(model.model).version_id_col
    if counter is None and model.name.startswith(OURS):
        counter = model.table.columns.get("version")
    return counter


# Inserts ------------------------------------------------------------------------------


def _remove(undone: Undone) -> Reverted:
    own = _renewed(undone)
    image = undone.entry.after or {}
    if any(each.is_erased for each in undone.entry.changes):
        raise NotRevertible(ERASED_SINCE)
    undone.check_unchanged([name for name in image if name not in own])
    _check_references(undone)
    target: Any = undone.model.table
    undone.session.execute(
        delete(target).where(rows.is_row(target, undone.model, undone.entry.key)),
        execution_options={"synchronize_session": False},
    )
    return Reverted(undone.entry, "delete", undone.entry.key)


REFERENCES: Final = text("""\
SELECT conrelid::regclass::text AS relation,
    (SELECT string_agg(
        format('other.%I = this.%I', here.attname, there.attname), ' AND '
     )
     FROM unnest(conkey, confkey) AS pair (here_number, there_number)
     JOIN pg_attribute AS here ON here.attrelid = conrelid AND here.attnum = here_number
     JOIN pg_attribute AS there
        ON there.attrelid = confrelid AND there.attnum = there_number) AS joined
FROM pg_constraint
WHERE contype = 'f' AND confrelid = to_regclass(:table)
    AND confdeltype IN ('c', 'n', 'd') AND conparentid = 0
ORDER BY relation
""").bindparams(bindparam("table", type_=Text()))
"""Which rows would go along with a row of a table, or forget it?"""


def _check_references(undone: Undone) -> None:
    """Refuse if other rows would be changed, which nobody has asked for."""
    found = []
    references = undone.session.execute(REFERENCES, {"table": undone.table})
    for relation, joined in references.all():
        table = rows.table_of(undone.model)
        is_one = f"EXISTS (SELECT FROM {relation} AS other WHERE {joined})"
        query = (
            table.select()
            .with_only_columns(text(escaped(is_one)))
            .where(rows.is_row(table, undone.model, undone.entry.key))
        )
        if undone.session.execute(query).scalar():
            found.append(relation)
    if found:
        raise NotRevertible(REFERRED_TO.format(tables=", ".join(found)))


# Deletes ------------------------------------------------------------------------------


def _bring_back(undone: Undone) -> Reverted:
    if any(each.is_erased for each in undone.entry.changes):
        raise NotRevertible(ERASED_SINCE)
    table = rows.table_of(undone.model)
    is_there = table.select().where(rows.is_row(table, undone.model, undone.entry.key))
    if undone.session.execute(is_there).first() is not None:
        raise NotRevertible(THERE)
    written, filled = _insertable(undone)
    undone.session.execute(_inserting(undone, written, filled))
    return Reverted(undone.entry, "insert", undone.entry.key, tuple(written))


def _inserting(
    undone: Undone, written: Sequence[str], filled: Sequence[Column[Any]]
) -> Any:
    """Return the statement that inserts an image; values of other columns are drawn."""
    into = ", ".join(_quoted(name) for name in [*written, *(e.name for e in filled)])
    kinds = [each.type.compile(dialect=DIALECT) for each in filled]
    drawn = [f"CAST(:drawn_{n} AS {kind})" for n, kind in enumerate(kinds)]
    told = ", ".join([*(_told(undone.model, name) for name in written), *drawn])
    table = escaped(undone.table)
    statement = f"""\
INSERT INTO {table} ({escaped(into)}) OVERRIDING SYSTEM VALUE
SELECT {told} FROM jsonb_populate_record(NULL::{table}, CAST(:image AS jsonb))"""
    return text(statement).bindparams(
        bindparam("image", undone.before, type_=Text()),
        *(
            bindparam(f"drawn_{n}", _default(each), type_=each.type)
            for n, each in enumerate(filled)
        ),
    )


def _told(model: SyncModel, name: str) -> str:
    """Return SQL of what a column is filled with: as it was, but that a version grows,
    so that tokens that have ended with the row do not live again."""
    counter = _counter(model)
    is_counter = counter is not None and counter.name == name
    return escaped(_quoted(name)) + (" + 1" if is_counter else "")


def _default(column: Column[Any]) -> Any:
    """Return what Python fills a column with."""
    default: Any = column.default
    return default.arg(None) if default.is_callable else default.arg


def _has_default(column: Column[Any] | None) -> TypeGuard[Column[Any]]:
    default: Any = None if column is None else column.default
    return default is not None and (default.is_callable or default.is_scalar)


def _quoted(name: str) -> str:
    return str(DIALECT.identifier_preparer.quote(name))


COLUMNS: Final = text("""\
SELECT attname,
    attgenerated = '' AND attname = ANY(:noted) AS is_written,
    attnotnull AND NOT atthasdef AND attidentity = '' AND attname <> ALL(:noted)
        AS is_missing
FROM pg_attribute
WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
""").bindparams(
    bindparam("table", type_=Text()), bindparam("noted", type_=ARRAY(Text()))
)
"""Which columns does an image fill, and which cannot be left empty?"""


def _insertable(undone: Undone) -> tuple[list[str], list[Column[Any]]]:
    """Return the columns that are written as they were noted, and those that Python
    fills. Raises NotRevertible if there are others that cannot be left empty."""
    values = {"table": undone.table, "noted": sorted(undone.entry.before or {})}
    columns = undone.session.execute(COLUMNS, values).all()
    known = _columns(undone.model)
    missing = [each.attname for each in columns if each.is_missing]
    unknown = [name for name in missing if not _has_default(known.get(name))]
    if unknown:
        raise NotRevertible(NEVER_NOTED.format(fields=", ".join(unknown)))
    written = [each.attname for each in columns if each.is_written]
    return written, [known[name] for name in missing]


VERBS: Final = {"update": _set_back, "insert": _remove, "delete": _bring_back}
