"""Says in SQL which rows of a model belong to an organisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Text, bindparam, cast, false, text, true, types

from libres.db.passing import escaped
from libres.sync.capture.triggers import DIALECT, literal

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement

    from libres.sync.registry import SyncModel


def owned_by(
    model: SyncModel, reference: str, context: str
) -> ColumnElement[bool] | Any:
    """Return the condition that a row belongs to the organisation of a reference; all
    rows of shared models do.

    The reference is compared as text, by the value that the column holds for it, so
    that an index of the column can be used.
    """
    if model.shared:
        return true()
    if model.tenant is None:
        return _told(model, reference, context)
    return _equal(model.tenant, reference)


def _told(model: SyncModel, reference: str, context: str) -> Any:
    assert model.tenant_sql is not None  # noqa: S101 - as registering has seen
    row = DIALECT.identifier_preparer.format_table(model.table)
    sql = escaped(model.tenant_sql.format(row=row, context=literal(context)))
    owner = bindparam("sync_reference", reference, type_=Text())
    return text(f"coalesce(({sql}), '') = :sync_reference").bindparams(owner)


def _equal(column: Column[Any], reference: str) -> Any:
    if isinstance(column.type, types.TypeDecorator):
        return cast(column, Text) == reference
    if isinstance(column.type, types.Uuid):
        return _exactly(column, reference, UUID)
    if isinstance(column.type, types.Integer):
        return _exactly(column, reference, int)
    return cast(column, Text) == reference


def _exactly(column: Column[Any], reference: str, read: Any) -> Any:
    """Compare with a value, if there is one that is written like the reference."""
    try:
        value = read(reference)
    except ValueError:
        return false()
    if str(value) != reference:
        return false()
    return column == (value if column.type.python_type is read else reference)
