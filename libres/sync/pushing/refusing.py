"""Says why the database or the library refused an item, and nothing of others."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import UniqueConstraint
from sqlalchemy.exc import DBAPIError

from libres.context.drivers import driver_error, sqlstate
from libres.context.transactions import classify
from libres.modules.errors import LibresError
from libres.sync.handlers import Refused

if TYPE_CHECKING:
    from libres.sync.handlers import Item
    from libres.sync.registry import SyncModel

NOT_NULL: Final = "23502"
FOREIGN_KEY: Final = "23503"
UNIQUE: Final = "23505"
CHECK: Final = "23514"
EXCLUSION: Final = "23P01"
NO_PRIVILEGE: Final = "42501"

DATA: Final = ("22", "23", "44", "P0")
"""Classes of what is wrong with data; P0 is raised by triggers of the host."""

REFUSED: Final = "The database refuses this."
NOTHING_THERE: Final = "refers to a row that is not there"
IN_USE: Final = "Others refer to this row."
TAKEN: Final = "is taken already"


def is_of_an_item(error: BaseException) -> bool:
    """Tell whether an error says that an item cannot be written, and not that the
    database is in trouble, or that others are in the way."""
    if classify(error) != "no":
        return False
    if isinstance(error, LibresError):
        return True
    code = sqlstate(error) or ""
    return isinstance(error, DBAPIError) and (
        code.startswith(DATA) or code == NO_PRIVILEGE
    )


def refused(item: Item, error: BaseException) -> Refused:
    """Tell a client why an item was refused."""
    if isinstance(error, LibresError):
        return Refused("invalid", str(error))
    code = sqlstate(error) or ""
    if code == NO_PRIVILEGE:
        return Refused("forbidden", "You may not write this row.")
    if code.startswith("22"):
        return Refused("invalid", "A value is not one that can be stored.")
    diagnosis = getattr(driver_error(error), "diag", None)
    if getattr(diagnosis, "table_name", None) != item.model.table.name:
        is_in_use = code == FOREIGN_KEY and item.op == "delete"
        return Refused("invalid", IN_USE if is_in_use else REFUSED)
    return _of_own_table(item, code, diagnosis)


def _of_own_table(item: Item, code: str, diagnosis: Any) -> Refused:
    model, constraint = item.model, diagnosis.constraint_name or ""
    if code == NOT_NULL:
        name = _field(model, [diagnosis.column_name])
        return Refused("invalid", REFUSED if name is None else "must not be null", name)
    if code == UNIQUE:
        name = _field(model, _unique(model, constraint))
        return Refused(
            "invalid", "A value is taken already." if name is None else TAKEN, name
        )
    if code == FOREIGN_KEY:
        if item.op == "delete":
            return Refused("invalid", IN_USE)
        return Refused(
            "invalid", NOTHING_THERE, _field(model, _foreign(model, constraint))
        )
    if code in (CHECK, EXCLUSION):
        return Refused("invalid", f"The constraint {constraint!r} does not allow this.")
    return Refused("invalid", REFUSED)


def _field(model: SyncModel, columns: Collection[str]) -> str | None:
    """Name the first of some columns that clients know."""
    for name, each in model.fields.items():
        if each.column.name in columns:
            return name
    known = {each.column.name for each in model.key}
    return "id" if known & set(columns) else None


def _unique(model: SyncModel, name: str) -> list[str]:
    """Return the columns of a constraint or index of a name."""
    table = model.table
    for each in table.constraints:
        if isinstance(each, UniqueConstraint) and each.name == name:
            return [column.name for column in each.columns]
    for index in table.indexes:
        if index.name == name:
            return [column.name for column in index.columns]
    if name == (table.primary_key.name or f"{table.name}_pkey"):
        return [column.name for column in table.primary_key]
    # What is named by the database: table, columns, and what it is.
    return [
        column.name
        for column in table.columns
        if name == f"{table.name}_{column.name}_key"
    ]


def _foreign(model: SyncModel, name: str) -> list[str]:
    for each in model.table.foreign_key_constraints:
        columns = [element.parent.name for element in each.elements]
        if name in (each.name, f"{model.table.name}_{'_'.join(columns)}_fkey"):
            return columns
    return []
