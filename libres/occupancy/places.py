"""Keeps spaces, doorways and sensors, and which doorway leads into which space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from sqlalchemy import Executable, bindparam, delete, insert, select, update

from libres.db.passing import fetch
from libres.domain.days import check_timezone
from libres.occupancy.algebra import Policy
from libres.occupancy.errors import InvalidPlace, UnknownPlace
from libres.occupancy.models import OccBorder, OccDoorway, OccSensor, OccSpace
from libres.occupancy.readings import is_storable
from libres.occupancy.values import (
    code_of,
    flag_of,
    length_of,
    name_of,
    note_of,
    number_of,
    policy_of,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context


@dataclass(frozen=True, slots=True)
class Space:
    """A place of which people are counted."""

    id: UUID
    number: int
    """The short public number."""

    name: str
    parent: UUID | None
    resource: UUID | None
    """That of the scheduler that it is reserved by; None: it is not reserved."""

    timezone: str
    capacity: int | None
    policy: Policy
    reset_at: time | None
    """The local time at which it is empty each day; None: never known."""

    opens: time | None
    closes: time | None


@dataclass(frozen=True, slots=True)
class Doorway:
    """What people walk through."""

    id: UUID
    name: str
    side_a: UUID | None
    side_b: UUID | None
    """None: outside."""

    several: bool
    """Whether more than one sensor may hang above it."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """What tells who walks beneath it."""

    id: UUID
    code: str
    active: bool
    heartbeat: timedelta
    last_seen: datetime | None


SpaceKey: TypeAlias = "Space | UUID | int | str"
"""A space, its id, its number or its name."""

_SPACE = tuple(getattr(OccSpace, name) for name in Space.__slots__)
_DOORWAY = tuple(getattr(OccDoorway, name) for name in Doorway.__slots__)
_SENSOR = tuple(getattr(OccSensor, name) for name in Sensor.__slots__)


# Spaces -------------------------------------------------------------------------------


def spaces(context: Context, session: Session) -> list[Space]:
    """Return all spaces, by name."""
    query = select(*_SPACE).where(OccSpace.context == context.name)
    return [
        Space(**row._asdict())
        for row in fetch(session, query.order_by(OccSpace.name), {})
    ]


def space_of(context: Context, session: Session, key: SpaceKey) -> Space:
    """Return one space. Raises UnknownPlace."""
    field, value = _identified(key)
    values = {"context": context.name, "value": value}
    found = fetch(session, _space_by(field), values)
    if not found:
        kind = "space"
        raise UnknownPlace(kind, [getattr(key, "name", key)])
    return Space(**found[0]._asdict())


@cache
def _space_by(field: str) -> Executable:
    column = getattr(OccSpace, field)
    return select(*_SPACE).where(
        OccSpace.context == bindparam("context", type_=OccSpace.context.type),
        column == bindparam("value", type_=column.type),
    )


def _identified(key: object) -> tuple[str, object]:
    """Tell by which field, and by what, a space is known. Raises UnknownPlace."""
    if isinstance(key, Space):
        return "id", key.id
    if isinstance(key, UUID):
        return "id", key
    if isinstance(key, int) and not isinstance(key, bool) and abs(key) < 2**63:
        return "number", key
    if isinstance(key, str) and is_storable(key):
        return "name", key
    kind = "space"
    raise UnknownPlace(kind, [key])


def _only(session: Session, query: Executable, kind: str, key: object) -> Any:
    found = fetch(session, query, {})
    if not found:
        raise UnknownPlace(kind, [getattr(key, "name", key)])
    return found[0]


def add_space(
    context: Context,
    session: Session,
    name: str,
    timezone: str,
    parent: SpaceKey | None,
    values: Mapping[str, Any],
) -> Space:
    """Add a space, or change the one of this name; its parent remains."""
    stored = {
        "timezone": check_timezone(timezone),
        **values,
        "policy": policy_of(values["policy"]),
    }
    if values["capacity"] is not None:
        number_of(values["capacity"], "capacity")
    if not isinstance(values["resource"], UUID | None):
        reason = f"resource is a name or a UUID, not {values['resource']!r:.60}."
        raise InvalidPlace(reason)
    if (values["opens"] is None) != (values["closes"] is None):
        reason = "A space has both opens and closes, or neither."
        raise InvalidPlace(reason)
    above = None if parent is None else space_of(context, session, parent).id
    match = OccSpace.context == context.name, OccSpace.name == name_of(name)
    known = session.execute(select(OccSpace.parent).where(*match)).one_or_none()
    if known is None:
        new = {"context": context.name, "name": name, "parent": above, **stored}
        session.execute(insert(OccSpace).values(**new))
    elif known.parent != above:
        reason = f"The space {name} is there, and lies elsewhere."
        raise InvalidPlace(reason)
    else:
        session.execute(update(OccSpace).where(*match).values(**stored))
    return space_of(context, session, name)


# Doorways -----------------------------------------------------------------------------


def doorways(context: Context, session: Session) -> list[Doorway]:
    """Return all doorways, by name."""
    query = select(*_DOORWAY).where(OccDoorway.context == context.name)
    return [
        Doorway(**row._asdict())
        for row in fetch(session, query.order_by(OccDoorway.name), {})
    ]


def doorway_of(context: Context, session: Session, key: Doorway | str) -> Doorway:
    """Return one doorway. Raises UnknownPlace."""
    name = key.name if isinstance(key, Doorway) else name_of(key)
    match = OccDoorway.context == context.name, OccDoorway.name == name
    query = select(*_DOORWAY).where(*match)
    return Doorway(**_only(session, query, "doorway", name)._asdict())


def add_doorway(
    context: Context,
    session: Session,
    name: str,
    sides: Iterable[SpaceKey | None],
    several: bool,
) -> Doorway:
    """Add a doorway; one that is there may be added again if it is the same."""
    side_a, side_b = (
        None if side is None else space_of(context, session, side).id for side in sides
    )
    flag_of(several, "several")
    if side_a == side_b:
        reason = "A doorway leads from a space into another, or outside."
        raise InvalidPlace(reason)
    match = OccDoorway.context == context.name, OccDoorway.name == name_of(name)
    known = session.execute(select(*_DOORWAY).where(*match)).one_or_none()
    if known is None:
        values = {"name": name, "side_a": side_a, "side_b": side_b}
        row = {"context": context.name, "several": several, **values}
        session.execute(insert(OccDoorway).values(**row))
    elif (known.side_a, known.side_b, known.several) != (side_a, side_b, several):
        reason = f"The doorway {name} is there, and leads elsewhere."
        raise InvalidPlace(reason)
    doorway = doorway_of(context, session, name)
    _border(context, session, doorway)
    return doorway


def _border(context: Context, session: Session, doorway: Doorway) -> None:
    """Note into which spaces a doorway leads."""
    parents = {space.id: space.parent for space in spaces(context, session)}
    factors = borders(parents, doorway.side_a, doorway.side_b)
    session.execute(delete(OccBorder).where(OccBorder.doorway == doorway.id))
    rows = [
        {
            "context": context.name,
            "space": space,
            "doorway": doorway.id,
            "factor": factor,
        }
        for space, factor in factors.items()
    ]
    session.execute(insert(OccBorder), rows)


def borders(
    parents: Mapping[UUID, UUID | None], side_a: UUID | None, side_b: UUID | None
) -> dict[UUID, int]:
    """Tell which spaces one enters (+1) and leaves (-1) by walking to side A.

    A space that holds both sides is neither entered nor left.
    """
    ones, others = _within(parents, side_a), _within(parents, side_b)
    entered = {space: 1 for space in ones if space not in others}
    return entered | {space: -1 for space in others if space not in ones}


def _within(parents: Mapping[UUID, UUID | None], side: UUID | None) -> list[UUID]:
    """Return a space and all that it lies in."""
    found: list[UUID] = []
    while side is not None and side not in found:
        found.append(side)
        side = parents[side]
    return found


# Sensors ------------------------------------------------------------------------------


def sensor_of(context: Context, session: Session, key: Sensor | str) -> Sensor:
    """Return one sensor. Raises UnknownPlace."""
    code = key.code if isinstance(key, Sensor) else code_of(key)
    match = OccSensor.context == context.name, OccSensor.code == code
    query = select(*_SENSOR).where(*match)
    return Sensor(**_only(session, query, "sensor", code)._asdict())


def sensors(context: Context, session: Session) -> list[Sensor]:
    """Return all sensors, by code."""
    query = select(*_SENSOR).where(OccSensor.context == context.name)
    return [
        Sensor(**row._asdict())
        for row in fetch(session, query.order_by(OccSensor.code), {})
    ]


def add_sensor(
    context: Context,
    session: Session,
    code: str,
    heartbeat: timedelta,
    active: bool,
    key: str | None,
) -> Sensor:
    """Add a sensor, or change the one of this code."""
    values = {
        "heartbeat": length_of(heartbeat, "heartbeat"),
        "active": flag_of(active, "active"),
        **({} if key is None else {"secret_hash": hashed(key)}),
    }
    match = OccSensor.context == context.name, OccSensor.code == code_of(code)
    if session.execute(select(OccSensor.id).where(*match)).one_or_none() is None:
        row = {"context": context.name, "code": code, **values}
        session.execute(insert(OccSensor).values(**row))
    else:
        session.execute(update(OccSensor).where(*match).values(**values))
    return sensor_of(context, session, code)


def hashed(key: str) -> str:
    """Return what is stored of a key, which is long and drawn at random.

    Raises InvalidPlace if it is empty, or no text.
    """
    if not note_of(key, "key"):
        reason = "key is a text that is not empty."
        raise InvalidPlace(reason)
    return sha256(key.encode()).hexdigest()
