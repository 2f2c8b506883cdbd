"""Tells which mirrors are places of their master."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from uuid import UUID

from libres.db.auditing.findings import Row
from libres.domain.places import mirror_resources

FARTHEST: Final = 100_000
"""Places are filled in their order, so that nobody has a mirror beyond that one."""


def is_beyond_quota(row: Row) -> bool:
    """Tell whether a mirror is none of the places that its master's quota allows.

    *row* has the mirror's ``resource``, and ``mirror_of`` and ``quota`` of its master.
    """
    quota = min(row["quota"], FARTHEST)
    return row["resource"] not in _mirrors(row["mirror_of"], quota)


@lru_cache(maxsize=64)
def _mirrors(resource: UUID, quota: int) -> frozenset[UUID]:
    return frozenset(mirror_resources(resource, quota))
