"""Proposes who takes which event, so that everybody has about as much to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from libres.db.passing import fetch
from libres.domain.spans import Span
from libres.timetable import statements
from libres.timetable.asking import RASTER, Asked, source_of
from libres.timetable.errors import InvalidWindow
from libres.timetable.subjects import known
from libres.timetable.windows import (
    name_of,
    names_of,
    number_of,
    tags_of,
    windows_of,
)

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from libres.context.core import Context

BATCH: Final = 100
"""Events per statement."""

MOST_EVENTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that needs so many subjects, at a time."""

    name: str
    start: datetime
    end: datetime
    needed: int = 1
    tags: Iterable[str] = ()
    """What each of them has to have."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who may take an event. Nothing is reserved yet."""

    event: Event
    subjects: list[str]

    @property
    def missing(self) -> int:
        """How many more are needed than were found."""
        return self.event.needed - len(self.subjects)


@dataclass
class _Plan:
    """Who does what already."""

    work: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))

    def choose(self, candidates: Sequence[str], span: Span, needed: int) -> list[str]:
        """Choose those who have least to do, and nothing else at that time."""
        able = (name for name in candidates if not self._is_at_work(name, span))
        chosen = sorted(able, key=lambda name: (len(self.work[name]), name))[:needed]
        for name in chosen:
            self.work[name].append(span)
        return chosen

    def _is_at_work(self, name: str, span: Span) -> bool:
        return any(each.overlaps(span) for each in self.work[name])


def assign(
    context: Context,
    session: Session,
    events: Iterable[Event],
    among: Iterable[str] | None,
    timezone: str | None,
) -> list[Assignment]:
    """Propose subjects for each event, in the order of the events."""
    wanted = list(map(_checked, _listed(events)))
    names = None if among is None else names_of(among)
    if names:
        known(context, session, names)
    spans = [_span(event, timezone) for event in wanted]
    order = sorted(range(len(wanted)), key=lambda at: (spans[at], at))
    plan = _Plan()
    chosen: dict[int, list[str]] = {}
    for at, candidates in _candidates(context, session, wanted, spans, order, names):
        chosen[at] = plan.choose(candidates, spans[at], wanted[at].needed)
    return [Assignment(event, chosen[at]) for at, event in enumerate(wanted)]


def _listed(events: object) -> list[Any]:
    if isinstance(events, str) or not isinstance(events, Iterable):
        message = f"Pass a list of Event, not {events!r}."
        raise InvalidWindow(message)
    found = list(events)
    if len(found) > MOST_EVENTS:
        message = f"At most {MOST_EVENTS:,} events are planned at once."
        raise InvalidWindow(message)
    return found


def _checked(event: object) -> Event:
    if not isinstance(event, Event):
        message = f"An Event is needed, not {event!r}."
        raise InvalidWindow(message)
    name_of(event.name)
    number_of(event.needed, "needed")
    return event


def _span(event: Event, timezone: str | None) -> Span:
    (span,) = windows_of((event.start, event.end), RASTER, timezone)
    return span


def _candidates(
    context: Context,
    session: Session,
    events: Sequence[Event],
    spans: Sequence[Span],
    order: Sequence[int],
    names: Sequence[str] | None,
) -> Iterator[tuple[int, list[str]]]:
    """Yield who is free for each event, by start."""
    for first in range(0, len(order), BATCH):
        some = order[first : first + BATCH]
        found: dict[int, list[str]] = {at: [] for at in some}
        for tags, group in _by_tags(events, some):
            asked = Asked([spans[at] for at in group], names, tags)
            statement = statements.whole_of_each(
                source_of(context, session, asked), asked.few
            )
            for row in fetch(session, statement, asked.parameters(context)):
                found[group[row.position - 1]].append(row.name)
        yield from found.items()


def _by_tags(
    events: Sequence[Event], places: Sequence[int]
) -> Iterator[tuple[list[str], list[int]]]:
    tagged = sorted((tags_of(events[at].tags), at) for at in places)
    for tags, group in groupby(tagged, key=lambda each: each[0]):
        yield tags, [at for _, at in group]
