"""Hangs sensors above doorways, and counts anew what a change in the past concerns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import DBAPIError

from libres.context.drivers import driver_error
from libres.db.passing import fetch
from libres.occupancy import statements
from libres.occupancy.errors import AlreadyWatched
from libres.occupancy.models import DOORWAY_ALONE, OccAssignment
from libres.occupancy.places import Doorway, Sensor, doorways, sensors
from libres.occupancy.readings import LAST
from libres.occupancy.tallying import recount

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context


@dataclass(frozen=True, slots=True)
class Assignment:
    """Above which doorway a sensor hangs, and since when."""

    sensor: Sensor
    doorway: Doorway
    sign: int
    """+1: its positive direction leads to side A; -1: to side B."""

    since: datetime
    until: datetime | None
    """None: until further notice."""


def assign(
    context: Context,
    session: Session,
    sensor: Sensor,
    doorway: Doorway,
    sign: int,
    since: datetime,
) -> Assignment:
    """Hang a sensor above a doorway, until it hangs elsewhere by what is known."""
    rows = _assignments(session, sensor)
    until = _until(rows, since)
    before = _spaces(session, sensor, since, until)
    with _refused(), session.begin_nested():
        _end(session, rows, since)
        session.execute(
            insert(OccAssignment).values(
                context=context.name,
                sensor=sensor.id,
                doorway=doorway.id,
                sign=sign,
                valid=Range(since, until),
                alone=not doorway.several,
            )
        )
    _recount(context, session, sensor, since, until, before)
    return Assignment(sensor, doorway, sign, since, until)


def unassign(
    context: Context, session: Session, sensor: Sensor, moment: datetime
) -> bool:
    """Take a sensor down; tell whether it hung anywhere."""
    rows = _assignments(session, sensor)
    if not any(moment in row.valid for row in rows):
        return False
    until = _until(rows, moment)
    before = _spaces(session, sensor, moment, until)
    _end(session, rows, moment)
    _recount(context, session, sensor, moment, until, before)
    return True


def assignments(
    context: Context, session: Session, moment: datetime
) -> list[Assignment]:
    """Return which sensors hang where at a moment, by their codes."""
    found = OccAssignment
    query = select(found.sensor, found.doorway, found.sign, found.valid).where(
        found.context == context.name, found.valid.contains(moment)
    )
    rows = {row.sensor: row for row in fetch(session, query, {})}
    above = {each.id: each for each in doorways(context, session)}
    hung = (
        (each, rows[each.id]) for each in sensors(context, session) if each.id in rows
    )
    return [
        Assignment(each, above[row.doorway], row.sign, row.valid.lower, row.valid.upper)
        for each, row in hung
    ]


def _assignments(session: Session, sensor: Sensor) -> list[Any]:
    query = (
        select(OccAssignment.id, OccAssignment.valid)
        .where(OccAssignment.sensor == sensor.id)
        .with_for_update()
    )
    return fetch(session, query, {})


def _until(rows: list[Any], since: datetime) -> datetime | None:
    """Tell when the sensor hangs elsewhere again, by what is known; None: never."""
    here = [row.valid.upper for row in rows if since in row.valid]
    later = [row.valid.lower for row in rows if row.valid.lower > since]
    return here[0] if here else min(later, default=None)


def _end(session: Session, rows: list[Any], moment: datetime) -> None:
    """Let the range of a moment end there; nothing is left of one that begins so."""
    for row in rows:
        if moment not in row.valid:
            continue
        match = OccAssignment.id == row.id
        if row.valid.lower == moment:
            session.execute(delete(OccAssignment).where(match))
        else:
            valid = Range(row.valid.lower, moment)
            session.execute(update(OccAssignment).where(match).values(valid=valid))


@contextmanager
def _refused() -> Iterator[None]:
    """Say that another sensor hangs there."""
    try:
        yield
    except DBAPIError as error:
        diagnosis = getattr(driver_error(error), "diag", None)
        if getattr(diagnosis, "constraint_name", None) != DOORWAY_ALONE:
            raise
        raise AlreadyWatched from error


# Counting anew ------------------------------------------------------------------------


def _spaces(
    session: Session, sensor: Sensor, since: datetime, until: datetime | None
) -> set[UUID]:
    values = {"sensor": str(sensor.id), "start": since, "end": until or LAST}
    rows = fetch(session, statements.spaces_of_sensor(), values)
    return {row.space for row in rows}


def _recount(
    context: Context,
    session: Session,
    sensor: Sensor,
    since: datetime,
    until: datetime | None,
    before: set[UUID],
) -> None:
    values = {"sensor": str(sensor.id), "start": since, "end": until or LAST}
    session.execute(statements.rebooking(), values)
    spaces = before | _spaces(session, sensor, since, until)
    hours = fetch(session, statements.hours_of_sensor(), values)
    recount(context, session, ((space, row.start) for space in spaces for row in hours))
