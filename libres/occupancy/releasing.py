"""Gives back what is left of a reservation, through its scheduler."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy.exc import NoResultFound

from libres.db.models import Reservation
from libres.db.scheduler import Scheduler
from libres.modules.errors import AlreadyReservedError, TimerangeTooLong
from libres.occupancy.judging import Judged, Reserved, rest_of, told

if TYPE_CHECKING:
    from libres.context.core import Context

REFUSALS: Final = (AlreadyReservedError, NoResultFound, TimerangeTooLong)
"""What happens if somebody changes the allocation or the reservation meanwhile; it must
not keep others from being judged."""


def give_back(
    context: Context, found: Judged, moment: datetime, *, is_exempt: bool
) -> dict[str, Any]:
    """Let a reservation end with what has begun; tell what is ``released``, or why it
    was ``kept``, as evidence."""
    rest = rest_of(found, moment, is_exempt=is_exempt)
    if found.reserved is None or rest.span is None:
        return {"kept": rest.kept}
    try:
        _shorten(context, found.reserved, rest.span.start)
    except REFUSALS as error:
        return {"kept": "refused", "why": str(error)}
    return {"released": told(rest.span)}


def _shorten(context: Context, reserved: Reserved, end: datetime) -> None:
    """Change the time as any host does: all who listen to the scheduler hear of it."""
    scheduler = _SchedulerOf(context, reserved)
    scheduler.change_reservation(reserved.token, reserved.id, reserved.span.start, end)


class _SchedulerOf(Scheduler):
    """The scheduler of a resource, whatever its name is."""

    def __init__(self, context: Context, reserved: Reserved) -> None:
        # The changed reservation is a new record, and has to be of the same class.
        known = Reservation.__mapper__.polymorphic_map[reserved.type]
        name, zone = str(reserved.resource), reserved.timezone
        super().__init__(context, name, zone, reservation_cls=known.class_)
        self._resource = reserved.resource

    @property
    def resource(self) -> UUID:
        """The resource of the reservation."""
        return self._resource
