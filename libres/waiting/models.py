"""How it is stored who waits for which time."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Identity,
    Index,
    Integer,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from libres.db.models.base import ORMBase

OPTIONAL: Final = {"room": "waiting"}
"""Says that `libres.waiting.setup` makes this table, and not the core."""

_NEW_ID: Final = text("gen_random_uuid()")


class WaitingEntry(ORMBase):
    """Somebody waits for a time of a resource, or has been served."""

    __tablename__ = "waiting_entries"

    context: Mapped[str] = mapped_column(Text)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    turn: Mapped[int] = mapped_column(BigInteger, Identity(always=False))
    """Who has a lower one came first."""

    resource: Mapped[uuid.UUID]
    name: Mapped[str] = mapped_column(Text)
    """That of the scheduler of the resource."""

    timezone: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    start: Mapped[datetime]
    end: Mapped[datetime]
    """Half-open: as displayed, not as reservations store it."""

    places: Mapped[int] = mapped_column(Integer)
    data: Mapped[dict[str, Any]]
    until: Mapped[datetime]
    """From then on nobody waits any more; at the latest when the time is over."""

    created: Mapped[datetime]
    token: Mapped[uuid.UUID | None]
    """Of what was reserved when the entry was served; None: it has not been."""

    __table_args__ = (
        CheckConstraint('start < "end"', name="waiting_entries_span"),
        CheckConstraint('until <= "end"', name="waiting_entries_until"),
        CheckConstraint("places > 0", name="waiting_entries_places"),
        # Does this address wait for this time already?
        Index(
            "waiting_entries_once",
            *("context", "resource", func.lower(text("email")), "start", "end"),
            unique=True,
            postgresql_where=text("token IS NULL"),
        ),
        # Who waits for this time, and who came before?
        Index(
            "ix_waiting_entries_start",
            *("context", "resource", "start"),
            postgresql_where=text("token IS NULL"),
        ),
        # Which are over?
        Index("ix_waiting_entries_until", "context", "until"),
        {"info": OPTIONAL},
    )
