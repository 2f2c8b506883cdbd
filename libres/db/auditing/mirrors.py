"""Tells which mirrors are places of their master."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from uuid import UUID

from libres.db.auditing.findings import Row
from libres.domain.places import mirror_keys

FARTHEST: Final = 100_000
"""Places are filled in their order, so that nobody has a mirror beyond that one."""


def is_beyond_quota(row: Row) -> bool:
    """Tell whether a mirror is none of the places that its master's quota allows.

    *row* has the mirror's ``resource``, and ``mirror_of`` and ``quota`` of its master.
    """
    number = _mirrors(row["mirror_of"]).number(row["resource"], row["quota"])
    return number is None or number >= row["quota"]


class Mirrors:
    """The mirrors of a resource by their number, named only as far as is needed."""

    def __init__(self, resource: UUID) -> None:
        self._keys = mirror_keys(resource.bytes, FARTHEST)
        self._numbers: dict[bytes, int] = {}

    def number(self, resource: UUID, quota: int) -> int | None:
        """Return the number of a mirror; None if it is not among so many places."""
        last = min(quota, FARTHEST) - 1
        while resource.bytes not in self._numbers and len(self._numbers) < last:
            self._numbers[next(self._keys)] = len(self._numbers) + 1
        return self._numbers.get(resource.bytes)


@lru_cache(maxsize=8)
def _mirrors(resource: UUID) -> Mirrors:
    return Mirrors(resource)
