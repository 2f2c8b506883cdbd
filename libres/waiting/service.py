"""The facade of waiting lists: signature, docstring, one call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from libres.context.core import Context, ContextServicesMixin
from libres.modules.errors import insist
from libres.waiting import entries, joining, matching, schema, serving

if TYPE_CHECKING:
    from libres.db.scheduler import Scheduler
    from libres.waiting.entries import Entry

__all__ = ("WaitingList",)


class WaitingList(ContextServicesMixin):
    """Who waits for the time of the resources of a context.

    First come, first served among those that fit. Cheap to make, without state; works
    in the session and transaction of the context. Schedulers are those of the context.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    def setup(self) -> None:
        """Create what is missing in the database; see `libres.waiting.setup`."""
        schema.create_missing(self.session.connection())

    # Waiting --------------------------------------------------------------------------

    def join(
        self,
        scheduler: Scheduler,
        email: str,
        start: datetime,
        end: datetime,
        *,
        places: int = 1,
        data: Mapping[str, Any] | None = None,
        until: datetime | None = None,
        again: bool = True,
    ) -> Entry:
        """Wait for a time that is taken; return the entry, with its position.

        *data* becomes that of the reservation. From *until* on nobody waits any more
        (None: when the time is over). An address waits for a time once: who joins
        *again* keeps the turn, and what was said last counts. Three statements; one or
        two more if a group is touched.

        Raises TimeIsFree for what can be reserved now; AlreadyWaiting without *again*;
        InvalidEntry for a time that is empty or over; for what could never be reserved
        what ``reserve`` raises: InvalidEmailAddress, ReservationTooLong,
        ReservationTooShort, InvalidReservationError, TimerangeTooLong, QuotaOverLimit,
        QuotaImpossible; and Misuse for a number of places that is none.
        """
        self._check(scheduler)
        wish = joining.Wish(email, start, end, places, data, until)
        return joining.join(self.context, scheduler, wish, again=again)

    def leave(self, id: UUID) -> bool:  # noqa: A002 - as in the table
        """Wait no more; tell whether somebody did. Who was served is left alone."""
        return joining.leave(self.context, self.session, id)

    def drop_expired(self) -> int:
        """Forget who waited in vain, and who was served for a time that is over.

        Returns how many they were. They are not shown as waiting anyway: call it now
        and then.
        """
        return joining.drop_expired(self.context, self.session)

    # Asking ---------------------------------------------------------------------------

    def entry(self, id: UUID) -> Entry:  # noqa: A002 - as in the table
        """Return an entry, waiting or not. Raises UnknownEntry. One statement."""
        return entries.entry_of(self.context, self.session, id)

    def entries(
        self,
        scheduler: Scheduler,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Entry]:
        """Return who waits for a part of a time, by turn. None: without end.

        At most *limit* of those with a turn higher than *after*. One statement.
        """
        self._check(scheduler)
        scope = matching.scope_of(scheduler)
        begin = None if start is None else scope.utc(start)
        finish = None if end is None else scope.utc(end)
        return entries.waiting(
            self.context, self.session, scope.resource, begin, finish, after, limit
        )

    def matching(
        self,
        scheduler: Scheduler,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Entry]:
        """Return those of ``entries`` whose time could be reserved now, by turn.

        Each is looked at by itself: two of them may want the same last place. Of what
        is approved manually pending reservations take no place. Two statements; one or
        two more if groups are touched.
        """
        found = self.entries(scheduler, start, end)
        return matching.that_fit(matching.scope_of(scheduler), found)

    # Serving --------------------------------------------------------------------------

    def serve(self, scheduler: Scheduler, id: UUID) -> UUID:  # noqa: A002 - as in the table
        """Reserve for who waits; return the token of the reservations.

        They are approved, unless the allocation is approved manually: then they are
        pending. The entry is marked. Of several who serve the same entry one wins.

        Raises UnknownEntry, NotWaiting, and what ``book`` raises: AlreadyReservedError
        if it is not free.
        """
        self._check(scheduler)
        return serving.serve(self.context, scheduler, id)

    def serve_first(
        self, scheduler: Scheduler, start: datetime, end: datetime
    ) -> Entry | None:
        """Serve the first of those who wait for a part of a time, and fit.

        If the scheduler refuses, the next one is tried; each in a savepoint. Returns
        the entry with its token; None: nobody fits.
        """
        found = self.matching(scheduler, start, end)
        return serving.serve_first(self.context, scheduler, found)

    def _check(self, scheduler: Scheduler) -> None:
        insist(
            scheduler.context is self.context,
            "The scheduler and the waiting list belong to different contexts.",
        )
