"""The facade of the audit: signature, docstring, one call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import IO, Any

from libres.context.core import Context, ContextServicesMixin
from libres.db.scheduler import Scheduler
from libres.sync import acting, row_security, schema
from libres.sync.audit import (
    anchors,
    erasing,
    exporting,
    keeping,
    owning,
    reading,
    reverting,
    tables,
    times,
    verifying,
)
from libres.sync.audit.values import Entry, Erased, FieldChange, Reverted, Verdict
from libres.sync.capture import installing

__all__ = ("Audit",)


class Audit(ContextServicesMixin):
    """Who changed what, when, and why: of the core, the configuration, and of models.

    Cheap to make, without state. What it reads is committed; it is read in
    transactions of its own.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    def setup(self, *models: Any, slots: bool = False) -> None:
        """Note changes from now on, and keep them; see `libres.sync.audit.setup`."""
        connection = self.session.connection()
        schema.create_missing(connection)
        tables.add(self.context, models, slots=slots)
        audited = tables.Tables(self.context)
        installing.install(connection, self.context.name, audited)
        keeping.begin(connection, self.context.name)

    def acting(
        self, actor: str, *, request: str | None = None, reason: str | None = None
    ) -> AbstractContextManager[None]:
        """Say who makes the changes of a with-block: a user, or ``system:<job>``.

        One statement per transaction. See also `libres.sync.Sync.acting`.
        """
        told = acting.Act(
            *(actor, request or "", reason or ""),
            tells_readers=row_security.is_told(self.context),
        )
        return acting.acting(self.session, told)

    # Reading --------------------------------------------------------------------------

    def history(
        self,
        model: Any = None,
        id: Any = None,  # noqa: A002 - as clients call it
        *,
        user: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        request: str | None = None,
        tenants: Collection[str] | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """Return changes, the latest first.

        *model* is a class, its name or its table (None: of all); *id* the key of a row,
        a tuple of several values. *user* is the actor, *action* ``insert``, ``update``
        or ``delete``. They were made from *since* on, and before *until*. *tenants* are
        the references of organisations (None: of all). *before* is the number of a
        change, to go on with older ones; at most *limit* are returned, 1 to 10,000.

        What was taken from one of *tenants* is theirs as well: without what became of
        it elsewhere, as they do not see what it was before it came to them. To look for
        a *request*, say about when it was: all changes of that time are looked at.

        Raises UnknownEntity for a model that is none, and Misuse for times without
        timezone, or in the wrong order, for other actions, and other limits.
        """
        asked = reading.Asked(
            model=model,
            id=id,
            user=user,
            action=action,
            since=since,
            until=until,
            request=request,
            tenants=tenants,
        )
        return reading.history(self.context, asked, before, limit)

    def entries(self, **asked: Any) -> Iterator[Entry]:
        """Yield all changes that `history` would find, page by page, the latest first;
        it takes what `history` takes but *before* and *limit*."""
        return reading.entries(self.context, reading.Asked(**asked))

    def entry(self, position: int, *, tenants: Collection[str] | None = None) -> Entry:
        """Return the change of a number; *tenants* as for `history`. Raises
        UnknownEntity, also for a change that does not concern *tenants*."""
        return reading.entry(self.context, position, tenants)

    def as_of(
        self,
        model: Any,
        id: Any,  # noqa: A002 - as clients call it
        time: datetime,
    ) -> Mapping[str, Any] | None:
        """Return a row as it was at a moment, by the names of its columns; None: there
        was none.

        A change counts from the moment at which its transaction began. What was erased
        is ERASED; what is secret is missing. Before changes were noted, the row is what
        it was when they began to be. Raises UnknownEntity, Misuse for a time without
        timezone, and NotKept if changes since then were dropped.
        """
        return times.as_of(self.context, model, id, time)

    def diff(
        self,
        model: Any,
        id: Any,  # noqa: A002 - as clients call it
        first: datetime,
        second: datetime,
    ) -> list[FieldChange]:
        """Return in which fields a row differs between two moments.

        Raises what `as_of` raises.
        """
        return times.diff(self.context, model, id, first, second)

    def find(self, model: Any, /, **values: Any) -> list[str]:
        """Return the keys of the rows that have ever had all of these values at once,
        by the names of their columns, for a request by somebody to be forgotten. Reads
        all changes of the model.

        Texts are compared as they are noted, in JSON; numbers by what they are worth.
        Raises UnknownEntity for a model that is none, and Misuse for columns of which
        nothing is noted.
        """
        return reading.find(self.context, model, values)

    # Undoing --------------------------------------------------------------------------

    def revert(
        self,
        position: int,
        *,
        reason: str | None = None,
        scheduler: Scheduler | None = None,
    ) -> Reverted:
        """Undo a change by a new one, in the session and transaction of the context.

        *reason* is noted with it (None: "revert of change 7"). Reservations,
        allocations and blockers are changed by their scheduler: pass it, unless the
        resource belongs to an organisation. What a transaction did to one of them is
        undone as a whole. What was removed is reserved or allocated anew, under another
        key.

        Raises UnknownEntity, Misuse for the scheduler of another resource, and
        NotRevertible, with the remedy, if what it has changed was changed since,
        erased, or cannot be brought back.
        """
        return reverting.revert(self.context, position, reason, scheduler)

    # Trusting -------------------------------------------------------------------------

    def verify(
        self,
        *,
        told: Callable[[int, int], object] = lambda _done, _all: None,
        anchors: Iterable[Mapping[str, Any]] = (),
    ) -> Verdict:
        """Look whether anybody has changed, removed or added what was noted.

        *told* hears how many of how many changes were looked at. *anchors* are those
        that were exported, and kept elsewhere: only they, and secrets that the database
        does not know, find a chain that was computed anew as a whole. Signatures are
        checked if the secrets are there.

        All is read as it is at one moment; others write meanwhile. Raises Misuse for
        *anchors* that are none, or of another context.
        """
        return verifying.verify(self.context, told, anchors)

    def anchor(self) -> int:
        """Sign the chain as it is now, in a transaction of its own; return the number
        of the last change that is signed. Raises KeysMissing."""
        return anchors.anchor(self.context)

    def anchors(self) -> list[dict[str, Any]]:
        """Return all signatures, the oldest first, as JSON; keep them elsewhere."""
        return anchors.exported(self.context)

    def export(self, file: IO[str], **asked: Any) -> int:
        """Write changes as lines of JSON, the oldest first, with all that proves them;
        return how many. It takes what `entries` takes.

        `libres.sync.audit.verify_export` checks them without a database. Of what was
        not asked for, and of what was taken from an organisation if *tenants* are asked
        for, there is nothing but a SHA-256. Raises what `history` raises.
        """
        return exporting.export(self.context, file, reading.Asked(**asked))

    # Forgetting -----------------------------------------------------------------------

    def erase(
        self,
        model: Any,
        id: Any,  # noqa: A002 - as clients call it
        fields: Collection[str] | None = None,
        *,
        reason: str,
    ) -> Erased:
        """Erase what was noted of a row: the values of *fields* (None: of all) in all
        of its changes, and nothing else. The chain still verifies.

        In the session and transaction of the context; it is noted who has done so, and
        why. The row itself is not touched: before, change or delete it, and commit.
        Answers to pushes that are kept do not show it any more, and devices that have
        not heard of its last change get all rows anew.

        Raises UnknownEntity for a model that is none, and Misuse without reason, for
        fields that there are not, and if this transaction has changed the row. If
        others have just done so PostgreSQL refuses it, and `Context.transaction` does
        it again.
        """
        return erasing.erase(self.context, model, id, fields, reason)

    def drop_old(self, until: datetime) -> int:
        """Drop changes that were numbered before a moment, from the audit as well;
        return how many.

        Devices that have not come for so long get all rows anew. What is left still
        verifies; the end of what is gone is signed before, if the secrets are there. In
        a transaction of its own, by the owner of the tables; nothing is numbered
        meanwhile. Raises Misuse for a moment without timezone.
        """
        return keeping.drop_old(self.context, until)

    def protect(self, owner: str, role: str) -> list[str]:
        """Return the statements that let *owner*, a role of the database, own what was
        noted, so that *role*, as which the application connects, can only add to it.

        A superuser executes them; both roles have to be there. *role* still has to get
        the other rights, see `libres.sync.Sync.grants`, and *owner* has to make
        partitions once a month, by ``libres jobs`` for instance. It must not be the
        owner of the database. Raises Misuse if *role* can do whatever *owner* can.
        """
        return owning.protect(self.session.connection(), owner, role)
