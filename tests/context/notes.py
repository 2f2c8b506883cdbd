"""Tables of a host, so that telling and retrying are tested without the core's own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """The declarative base of the host."""


class Note(Base):
    """Something to tell about."""

    __tablename__ = "host_notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(
        MutableDict.as_mutable(JSONB), default=dict
    )
    lines: Mapped[list[Line]] = relationship(back_populates="note")


class Line(Base):
    """What hangs on a note."""

    __tablename__ = "host_lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    note_id: Mapped[int] = mapped_column(ForeignKey(Note.id))
    note: Mapped[Note] = relationship(back_populates="lines")
