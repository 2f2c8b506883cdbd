"""What proves that nobody has changed what was noted: signatures, and erasures."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, Identity, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from libres.db.models.base import ORMBase
from libres.sync.models.columns import MOMENT, NOW, OPTIONAL


class AuditAnchor(ORMBase):
    """Somebody with a secret that the database does not know has signed the chain."""

    __tablename__ = "audit_anchors"

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    """Of the chain, after the change of this number."""

    at: Mapped[datetime] = mapped_column(MOMENT)
    key: Mapped[str] = mapped_column(Text)
    """The id of the secret that signed."""

    signature: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = ({"info": OPTIONAL},)


class AuditErasure(ORMBase):
    """Values were erased from what was noted of a row; which ones is in the chain."""

    __tablename__ = "audit_erasures"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    context: Mapped[str] = mapped_column(Text)
    relation: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """The names of the fields whose values are gone, in all changes of the row up to
    *position*."""

    position: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(BigInteger)
    """How many changes were concerned."""

    actor: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(MOMENT, server_default=NOW)

    __table_args__ = (
        # What was erased of this row?
        Index("ix_audit_erasures_key", "context", "relation", "key"),
        {"info": OPTIONAL},
    )
