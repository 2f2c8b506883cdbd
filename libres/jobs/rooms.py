"""Names the parts of the library that jobs need, and looks whether they are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import Text, bindparam, text

from libres.sync.transacting import alone

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from libres.context.core import Context


@dataclass(frozen=True, slots=True)
class Room:
    """A part of the library that a job needs."""

    table: str
    """It is set up if this is there."""

    missing: str
    """What to say if it is not."""


CORE: Final = Room("reservations", "There are no tables: 'libres db upgrade'.")
KEYS: Final = Room("reservation_idempotency_keys", CORE.missing)
SYNC: Final = Room(
    "sync_log", "Synchronisation is not set up here: 'libres sync setup'."
)
OCCUPANCY: Final = Room(
    "occ_spaces", "Occupancy is not set up here: 'libres occupancy init'."
)
FEEDS: Final = Room(
    "web_feed_entries", "Calendar feeds are not set up here: 'libres serve'."
)

IS_THERE: Final = text("SELECT to_regclass(:name) IS NOT NULL").bindparams(
    bindparam("name", type_=Text())
)


def is_there(connection: Connection, room: Room) -> bool:
    """Tell whether something is set up. One statement."""
    return bool(connection.execute(IS_THERE, {"name": room.table}).scalar())


def is_set_up(context: Context, room: Room) -> bool:
    """Tell so for who has no connection. One statement."""
    with alone(context) as connection:
        return is_there(connection, room)
