"""The facade of synchronisation: signature, docstring, one call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from libres.context.core import Context, ContextServicesMixin
from libres.sync import acting, core_handlers, pulling, schema
from libres.sync.capture import installing
from libres.sync.core_models import ALLOCATION, CHECK_IN, RESERVATION
from libres.sync.feed import keeping, numbering, worker
from libres.sync.registry import Registry, SyncModel, registry_of
from libres.sync.resources import Resources
from libres.sync.values import Member

__all__ = ("Sync",)


class Sync(ContextServicesMixin):
    """Push and pull for the devices of organisations that share a server.

    Cheap to make, without state; works in the session and transaction of the context,
    but for what says otherwise.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    # Setting up -----------------------------------------------------------------------

    @property
    def registry(self) -> Registry:
        """The models that are synchronised, in this process; register yours here."""
        return registry_of(self.context)

    def setup(self) -> None:
        """Create what is missing in the database, and note the changes of all
        registered models from now on; see `libres.sync.setup`."""
        connection = self.session.connection()
        schema.create_missing(connection)
        installing.install(connection, self.context.name, self.registry)

    def stop(self) -> None:
        """Note no more changes of the registered models; what is noted remains."""
        connection = self.session.connection()
        installing.uninstall(connection, self.context.name, self.registry)

    # The core -------------------------------------------------------------------------

    @property
    def resources(self) -> Resources:
        """The resources that belong to organisations."""
        return Resources(self.context)

    def register_core(
        self,
        *,
        reservations: bool = True,
        allocations: bool = True,
        check_ins: bool = True,
        unexposed: bool = False,
    ) -> list[SyncModel]:
        """Let reservations, allocations and check-ins be synchronised, as
        ``libres.Reservation``, ``libres.Allocation`` and ``libres.CheckIn``.

        Clients see those of the resources of their organisation; the scheduler decides
        what becomes of what they push. Check-ins need `libres.occupancy.setup`.

        Raises NotRegistrable for allocations if the exposure of the context hides some,
        unless what is *unexposed* is to be seen, too.
        """
        wanted = {
            RESERVATION: reservations,
            ALLOCATION: allocations,
            CHECK_IN: check_ins,
        }
        names = [name for name, is_wanted in wanted.items() if is_wanted]
        return core_handlers.register(self.context, names, unexposed=unexposed)

    # Acting ---------------------------------------------------------------------------

    def acting(
        self,
        actor: str,
        *,
        request: str | None = None,
        reason: str | None = None,
        organization: str | None = None,
    ) -> AbstractContextManager[None]:
        """Say who makes the changes of a with-block: a user, or ``system:<job>``.

        The changes carry *request* and *reason* as well. *organization* is the
        reference of the one whose rows alone are seen, where row-level security is on.
        One statement per transaction.
        """
        act = acting.Act(actor, request or "", reason or "", organization or "")
        return acting.acting(self.session, act)

    # The feed -------------------------------------------------------------------------

    def number(self) -> int:
        """Number what is pending and committed; return how many changes there were.

        Readers do so by themselves; a worker makes it sooner. In a transaction of its
        own. One statement if there is nothing to do.
        """
        return numbering.number(self.context)

    def work(
        self,
        stop: threading.Event,
        *,
        interval: float = worker.INTERVAL,
        told: Callable[[int], object] = lambda _count: None,
    ) -> int:
        """Number changes until *stop* is set; return how many there were.

        For a thread or process of its own: the feed then is at most *interval* seconds
        behind, whether anybody reads it or not. *told* hears of each batch.
        """
        return worker.work(self.context, stop, interval=interval, told=told)

    # Pulling --------------------------------------------------------------------------

    def pull(
        self, member: Member, body: object, *, request: str | None = None
    ) -> pulling.PullAnswer:
        """Answer what a device asks for: all rows first, then what has changed.

        *body* is ``{"models": {name: None or a time}, "batch_size": 100}``, or what
        the last answer said: ``{"cursor": …, "batch_size": 100}``; without models it
        is all that the member may pull. The answer has at most ``batch_size`` (1 to
        1000) rows in ``data`` and ``deleted`` together. While it has ``has_more``, go
        on at once. Before applying it, forget the rows of the models in ``resync``; of
        a row ignore what has a lower ``_version`` than what you have.

        A cursor that is sent confirms everything up to it. *request* is an id for the
        log. In transactions of its own: the session must not hold changes.

        Raises MalformedRequest, ResyncRequired with the cursor to go on with and its
        models, KeysMissing without a secret for cursors, and DirtyReadOnlySession.
        """
        return pulling.pull(self.context, member, body, request)

    # Keeping changes ------------------------------------------------------------------

    def drop_old_changes(self, until: datetime) -> int:
        """Drop changes that were numbered before a moment; return how many.

        Devices that have not come for so long get all rows anew. In a transaction of
        its own; nothing is numbered meanwhile. Raises Misuse for a moment without
        timezone.
        """
        return keeping.drop_old(self.context, until)

    def lag(self) -> keeping.Lag:
        """Tell how many changes wait for a number, and for how long. One statement, in
        a transaction of its own."""
        return keeping.lag(self.context)
