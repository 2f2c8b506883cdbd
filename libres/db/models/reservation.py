"""Somebody's wish for a time, pending or approved."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Enum, Index, String, Text
from sqlalchemy.orm import Mapped, Query, mapped_column

from libres.db.models.base import ORMBase
from libres.db.models.keywords import Described, assign
from libres.db.models.targeting import Targeting
from libres.db.models.timespan import Timespan
from libres.db.models.timestamp import TimestampMixin

if TYPE_CHECKING:
    from libres.db.models.allocation import Allocation

__all__ = ("Reservation", "Timespan")


class Reservation(Described, TimestampMixin, Targeting, ORMBase):
    """One allocation's time, or one group, reserved for somebody.

    Pending ones hold no slots. What one call reserved shares a token. May be
    subclassed (single-table inheritance by ``type``).
    """

    __tablename__ = "reservations"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    token: Mapped[uuid.UUID]
    target: Mapped[uuid.UUID]
    target_type: Mapped[str] = mapped_column(
        Enum("group", "allocation", name="reservation_target_type")
    )
    type: Mapped[str] = mapped_column(Text, default="generic")
    resource: Mapped[uuid.UUID]
    start: Mapped[datetime | None]
    end: Mapped[datetime | None]
    timezone: Mapped[str | None]
    status: Mapped[str] = mapped_column(
        Enum("pending", "approved", name="reservation_status")
    )
    data: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    email: Mapped[str] = mapped_column(String(254))
    session_id: Mapped[uuid.UUID | None]
    quota: Mapped[int]

    __table_args__ = (
        # What belongs to a token?
        Index("ix_reservations_token", "token"),
        # Who reserved or waits for a group?
        Index("ix_reservations_target", "target"),
        Index("ix_reservations_target_type", "target_type"),
        Index("ix_reservations_type", "type"),
        Index("ix_reservations_resource", "resource"),
        Index("ix_reservations_start", "start"),
        Index("ix_reservations_end", "end"),
        Index("ix_reservations_status", "status"),
        Index("ix_reservations_email", "email"),
        # What lies in a shopping cart?
        Index("ix_reservations_session_id", "session_id"),
        # Who waits for a group, in which order?
        Index("target_status_ix", "status", "target", "id"),
    )

    __mapper_args__ = {  # noqa: RUF012 - the mapper reads a plain dict
        "polymorphic_on": "type",
        "polymorphic_identity": "generic",
    }

    def __init__(self, **values: Any) -> None:
        """Take any mapped attribute as keyword."""
        assign(self, values)

    @property
    def title(self) -> str:
        """What to call it in a list: the e-mail."""
        return self.email

    @property
    def autoapprovable(self) -> bool:
        """Whether nobody has to approve it. Queries the database."""
        manual = self.models.Allocation.approve_manually
        return self._target_allocations().filter(manual).first() is None

    def _target_allocations(self) -> Query[Allocation]:
        """Return a query for the masters that are meant, by start.

        Raises Misuse without a session.
        """
        return self._masters()
