"""Finds the row that a change is about, in its table.

What is noted of a row is jsonb, as PostgreSQL makes it of the values of columns; to
compare and to write, PostgreSQL makes values of it again. So nothing is lost on its
way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, false, literal_column, text, true
from sqlalchemy.dialects.postgresql import JSONB

from libres.db.passing import escaped
from libres.sync.capture.triggers import literal
from libres.sync.fields import InvalidValue

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause

    from libres.sync.registry import SyncModel

THIS: Final = "this"
"""What statements call the row."""

IMAGE: Final = literal_column(f"to_jsonb({THIS})", JSONB())
"""The row, as it is noted."""


def table_of(model: SyncModel) -> FromClause:
    """Return the table of a model under the name of `THIS`."""
    return model.table.alias(THIS)


def is_row(table: FromClause, model: SyncModel, key: str) -> ColumnElement[bool]:
    """Say which row of a table a key of the feed is about; what can be no key is about
    none."""
    try:
        values = [
            part.kind.read(part.kind.write(value))
            for part, value in zip(model.key, model.key_values(key), strict=True)
        ]
    except (ValueError, TypeError, OverflowError, InvalidValue):
        return false()
    pairs = zip(model.key, values, strict=True)
    return and_(*(table.c[part.column.key] == value for part, value in pairs))


def is_noted(model: SyncModel, context: str) -> Any:
    """Say which rows of a table are noted in a context."""
    if model.noted is None:
        return true()
    return text(escaped(model.noted.format(row=THIS, context=literal(context))))


def without_secrets(model: SyncModel, image: Any) -> Any:
    """Leave out of an image what is never noted."""
    hidden = model.secret | model.ignored
    return {name: value for name, value in image.items() if name not in hidden}
