"""How resources, keys and feeds of the web edge are stored."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    DateTime,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from libres.db.models.base import ORMBase

OPTIONAL: Final = {"room": "web"}
"""Says that `libres.web.setup` makes these tables, and not the core."""

_NEW_ID: Final = text("gen_random_uuid()")
_NOW: Final = text("now()")
_MOMENT: Final = DateTime(timezone=True)
_TEXTS: Final = ARRAY(Text)


class WebResource(ORMBase):
    """A resource that the web edge shows: the arguments of its scheduler."""

    __tablename__ = "web_resources"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    context: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    """That of the scheduler."""

    title: Mapped[str] = mapped_column(Text)
    timezone: Mapped[str] = mapped_column(Text)
    blocking_names: Mapped[list[str]] = mapped_column(_TEXTS, server_default="{}")
    position: Mapped[int] = mapped_column(Integer, server_default="0")
    """Where it stands among the others; the title decides between equal ones."""

    __table_args__ = (
        UniqueConstraint("context", "name", name="web_resources_name"),
        CheckConstraint("name <> ''", name="web_resources_have_names"),
        {"info": OPTIONAL},
    )


class WebKey(ORMBase):
    """A key of the API: who has it may do what its scopes say."""

    __tablename__ = "web_keys"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=_NEW_ID)
    context: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    """Who has it, for people."""

    email: Mapped[str | None] = mapped_column(Text)
    """Whose reservations are "mine" to who has it; None: nobody's."""

    hash: Mapped[str] = mapped_column(Text)
    """SHA-256 of the key, which is long and drawn at random; the key is not stored."""

    scopes: Mapped[list[str]] = mapped_column(_TEXTS)
    created: Mapped[datetime] = mapped_column(_MOMENT, server_default=_NOW)
    revoked: Mapped[datetime | None] = mapped_column(_MOMENT)
    """Since when it opens nothing; None: it is in use."""

    __table_args__ = (
        UniqueConstraint("hash", name="web_keys_hash"),
        CheckConstraint("name <> ''", name="web_keys_have_names"),
        {"info": OPTIONAL},
    )
