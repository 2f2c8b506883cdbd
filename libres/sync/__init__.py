"""Synchronisation: devices that are sometimes offline keep copies, and push changes.

Organisations share a server and see nothing of each other. Roles decide who may do what
with which model, filters decide which rows. Every change is noted by triggers, numbered
without gaps, and read by a cursor that can pass none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libres.sync.keyring import configure
from libres.sync.registry import Registry, SyncModel
from libres.sync.service import Sync

if TYPE_CHECKING:
    from libres.context.core import Context

__all__ = ("Registry", "Sync", "SyncModel", "configure", "setup")


def setup(context: Context) -> Sync:
    """Create the tables of synchronisation, and note the changes of all models that are
    registered by now; not committed.

    The tables of the core must be there. May be called at each start.
    """
    sync = Sync(context)
    sync.setup()
    return sync
