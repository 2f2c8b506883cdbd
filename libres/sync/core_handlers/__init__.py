"""Writes what clients push of the core: by the scheduler, never by columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from libres.db.queries import Queries
from libres.db.scope import exposes_everything
from libres.sync.core_handlers.allocations import AllocationHandler
from libres.sync.core_handlers.check_ins import CheckInHandler
from libres.sync.core_handlers.reservations import ReservationHandler
from libres.sync.core_models import (
    ALLOCATION,
    CHECK_IN,
    RESERVATION,
    Names,
    models_of,
)
from libres.sync.errors import NotRegistrable
from libres.sync.registry import registry_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from libres.context.core import Context
    from libres.sync.registry import SyncModel

HANDLERS: Final[dict[str, Any]] = {
    RESERVATION: ReservationHandler(),
    ALLOCATION: AllocationHandler(),
    CHECK_IN: CheckInHandler(),
}

HIDDEN: Final = (
    "The exposure of this context hides allocations, which synchronising cannot ask "
    "about: leave them out by allocations=False, or show them all by unexposed=True."
)


def register(
    context: Context, wanted: Collection[str], *, unexposed: bool
) -> list[SyncModel]:
    """Register models of the core by their names; once more does nothing.

    Raises NotRegistrable for allocations if some are hidden, unless those that are not
    exposed are to be seen, too.
    """
    is_hiding = not exposes_everything(Queries(context))
    if ALLOCATION in wanted and is_hiding and not unexposed:
        raise NotRegistrable(HIDDEN)
    registry = registry_of(context)
    return [
        registry.add(replace(each, handler=HANDLERS[each.name]))
        for each in models_of(context.name, Names(context))
        if each.name in wanted
    ]
