"""The queries that need no resource: a facade over the operations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date as Date
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import or_

from libres.context.core import Context, ContextServicesMixin
from libres.db import criteria, loading
from libres.db.models import Allocation, Reservation
from libres.db.operations import availability, repeating, sessions
from libres.domain.availability import Partitions, average
from libres.domain.spans import Span
from libres.modules.rasterizer import MIN_RASTER

if TYPE_CHECKING:
    from sqlalchemy.orm import Query


class Queries(ContextServicesMixin):
    """Queries over a context's database, whatever the resource.

    Methods that take dates take aware ones; a naive one ends in SQLAlchemy's
    StatementError.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    def all_allocations_in_range(
        self, start: datetime, end: datetime
    ) -> Query[Allocation]:
        """Return a query for all allocations of the database that touch a range."""
        return self.allocations_in_range(self.session.query(Allocation), start, end)

    @staticmethod
    def allocations_in_range(
        query: Query[Any], start: datetime, end: datetime
    ) -> Query[Any]:
        """Restrict a query to the allocations that touch a range, borders included."""
        return query.filter(criteria.touches(start, end))

    @staticmethod
    def overlapping_allocations(
        query: Query[Any], ranges: Iterable[tuple[datetime, datetime]]
    ) -> Query[Any]:
        """Restrict a query to the allocations that touch one of several ranges."""
        touched = (criteria.touches(start, end) for start, end in ranges)
        return query.filter(or_(False, *touched))

    @staticmethod
    def availability_by_allocations(allocations: Iterable[Allocation]) -> float:
        """Return the availability of allocations together, in percent.

        Mirrors that are no records yet count as free. Without a master: 0.
        """
        known = list(allocations)
        quota = sum(each.quota for each in known if each.is_master)
        percents = (each.availability for each in known)
        return average(percents, records=len(known), quota=quota)

    def availability_by_range(
        self, start: datetime, end: datetime, resources: Collection[UUID]
    ) -> float:
        """Return the availability of what is exposed in a range, in percent."""
        return availability.of_range(self, start, end, resources)

    def availability_by_day(
        self, start: datetime, end: datetime, resources: Collection[UUID]
    ) -> dict[Date, tuple[float, set[UUID]]]:
        """Return availability and resources by day of UTC.

        Days without exposed allocations are missing.
        """
        return availability.by_day(self, start, end, resources)

    def reserved_slots_by_range(
        self,
        start: datetime,
        end: datetime,
        resource: UUID,
        blocking_resources: Collection[UUID],
    ) -> tuple[dict[datetime, int], set[datetime]]:
        """Count what is taken in each step of 5 minutes, mirrors included.

        Returns the number of reserved places by start of the step (those without are
        missing), and the starts of the steps that are blocked.
        """
        asked = Span.rasterized(start, end, MIN_RASTER)
        resources = {resource, *blocking_resources}
        taken = loading.taken_spans(self.session, resources, *asked.stored)
        return availability.steps_taken(taken, asked)

    def availability_and_partitions_by_allocations(
        self,
        allocations: Iterable[Allocation],
        resource: UUID,
        blocking_resources: Collection[UUID],
        normalize_dst: bool = True,
    ) -> Iterator[tuple[Allocation, float, Partitions]]:
        """Yield allocations with what is left of them under blocking resources."""
        return availability.shown_blocked(
            self,
            allocations,
            resource,
            blocking_resources,
            normalize_dst=normalize_dst,
        )

    def allocations_with_availability_by_range(
        self,
        start: datetime,
        end: datetime,
        resource: UUID,
        blocking_resources: Collection[UUID],
        normalize_dst: bool = True,
    ) -> Iterator[tuple[Allocation, float, Partitions]]:
        """Yield the exposed masters of a resource with what is left, by start."""
        return availability.shown_in_range(
            self,
            start,
            end,
            resource,
            blocking_resources,
            normalize_dst=normalize_dst,
        )

    def reservations_by_session(self, session_id: object) -> Query[Reservation]:
        """Return a query for the reservations of a session id, by creation.

        A falsy id finds nothing.
        """
        return sessions.of_session(self.session, session_id)

    def confirm_reservations_for_session(
        self, session_id: object, token: object = None
    ) -> None:
        """Take reservations (of a token, None: all) out of their session, for good.

        Tells ``on_reservations_confirmed``. Raises NoReservationsToConfirm if there
        are none, Misuse without a session id.
        """
        sessions.confirm(self.context, self.session, session_id, token)

    def remove_reservation_from_session(
        self, session_id: object, token: object
    ) -> None:
        """Delete the one reservation of a token; the others get new time.

        Raises NoResultFound or MultipleResultsFound unless there is exactly one.
        """
        sessions.remove_from_session(self.session, session_id, token)

    def find_expired_reservation_sessions(
        self, expiration_date: datetime | None
    ) -> list[UUID]:
        """Return the session ids with pending reservations, untouched since a date.

        None means 15 minutes ago. Looks at all contexts of the database.
        """
        return sessions.find_expired(self.session, expiration_date)

    def remove_expired_reservation_sessions(
        self, expiration_date: datetime | None = None
    ) -> list[UUID]:
        """Delete all reservations of the expired sessions; return the session ids."""
        return sessions.remove_expired(self.session, expiration_date)

    def remove_expired_idempotency_keys(
        self, expiration_date: datetime | None = None
    ) -> int:
        """Delete the keys written at a date or before; return how many.

        None means as long ago as the setting ``idempotency_lifetime`` says. Expired
        keys stand for nothing any more, so this only saves space. Looks at all contexts
        of the database.
        """
        return repeating.remove_expired(self.context, self.session, expiration_date)
