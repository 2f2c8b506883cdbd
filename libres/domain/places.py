"""The places of an allocation: master first, then its mirrors in order.

An allocation with quota n has n places. Their resources derive from the master's, so
that the same place has the same key everywhere and gaps can be closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha1
from itertools import chain, islice
from typing import Final
from uuid import UUID

from libres.domain.slots import SlotRun, slots_of
from libres.domain.spans import Range, Span
from libres.modules.rasterizer import Raster

RUN: Final = 64
"""So many mirrors are named at once, and remembered."""


@dataclass(frozen=True, slots=True)
class Master:
    """What is known of a master allocation while something is decided about it."""

    id: int
    resource: UUID
    group: UUID
    span: Span
    raster: Raster
    timezone: str
    quota: int
    quota_limit: int
    partly_available: bool
    approve_manually: bool
    in_group: bool = False
    """Whether others share its group, so that it is reserved with them."""

    def rasterized(self, asked: Range) -> Span:
        """Snap a range to the raster of this allocation."""
        return Span.rasterized(*asked, self.raster)

    def slots(self, asked: Span | None = None) -> SlotRun:
        """Return the slots of each place that *asked* occupies; None means all."""
        return slots_of(self.span, self.raster, asked, partly=self.partly_available)


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places of an allocation, the master or a mirror."""

    master: Master
    resource: UUID

    @property
    def is_master(self) -> bool:
        return self.resource == self.master.resource

    @property
    def key(self) -> tuple[UUID, datetime]:
        """What no two allocations have in common: resource and start."""
        return self.resource, self.master.span.start


def mirror_resources(resource: UUID, quota: int) -> list[UUID]:
    """Return the resources of the mirrors of a master, *quota* - 1 of them."""
    return [UUID(bytes=key) for key in mirror_keys(resource.bytes, quota)]


def place_resources(resource: UUID, quota: int) -> Iterator[UUID]:
    """Yield the resources of all places of a master, in their order."""
    yield resource
    yield from mirror_resources(resource, quota)


def mirror_keys(resource: bytes, quota: int) -> Iterator[bytes]:
    """Yield the resources of the mirrors of a master, 16 bytes each, in their order.

    Each is what ``uuid5`` makes of the master's and of the number of the mirror.
    """
    runs = (_run_of_keys(resource, first) for first in range(1, quota, RUN))
    return islice(chain.from_iterable(runs), max(0, quota - 1))


@lru_cache(maxsize=2**11)
def _run_of_keys(resource: bytes, first: int) -> tuple[bytes, ...]:
    return tuple(_mirror_key(resource, first + number) for number in range(RUN))


def _mirror_key(resource: bytes, number: int) -> bytes:
    key = bytearray(
        sha1(resource + b"%d" % number, usedforsecurity=False).digest()[:16]
    )
    key[6] = key[6] & 0x0F | 0x50  # version 5
    key[8] = key[8] & 0x3F | 0x80  # the variant of RFC 9562
    return bytes(key)


def free_places(master: Master, busy: Collection[bytes] = ()) -> Iterator[Place]:
    """Yield the places of *master* whose key is not *busy*, in their order."""
    if master.resource.bytes not in busy:
        yield Place(master, master.resource)
    for key in mirror_keys(master.resource.bytes, master.quota):
        if key not in busy:
            yield Place(master, UUID(bytes=key))


def closed_gaps(
    resources: Sequence[UUID], occupied: Collection[UUID]
) -> dict[UUID, UUID | None]:
    """Tell where each occupied place moves if the free ones before it go.

    *resources* in their order. The result has all of them as keys; a free one is None.
    """
    targets = iter(resources)
    return {
        resource: next(targets) if resource in occupied else None
        for resource in resources
    }


def total_quota(masters: Iterable[Master]) -> int:
    """Count the places of several allocations."""
    return sum(master.quota for master in masters)
