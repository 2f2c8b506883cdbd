"""What can differ between claims and the records they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["missing", "stale", "orphaned", "broken"]

SAYS: Final = {
    "missing": "The record claims something, but there is no claim.",
    "stale": "The claim is not what the record says.",
    "orphaned": "There is a claim, but the record is gone or claims nothing.",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """What is wrong with the claims of a source."""

    kind: Kind
    """``missing``: a record has no claim. ``stale``: it has another one. ``orphaned``:
    a claim has no record. ``broken``: the table or its triggers have changed."""

    source: str
    source_id: str | None
    """Which record; None, if it is not about one."""

    says: str
    """What it is, in words."""


def difference(kind: Kind, source: str, source_id: str) -> Difference:
    """Make a difference of one record."""
    return Difference(kind, source, source_id, SAYS[kind])
