"""Searches lists that are sorted by name, and leads through them page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from flask import request

from libres.web.config.paging import here

T = TypeVar("T")

MOST: Final = 50
"""Rows of a page."""

LONGEST: Final = 200
"""Characters that are searched for."""

FURTHEST: Final = 1_000_000
"""Rows that can be left out; who has more of them searches."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What part of a list is asked for."""

    search: str
    """A part of the name; empty: all."""

    first: int
    """So many rows are left out."""

    @property
    def most(self) -> int:
        """So many rows are to be found: one more than is shown tells of a next page."""
        return MOST + 1


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """Some rows of a list, and where those before and after them are."""

    asked: Asked
    rows: Sequence[T]
    before: str | None
    after: str | None


def asked() -> Asked:
    """Return what part of a list a request asks for: ``?search=…&first=50``."""
    search = request.args.get("search", "").replace("\0", "").strip()
    first = request.args.get("first", 0, type=int)
    return Asked(search[:LONGEST], min(max(0, first), FURTHEST))


def part_of(wanted: Asked, found: Sequence[T]) -> Part[T]:
    """Make a page of what was found for it."""
    first = wanted.first
    before = here(first=_number(first - MOST)) if first else None
    after = here(first=_number(first + MOST)) if len(found) > MOST else None
    return Part(wanted, found[:MOST], before, after)


def cut(wanted: Asked, every: Sequence[T]) -> Sequence[T]:
    """Return what was asked for of a list that is there as a whole."""
    return every[wanted.first : wanted.first + wanted.most]


def _number(first: int) -> str | None:
    return str(first) if first > 0 else None
