"""Makes a sample floor plan, and shows which spaces, doorways and sensors there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.table import Table

from libres.cli.terminal import printable
from libres.occupancy.counting import now
from libres.occupancy.moving import assignments
from libres.occupancy.places import doorways

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from libres.occupancy import Assignment, Doorway, Occupancy, Sensor, Space

LONG_AGO: Final = datetime(2018, 1, 1, tzinfo=UTC)
"""Since when the sensors of the sample hang there: before all that is sent."""

ZONE: Final = "UTC"

SPACES: Final = (("building", None), ("A", "building"), ("B", "building"))
"""Names, and what each lies in."""

DOORWAYS: Final = (("X", "A", None), ("Z", "A", "B"))
"""Names, side A and side B; None is outside."""

SENSORS: Final = (("283", "X"), ("423", "Z"))
"""Codes, and what they hang above; their positive direction leads to side A."""

OUTSIDE: Final = "outside"


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a context has, and which sensors hang where now."""

    spaces: Sequence[Space]
    doorways: Sequence[Doorway]
    sensors: Sequence[Sensor]
    assignments: Sequence[Assignment]


def plan_of(house: Occupancy) -> Plan:
    """Read what there is, by name."""
    return Plan(
        house.spaces(),
        doorways(house.context, house.session),
        house.sensors(),
        assignments(house.context, house.session, now()),
    )


def furnish(house: Occupancy) -> None:
    """Add what is missing of the sample; what is there remains as it is."""
    plan = plan_of(house)
    spaces = {space.name for space in plan.spaces}
    for name, parent in SPACES:
        if name not in spaces:
            house.add_space(name, timezone=ZONE, parent=parent)
    known = {doorway.name for doorway in plan.doorways}
    for name, side_a, side_b in DOORWAYS:
        if name not in known:
            house.add_doorway(name, side_a, side_b)
    codes = {sensor.code for sensor in plan.sensors}
    for code, doorway in SENSORS:
        if code not in codes:
            house.add_sensor(code)
            house.assign(code, doorway, 1, LONG_AGO)


# Tables -------------------------------------------------------------------------------


def spaces_table(plan: Plan) -> Table:
    """Show spaces, by name."""
    names = _names(plan)
    table = _table("space", "number", "within", "capacity", "policy", "id")
    for space in plan.spaces:
        table.add_row(
            names[space.id],
            str(space.number),
            "" if space.parent is None else names[space.parent],
            "" if space.capacity is None else str(space.capacity),
            space.policy,
            str(space.id),
        )
    return table


def doorways_table(plan: Plan) -> Table:
    """Show doorways, by name, and which sensors hang above them."""
    names = _names(plan)
    table = _table("doorway", "side A", "side B", "sensors", "id")
    for doorway in plan.doorways:
        above = [
            printable(each.sensor.code)
            for each in plan.assignments
            if each.doorway.id == doorway.id
        ]
        table.add_row(
            printable(doorway.name),
            *(names.get(each, OUTSIDE) for each in (doorway.side_a, doorway.side_b)),
            ", ".join(above),
            str(doorway.id),
        )
    return table


def sensors_table(plan: Plan) -> Table:
    """Show sensors, by code: where they hang, and whether they are heard."""
    hung = {each.sensor.id: each for each in plan.assignments}
    table = _table("sensor", "above", "sign", "since", "last heard")
    for sensor in plan.sensors:
        there = hung.get(sensor.id)
        seen = "never" if sensor.last_seen is None else _moment(sensor.last_seen)
        table.add_row(
            printable(sensor.code),
            "" if there is None else printable(there.doorway.name),
            "" if there is None else f"{there.sign:+}",
            "" if there is None else _moment(there.since),
            seen if sensor.active else f"{seen} (not active)",
        )
    return table


def _names(plan: Plan) -> dict[UUID | None, str]:
    return {space.id: printable(space.name) for space in plan.spaces}


def _table(*names: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name == "id")
    return table


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}Z"
