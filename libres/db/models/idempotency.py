"""What was asked for under a key of the client, so that it is done only once."""

from __future__ import annotations

import uuid
from typing import Any, Final

from sqlalchemy import Index, PrimaryKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from libres.context import transactions
from libres.db.models.base import ORMBase
from libres.db.models.keywords import Described, assign
from libres.db.models.timestamp import TimestampMixin

IDEMPOTENCY_KEY: Final = transactions.IDEMPOTENCY_KEY
"""The constraint: a key stands for one request of a resource."""

LONGEST_KEY: Final = 255
"""Characters."""


class IdempotencyKey(Described, TimestampMixin, ORMBase):
    """A key that a client has sent with a request, and the token it was given."""

    __tablename__ = "reservation_idempotency_keys"
    _described_by = ("resource", "key", "operation", "token")

    resource: Mapped[uuid.UUID]
    key: Mapped[str] = mapped_column(String(LONGEST_KEY))
    operation: Mapped[str]
    """``reserve`` or ``book``."""
    fingerprint: Mapped[str] = mapped_column(String(64))
    """The SHA-256 of the arguments, in hex."""
    token: Mapped[uuid.UUID]

    __table_args__ = (
        PrimaryKeyConstraint("resource", "key", name=IDEMPOTENCY_KEY),
        # Which keys have expired?
        Index("ix_reservation_idempotency_keys_created", "created"),
    )

    def __init__(self, **values: Any) -> None:
        """Take any mapped attribute as keyword."""
        assign(self, values)
