"""The places of an allocation: master first, then its mirrors in order.

An allocation with quota n has n places. Their resources derive from the master's, so
that the same place has the same key everywhere and gaps can be closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID, uuid5

from libres.domain.slots import SlotRun, slots_of
from libres.domain.spans import Range, Span
from libres.modules.rasterizer import Raster


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
    return [uuid5(resource, str(number)) for number in range(1, quota)]


def place_resources(resource: UUID, quota: int) -> Iterator[UUID]:
    """Yield the resources of all places of a master, in their order."""
    yield resource
    for number in range(1, quota):
        yield uuid5(resource, str(number))


def places_of(master: Master) -> Iterator[Place]:
    """Yield all places of *master*, in their order."""
    for resource in place_resources(master.resource, master.quota):
        yield Place(master, resource)


def free_places(
    master: Master, busy: Collection[UUID], wanted: int | None = None
) -> list[Place]:
    """Return the first *wanted* places (None: all) whose resource is not *busy*.

    Fewer if there are not enough.
    """
    free = (place for place in places_of(master) if place.resource not in busy)
    return list(islice(free, wanted))


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
