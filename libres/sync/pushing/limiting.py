"""Says how much may be pushed at once, by the settings of the context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from libres.sync.models import SyncSetting
from libres.sync.pushing.reading import Limits
from libres.sync.settings import setting_of
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from libres.context.core import Context

NAMES: Final = ("largest_push", "largest_body", "deepest")


def limits_of(context: Context) -> Limits:
    """Return the limits of a context. One statement, in a transaction of its own: that
    of the push has not begun, and its isolation is not decided."""
    table = SyncSetting.__table__.c
    query = select(table.name, table.value).where(
        table.context == context.name, table.name.in_(NAMES)
    )
    with apart(context) as connection:
        stored = {row.name: row.value for row in connection.execute(query)}
    found = (int(stored.get(name, setting_of(name).default)) for name in NAMES)
    return Limits(*found)
