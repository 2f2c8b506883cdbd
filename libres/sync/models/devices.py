"""What signs in: devices, the families of their tokens, and how often they ask."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libres.db.models.base import ORMBase
from libres.sync.models.columns import MOMENT, NEW_ID, NOW, OPTIONAL

DEVICE_NAME: Final = "sync_devices_name"


class SyncDevice(ORMBase):
    """A phone, a kiosk, a branch server: it acts for a user in an organisation."""

    __tablename__ = "sync_devices"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    context: Mapped[str] = mapped_column(Text)
    user: Mapped[str] = mapped_column(Text)
    organization: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("sync_organizations.id", ondelete="CASCADE")
    )
    name: Mapped[str] = mapped_column(Text)
    hash: Mapped[str | None] = mapped_column(Text)
    """SHA-256 of its key, which is long and drawn at random; None: it has no key, its
    user signs in by password."""

    position: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Of the feed, up to which it has confirmed to have everything."""

    seen: Mapped[datetime | None] = mapped_column(MOMENT)
    """When it last asked, to the minute."""

    created: Mapped[datetime] = mapped_column(MOMENT, server_default=NOW)
    revoked: Mapped[datetime | None] = mapped_column(MOMENT)
    """Since when it is refused; None: it is in use."""

    __table_args__ = (
        UniqueConstraint("organization", "user", "name", name=DEVICE_NAME),
        # Whose key is this?
        Index("ix_sync_devices_hash", "hash", unique=True),
        {"info": OPTIONAL},
    )


class SyncToken(ORMBase):
    """A family of tokens: from signing in on, each refreshed by the one before."""

    __tablename__ = "sync_tokens"

    family: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    context: Mapped[str] = mapped_column(Text)
    user: Mapped[str] = mapped_column(Text)
    organization: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("sync_organizations.id", ondelete="CASCADE")
    )
    device: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("sync_devices.id", ondelete="CASCADE")
    )
    hash: Mapped[str] = mapped_column(Text)
    """SHA-256 of the one token that refreshes it now. Whoever comes with an older one
    has stolen it, or was stolen from: the family ends."""

    user_version: Mapped[int] = mapped_column(Integer, server_default="1")
    membership_version: Mapped[int] = mapped_column(Integer, server_default="1")
    """Of the user and of the membership when it began: with other ones it has ended."""

    created: Mapped[datetime] = mapped_column(MOMENT, server_default=NOW)
    expires: Mapped[datetime] = mapped_column(MOMENT)
    revoked: Mapped[datetime | None] = mapped_column(MOMENT)

    __table_args__ = (
        # Which are over?
        Index("ix_sync_tokens_expires", "context", "expires"),
        {"info": OPTIONAL},
    )


class SyncLimit(ORMBase):
    """How often somebody has asked in the window that runs."""

    __tablename__ = "sync_limits"

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    who: Mapped[str] = mapped_column(Text, primary_key=True)
    """``device:<id>``, ``user:<id>``, ``login:<SHA-256 of a name>``, since passwords
    are sometimes typed into the wrong field, ``address:<address>``."""

    seconds: Mapped[int] = mapped_column(Integer, primary_key=True)
    """The length of the window."""

    began: Mapped[datetime] = mapped_column(MOMENT)
    count: Mapped[int] = mapped_column(Integer)

    # What is lost in a crash is a minute of counting.
    __table_args__ = ({"info": OPTIONAL, "prefixes": ["UNLOGGED"]},)
