"""How things are stored: one table per file, all on one declarative base."""

from libres.db.models.allocation import Allocation
from libres.db.models.base import ORMBase
from libres.db.models.blocker import ReservationBlocker
from libres.db.models.idempotency import IdempotencyKey
from libres.db.models.reservation import Reservation
from libres.db.models.reserved_slot import ReservedSlot
from libres.db.models.timespan import Timespan

__all__ = (
    "Allocation",
    "IdempotencyKey",
    "ORMBase",
    "Reservation",
    "ReservationBlocker",
    "ReservedSlot",
    "Timespan",
)
