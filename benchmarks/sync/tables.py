"""What is written to while synchronisation is measured, on a base as hosts have it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, DateTime, Identity, String, Text, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libres.sync import Sync

TENANT: Final = "acme"
"""The reference of the organisation of all that is measured."""

CUSTOMER: Final = "bench.Customer"


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


class Customer(Base):
    """What devices push and pull."""

    __tablename__ = "bench_customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(Text, index=True)
    name: Mapped[str] = mapped_column(String(50))
    age: Mapped[int | None]
    department: Mapped[str | None] = mapped_column(Text)


class Unwatched(Base):
    """The same, and nobody notes what changes."""

    __tablename__ = "bench_unwatched"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(Text, index=True)
    name: Mapped[str] = mapped_column(String(50))
    age: Mapped[int | None]
    department: Mapped[str | None] = mapped_column(Text)


def prepare(sync: Sync) -> None:
    """Create the tables, and note the changes of all but one."""
    for model, name in (
        (Counter, "proof.Counter"),
        (Event, "proof.Event"),
        (Customer, CUSTOMER),
    ):
        sync.registry.register(model, name=name, tenant=model.tenant)
    session = sync.session
    Base.metadata.create_all(session.connection())
    sync.setup()
    session.commit()
