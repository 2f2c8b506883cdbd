"""A time that is taken out of service, for everybody."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Enum, Index
from sqlalchemy.orm import Mapped, Query, mapped_column

from libres.db.models.base import ORMBase
from libres.db.models.keywords import Described, assign
from libres.db.models.targeting import Targeting
from libres.db.models.timespan import Timespan
from libres.db.models.timestamp import TimestampMixin

if TYPE_CHECKING:
    from libres.db.models.allocation import Allocation

__all__ = ("ReservationBlocker", "Timespan")


class ReservationBlocker(Described, TimestampMixin, Targeting, ORMBase):
    """Like an approved reservation without a person; takes every place."""

    __tablename__ = "reservation_blockers"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    token: Mapped[uuid.UUID]
    target: Mapped[uuid.UUID]
    target_type: Mapped[str] = mapped_column(
        Enum("group", "allocation", name="reservation_blocker_target_type")
    )
    resource: Mapped[uuid.UUID]
    start: Mapped[datetime | None]
    end: Mapped[datetime | None]
    timezone: Mapped[str | None]
    reason: Mapped[str | None]

    __table_args__ = (
        # What belongs to a token?
        Index("ix_reservation_blockers_token", "token"),
        # What blocks a group?
        Index("ix_reservation_blockers_target", "target"),
        Index("ix_reservation_blockers_target_type", "target_type"),
        Index("ix_reservation_blockers_resource", "resource"),
        Index("ix_reservation_blockers_start", "start"),
        Index("ix_reservation_blockers_end", "end"),
        # What blocks a group, in which order?
        Index("blocker_target_ix", "target", "id"),
    )

    def __init__(self, **values: Any) -> None:
        """Take any mapped attribute as keyword."""
        assign(self, values)

    @property
    def title(self) -> str | None:
        """What to call it in a list: the reason, or None."""
        return self.reason

    def target_allocations(
        self,
        masters_only: bool = True,
    ) -> Query[Allocation]:
        """Return a query for the allocations that are meant, by start.

        Raises Misuse without a session.
        """
        return self._masters() if masters_only else self._targets()
