"""Whom an operation works for: one resource, its zone, its classes, its session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from libres.context.exposure import Exposure
from libres.domain.days import to_utc
from libres.domain.spans import Range
from libres.modules.utils import pairs

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context, ContextServicesMixin
    from libres.db.models import Allocation, Reservation


@dataclass(frozen=True, slots=True)
class Scope:
    """What an operation needs to know; made anew for each call."""

    services: ContextServicesMixin
    session: Session
    resource: UUID
    blocking_resources: frozenset[UUID]
    timezone: str
    allocation_cls: type[Allocation]
    reservation_cls: type[Reservation]

    @property
    def context(self) -> Context:
        return self.services.context

    @property
    def visible_resources(self) -> list[UUID]:
        """The own resource, then the blocking ones in a fixed order."""
        return [self.resource, *sorted(self.blocking_resources - {self.resource})]

    @property
    def is_exposed(self) -> Callable[[Allocation], bool]:
        return self.services.is_allocation_exposed

    def prepare(self, dates: object) -> list[Range]:
        """Turn dates of any shape into ranges in UTC; naive ones are in our zone.

        Raises TypeError if there is anything but datetimes among them.
        """
        if not isinstance(dates, Iterable):
            message = f"Dates are (start, end) or an iterable of those, not {dates!r}."
            raise TypeError(message)
        return [(self.utc(start), self.utc(end)) for start, end in pairs(dates)]

    def utc(self, date: datetime) -> datetime:
        """Convert a date to UTC; a naive one is in our zone."""
        return to_utc(date, self.timezone)


def exposes_everything(services: ContextServicesMixin) -> bool:
    """Tell whether the exposure is the default one, which need not be asked."""
    method: Any = services.is_allocation_exposed
    return getattr(method, "__func__", None) is Exposure.is_allocation_exposed
