"""What writes pushed items: what it is given, and what it answers for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.sync.registry import SyncModel
    from libres.sync.values import Member

Op: TypeAlias = Literal["create", "update", "delete"]
"""What is to be done; an ``upsert`` has been decided by now."""

Did: TypeAlias = Literal["created", "updated", "deleted"]

Refusal: TypeAlias = Literal["invalid", "not_found", "forbidden", "conflict"]


def _facts() -> Any:
    return field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a push, as far as it is right in itself."""

    index: int
    """In the request, from 0."""

    model: SyncModel
    op: Op
    key: tuple[Any, ...] | None
    """What Python holds of the id; None: the database draws it."""

    values: Mapping[str, Any]
    """What Python holds of the fields that were sent, by name; writable ones only."""

    version: int | None = None
    """The version that the client has changed; None: it does not say."""

    op_id: str | None = None
    temporary: str | None = None
    """``tmp:…``: what the client calls it until it has an id."""


@dataclass(frozen=True, slots=True)
class Done:
    """An item was written."""

    did: Did
    key: tuple[Any, ...]
    version: int | None = None
    """None: to be looked up, from what the triggers have noted."""

    facts: Mapping[str, Any] = _facts()
    """What the client is told in addition: values of JSON."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An item was not written, and nothing of it."""

    type: Refusal
    message: str
    """For people; without anything of what the caller may not see."""

    field: str | None = None
    facts: Mapping[str, Any] = _facts()
    """``row`` and ``_version`` of the server for a conflict; ``alternatives``; …"""


Outcome: TypeAlias = Done | Refused

NOT_FOUND: Final = Refused("not_found", "There is no such row.")
"""Also of what others have, and of what a filter hides."""


@dataclass(frozen=True, slots=True)
class Work:
    """For whom, and where, items are written."""

    context: Context
    session: Session
    member: Member


class Handler(Protocol):
    """Writes items of one model. It runs inside a savepoint of the push; what it raises
    as LibresError or as an error of the database rolls that back, and the items are
    given to it again one by one; then the error is told for the one that caused it."""

    batch: int
    """How many items it takes at once."""

    serializable: bool
    """It needs a SERIALIZABLE transaction; else READ COMMITTED and locks do."""

    def write(self, work: Work, items: Sequence[Item]) -> Sequence[Outcome]:
        """Write items of the same operation; answer for each, in their order.

        Rights (flags) and fields have been checked, rows have not: what the member may
        not see is ``not_found``.
        """
        ...
