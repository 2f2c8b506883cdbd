"""Small public helpers of old standing; what they decide is decided in the domain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from libres.domain.days import is_valid_length
from libres.domain.places import mirror_resources

__all__ = ("flatten", "generate_uuids", "is_valid_reservation_length", "pairs")


def generate_uuids(uuid: UUID, quota: int) -> list[UUID]:
    """Return the resources of the mirrors of a master: *quota* - 1 of them."""
    return mirror_resources(uuid, quota)


def flatten(nested: Iterable[Any]) -> Iterator[Any]:
    """Yield what any nesting of iterables holds; texts stay whole."""
    for item in nested:
        if isinstance(item, Iterable) and not isinstance(item, str | bytes):
            yield from flatten(item)
        else:
            yield item


def pairs(nested: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Flatten, then yield two by two; an odd last item is dropped.

    So ``(a, b)``, ``(a, b, c, d)`` and ``[(a, b), (c, d)]`` are all dates.
    """
    items = flatten(nested)
    return zip(items, items, strict=False)


def is_valid_reservation_length(start: datetime, end: datetime, timezone: str) -> bool:
    """Tell whether a range may be reserved at once.

    That is less than 24 hours, or one whole day of *timezone*.
    """
    return is_valid_length(start, end, timezone)
