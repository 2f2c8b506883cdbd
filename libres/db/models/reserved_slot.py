"""A slot that is taken: one step of the raster, or one whole allocation.

Its key is the promise: no place is taken twice at the same time, at any isolation
level, whoever writes.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Enum, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from libres.db.models.base import ORMBase
from libres.db.models.keywords import Described, assign
from libres.db.models.timestamp import TimestampMixin
from libres.domain.days import to_zone
from libres.domain.spans import display_end
from libres.modules.errors import insist
from libres.modules.rasterizer import rasterize_end, rasterize_start

if TYPE_CHECKING:
    from libres.db.models.allocation import Allocation

SOURCE_TYPES: Final = ("reservation", "blocker")
SOURCE_ENUM: Final = "reserved_slot_source_type"


class ReservedSlot(Described, TimestampMixin, ORMBase):
    """One occupied slot of one place, owned by a reservation or a blocker."""

    __tablename__ = "reserved_slots"
    _described_by = ("start", "end", "source_type", "source_id")

    resource: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    end: Mapped[datetime] = mapped_column()
    allocation_id: Mapped[int] = mapped_column(ForeignKey("allocations.id"))
    source_type: Mapped[str] = mapped_column(Enum(*SOURCE_TYPES, name=SOURCE_ENUM))
    reservation_token: Mapped[uuid.UUID]
    source_id: Mapped[int]

    allocation: Mapped[Allocation] = relationship(back_populates="reserved_slots")

    __table_args__ = (
        # Which slots end before or after a moment?
        Index("ix_reserved_slots_end", "end"),
        # Which slots does an allocation hold?
        Index("ix_reserved_slots_allocation_id", "allocation_id"),
        # Which slots are blocked?
        Index("ix_reserved_slots_source_type", "source_type"),
        # Which slots belong to one record?
        Index("ix_reserved_slots_source_id", "source_id"),
        # Which slots belong to a token, and where?
        Index("reservation_resource_ix", "reservation_token", "resource"),
        # Which slots overlap a span, whatever the resource?
        Index(
            "start_end_tsrange_ix",
            func.tsrange(start, end),
            postgresql_using="gist",
        ),
    )

    def __init__(self, **values: Any) -> None:
        """Take any mapped attribute as keyword."""
        assign(self, values)

    def display_start(self, timezone: str | None = None) -> datetime:
        """Return the start on the raster of the allocation, in *timezone*.

        None: the allocation's.
        """
        start = rasterize_start(self.start, self.allocation.checked_raster)
        return to_zone(start, self._zone(timezone))

    def display_end(self, timezone: str | None = None) -> datetime:
        """Return the end as people say it, in *timezone*. None: the allocation's."""
        end = rasterize_end(self.end, self.allocation.checked_raster)
        return to_zone(display_end(end), self._zone(timezone))

    def _zone(self, timezone: str | None) -> str:
        zone = timezone or self.allocation.timezone
        insist(zone, "The allocation has no timezone: pass one.")
        return str(zone)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReservedSlot):
            return NotImplemented
        return self.start == other.start and str(self.resource) == str(other.resource)

    __hash__ = object.__hash__
