"""When a record was written, and the clock that tells."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from libres.domain.days import utcnow


class TimestampMixin:
    """Adds ``created`` and ``modified``, both aware (UTC) and loaded on demand."""

    @staticmethod
    def timestamp() -> datetime:
        """Tell the time, aware, in UTC. Every record takes it from here."""
        return utcnow()

    created: Mapped[datetime] = mapped_column(
        default=lambda: TimestampMixin.timestamp(),  # noqa: PLW0108 - looked up late
        deferred=True,
    )
    modified: Mapped[datetime | None] = mapped_column(
        onupdate=lambda: TimestampMixin.timestamp(),  # noqa: PLW0108 - looked up late
        deferred=True,
    )
