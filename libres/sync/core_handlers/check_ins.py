"""Notes for kiosks that those who reserved are there, by `libres.occupancy`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from libres.db.models.timestamp import TimestampMixin
from libres.occupancy.service import Occupancy
from libres.sync.core_handlers import finding
from libres.sync.core_handlers.finding import Declined
from libres.sync.core_handlers.refusing import decided
from libres.sync.core_models import RESERVATION, Names, reservation
from libres.sync.handlers import NOT_FOUND, Done, Outcome, Refused
from libres.sync.registry import registry_of

if TYPE_CHECKING:
    from libres.sync.handlers import Item, Work

FUTURE: Final = timedelta(minutes=5)
"""So far ahead the clock of a kiosk may be."""

ONLY_MADE: Final = Refused("invalid", "A check-in is made, and stays as it is.")

NOT_COUNTED: Final = Refused(
    "invalid", "nobody counts who is in what was reserved", "reservation"
)

NOT_YET: Final = Refused("invalid", "lies in the future", "at")


class CheckInHandler:
    """Notes each check-in with the reservation it belongs to."""

    batch = 1
    serializable = True

    def write(self, work: Work, items: Sequence[Item]) -> Sequence[Outcome]:
        """Write items of the same operation; answer for each, in their order."""
        return [decided(work, partial(_note, work, item)) for item in items]


def _note(work: Work, item: Item) -> Done:
    if item.op != "create":
        raise Declined(ONLY_MADE)
    number, moment = _reservation_of(item), _moment_of(item)
    model = registry_of(work.context).get(RESERVATION) or reservation(
        Names(work.context)
    )
    if finding.seen(work, model, (number,)) is None:
        raise Declined(NOT_FOUND)
    if not Occupancy(work.context).check_in(number, moment):
        raise Declined(NOT_COUNTED)
    key = (number,)
    return Done("created", key, finding.version_of(work, item.model, key))


def _reservation_of(item: Item) -> int:
    """Return which reservation is meant: the field, or the id."""
    given = item.values.get("reservation", item.key and item.key[0])
    if given is None:
        raise Declined(Refused("invalid", "is missing", "reservation"))
    return int(given)


def _moment_of(item: Item) -> datetime:
    now = TimestampMixin.timestamp()
    moment: datetime = item.values.get("at") or now
    if moment > now + FUTURE:
        raise Declined(NOT_YET)
    return moment
