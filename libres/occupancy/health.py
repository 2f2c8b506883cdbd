"""Tells what is wrong with sensors and counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from libres.db.passing import fetch
from libres.occupancy.counting import count_before
from libres.occupancy.models import OccEvent, OccSensor
from libres.occupancy.places import Sensor, sensors, spaces
from libres.occupancy.steps import DAY, TICK

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context


@dataclass(frozen=True, slots=True)
class Strange:
    """A space whose count cannot be."""

    space: str
    count: int
    capacity: int | None
    """None: the count is below zero."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Events of a sensor that do not count, of the last day by when they arrived."""

    sensor: str
    unassigned: int
    quarantined: int
    received: int
    """All that it sent in that time."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is wrong."""

    silent: list[Sensor]
    """Active sensors that have not been heard for longer than they may be silent."""

    strange: list[Strange]
    left_out: list[LeftOut]

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.silent or self.strange or self.left_out)


def health_of(context: Context, session: Session, moment: datetime) -> Health:
    """Look at everything there is."""
    silent = [
        sensor
        for sensor in sensors(context, session)
        if sensor.active
        and (sensor.last_seen is None or sensor.last_seen < moment - sensor.heartbeat)
    ]
    return Health(
        silent=silent,
        strange=_strange(context, session, moment),
        left_out=_left_out(context, session, moment),
    )


def _strange(context: Context, session: Session, moment: datetime) -> list[Strange]:
    found = []
    for space in spaces(context, session):
        count = count_before(session, space, moment + TICK, space.policy)
        if count < 0:
            found.append(Strange(space.name, count, None))
        elif space.capacity is not None and count > space.capacity:
            found.append(Strange(space.name, count, space.capacity))
    return found


def _left_out(context: Context, session: Session, moment: datetime) -> list[LeftOut]:
    is_left = {
        state: func.count().filter(OccEvent.state == state)
        for state in ("unassigned", "quarantined")
    }
    query = (
        select(
            OccSensor.code.label("sensor"),
            *(number.label(state) for state, number in is_left.items()),
            func.count().label("received"),
        )
        .join(OccEvent, OccEvent.sensor == OccSensor.id)
        .where(
            OccSensor.context == context.name,
            OccEvent.received > moment - DAY,
        )
        .group_by(OccSensor.code)
        .having(func.count().filter(OccEvent.state != "counted") > 0)
        .order_by(OccSensor.code)
    )
    return [LeftOut(**row._asdict()) for row in fetch(session, query, {})]
