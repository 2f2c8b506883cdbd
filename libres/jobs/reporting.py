"""Says what devices have asked for in a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, bindparam, case, func, select

from libres.db.models.timestamp import TimestampMixin
from libres.jobs.noting import OPERATION
from libres.sync.models import SyncLog
from libres.sync.models.columns import MOMENT
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from libres.context.core import Context

DAY: Final = timedelta(days=1)

TEXT: Final = """\
{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC: {operations:,} operations, \
{pushes:,} pushes and {pulls:,} pulls among them; {succeeded:,} succeeded, {failed:,} \
failed; {objects:,} objects; {average}."""


@dataclass(frozen=True, slots=True)
class Report:
    """What devices have asked for, from *since* on and before *until*, in UTC."""

    since: datetime
    until: datetime
    operations: int
    """Of all kinds: pushes, pulls, signing in."""

    pushes: int
    pulls: int
    succeeded: int
    """Operations, also those of which only a part was refused."""

    failed: int
    objects: int
    """Rows that were written or sent."""

    seconds: float | None
    """On average for an operation; None: there was none."""

    def __str__(self) -> str:
        values = {name: getattr(self, name) for name in self.__slots__}
        took = "nothing was asked" if self.seconds is None else "{:.3f} s on average"
        return TEXT.format(**values, average=took.format(self.seconds))


_LOG: Final[Any] = SyncLog.__table__.c

FIGURES: Final = select(
    func.count().label("operations"),
    func.count(case((_LOG.operation == "push", 1))).label("pushes"),
    func.count(case((_LOG.operation == "pull", 1))).label("pulls"),
    func.count(case((_LOG.status != "error", 1))).label("succeeded"),
    func.count(case((_LOG.status == "error", 1))).label("failed"),
    func.coalesce(func.sum(_LOG.succeeded), 0).label("objects"),
    func.avg(_LOG.seconds).label("seconds"),
).where(
    _LOG.context == bindparam("context", type_=Text()),
    _LOG.at >= bindparam("since", type_=MOMENT),
    _LOG.at < bindparam("until", type_=MOMENT),
    _LOG.operation != OPERATION,
)


def daily_report(context: Context, until: datetime | None = None) -> Report:
    """Report on the 24 hours before a moment; None: now. One statement."""
    end = TimestampMixin.timestamp() if until is None else until
    values = {"context": context.name, "since": end - DAY, "until": end}
    with apart(context) as connection:
        row = connection.execute(FIGURES, values).one()
    return Report(
        since=end - DAY,
        until=end,
        operations=row.operations,
        pushes=row.pushes,
        pulls=row.pulls,
        succeeded=row.succeeded,
        failed=row.failed,
        objects=int(row.objects),
        seconds=None if row.seconds is None else float(row.seconds),
    )
