"""Reserve a room, be refused, see what is left: the shortest program of its kind.

Runs on the embedded PostgreSQL, or on the server that LIBRES_DSN names::

    python -m pip install 'libres[embedded]'
    python examples/script.py
"""

from __future__ import annotations

import os
from datetime import datetime
from zoneinfo import ZoneInfo

from libres import new_scheduler, registry
from libres.embedded import dsn
from libres.modules.errors import AlreadyReservedError

ZURICH = ZoneInfo("Europe/Zurich")


def at(hour: int, minute: int = 0) -> datetime:
    """Return a time on the first Monday of 2030."""
    return datetime(2030, 1, 7, hour, minute, tzinfo=ZURICH)


def main() -> None:
    """Open a room from 8 to 18 and book it twice, the second time in vain."""
    context = registry.register_context("example-script")
    context.set_setting("dsn", os.environ.get("LIBRES_DSN") or dsn())
    room = new_scheduler(context, "Meeting room", "Europe/Zurich")

    room.setup_database()
    room.extinguish_managed_records()  # so that it can be run again
    room.allocate((at(8), at(18)), partly_available=True, raster=15)

    [adas] = room.book("ada@example.org", (at(9), at(10, 30)))
    print(f"Ada has it until {adas.display_end():%H:%M}.")
    try:
        room.book("ben@example.org", (at(10), at(11)))
    except AlreadyReservedError as error:
        print(f"Ben is refused: {error}")
    room.commit()

    print(f"{room.availability(at(8), at(18)):.0f} % of the day are left.")
    context.get_service("session_provider").stop_service()


if __name__ == "__main__":
    main()
