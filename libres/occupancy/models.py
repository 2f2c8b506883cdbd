"""How spaces, doorways, sensors and what they send are stored."""

from __future__ import annotations

import uuid
from datetime import datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    SmallInteger,
    Text,
    Time,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from libres.db.models.base import ORMBase

OPTIONAL: Final = {"room": "occupancy"}
"""Says that `libres.occupancy.setup` makes these tables, and not the core."""

SENSOR_ALONE: Final = "occ_assignments_sensor"
"""The constraint: a sensor hangs above one doorway at a time."""

DOORWAY_ALONE: Final = "occ_assignments_doorway"
"""The constraint: a doorway has one sensor at a time, unless several are allowed."""

_NEW_ID: Final = text("gen_random_uuid()")
_NOW: Final = text("now()")
_MOMENT: Final = DateTime(timezone=True)


def _id() -> Any:
    return mapped_column(primary_key=True, server_default=_NEW_ID)


def _serial() -> Any:
    return mapped_column(BigInteger, Identity(always=True), primary_key=True)


def _of(table: str, **options: Any) -> Any:
    """Refer to a row, and go with it."""
    return mapped_column(ForeignKey(f"{table}.id", ondelete="CASCADE"), **options)


def _point(column: str) -> Any:
    """Say that a column of an exclusion constraint is equal: a range of one value."""
    return text(f"occ_id_span({column}, {column}, '[]')")


class OccSpace(ORMBase):
    """A place of which people are counted: a room, a floor, a building."""

    __tablename__ = "occ_spaces"

    context: Mapped[str] = mapped_column(Text)
    id: Mapped[uuid.UUID] = _id()
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    """The short public number."""

    name: Mapped[str] = mapped_column(Text)
    parent: Mapped[uuid.UUID | None] = _of("occ_spaces")
    """The space that it lies in; None: in no other."""

    resource: Mapped[uuid.UUID | None]
    """What is reserved of it; None: it cannot be reserved."""

    timezone: Mapped[str] = mapped_column(Text)
    capacity: Mapped[int | None] = mapped_column(Integer)
    policy: Mapped[str] = mapped_column(Text)
    """``raw``, ``floor`` or ``saturate``: what becomes of a count below zero."""

    reset_at: Mapped[time | None] = mapped_column(Time)
    """The local time of day at which it is known to be empty; None: never."""

    reset_done: Mapped[datetime | None] = mapped_column(_MOMENT)
    """Until when it has been reset."""

    opens: Mapped[time | None] = mapped_column(Time)
    closes: Mapped[time | None] = mapped_column(Time)
    """Local opening hours of each day; None: always open."""

    __table_args__ = (
        UniqueConstraint("number", name="occ_spaces_number"),
        UniqueConstraint("context", "name", name="occ_spaces_name"),
        CheckConstraint("name <> ''", name="occ_spaces_have_names"),
        CheckConstraint("parent <> id", name="occ_spaces_tree"),
        CheckConstraint("capacity >= 0", name="occ_spaces_capacity"),
        CheckConstraint(
            "policy IN ('raw', 'floor', 'saturate')", name="occ_spaces_policy"
        ),
        # Which space is this resource?
        Index("ix_occ_spaces_resource", "context", "resource"),
        {"info": OPTIONAL},
    )


