"""The facade of claims: signature, docstring, one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from libres.conflicts import asking, mirroring, schema, trees, writing
from libres.conflicts.claim import NO_TIME, Proposal
from libres.conflicts.query import ClaimQuery
from libres.conflicts.tracking import installing, keeping, watching
from libres.context.core import Context, ContextServicesMixin

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from libres.conflicts.asking import Answer, Metrics
    from libres.conflicts.claim import Claim
    from libres.conflicts.differences import Difference
    from libres.conflicts.query import Missing
    from libres.conflicts.rules import Hit
    from libres.conflicts.tracking.mapping import ClaimMapping, Derive, Tracking
    from libres.conflicts.values import (
        Bounds,
        Doubtful,
        During,
        Moment,
        Numbers,
        Period,
    )
    from libres.conflicts.writing import Written

__all__ = ("Claims",)


class Claims(ContextServicesMixin):
    """The claims of a context: nobody else's are seen or touched.

    Cheap to make, without state; works in the session and transaction of the context.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    # Setting up -----------------------------------------------------------------------

    def setup(
        self, *, mirror_reservations: bool = False, mirror_pending: bool = False
    ) -> None:
        """Create what is missing in the database; see `libres.conflicts.setup`."""
        schema.create_missing(self.session.connection())
        if mirror_reservations or mirror_pending:
            mirroring.install(self.context, self.session, mirror_pending)

    # Asking ---------------------------------------------------------------------------

    def query(self) -> ClaimQuery:
        """Return a question without conditions yet, see `ClaimQuery`."""
        return ClaimQuery(self.context, self.session)

    def check(self, proposal: Proposal, *, missing: Missing = "collide") -> list[Claim]:
        """Return the claims in the way of a proposal, by start; empty: it is free.

        The record of the proposal, if it names one, is not in its own way; what has
        expired never is. Claims that are not exclusive are told as well. A proposal
        with a capacity meets others with one only if there are not enough places. A
        whole meets claims of its parts, and the reverse. With *missing* as ``ignore``,
        claims that say no span do not meet a proposal that says one. One statement.

        An answer is true for this moment only: to have it, use `claim`.
        """
        return asking.check(self.context, self.session, proposal, missing)

    def check_many(
        self,
        proposals: Iterable[Proposal | Mapping[str, Any]],
        *,
        within: bool = True,
        missing: Missing = "collide",
    ) -> list[Answer]:
        """Do the same for many proposals, in one statement per thousand.

        The answers keep the order; *within*, they also tell which of the other
        proposals are in the way.
        """
        return asking.check_many(self.context, self.session, proposals, within, missing)

    def explain(self, proposal: Proposal, *, missing: Missing = "collide") -> list[Hit]:
        """Return the claims in the way, and where each of them overlaps."""
        return asking.explain(self.context, self.session, proposal, missing)

    def matrix(
        self, proposals: Iterable[Proposal | Mapping[str, Any]]
    ) -> list[list[bool]]:
        """Return which proposals of a draft collide: a row and a column for each.

        On the diagonal: whether claims that exist are in its way.
        """
        return asking.matrix(self.context, self.session, proposals)

    def free_between(
        self,
        resource: str,
        start: Moment,
        end: Moment,
        *,
        timezone: str | None = None,
        min_length: timedelta | None = None,
    ) -> list[Period]:
        """Return when a resource is free between two moments, OPEN for no end.

        Free is what no exclusive claim takes; gaps shorter than *min_length* are left
        out. One statement.
        """
        return asking.free_between(
            self.context, self.session, resource, (start, end), timezone, min_length
        )

    def suggest(
        self, proposal: Proposal, n: int = 5, *, resources: Iterable[str] = ()
    ) -> list[Proposal]:
        """Return up to *n* (100 at most) proposals that are free instead.

        First the same time on other *resources*, in their order; then the nearest times
        on its own, 14 days away at most and not in the past. One statement.
        """
        return asking.suggest(self.context, self.session, proposal, n, resources)

    def metrics(self) -> list[Metrics]:
        """Count the claims of each source, by its name."""
        return asking.metrics(self.context, self.session)

    # Claiming -------------------------------------------------------------------------

    def put(
        self,
        source: str,
        source_id: str | int | UUID,
        resource: str | UUID,
        during: During,
        *,
        span: Numbers | None = None,
        bounds: Bounds = "[]",
        dims: Mapping[str, Any] | None = None,
        part: int = 0,
        exclusive: bool = True,
        capacity: int | None = None,
        places: int = 1,
        tentative: bool = False,
        expires: datetime | None = None,
        before: timedelta = NO_TIME,
        after: timedelta = NO_TIME,
        label: str | None = None,
        url: str | None = None,
        timezone: str | None = None,
        doubtful: Doubtful = "refuse",
    ) -> Claim:
        """Claim a resource for a record, or replace what the record has claimed.

        *source* is ``app.Model`` and *source_id* the primary key there; *during* a
        tuple of two aware ends, a Span or a Period. The other values are those of a
        `Proposal`; what is not passed is not kept from before.

        Raises ConflictError if others were first, IncompleteQuestion and InvalidClaim
        for values that make no sense; the session can be used on.
        """
        proposal = Proposal(
            source=source,
            source_id=source_id,
            resource=resource,
            during=during,
            span=span,
            bounds=bounds,
            dims=dims,
            part=part,
            exclusive=exclusive,
            capacity=capacity,
            places=places,
            tentative=tentative,
            expires=expires,
            before=before,
            after=after,
            label=label,
            url=url,
            timezone=timezone,
            doubtful=doubtful,
        )
        return writing.put(self.context, self.session, proposal)

    def put_many(
        self, rows: Iterable[Proposal | Mapping[str, Any]], *, partial: bool = False
    ) -> Written:
        """Do the same for many rows, in one statement per thousand; keeps the order.

        All or nothing, and then records may swap their times; or *partial*: each as if
        alone, and the result says who was refused and why.

        Raises ConflictError unless *partial*, IncompleteQuestion and InvalidClaim if a
        row makes no sense or is there twice; then nothing is written in any case.
        """
        return writing.put_many(self.context, self.session, rows, partial)

    def claim(self, proposal: Proposal) -> Claim:
        """Claim what was proposed; without a source it gets a record of its own.

        Raises ConflictError, whose ``conflicts`` name who was first, at any isolation
        level; the session can be used on.
        """
        return writing.claim(self.context, self.session, proposal)

    def drop(self, source: str, source_id: object) -> int:
        """Give back all that a record has claimed; return the number of its parts."""
        return self.drop_many([(source, source_id)])

    def drop_many(self, records: Iterable[tuple[str, object]]) -> int:
        """Give back all that records have claimed; return the number of parts."""
        return writing.drop_many(self.context, self.session, records)

    def drop_expired(self) -> int:
        """Delete what has expired; return how many. It does not count anyway."""
        return writing.drop_expired(self.context, self.session)

    @contextmanager
    def guarded(self, *, deferred: bool = False) -> Iterator[None]:
        """Run a block in a savepoint; raise ConflictError for what the guard refuses.

        For records that are tracked, or written by the scheduler and mirrored: write
        them within the block. With *deferred* the guard looks at the end of the block,
        so that records may swap their times one after the other.

        Raises ConflictError; the block is undone then, the session can be used on.
        """
        with writing.guarded(self.context, self.session, deferred):
            yield

    # Resources that consist of others -------------------------------------------------

    def arrange(self, resource: str, *, within: str) -> None:
        """Make a resource a part of another one, as a room of a building.

        Who claims the building claims the room, also those who did so before.

        Raises ConflictError if somebody has claimed the part at the same time as the
        whole, InvalidClaim if the whole is a part of the part.
        """
        trees.arrange(self.context, self.session, resource, within)

    def detach(self, resource: str) -> bool:
        """Make a resource a part of nothing; return whether it was a part before."""
        return trees.detach(self.context, self.session, resource)

    def parts_of(self, resource: str) -> list[str]:
        """Return what a resource consists of, at all depths, sorted."""
        return trees.parts_of(self.context, self.session, resource)

    # Tracking -------------------------------------------------------------------------

    def track(
        self,
        model: Any,
        mapping: ClaimMapping | Sequence[ClaimMapping] | Derive,
        *,
        mode: Literal["auto", "trigger", "session"] = "auto",
        source: str | None = None,
        depends_on: Sequence[Any] = (),
    ) -> Tracking:
        """Let the rows of a model be claims, those that are there already as well.

        A `ClaimMapping` (or several, for several parts) is made a trigger of the
        database: whatever writes, the claims are right at the end of the statement. A
        Python function that takes an object and gives proposals is called by SQLAlchemy
        sessions of this process; what those cannot see is said in ``blind_to``.
        *source* is ``package.Model`` if it is None. *depends_on* lists columns of other
        tables that the values come from; the table refers to those by foreign keys.

        May be called at each start. Raises ConflictError if rows overlap already,
        NotTrackable for what cannot be tracked like that, in words.
        """
        return installing.track(
            self.context, self.session, model, mapping, mode, source, depends_on
        )

    def untrack(self, model: Any) -> int:
        """Stop to track a model, or a source by its name; return how many claims went.

        Raises NotTrackable if it is not tracked.
        """
        return installing.untrack(self.context, self.session, model)

    def tracked(self) -> list[str]:
        """Return the sources that are tracked, by name."""
        return keeping.sources(self.context, self.session)

    def verify(self, source: str, *, repair: bool = False) -> list[Difference]:
        """Compare the claims of a source with its rows; empty if all is well.

        Also tells whether the table or its triggers have changed. With *repair* the
        claims that differ are made anew; what is ``broken`` needs `track`.
        """
        verify = self._keeper(source).verify
        found: list[Difference] = verify(self.context, self.session, source, repair)
        return found

    def rebuild(self, source: str) -> int:
        """Make all claims of a source anew, in one transaction; return how many."""
        count: int = self._keeper(source).rebuild(self.context, self.session, source)
        return count

    def _keeper(self, source: str) -> Any:
        mode = keeping.noted(self.context, self.session, source).mode
        return watching if mode == "session" else keeping

    # The mirror of the core -----------------------------------------------------------

    def verify_mirror(self, *, repair: bool = False) -> list[Difference]:
        """Compare the mirrored claims with the reservations and blockers of the core.

        Return what differs, empty if all is well or nothing is mirrored; with *repair*
        it is mended. Raises
        ConflictError if it cannot be mended, as somebody has claimed what is reserved.
        """
        return mirroring.verify(self.context, self.session, repair)

    def remove_mirror(self) -> int:
        """Stop to mirror the core; return how many claims were deleted with it."""
        return mirroring.remove(self.context, self.session)
