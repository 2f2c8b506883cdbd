"""What reservations and blockers have in common: a target and times to show."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Mapped, Query, Session, object_session

from libres.db.models.other import OtherModels
from libres.db.models.timespan import Timespan
from libres.domain.days import to_zone
from libres.domain.spans import display_end
from libres.modules.errors import insist

if TYPE_CHECKING:
    from libres.db.models.allocation import Allocation


class Targeting(OtherModels):
    """Adds times as people say them and the allocations that are meant."""

    if TYPE_CHECKING:
        target: Mapped[uuid.UUID]
        target_type: Mapped[str]
        start: Mapped[datetime | None]
        end: Mapped[datetime | None]
        timezone: Mapped[str | None]

    @property
    def _session(self) -> Session:
        session = object_session(self)
        insist(session is not None, f"This {type(self).__name__} is in no session.")
        return session  # type: ignore[return-value]  # insisted just above

    def display_start(self, timezone: str | None = None) -> datetime:
        """Return the start in *timezone*. None: the record's own.

        Raises Misuse for groups, which have no times of their own.
        """
        return to_zone(self._own(self.start), self._zone(timezone))

    def display_end(self, timezone: str | None = None) -> datetime:
        """Return the end as people say it, in *timezone*. None: the record's own.

        Raises Misuse for groups, which have no times of their own.
        """
        return to_zone(display_end(self._own(self.end)), self._zone(timezone))

    def timespans(self) -> list[Timespan]:
        """Return the times that are meant, in their order, aware.

        An allocation's: one, its end as people say it, no query. A group's: the stored
        start and end (one microsecond short) of each member. Queries the database.
        Raises NotImplementedError for any other target type.
        """
        if self.target_type == "allocation":
            end = display_end(self._own(self.end))
            return [Timespan(self._own(self.start), end)]
        if self.target_type == "group":
            return [Timespan(each.start, each.end) for each in self._masters()]
        message = f"{self.target_type!r} is not a target type."
        raise NotImplementedError(message)

    @property
    def stored_times(self) -> tuple[datetime, datetime]:
        """The start and end as stored. Raises Misuse for groups."""
        return self._own(self.start), self._own(self.end)

    def _own(self, date: datetime | None) -> datetime:
        insist(date is not None, "A group has no times of its own: see timespans().")
        return date  # type: ignore[return-value]  # insisted just above

    def _zone(self, timezone: str | None) -> str:
        zone = timezone or self.timezone
        insist(zone, "There is no timezone: pass one.")
        return str(zone)

    def _targets(self) -> Query[Any]:
        allocation = self.models.Allocation
        query = self._session.query(allocation).filter(allocation.group == self.target)
        ordered: Query[Any] = query.order_by(allocation._start)
        return ordered

    def _masters(self) -> Query[Allocation]:
        return self._targets().filter(self.models.Allocation.is_master)