class OccDoorway(ORMBase):
    """What people walk through, between two spaces, or a space and outside."""

    __tablename__ = "occ_doorways"

    context: Mapped[str] = mapped_column(Text)
    id: Mapped[uuid.UUID] = _id()
    name: Mapped[str] = mapped_column(Text)
    side_a: Mapped[uuid.UUID | None] = _of("occ_spaces")
    side_b: Mapped[uuid.UUID | None] = _of("occ_spaces")
    """None: outside."""

    several: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether more than one sensor may hang above it."""

    __table_args__ = (
        UniqueConstraint("context", "name", name="occ_doorways_name"),
        CheckConstraint("name <> ''", name="occ_doorways_have_names"),
        CheckConstraint("side_a IS DISTINCT FROM side_b", name="occ_doorways_sides"),
        {"info": OPTIONAL},
    )


class OccBorder(ORMBase):
    """A doorway through which one enters or leaves a space, or what it lies in.

    A copy of what doorways and the tree of spaces say, for those who read.
    """

    __tablename__ = "occ_borders"

    context: Mapped[str] = mapped_column(Text)
    space: Mapped[uuid.UUID] = _of("occ_spaces", primary_key=True)
    doorway: Mapped[uuid.UUID] = _of("occ_doorways", primary_key=True)
    factor: Mapped[int] = mapped_column(SmallInteger)
    """+1: who walks to side A enters the space; -1: who walks to side B."""

    __table_args__ = (
        # Which spaces does this doorway lead into?
        Index("ix_occ_borders_doorway", "doorway"),
        {"info": OPTIONAL},
    )


class OccSensor(ORMBase):
    """What hangs above a doorway and tells who walks beneath it."""

    __tablename__ = "occ_sensors"

    context: Mapped[str] = mapped_column(Text)
    id: Mapped[uuid.UUID] = _id()
    code: Mapped[str] = mapped_column(Text)
    """Its name in what it sends."""

    secret_hash: Mapped[str | None] = mapped_column(Text)
    """SHA-256 of its key; None: it has none and cannot send by itself."""

    active: Mapped[bool] = mapped_column(server_default=text("true"))
    heartbeat: Mapped[timedelta] = mapped_column(Interval)
    """How long it may be silent."""

    last_seen: Mapped[datetime | None] = mapped_column(_MOMENT)
    """The latest moment of which it has told; None: it never has."""

    __table_args__ = (
        UniqueConstraint("context", "code", name="occ_sensors_code"),
        CheckConstraint("code <> ''", name="occ_sensors_have_codes"),
        CheckConstraint("heartbeat > '0'::interval", name="occ_sensors_heartbeat"),
        {"info": OPTIONAL},
    )


class OccAssignment(ORMBase):
    """Above which doorway a sensor hangs, and for how long."""

    __tablename__ = "occ_assignments"

    context: Mapped[str] = mapped_column(Text)
    id: Mapped[int] = _serial()
    sensor: Mapped[uuid.UUID] = _of("occ_sensors")
    doorway: Mapped[uuid.UUID] = _of("occ_doorways")
    sign: Mapped[int] = mapped_column(SmallInteger)
    """+1: the positive direction leads to side A; -1: to side B."""

    valid: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    """Half-open; without an end until further notice."""

    alone: Mapped[bool]
    """Whether the doorway has room for one sensor only."""

    __table_args__ = (
        CheckConstraint("sign IN (-1, 1)", name="occ_assignments_sign"),
        CheckConstraint("NOT isempty(valid)", name="occ_assignments_valid"),
        ExcludeConstraint(
            (_point("sensor"), "&&"),
            ("valid", "&&"),
            name=SENSOR_ALONE,
            using="gist",
        ),
        ExcludeConstraint(
            (_point("doorway"), "&&"),
            ("valid", "&&"),
            name=DOORWAY_ALONE,
            using="gist",
            where=text("alone"),
        ),
        # Where does this sensor hang, and who hangs above this doorway?
        Index("ix_occ_assignments_sensor", "sensor"),
        Index("ix_occ_assignments_doorway", "doorway"),
        {"info": OPTIONAL},
    )


class OccEvent(ORMBase):
    """Somebody walked beneath a sensor."""

    __tablename__ = "occ_events"

    context: Mapped[str] = mapped_column(Text)
    id: Mapped[int] = _serial()
    sensor: Mapped[uuid.UUID] = _of("occ_sensors")
    ts: Mapped[datetime] = mapped_column(_MOMENT)
    direction: Mapped[int] = mapped_column(SmallInteger)
    seq: Mapped[int | None] = mapped_column(BigInteger)
    """The number that the sensor gave it."""

    received: Mapped[datetime] = mapped_column(_MOMENT, server_default=_NOW)
    source: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    """``counted``, ``unassigned`` or ``quarantined``."""

    __table_args__ = (
        CheckConstraint("direction IN (-1, 1)", name="occ_events_direction"),
        CheckConstraint(
            "state IN ('counted', 'unassigned', 'quarantined')", name="occ_events_state"
        ),
        # Has it been sent before?
        Index(
            "occ_events_once",
            *("sensor", "ts", "direction"),
            unique=True,
            postgresql_where=text("seq IS NULL"),
        ),
        Index(
            "occ_events_seq",
            *("sensor", "seq"),
            unique=True,
            postgresql_where=text("seq IS NOT NULL"),
        ),
        # What did a sensor tell at a time?
        Index(
            "ix_occ_events_counted",
            *("sensor", "ts"),
            postgresql_include=["direction", "seq"],
            postgresql_where=text("state = 'counted'"),
        ),
        # What did a sensor tell at a time that is not counted?
        Index(
            "ix_occ_events_left",
            *("sensor", "ts"),
            postgresql_where=text("state <> 'counted'"),
        ),
        # What arrived lately? It is stored in this order, so blocks are enough.
        Index("ix_occ_events_received", "received", postgresql_using="brin"),
        {"info": OPTIONAL},
    )


class OccSign(ORMBase):
    """That a sensor was alive at a moment, though nobody walked beneath it."""

    __tablename__ = "occ_signs"
    __table_args__ = ({"info": OPTIONAL},)

    context: Mapped[str] = mapped_column(Text)
    sensor: Mapped[uuid.UUID] = _of("occ_sensors", primary_key=True)
    ts: Mapped[datetime] = mapped_column(_MOMENT, primary_key=True)


class OccCalibration(ORMBase):
    """How many there really are in a space at a moment."""

    __tablename__ = "occ_calibrations"

    context: Mapped[str] = mapped_column(Text)
    id: Mapped[int] = _serial()
    space: Mapped[uuid.UUID] = _of("occ_spaces")
    ts: Mapped[datetime] = mapped_column(_MOMENT)
    value: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(Text)
    """``manual``, ``schedule`` or ``drift``."""

    actor: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    drift: Mapped[int] = mapped_column(Integer)
    """How many too many had been counted, when it was told."""

    passages: Mapped[int] = mapped_column(BigInteger)
    """Of how many, since the calibration before it."""

    __table_args__ = (
        UniqueConstraint("space", "ts", name="occ_calibrations_moment"),
        CheckConstraint("value >= 0", name="occ_calibrations_value"),
        CheckConstraint(
            "kind IN ('manual', 'schedule', 'drift')", name="occ_calibrations_kind"
        ),
        {"info": OPTIONAL},
    )


class OccTally(ORMBase):
    """What an hour, a day or a month does to the count of a space: a summary.

    Its columns are those of `libres.occupancy.algebra.Summary`; it can be made anew.
    """

    __tablename__ = "occ_tallies"

    context: Mapped[str] = mapped_column(Text)
    space: Mapped[uuid.UUID] = _of("occ_spaces", primary_key=True)
    level: Mapped[str] = mapped_column(Text, primary_key=True)
    """``hour``, ``day`` or ``month``, in UTC."""

    start: Mapped[datetime] = mapped_column(_MOMENT, primary_key=True)
    ins: Mapped[int] = mapped_column(BigInteger)
    outs: Mapped[int] = mapped_column(BigInteger)
    shift: Mapped[int | None] = mapped_column(BigInteger)
    lo_raw: Mapped[int | None] = mapped_column(BigInteger)
    lo_sat: Mapped[int | None] = mapped_column(BigInteger)
    least: Mapped[int | None] = mapped_column(BigInteger)
    most: Mapped[int | None] = mapped_column(BigInteger)
    least_raw: Mapped[int | None] = mapped_column(BigInteger)
    least_sat: Mapped[int | None] = mapped_column(BigInteger)
    most_raw: Mapped[int | None] = mapped_column(BigInteger)
    most_sat: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        CheckConstraint("level IN ('hour', 'day', 'month')", name="occ_tallies_level"),
        {"info": OPTIONAL},
    )


class OccFinding(ORMBase):
    """What a comparison with reservations found."""

    __tablename__ = "occ_findings"

    context: Mapped[str] = mapped_column(Text)
    id: Mapped[int] = _serial()
    space: Mapped[uuid.UUID] = _of("occ_spaces")
    reservation: Mapped[int | None] = mapped_column(Integer)
    """None: nobody had reserved."""

    kind: Mapped[str] = mapped_column(Text)
    """``no_show``, ``ended_early``, ``over_capacity`` or ``unbooked``."""

    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    email: Mapped[str | None] = mapped_column(Text)
    """Of the reservation."""

    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    action: Mapped[str | None] = mapped_column(Text)
    """What was done: ``released`` or None."""

    created: Mapped[datetime] = mapped_column(_MOMENT, server_default=_NOW)

    __table_args__ = (
        CheckConstraint(
            "kind IN ('no_show', 'ended_early', 'over_capacity', 'unbooked')",
            name="occ_findings_kind",
        ),
        # Has it been found before?
        Index(
            "occ_findings_reservation",
            *("context", "reservation", "kind"),
            unique=True,
            postgresql_where=text("reservation IS NOT NULL"),
        ),
        Index(
            "occ_findings_during",
            *("space", "kind", text("lower(during)")),
            unique=True,
            postgresql_where=text("reservation IS NULL"),
        ),
        # How often did this person not come?
        Index("ix_occ_findings_email", "context", "email", "kind"),
        {"info": OPTIONAL},
    )


class OccCheckIn(ORMBase):
    """That somebody said to be there, whatever the sensors tell."""

    __tablename__ = "occ_check_ins"
    __table_args__ = ({"info": OPTIONAL},)

    context: Mapped[str] = mapped_column(Text, primary_key=True)
    reservation: Mapped[int] = mapped_column(Integer, primary_key=True)
    ts: Mapped[datetime] = mapped_column(_MOMENT, primary_key=True)
