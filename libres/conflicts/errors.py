"""What can go wrong with claims, one class per situation.

As in `libres.modules.errors`, the docstring of a class is its message::

    LibresError
    ├── ConflictError
    ├── InvalidClaim
    ├── IncompleteQuestion
    │   └── EmptyQuery
    ├── MirroredElsewhere
    └── NotTrackable
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libres.modules.errors import LibresError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from libres.conflicts.claim import Claim
    from libres.conflicts.refusing import Row

__all__ = (
    "ConflictError",
    "EmptyQuery",
    "IncompleteQuestion",
    "InvalidClaim",
    "MirroredElsewhere",
    "NotTrackable",
)


class ConflictError(LibresError):
    """This is taken: choose another time or resource, or look at suggest() for what is
    free."""

    conflicts: list[Claim]
    """Who was there first. At SERIALIZABLE also those whom the own snapshot does not
    show yet; then only what the guard knows of them is filled in."""

    refused: Row | None
    """The row that the guard refused, if it was the guard."""

    def __init__(
        self, conflicts: Sequence[Claim] = (), refused: Row | None = None
    ) -> None:
        super().__init__(conflicts=list(conflicts), refused=refused)

    def _told_facts(self) -> str:
        return f" ({'; '.join(map(str, self.conflicts))})" if self.conflicts else ""


class InvalidClaim(LibresError):
    """This cannot be claimed: times are aware and end after they start, names are short
    texts that are not empty."""


class IncompleteQuestion(LibresError):
    """This question is incomplete, and a narrower answer would be taken for 'it is
    free': give a resource and both ends of the time, OPEN for one without end."""


class EmptyQuery(IncompleteQuestion):
    """This query has no condition: say at least one of resource(), during(), span() and
    dims()."""


class MirroredElsewhere(LibresError):
    """The reservations of this database are mirrored into the claims of another
    context: use that context for claims on what the scheduler reserves, or remove its
    mirror first with remove_mirror()."""

    owner: str

    def __init__(self, owner: str) -> None:
        super().__init__(owner=owner)


class NotTrackable(LibresError):
    """This model cannot be tracked as it is: see the reason."""
