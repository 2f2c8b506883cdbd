"""What the audit tells: changes, field by field, and what it finds when it verifies."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from libres.sync.registry import Image

Action = Literal["insert", "update", "delete"]


class _Erased:
    """Stands for a value that was erased on request."""

    def __repr__(self) -> str:
        return "ERASED"

    def __bool__(self) -> bool:
        return False


ERASED: Final = _Erased()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field has got another value."""

    field: str
    """The name of the column."""

    before: Any
    """As JSON has it; None: there was none; ERASED: it was erased on request."""

    after: Any

    @property
    def is_erased(self) -> bool:
        """The values are gone."""
        return self.before is ERASED or self.after is ERASED


@dataclass(frozen=True, slots=True)
class Entry:
    """A change of a row, as the audit has it."""

    position: int
    """Its number: 1, 2, 3, … in a context."""

    at: datetime
    """When its transaction began, in UTC."""

    numbered: datetime
    """When it got its number, which is after its commit, in UTC."""

    model: str
    """The name of the model; of the table, if this process knows none."""

    relation: str
    """The name of the table."""

    key: str
    """The key of the row, as text; of several columns a JSON list."""

    action: Action
    actor: str
    """Who it was: a user, ``system:<job>``, or ``database:<role>``."""

    request: str | None
    reason: str | None
    tenant: str | None
    """The reference of the organisation; empty: of none; None: of all of them."""

    transaction: int
    """The same for all that was changed at once."""

    before: Image | None = field(repr=False)
    """The row before; None: there was none."""

    after: Image | None = field(repr=False)
    """The row after; None: there is none."""

    changes: tuple[FieldChange, ...] = field(repr=False)
    """What has changed, by the name of the field; all of a row that came or went."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying has found."""

    checked: int
    """How many changes were looked at."""

    first: int
    """The number of the first of them; what is before is not kept any more."""

    last: int
    bad: int | None = None
    """The number of the first change with which something is wrong; None: nothing is.
    """

    problem: str = ""
    """What is wrong, in a sentence; empty: nothing is."""

    anchors: int = 0
    """How many signatures were checked."""

    anchored: int = 0
    """The number of the last change under a signature that holds: whoever can write to
    the database, but has no secret, cannot have changed anything up to there."""

    erased: int = 0
    """In how many changes something was erased on request."""

    @property
    def is_good(self) -> bool:
        """Nothing is wrong."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased."""

    changes: int
    """In how many changes of the row."""

    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reverted:
    """What became of a change that was to be undone."""

    entry: Entry
    """The change that was undone."""

    action: Action
    """What was done to the row."""

    key: str
    """The key of the row; another one than before if it was reserved, or allocated,
    anew."""

    fields: tuple[str, ...] = ()
    """Which fields of it have their old values again."""
