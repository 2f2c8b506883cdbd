"""How subjects and their hours are stored; when they are free is not: it is derived."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKeyConstraint,
    Identity,
    Index,
    SmallInteger,
    Text,
    Time,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from libres.db.models.base import ORMBase

OPTIONAL: Final = {"room": "timetable"}
"""Says that `libres.timetable.setup` makes these tables, and not the core."""

NAME_KEY: Final = "timetable_subjects_name"
"""The constraint: a context has one subject of a name."""


class TimetableSubject(ORMBase):
    """Somebody, or something, of whom one asks when it is free: a resource."""

    __tablename__ = "timetable_subjects"

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    resource: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """That of the scheduler of this name."""

    name: Mapped[str] = mapped_column(Text)
    timezone: Mapped[str] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("'{}'::text[]")
    )
    data: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    active: Mapped[bool] = mapped_column(server_default=text("true"))

    __table_args__ = (
        UniqueConstraint("context", "name", name=NAME_KEY),
        CheckConstraint("name <> ''", name="timetable_subjects_have_names"),
        # Whose is this resource, whatever the context?
        Index("ix_timetable_subjects_resource", "resource"),
        # Who is not active?
        Index(
            "ix_timetable_subjects_inactive",
            "context",
            "resource",
            postgresql_where=text("NOT active"),
        ),
        # Who has these tags?
        Index("ix_timetable_subjects_tags", "tags", postgresql_using="gin"),
        {"info": OPTIONAL},
    )


def _of_a_subject(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["context", "resource"],
        ["timetable_subjects.context", "timetable_subjects.resource"],
        ondelete="CASCADE",
        name=f"{table}_subject",
    )


class TimetableTemplate(ORMBase):
    """Hours of a weekday, on the wall clock of the subject."""

    __tablename__ = "timetable_templates"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    context: Mapped[str] = mapped_column(Text)
    resource: Mapped[uuid.UUID]
    weekday: Mapped[int] = mapped_column(SmallInteger)
    """0 is Monday."""

    start: Mapped[time] = mapped_column(Time)
    end: Mapped[time] = mapped_column(Time)
    """Of the next day, if it does not lie after the start."""

    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)
    """The last day."""

    __table_args__ = (
        _of_a_subject("timetable_templates"),
        CheckConstraint("weekday BETWEEN 0 AND 6", name="timetable_templates_weekday"),
        # Which hours does a subject have?
        Index("ix_timetable_templates_subject", "context", "resource"),
        {"info": OPTIONAL},
    )


class TimetableException(ORMBase):
    """Days on which a subject has other hours: off, or extra ones."""

    __tablename__ = "timetable_exceptions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    context: Mapped[str] = mapped_column(Text)
    resource: Mapped[uuid.UUID]
    first: Mapped[date] = mapped_column(Date)
    last: Mapped[date] = mapped_column(Date)
    """The last day, included."""

    kind: Mapped[str] = mapped_column(Text)
    """``off`` or ``extra``."""

    start: Mapped[time | None] = mapped_column(Time)
    end: Mapped[time | None] = mapped_column(Time)
    """None: the whole days."""

    reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        _of_a_subject("timetable_exceptions"),
        CheckConstraint("kind IN ('off', 'extra')", name="timetable_exceptions_kind"),
        CheckConstraint("last >= first", name="timetable_exceptions_days"),
        # Which exceptions does a subject have?
        Index("ix_timetable_exceptions_subject", "context", "resource"),
        {"info": OPTIONAL},
    )


class TimetableCache(ORMBase):
    """A context whose free times are kept in `TimetableFree`."""

    __tablename__ = "timetable_caches"
    __table_args__ = ({"info": OPTIONAL},)

    context: Mapped[str] = mapped_column(Text, primary_key=True)


class TimetableFree(ORMBase):
    """Free time of a subject within one day of UTC; a copy, which can be made anew.

    What claims that expire take is not cut out of it, as no row changes when they do.
    """

    __tablename__ = "timetable_free"

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    resource: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    starts: Mapped[datetime] = mapped_column(primary_key=True)
    ends: Mapped[datetime]

    __table_args__ = (
        _of_a_subject("timetable_free"),
        # Who is free at a time?
        Index("ix_timetable_free_window", "context", "starts", "ends", "resource"),
        {"info": OPTIONAL},
    )
