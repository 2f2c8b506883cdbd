"""Finds out what is free of the times that are waited for, in two or three reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from libres.db import loading
from libres.db.models import Allocation, Reservation
from libres.db.scope import Scope
from libres.domain.judging import Match
from libres.waiting.rules import could_be_reserved

if TYPE_CHECKING:
    from libres.context.core import ContextServicesMixin
    from libres.db.scheduler import Scheduler
    from libres.domain.spans import Range
    from libres.waiting.entries import Entry


def scope_of(scheduler: Scheduler) -> Scope:
    """Return whom a scheduler works for."""
    return Scope(
        services=scheduler,
        session=scheduler.session,
        resource=scheduler.resource,
        blocking_resources=scheduler.blocking_resources,
        timezone=scheduler.timezone,
        allocation_cls=scheduler.allocation_cls,
        reservation_cls=scheduler.reservation_cls,
    )


def scope_on(services: ContextServicesMixin, resource: UUID) -> Scope:
    """Return what is known of a resource without its scheduler."""
    return Scope(
        services=services,
        session=services.session,
        resource=resource,
        blocking_resources=frozenset(),
        timezone="UTC",
        allocation_cls=Allocation,
        reservation_cls=Reservation,
    )


def touched(scope: Scope, ranges: Sequence[Range]) -> list[list[Match]]:
    """Find what each range touches, own and blocking; of groups all that belongs to it.

    One statement, one or two more if there are groups among them.
    """
    if not ranges:
        return []
    found = loading.matches(scope, ranges, scope.visible_resources)
    groups = {group for matches in found for group in _groups(scope, matches)}
    if not groups:
        return found
    members: defaultdict[UUID, list[Match]] = defaultdict(list)
    for some in loading.group_matches(scope, sorted(groups)):
        members[some[0].master.group].extend(some)
    return [
        [
            *matches,
            *(each for group in _groups(scope, matches) for each in members[group]),
        ]
        for matches in found
    ]


def _groups(scope: Scope, matches: Iterable[Match]) -> list[UUID]:
    own = (each.master for each in matches if each.master.resource == scope.resource)
    return sorted({master.group for master in own if master.in_group})


def that_fit(scope: Scope, entries: Sequence[Entry]) -> list[Entry]:
    """Return those whose time could be reserved now."""
    found = touched(scope, [(each.start, each.end) for each in entries])
    return [
        entry
        for entry, matches in zip(entries, found, strict=True)
        if could_be_reserved(matches, entry.places, scope.resource)
    ]
