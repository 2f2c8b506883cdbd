"""Proves that tallies are what happened, and makes them anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from sqlalchemy import delete

from libres.db.passing import fetch
from libres.occupancy import statements
from libres.occupancy.algebra import NOTHING, Summary
from libres.occupancy.models import OccTally
from libres.occupancy.places import Space
from libres.occupancy.steps import Level
from libres.occupancy.tallying import Bucket, counted, hours_of, recount, summary_in

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

Progress = Callable[[int, int], object]
"""Is told how many spaces are done, and of how many."""


@dataclass(frozen=True, slots=True)
class TallyDifference:
    """A tally that is not what happened."""

    kind: Literal["missing", "wrong"]
    space: str
    level: Level
    start: datetime


def rebuild(
    context: Context, session: Session, spaces: list[Space], progress: Progress | None
) -> int:
    """Count spaces anew from all their events; return how many hours they have."""
    hours = 0
    for done, space in enumerate(spaces, 1):
        found = hours_of(session, space.id)
        session.execute(delete(OccTally).where(OccTally.space == space.id))
        recount(context, session, found)
        hours += len(found)
        if progress:
            progress(done, len(spaces))
    return hours


def verify(
    session: Session, spaces: list[Space], progress: Progress | None
) -> list[TallyDifference]:
    """Return how the tallies of spaces differ from what happened."""
    found: list[TallyDifference] = []
    for done, space in enumerate(spaces, 1):
        found += _differences(session, space)
        if progress:
            progress(done, len(spaces))
    return found


def _differences(session: Session, space: Space) -> list[TallyDifference]:
    right = counted(session, hours_of(session, space.id))
    rows = fetch(session, statements.all_tallies(), {"space": str(space.id)})
    known: dict[Bucket, Summary] = {
        (space.id, row.level, row.start): summary_in(row, 2) for row in rows
    }
    return [
        TallyDifference(
            "wrong" if bucket in known else "missing", space.name, bucket[1], bucket[2]
        )
        for bucket in sorted(right.keys() | known.keys())
        if right.get(bucket, NOTHING) != known.get(bucket, NOTHING)
    ]
