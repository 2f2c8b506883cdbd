"""What a host synchronises: models of a declarative base of its own."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    DateTime,
    ForeignKey,
    Numeric,
    String,
    Text,
    func,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libres.sync.registry import Registry


class Base(DeclarativeBase):
    """Has nothing to do with that of the library."""


class Customer(Base):
    """Belongs to an organisation; numbered by the database."""

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[uuid.UUID]
    name: Mapped[str] = mapped_column(String(50))
    age: Mapped[int | None]
    department: Mapped[str | None] = mapped_column(Text)
    assigned_sales_id: Mapped[uuid.UUID | None]
    since: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )
    secret_note: Mapped[str | None] = mapped_column(Text)


class Note(Base):
    """Refers to a customer, and goes with them; devices draw its ids."""

    __tablename__ = "notes"

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, server_default=text("gen_random_uuid()")
    )
    organization_id: Mapped[uuid.UUID]
    customer_id: Mapped[int | None] = mapped_column(
        ForeignKey("customers.id", ondelete="CASCADE")
    )
    text: Mapped[str] = mapped_column(Text, default="")
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    due: Mapped[date | None]


class Report(Base):
    """Belongs to an organisation."""

    __tablename__ = "reports"

    id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[uuid.UUID]
    title: Mapped[str] = mapped_column(Text)


class Country(Base):
    """Is shared by all organisations; its key is a text."""

    __tablename__ = "countries"

    code: Mapped[str] = mapped_column(String(2), primary_key=True)
    name: Mapped[str] = mapped_column(Text)


class Seat(Base):
    """Has a key of two columns."""

    __tablename__ = "seats"

    row: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(String(5), primary_key=True)
    organization_id: Mapped[uuid.UUID]
    holder: Mapped[str | None] = mapped_column(Text)


def register(registry: Registry) -> None:
    """Register all of them."""
    registry.register(
        Customer,
        name="myapp.Customer",
        tenant=Customer.organization_id,
        readonly=[Customer.since],
        secret=[Customer.secret_note],
    )
    registry.register(
        Note, name="myapp.Note", tenant=Note.organization_id, conflicts="merge"
    )
    registry.register(Report, name="myapp.Report", tenant=Report.organization_id)
    registry.register(Country, name="myapp.Country", shared=True)
    registry.register(Seat, name="myapp.Seat", tenant=Seat.organization_id)
