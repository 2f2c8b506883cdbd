"""Drops what is older than a setting allows, in pieces, so that nobody has to wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Integer, Text, bindparam, text

from libres.db.models.timestamp import TimestampMixin
from libres.modules.errors import insist
from libres.sync.models.columns import MOMENT
from libres.sync.settings import Settings
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from collections.abc import Callable

    from libres.context.core import Context

MOST: Final = 10_000
"""Rows in a transaction."""

LONGEST: Final = 36_500
"""Days."""

DROP: Final = """\
DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {table} WHERE context = :context AND at < :before
    ORDER BY at LIMIT :most FOR UPDATE SKIP LOCKED
))
"""
"""Takes the oldest; what somebody else is about to drop is left to them."""

COUNT: Final = "SELECT count(*) FROM {table} WHERE context = :context AND at < :before"

PARAMETERS: Final = (
    bindparam("context", type_=Text()),
    bindparam("before", type_=MOMENT),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A table whose rows are kept for some days."""

    table: str
    setting: str
    """Says for how many."""

    def drop(
        self,
        context: Context,
        days: int | None = None,
        told: Callable[[int], object] = lambda _count: None,
    ) -> int:
        """Drop what is older than *days* (None: than the setting says); return how many
        rows there were. *told* hears how many are gone so far.

        READ COMMITTED, as it gets in the way of no transaction that writes there.
        Raises Misuse for days that make no sense.
        """
        values = {**self._values(context, days), "most": MOST}
        total, last = 0, MOST
        while last == MOST:
            with apart(context) as connection:
                last = connection.execute(self.dropping(), values).rowcount
            total += last
            told(total)
        return total

    def count(self, context: Context, days: int | None = None) -> int:
        """Count what `drop` would drop. One statement, beside the setting."""
        query = text(COUNT.format(table=self.table)).bindparams(*PARAMETERS)
        with apart(context) as connection:
            found = connection.execute(query, self._values(context, days))
            return int(found.scalar() or 0)

    def dropping(self) -> Any:
        """Return the statement that drops a piece."""
        most = bindparam("most", type_=Integer())
        return text(DROP.format(table=self.table)).bindparams(*PARAMETERS, most)

    def _values(self, context: Context, days: int | None) -> dict[str, Any]:
        if days is None:
            before = kept_until(context, self.setting)
        else:
            insist(0 <= days <= LONGEST, f"days is from 0 to {LONGEST}.")
            before = TimestampMixin.timestamp() - timedelta(days=days)
        return {"context": context.name, "before": before}


LOG: Final = Kept("sync_log", "log_kept")
METRICS: Final = Kept("sync_metrics", "metrics_kept")
APPLIED: Final = Kept("sync_applied", "applied_kept")


def kept_until(context: Context, setting: str) -> datetime:
    """Return before when nothing is kept, by a setting in days."""
    days = context.transaction(lambda: Settings(context).get(setting))
    return TimestampMixin.timestamp() - timedelta(days=days)
