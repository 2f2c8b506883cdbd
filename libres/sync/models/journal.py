"""What was asked and answered: applied operations, the log, metrics, settings."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, Identity, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from libres.db.models.base import ORMBase
from libres.sync.models.columns import DOCUMENT, MOMENT, NOW, OPTIONAL


class SyncApplied(ORMBase):
    """The result of an operation that was pushed with an id, to be told once more."""

    __tablename__ = "sync_applied"

    organization: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("sync_organizations.id", ondelete="CASCADE"), primary_key=True
    )
    device: Mapped[str] = mapped_column(Text, primary_key=True)
    """``device:<id>``, or ``user:<id>`` of who pushes without one."""

    op_id: Mapped[str] = mapped_column(Text, primary_key=True)
    context: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(Text)
    """Of what was sent: another operation under the same id is refused."""

    result: Mapped[dict[str, Any]] = mapped_column(DOCUMENT)
    at: Mapped[datetime] = mapped_column(MOMENT, server_default=NOW)

    __table_args__ = (
        # Which are old?
        Index("ix_sync_applied_at", "context", "at"),
        {"info": OPTIONAL},
    )


class SyncLog(ORMBase):
    """A request was answered. Without payload: what was in it is in the feed."""

    __tablename__ = "sync_log"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    context: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(MOMENT, server_default=NOW)
    user: Mapped[str] = mapped_column(Text)
    """The id, and ``username`` as it was: both remain when the user goes."""

    username: Mapped[str] = mapped_column(Text)
    organization: Mapped[uuid.UUID | None]
    device: Mapped[uuid.UUID | None]
    operation: Mapped[str] = mapped_column(Text)
    """``push``, ``pull``, ``login``, ``refresh``, ``job``."""

    models: Mapped[list[str]] = mapped_column(DOCUMENT, server_default="[]")
    status: Mapped[str] = mapped_column(Text)
    succeeded: Mapped[int] = mapped_column(Integer, server_default="0")
    failed: Mapped[int] = mapped_column(Integer, server_default="0")
    seconds: Mapped[float] = mapped_column(Float)
    request: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        # What was last, and what is old?
        Index("ix_sync_log_at", "context", "at"),
        # What did this user do?
        Index("ix_sync_log_user", "context", "user", "at"),
        # What did somebody of this name do?
        Index("ix_sync_log_username", "context", "username", "at"),
        # What was asked for this organisation?
        Index("ix_sync_log_organization", "context", "organization", "at"),
        {"info": OPTIONAL},
    )


class SyncMetric(ORMBase):
    """What answering a request has cost."""

    __tablename__ = "sync_metrics"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    context: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(MOMENT, server_default=NOW)
    operation: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text, server_default="")
    batch: Mapped[int] = mapped_column(Integer)
    seconds: Mapped[float] = mapped_column(Float)
    statements: Mapped[int | None] = mapped_column(Integer)
    memory: Mapped[float | None] = mapped_column(Float)
    """Megabytes that the process holds."""

    __table_args__ = (
        # What did it cost lately?
        Index("ix_sync_metrics_at", "context", "at"),
        {"info": OPTIONAL},
    )


class SyncSetting(ORMBase):
    """A setting of a context that all its processes share."""

    __tablename__ = "sync_settings"

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[Any] = mapped_column(DOCUMENT)
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    changed: Mapped[datetime] = mapped_column(MOMENT, server_default=NOW)
    changed_by: Mapped[str] = mapped_column(Text, server_default="")

    __table_args__ = ({"info": OPTIONAL},)
