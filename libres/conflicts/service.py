"""The facade of claims: signature, docstring, one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from libres.conflicts import schema, trees, writing
from libres.context.core import Context, ContextServicesMixin

if TYPE_CHECKING:
    from libres.conflicts.claim import Claim, Proposal
    from libres.conflicts.writing import Written

__all__ = ("Claims",)


class Claims(ContextServicesMixin):
    """The claims of a context: nobody else's are seen or touched.

    Cheap to make, without state; works in the session and transaction of the context.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    # Setting up -----------------------------------------------------------------------

    def setup(self, *, mirror_reservations: bool = False) -> None:
        """Create what is missing in the database; see `libres.conflicts.setup`."""
        schema.create_missing(self.session.connection())

    # Asking ---------------------------------------------------------------------------

    # Claiming -------------------------------------------------------------------------

    def put(
        self,
        source: str,
        source_id: object,
        resource: str,
        during: object,
        **more: Any,
    ) -> Claim:
        """Claim a resource for a record, or replace what the record has claimed.

        *source* is ``app.Model`` and *source_id* the primary key there; *during* a
        tuple of two aware ends, a Span or a Period. *more* are the other values of a
        `Proposal`: ``span``, ``dims``, ``part``, ``exclusive``, ``capacity``, … What is
        not passed is not kept from before.

        Raises ConflictError if others were first, IncompleteQuestion and InvalidClaim
        for values that make no sense; the session can be used on.
        """
        proposal = writing.proposal_of(source, source_id, resource, during, more)
        return writing.put(self.context, self.session, proposal)

    def put_many(
        self, rows: Iterable[Proposal | Mapping[str, Any]], *, partial: bool = False
    ) -> Written:
        """Do the same for many rows, in two statements per thousand; keeps the order.

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
