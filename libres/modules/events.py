"""Seven lists of listeners that tell the host what happened.

Subscribe with ``append``, unsubscribe with ``remove``: an :class:`Event` is a list.
Listeners run inside the transaction, after the flush; the first argument is always
the :class:`~libres.context.core.Context` it happened in. The lists are global.

What must not happen on a rollback (mails, webhooks) belongs into the second list of
each event, :attr:`Event.committed`: its listeners get the same arguments once the
transaction has been committed, and are never called if it is rolled back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = (
    "Event",
    "on_allocations_added",
    "on_reservation_time_changed",
    "on_reservations_approved",
    "on_reservations_confirmed",
    "on_reservations_denied",
    "on_reservations_made",
    "on_reservations_removed",
)

Listener = Callable[..., Any]


class Event(list[Listener]):
    """A list of callables; calling it calls each of them in order.

    An exception in a listener stops the row and propagates to the caller of the
    operation, who then decides whether to roll back.
    """

    committed: list[Listener]
    """Listeners for after the commit; an exception in one is logged, no more."""

    def __init__(self, _ignored: object = None, /) -> None:
        super().__init__()
        self.committed = []

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        for listener in self:
            listener(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Event({super().__repr__()})"


on_allocations_added = Event()
"""``(context, allocations)`` at the end of ``allocate``, ids known; also with an empty
list, if every range was skipped."""

on_reservations_made = Event()
"""``(context, reservations)`` at the end of ``reserve``, a tuple, ids known."""

on_reservations_confirmed = Event()
"""``(context, reservations, session_id)`` once the session ids have been removed."""

on_reservations_approved = Event()
"""``(context, reservations)`` once all slots of the newly approved are written."""

on_reservations_denied = Event()
"""``(context, reservations)``: deleted and detached, every attribute readable."""

on_reservations_removed = Event()
"""``(context, reservations)``: deleted and detached, every attribute readable."""

on_reservation_time_changed = Event()
"""``(context, reservation, old_time=(start, end), new_time=(start, end))``: display
times, in the zone of the reservation."""
