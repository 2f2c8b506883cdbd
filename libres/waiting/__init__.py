"""Waiting lists: who would like a time that is taken, and gets it when it is free.

First come, first served among those that fit. What waits is kept beside reservations
and takes no place; who is served is reserved for by the scheduler, as anybody is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libres.waiting.entries import Entry
from libres.waiting.errors import (
    AlreadyWaiting,
    InvalidEntry,
    NotWaiting,
    TimeIsFree,
    UnknownEntry,
)
from libres.waiting.listening import listen, on_free, unlisten
from libres.waiting.service import WaitingList

if TYPE_CHECKING:
    from libres.context.core import Context

__all__ = (
    "AlreadyWaiting",
    "Entry",
    "InvalidEntry",
    "NotWaiting",
    "TimeIsFree",
    "UnknownEntry",
    "WaitingList",
    "listen",
    "on_free",
    "setup",
    "unlisten",
)


def setup(context: Context) -> WaitingList:
    """Create the table of waiting lists; not committed.

    The tables of the core must be there. May be called at each start.
    """
    waiting = WaitingList(context)
    waiting.setup()
    return waiting
