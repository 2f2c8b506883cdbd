"""Tells which sensors send, by the key that comes along with their events."""

from __future__ import annotations

from collections.abc import Collection
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, Text, bindparam, select

from libres.db.passing import fetch
from libres.occupancy import Occupancy
from libres.occupancy.models import OccSensor
from libres.occupancy.places import hashed
from libres.web.errors import NotAllowed, NotIdentified

if TYPE_CHECKING:
    from libres.context.core import Context

HEADER: Final = "X-Sensor-Key"
"""Where a sensor says its key."""

_HASHES: Final = select(OccSensor.code, OccSensor.secret_hash).where(
    OccSensor.context == bindparam("context", type_=OccSensor.context.type),
    OccSensor.code == bindparam("codes", type_=ARRAY(Text)).any_(),
)


def check_key(context: Context, key: str, codes: Collection[str]) -> None:
    """Refuse a key unless it is that of all sensors whose events are sent.

    Raises NotIdentified if it is that of none of them, else NotAllowed. One statement.
    """
    values = {"context": context.name, "codes": sorted(codes)}
    rows = fetch(Occupancy(context).session, _HASHES, values)
    wanted = hashed(key)
    own = {row.code for row in rows if compare_digest(row.secret_hash or "", wanted)}
    if not own:
        reason = f"No sensor of these events has the key of {HEADER}."
        raise NotIdentified(reason)
    if own != set(codes):
        reason = "A sensor may send only its own events."
        raise NotAllowed(reason)
