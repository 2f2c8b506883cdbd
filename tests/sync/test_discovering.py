"""Models are proposed, with reasons, and none is registered by it."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import LargeBinary, Text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libres.db.models import ORMBase
from libres.modules.errors import Misuse
from tests.sync import models


class Base(DeclarativeBase):
    """Of a host."""


class Named(Base):
    """Has no table."""

    __abstract__ = True


class Invoice(Named):
    """Has a tenant, and something that nobody should have."""

    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID]
    number: Mapped[str] = mapped_column(Text)
    access_token: Mapped[bytes] = mapped_column(LargeBinary)


class Colour(Base):
    """Has no tenant."""

    __tablename__ = "colours"

    id: Mapped[int] = mapped_column(primary_key=True)


class Login(Base):
    """Is none of the business of devices."""

    __tablename__ = "auth_user"

    id: Mapped[int] = mapped_column(primary_key=True)


class Index(Base):
    """Has a type that JSON has nothing for."""

    __tablename__ = "indexes"

    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str] = mapped_column(TSVECTOR)


@pytest.fixture
def found(sync):
    """What is proposed of this host."""
    return {each.model: each for each in sync.discover(Base)}


def test_tenant(found):
    """The column that says whose a row is is guessed, and what is secret."""
    invoice = found[Invoice]
    assert invoice.register
    assert (invoice.name, invoice.tenant) == ("tests.Invoice", "tenant_id")
    assert invoice.secret == ("access_token",)
    assert invoice.call == (
        "registry.register(Invoice, name='tests.Invoice', "
        "tenant=Invoice.tenant_id, secret=[Invoice.access_token])"
    )


def test_no_tenant(found):
    """Where nothing says whose a row is, somebody has to."""
    assert found[Colour].register
    assert found[Colour].tenant is None
    assert "share" in found[Colour].reason
    assert "shared=…" in found[Colour].call


@pytest.mark.parametrize(("model", "reason"), [(Login, "'auth'"), (Index, "sent")])
def test_skipped(found, model, reason):
    """What devices need no copies of is skipped, and what cannot be sent."""
    assert not found[model].register
    assert reason in found[model].reason


def test_abstract(found):
    """A class without table is not even judged."""
    assert Named not in found


def test_registers_none(sync):
    """Nothing is registered by it; what is registered is skipped."""
    before = list(sync.registry)
    found = sync.discover(Base, models.Base)
    assert list(sync.registry) == before
    reasons = {each.model: each.reason for each in found}
    assert reasons[models.Customer] == "It is registered."


def test_own_tables(sync):
    """The tables of the library have handlers."""
    assert not any(each.register for each in sync.discover(ORMBase))


def test_no_base(sync):
    """What is no declarative base is refused."""
    with pytest.raises(Misuse, match="declarative base"):
        sync.discover(Text)
