"""The library that is compared with the model, and what its ids are called there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from libres.db.models import (
    Allocation,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
)
from libres.db.scheduler import Scheduler
from tests.model.calendar import ZONE, Season

if TYPE_CHECKING:
    from collections.abc import Hashable

    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.db.queries import Queries

MOST_PLACES = 8
NAMESPACE = UUID(int=0)


@dataclass
class Dictionary:
    """What the library calls a thing, and what the model does."""

    real: dict[Any, Any] = field(default_factory=dict)
    name: dict[Any, Any] = field(default_factory=dict)

    def learn(self, name: Hashable, real: Hashable) -> None:
        """Both are the same from now on."""
        self.real[name], self.name[real] = real, name


@dataclass
class House:
    """Some rooms of one context, each with its scheduler."""

    context: Context
    season: Season
    rooms: dict[str, Scheduler]
    allocations: Dictionary = field(default_factory=Dictionary)
    reservations: Dictionary = field(default_factory=Dictionary)
    blockers: Dictionary = field(default_factory=Dictionary)
    texts: Dictionary = field(default_factory=Dictionary)
    """Groups, tokens and sessions."""

    @classmethod
    def of(
        cls, context: Context, season: Season, blocking: dict[str, tuple[str, ...]]
    ) -> House:
        """Make the schedulers."""
        return cls(
            context,
            season,
            {
                name: Scheduler(context, name, ZONE, blocking_names=others)
                for name, others in blocking.items()
            },
        )

    @property
    def any_room(self) -> Scheduler:
        """Some scheduler, for what needs no certain one."""
        return next(iter(self.rooms.values()))

    @property
    def session(self) -> Session:
        """The session they share."""
        return self.any_room.session

    @property
    def queries(self) -> Queries:
        """The queries they share."""
        return self.any_room.queries

    def places(self) -> dict[UUID, tuple[str, int]]:
        """Room and number of each place, by its resource."""
        found = {}
        for name, scheduler in self.rooms.items():
            found[scheduler.resource] = name, 0
            for number in range(1, MOST_PLACES):
                found[uuid5(scheduler.resource, str(number))] = name, number
        return found

    # From the model to the library ----------------------------------------------

    def uuid(self, text: str | None) -> UUID | None:
        """The id of a group, a token or a session, also of one that never was."""
        if text is None:
            return None
        if text not in self.texts.real:
            self.texts.learn(text, uuid5(NAMESPACE, text))
        known: UUID = self.texts.real[text]
        return known

    # From the library to the model ----------------------------------------------

    def learn_allocations(self, keys: list[int], made: list[Allocation]) -> None:
        """Note what was made, in the same order."""
        for key, allocation in zip(keys, made, strict=True):
            self.allocations.learn(key, allocation.id)

    def learn_reservations(self, keys: list[int], made: list[Reservation]) -> None:
        """Note what was made, in the same order."""
        for key, reservation in zip(keys, made, strict=True):
            self.reservations.learn(key, reservation.id)

    def unknown_reservations(self, room: str, token: UUID) -> list[Reservation]:
        """The reservations of a token that the model has no names for, by id."""
        query = self.rooms[room].reservations_by_token(token).order_by(Reservation.id)
        return [each for each in query if each.id not in self.reservations.name]

    def clear(self) -> None:
        """Delete everything, without the library's help."""
        self.session.rollback()
        for model in (ReservedSlot, Allocation, Reservation, ReservationBlocker):
            self.session.query(model).delete(synchronize_session=False)
        self.session.commit()
        self.session.expunge_all()
