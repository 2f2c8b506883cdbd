"""A reference client: keeps copies in an SQLite file, pushes changes, pulls news.

It needs neither PostgreSQL nor the rest of the library, only ``httpx``, and shows what
a client has to do: to send the same once more when an answer was lost, to ignore what
is older than what it has, and to begin anew when it is told so.
"""

from __future__ import annotations

from libres.sync.client.device import Device, Pulled, Pushed
from libres.sync.client.errors import (
    ClientError,
    Refused,
    ServerAway,
    SignInNeeded,
    UnknownRow,
)
from libres.sync.client.store import Edit, Row

__all__ = (
    "ClientError",
    "Device",
    "Edit",
    "Pulled",
    "Pushed",
    "Refused",
    "Row",
    "ServerAway",
    "SignInNeeded",
    "UnknownRow",
)
