"""How feeds are stored, and what calendars have to be told of changes."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from libres.db.models.base import ORMBase
from libres.web.models import OPTIONAL

_MOMENT: Final = DateTime(timezone=True)
_MOMENTS: Final = ARRAY(TIMESTAMP())


class WebFeed(ORMBase):
    """A feed: who has its secret sees when somebody or something is reserved."""

    __tablename__ = "web_feeds"

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, server_default=text("gen_random_uuid()")
    )
    context: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    """The name of the resource or subject, or the e-mail of the person."""

    level: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(Text)
    """SHA-256 of the secret, which is long and drawn at random; it is not stored."""

    created: Mapped[datetime] = mapped_column(_MOMENT, server_default=func.now())
    revoked: Mapped[datetime | None] = mapped_column(_MOMENT)
    """Since when it opens nothing; None: it is in use."""

    __table_args__ = (
        UniqueConstraint("hash", name="web_feeds_hash"),
        # Which feeds are there, the oldest first?
        Index("ix_web_feeds_created", "context", "created", "id"),
        CheckConstraint("name <> ''", name="web_feeds_have_names"),
        CheckConstraint(
            "kind IN ('resource', 'person', 'subject')", name="web_feeds_kind"
        ),
        CheckConstraint("level IN ('busy', 'details')", name="web_feeds_level"),
        {"info": OPTIONAL},
    )


class WebFeedEntry(ORMBase):
    """How often a reservation was changed; and what it was, once it is removed.

    Written by triggers alone. One that was never changed has no entry. Whether it is
    removed is not stored: then there is no reservation of this id.
    """

    __tablename__ = "web_feed_entries"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """That of the reservation."""

    token: Mapped[uuid.UUID]
    resource: Mapped[uuid.UUID]
    email: Mapped[str] = mapped_column(Text)
    timezone: Mapped[str | None] = mapped_column(Text)
    is_group: Mapped[bool]
    starts: Mapped[list[datetime]] = mapped_column(_MOMENTS)
    ends: Mapped[list[datetime]] = mapped_column(_MOMENTS)
    """When it was, one of each for each time of a group; stored as the core does."""

    sequence: Mapped[int] = mapped_column(Integer)
    """Changes of its time, status or quota; several in one transaction are one."""

    modified: Mapped[datetime]
    changed_in: Mapped[str] = mapped_column(Text)
    """The transaction of the last change."""

    __table_args__ = (
        # What was removed of a resource lately?
        Index("ix_web_feed_entries_resource", "resource", "modified"),
        # What was removed of a person lately?
        Index("ix_web_feed_entries_email", text("lower(email)"), "modified"),
        {"info": OPTIONAL},
    )
