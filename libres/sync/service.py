"""The facade of synchronisation: signature, docstring, one call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from libres.context.core import Context, ContextServicesMixin
from libres.sync import (
    acting,
    core_handlers,
    describing,
    discovering,
    doctor,
    pulling,
    pushing,
    row_security,
    schema,
    signing_in,
)
from libres.sync.capture import installing
from libres.sync.configuration import Configuration
from libres.sync.core_models import ALLOCATION, CHECK_IN, RESERVATION
from libres.sync.devices import Devices
from libres.sync.feed import keeping, numbering, worker
from libres.sync.filter_store import Filters
from libres.sync.memberships import Memberships
from libres.sync.organizations import Organizations
from libres.sync.permissions import Permissions
from libres.sync.registry import Registry, SyncModel, registry_of
from libres.sync.resources import Resources
from libres.sync.roles import Roles
from libres.sync.settings import Settings
from libres.sync.switches import Switches
from libres.sync.users import Users
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

    # People ---------------------------------------------------------------------------

    @property
    def organizations(self) -> Organizations:
        """The organisations that share the server."""
        return Organizations(self.context)

    @property
    def users(self) -> Users:
        """The users of the table of the context, where the host has none of its own."""
        return Users(self.context)

    @property
    def roles(self) -> Roles:
        """The roles, global ones and those of organisations."""
        return Roles(self.context)

    @property
    def memberships(self) -> Memberships:
        """Who belongs to which organisation, in which role."""
        return Memberships(self.context)

    @property
    def permissions(self) -> Permissions:
        """What roles may do with models."""
        return Permissions(self.context)

    @property
    def switches(self) -> Switches:
        """Which models are switched on; the others nobody pushes or pulls."""
        return Switches(self.context)

    @property
    def settings(self) -> Settings:
        """The settings that all processes of the context share."""
        return Settings(self.context)

    @property
    def configuration(self) -> Configuration:
        """All of that as one document: exported, compared and applied."""
        return Configuration(self.context)

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
        told = (actor, request or "", reason or "", organization or "")
        act = acting.Act(*told, tells_readers=row_security.is_told(self.context))
        return acting.acting(self.session, act)

    # Signing in -----------------------------------------------------------------------

    @property
    def devices(self) -> Devices:
        """The phones, kiosks and servers of the organisations."""
        return Devices(self.context)

    def sign_in(
        self,
        username: str,
        password: str,
        *,
        organization: str | None = None,
        device: str | None = None,
        address: str = "",
    ) -> signing_in.SignedIn:
        """Exchange a password for tokens, which are for one organisation.

        *organization* is its slug (None: the only one that the user belongs to).
        *device* is the name of the device, which is noted if it is new; *address* is
        where the request comes from, to count failures by.

        Raises NotSignedIn, the same whatever is wrong and whoever is not active;
        TooManyRequests after five failures in a minute for a name, or twenty from an
        address; MalformedRequest with the ``organizations`` to choose from, and for a
        device without a name; KeysMissing.
        """
        return signing_in.sign_in(
            self.context, username, password, organization, device, address
        )

    def sign_in_device(self, key: str, *, address: str = "") -> signing_in.SignedIn:
        """Exchange the key of a device for tokens.

        Raises NotSignedIn, TooManyRequests after twenty failures from an address in a
        minute, and KeysMissing.
        """
        return signing_in.sign_in_device(self.context, key, address)

    def refresh(self, token: str, *, address: str = "") -> signing_in.SignedIn:
        """Exchange a refresh token for the next pair, in a transaction of its own.

        It can be used once: whoever comes with it again ends all that have followed.
        Raises NotSignedIn, TooManyRequests as `sign_in_device` does, and KeysMissing.
        """
        return signing_in.refresh(self.context, token, address)

    def sign_out(self, token: str) -> None:
        """End a token of either kind, and all of the same signing in, at once, in a
        transaction of its own. Raises NotSignedIn for what is no token."""
        signing_in.sign_out(self.context, token)

    def authenticate(self, token: str, organization: str | None = None) -> Member:
        """Return who has an access token, and what they may at this moment.

        *organization*, a slug, can only confirm that of the token. Two statements; one
        more if the host knows the users.

        Raises NotSignedIn, NotPermitted for another organisation, and KeysMissing.
        """
        return signing_in.authenticate(self.context, token, organization)

    def count(self, member: Member) -> None:
        """Count a request of a device, or of a user without one. Two statements, one in
        a transaction of its own.

        Raises TooManyRequests with the seconds to wait, if the settings
        ``requests_per_minute`` or ``requests_per_hour`` allow no more.
        """
        signing_in.count(self.context, member)

    def drop_over(self) -> int:
        """Forget tokens and counts that are over, in transactions of their own; return
        how many there were. Call it now and then."""
        return signing_in.drop_over(self.context)

    def over(self) -> int:
        """Tell how many tokens and counts `drop_over` would forget."""
        return signing_in.over(self.context)

    # Filters, and the second wall -----------------------------------------------------

    @property
    def filters(self) -> Filters:
        """Which rows of a model a role sees in an organisation; without one, all."""
        return Filters(self.context)

    def enable_row_security(self, *, owners: bool = False) -> int:
        """Let PostgreSQL show and take only rows of the organisation that is acted for,
        of registered models with a tenant column, and of the feed; return how many
        tables there are.

        Without one nothing is shown. Who owns the tables is bound only with *owners*,
        superusers never. Set ``sync_row_security`` of the context to True at each
        start, too, so that who only reads says for whom.
        """
        connection = self.session.connection()
        return row_security.enable(connection, self.registry, owners=owners)

    def disable_row_security(self) -> int:
        """Take the second wall down; return how many tables there are."""
        return row_security.disable(self.session.connection(), self.registry)

    def grants(self, role: str) -> list[str]:
        """Return the statements that let a role push and pull which owns no tables."""
        return row_security.grants(self.session.connection(), self.registry, role)

    # What there is, and how it is -----------------------------------------------------

    def discover(self, *bases: Any) -> list[discovering.Proposal]:
        """Propose which models of declarative bases to register, and say why (not); it
        registers none. Raises Misuse for what is no declarative base."""
        return discovering.discover(bases, self.registry)

    def describe(self, member: Member) -> dict[str, Any]:
        """Describe the models that somebody may do anything with, as JSON: by name,
        ``key``, ``fields``, ``flags``, ``filtered``, ``shared``, ``conflicts``."""
        return describing.describe(self.registry, member)

    def examine(self) -> list[doctor.Finding]:
        """Return what keeps the synchronisation from working, the worst first."""
        return doctor.examine(self.context, self.session)

    def mend(self) -> int:
        """Install the triggers of registered models that are not as they should be;
        return how many tables there were."""
        connection = self.session.connection()
        return installing.install(connection, self.context.name, self.registry)

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

    # Pushing --------------------------------------------------------------------------

    def push(
        self, member: Member, body: object, *, request: str | None = None
    ) -> pushing.PushAnswer:
        """Write what a device has changed, and say item by item what became of it.

        *body* is JSON in bytes, or what it says: ``{"data": [{"_model": …, "id": …,
        fields …}], "mode": "partial"}``. An item may have ``_op`` (``upsert``,
        ``create``, ``update``, ``delete``), ``_version`` (the one that was changed:
        without it nobody notices that others were faster) and ``_op_id`` (with it, it
        has its effect once, however often it is sent). New rows may be called
        ``tmp:…`` in the same push. With the mode ``atomic`` all is stored, or nothing.
        *request* is an id for the log and the changes.

        In one transaction, tried again while others get in its way. Of rows that the
        member may not see the answer tells nothing. Raises MalformedRequest,
        RequestTooLarge, and Unavailable if others were in the way too often.
        """
        return pushing.push(self.context, member, body, request)

    # Keeping changes ------------------------------------------------------------------

    def drop_old_changes(self, until: datetime) -> int:
        """Drop changes that were numbered before a moment; return how many.

        Devices that have not come for so long get all rows anew. Where there is an
        audit, it keeps them: see `Audit.drop_old`. In a transaction of its own; nothing
        is numbered meanwhile. Raises Misuse for a moment without timezone.
        """
        return keeping.drop_old(self.context, until)

    def lag(self) -> keeping.Lag:
        """Tell how many changes wait for a number, and for how long. One statement, in
        a transaction of its own."""
        return keeping.lag(self.context)
