"""What is written to while the feed is measured: rows that count, and events."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, DateTime, Identity, Text, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libres.sync import Sync

TENANT: Final = "acme"


class Base(DeclarativeBase):
    """That of a host."""


class Counter(Base):
    """A row that many change: each change adds one, so none can be missing unseen."""

    __tablename__ = "proof_counters"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(Text, server_default=TENANT)
    value: Mapped[int] = mapped_column(server_default="0")


class Event(Base):
    """A row that is written once, with the time and number that hosts read by."""

    __tablename__ = "proof_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    tenant: Mapped[str] = mapped_column(Text, server_default=TENANT)
    saved: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )


def prepare(sync: Sync) -> None:
    """Create the tables, and note their changes."""
    for model in (Counter, Event):
        sync.registry.register(
            model, name=f"proof.{model.__name__}", tenant=model.tenant
        )
    session = sync.session
    Base.metadata.create_all(session.connection())
    sync.setup()
    session.commit()
