"""Decides what a client is told of changes: rows, deletions, nothing; how many at once.

A client may be ahead of the feed: it has got a row as it was later. Hence a row that it
could have seen at any moment, and does not see now, is told as deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Judged:
    """A change, as somebody sees it."""

    position: int
    transaction: int
    row: tuple[str, str]
    """The name of the model, and the key as text."""

    version: int
    was: bool
    """The row was visible before."""

    image: Mapping[str, Any] | None
    """The row after it; None: it is not visible."""

    @property
    def counts(self) -> bool:
        """Tell whether it is seen at all."""
        return self.was or self.image is not None


@dataclass(frozen=True, slots=True)
class Folded:
    """What has become of a row."""

    row: tuple[str, str]
    version: int
    image: Mapping[str, Any] | None
    """None: it is gone, for who asks."""


def fold(changes: Sequence[Judged]) -> list[Folded]:
    """Make one of several changes of a row, in the order of their last changes."""
    last: dict[tuple[str, str], Folded] = {}
    for change in changes:
        before = last.pop(change.row, None)
        if change.counts or before is not None:
            last[change.row] = Folded(change.row, change.version, change.image)
    return list(last.values())


def taken(changes: Sequence[Judged], most: int, *, is_end: bool) -> int:
    """Tell how many of the changes fit into a page of at most *most* rows.

    A page ends with a transaction if it can: where the first transaction alone is too
    large, within it. At least one change is taken, if there is one. *is_end* says that
    nothing comes after them.
    """
    rows: set[tuple[str, str]] = set()
    whole = 0
    for index, change in enumerate(changes):
        if index and change.transaction != changes[index - 1].transaction:
            whole = index
        if change.counts:
            rows.add(change.row)
        if len(rows) > most:
            return whole or index
    return len(changes) if is_end else whole or len(changes)
