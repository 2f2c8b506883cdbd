"""What can go wrong with waiting, one class per situation.

As in `libres.modules.errors`, the docstring of a class is its message::

    LibresError
    ├── AlreadyWaiting
    ├── InvalidEntry
    ├── NotWaiting
    ├── TimeIsFree
    └── UnknownEntry
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from libres.modules.errors import LibresError

__all__ = (
    "AlreadyWaiting",
    "InvalidEntry",
    "NotWaiting",
    "TimeIsFree",
    "UnknownEntry",
)


class AlreadyWaiting(LibresError):
    """This address waits for this time already: once is enough."""


class InvalidEntry(LibresError):
    """Nobody can wait like this: the message says why."""

    reason: str

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class NotWaiting(LibresError):
    """Nobody waits here any more: the entry has been served, or its time is over."""

    id: UUID
    status: str
    """``served`` or ``expired``."""


class TimeIsFree(LibresError):
    """This time is free: reserve it."""

    start: datetime
    end: datetime


class UnknownEntry(LibresError):
    """No entry of this waiting list has this id: join first."""

    id: object
