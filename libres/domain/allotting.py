"""Which places do reservations and blockers get? Decided before anything is written.

Places are filled in their order: the master first, then mirror 1, mirror 2, …
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from uuid import UUID

from libres.domain.judging import Match
from libres.domain.places import Place, free_places
from libres.domain.slots import SlotRun
from libres.domain.spans import Span
from libres.modules.errors import AlreadyReservedError


@dataclass(frozen=True, slots=True)
class Claim:
    """The slots that one record (*source_id*) takes of one place."""

    place: Place
    slots: SlotRun
    source_id: int

    def owned_by(self, source_id: int) -> Claim:
        """Return the same claim of another record."""
        return Claim(self.place, self.slots, source_id)


@dataclass(slots=True)
class Allotment:
    """Hands out free places; remembers what it has handed out."""

    claims: list[Claim] = field(default_factory=list)
    _spans: defaultdict[tuple[UUID, datetime], list[Span]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def take(self, match: Match, quota: int, source_id: int) -> list[Claim]:
        """Claim the first *quota* free places.

        Raises AlreadyReservedError if there are not enough.
        """
        slots = match.master.slots(match.span)
        places = list(islice(self._free(match, slots.span), quota))
        if len(places) < quota:
            raise AlreadyReservedError(**match.told, quota=quota, free=len(places))
        return self._claim([Claim(place, slots, source_id) for place in places])

    def take_all(self, match: Match, source_id: int) -> list[Claim]:
        """Claim every place. Raises AlreadyReservedError unless all are free."""
        return self.take(match, match.master.quota, source_id)

    def _free(self, match: Match, span: Span) -> Iterator[Place]:
        for place in free_places(match.master, match.busy):
            if not self._claimed(place, span):
                yield place

    def _claimed(self, place: Place, span: Span) -> bool:
        if not self._spans:
            return False
        return any(span.overlaps(other) for other in self._spans.get(place.key, ()))

    def _claim(self, claims: list[Claim]) -> list[Claim]:
        for claim in claims:
            self._spans[claim.place.key].append(claim.slots.span)
        self.claims.extend(claims)
        return claims
