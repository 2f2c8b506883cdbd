"""Models of a host, on a declarative base of its own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, ForeignKey, Identity, String, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
)


class Base(DeclarativeBase):
    """Not that of the library."""


class Equipment(Base):
    """A vehicle, known by its serial number."""

    __tablename__ = "equipment"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    serial: Mapped[str] = mapped_column(String)


class Booking(Base):
    """Somebody has a vehicle."""

    __tablename__ = "booking"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    equipment_id: Mapped[int | None] = mapped_column(
        ForeignKey("equipment.id", ondelete="CASCADE")
    )
    starts: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ends: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    note: Mapped[str | None]
    cancelled: Mapped[bool] = mapped_column(default=False)

    equipment: Mapped[Equipment | None] = relationship(
        passive_deletes=True, backref="bookings"
    )


SERIAL = (
    select(Equipment.serial)
    .where(Equipment.id == Booking.equipment_id)
    .scalar_subquery()
)
"""The number of the vehicle that was booked."""


class Odd(Base):
    """A table whose names are a trap for who puts SQL together."""

    __tablename__ = 'odd "table" %s :x'

    number: Mapped[int] = mapped_column("a,b", primary_key=True, autoincrement=False)
    letter: Mapped[str] = mapped_column("it's \\", String, primary_key=True)
    thing: Mapped[str] = mapped_column("100% :thing", String)
    starts: Mapped[datetime] = mapped_column('start "s"', DateTime)
    ends: Mapped[datetime] = mapped_column("End", DateTime)
