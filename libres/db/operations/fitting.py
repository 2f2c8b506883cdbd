"""Finds the first time that fits, of one or many resources; and what else would do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

from sqlalchemy import Integer, any_, select

from libres.db import criteria, loading
from libres.db.models import Allocation
from libres.db.passing import fetch, passed_array
from libres.db.scope import exposes_everything
from libres.domain.days import to_utc, to_zone, weekday_numbers
from libres.domain.fitting import Fit, Hours, Opening, Wanted, fit_at, fits, nearest
from libres.domain.spans import Span
from libres.modules.errors import NotTimezoneAware, insist

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Executable
    from sqlalchemy.orm import Session

LONGEST: Final = timedelta(hours=25)
"""What may be reserved at once."""

HORIZONS: Final = (timedelta(days=7), timedelta(days=35), timedelta(days=140))
"""How far is looked ahead, one after the other, before all is read that was asked."""

ANY: Final = Hours()

AROUND: Final = timedelta(days=7)
"""How far from what was wanted alternatives may lie."""


class Asked(Protocol):
    """What is needed of a scheduler."""

    name: Any
    timezone: str

    @property
    def resource(self) -> UUID: ...

    @property
    def blocking_resources(self) -> Collection[UUID]: ...

    @property
    def session(self) -> Session: ...

    @property
    def is_allocation_exposed(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Fitting:
    """A time that can be reserved as it is; start and end in the zone of the resource.

    Somebody else may be first: reserving it decides.
    """

    name: Any
    """That of the scheduler."""

    start: datetime
    end: datetime
    places_left: int
    """During the whole of it, also on what blocks it."""

    allocation: int
    """The id of the master."""

    approve_manually: bool


def first_fitting(
    schedulers: Asked | Iterable[Asked],
    duration: timedelta,
    start: datetime,
    end: datetime,
    *,
    places: int = 1,
    days: Any = None,
    begins: time | None = None,
    ends: time | None = None,
    limit: int = 10,
) -> list[Fitting]:
    """Return the first times within a range that fit, of schedulers of one context.

    By start, then in the order of the schedulers; those of one resource do not overlap.
    *days*: 'mo' to 'su' or 0 to 6 (None: any); *begins* and *ends* are local times of
    day between which all of it lies, an end before the start being the next day's. What
    is not partly available is offered as a whole, if it lasts at least as long; what is
    reserved in groups is not offered. Two statements, at most four times.

    Raises Misuse for a duration of nothing, and for less than one place;
    NotTimezoneAware for a naive range.
    """
    known = _listed(schedulers)
    _check(duration, places)
    hours = Hours(weekday_numbers(days), begins, ends)
    wanted = Wanted(duration, places)
    asked = Span(_aware(start), _aware(end))
    found: list[Fitting] = []
    for last in _horizons(known, asked):
        openings = _Openings.load(known, asked.start, min(last + LONGEST, asked.end))
        found = _in_order(
            (each, openings.fits(each, wanted, asked, hours)) for each in known
        )
        found = [each for each in found if each.start < last][:limit]
        if len(found) == limit:
            break
    return found


@dataclass(frozen=True, slots=True)
class Alternatives:
    """What else would do, if a time is taken."""

    here: list[Fitting]
    """On the same resource: the same day first, then the days around it."""

    elsewhere: list[Fitting]
    """On others, at the same time."""


def alternatives(
    scheduler: Asked,
    start: datetime,
    end: datetime,
    *,
    others: Iterable[Asked] = (),
    places: int = 1,
    now: datetime | None = None,
    limit: int = 5,
) -> Alternatives:
    """Return the nearest times of the same length, and others that are free then.

    What begins before *now* is no alternative (None: all is), unless what was wanted
    does so, too. Four statements.

    Raises Misuse unless it ends after it starts, and for less than one place.
    """
    asked = Span(*(to_utc(each, scheduler.timezone) for each in (start, end)))
    _check(asked.duration, places)
    first = asked.start - AROUND
    if now is not None and now <= asked.start:
        first = max(first, now)
    around = Span(first, asked.end + AROUND)
    return Alternatives(
        here=_nearest(scheduler, around, asked, places, limit),
        elsewhere=_then(list(others), asked, places)[:limit],
    )


def _nearest(
    scheduler: Asked, around: Span, asked: Span, places: int, limit: int
) -> list[Fitting]:
    openings = _Openings.load([scheduler], around.start, around.end)
    wanted = Wanted(asked.duration, places, every_step=True)
    found = openings.fits(scheduler, wanted, around)
    chosen = nearest(found, asked.start, scheduler.timezone, limit)
    return [_told(scheduler, fit) for fit in chosen]


def _then(others: Sequence[Asked], asked: Span, places: int) -> list[Fitting]:
    if not others:
        return []
    openings = _Openings.load(others, asked.start, asked.end)
    return _in_order((each, openings.at(each, asked, places)) for each in others)


def _listed(schedulers: Asked | Iterable[Asked]) -> list[Asked]:
    if isinstance(schedulers, Iterable):
        return list(schedulers)
    return [schedulers]


def _aware(date: datetime) -> datetime:
    if date.tzinfo is None:
        raise NotTimezoneAware(date=date)
    return to_utc(date, "UTC")


def _check(duration: timedelta, places: int) -> None:
    insist(duration > timedelta(), "What is to fit needs a duration.")
    insist(places >= 1, "What is to fit needs at least one place.")


def _horizons(known: Sequence[Asked], asked: Span) -> Iterator[datetime]:
    if not known or asked.is_empty:
        return
    for ahead in HORIZONS:
        if ahead < asked.duration:
            yield asked.start + ahead
    yield asked.end


def _in_order(found: Iterable[tuple[Asked, Iterable[Fit]]]) -> list[Fitting]:
    told = [_told(scheduler, fit) for scheduler, some in found for fit in some]
    return sorted(told, key=lambda each: each.start)


def _told(scheduler: Asked, fit: Fit) -> Fitting:
    return Fitting(
        name=scheduler.name,
        start=to_zone(fit.span.start, scheduler.timezone),
        end=to_zone(fit.span.end, scheduler.timezone),
        places_left=fit.left,
        allocation=fit.master.id,
        approve_manually=fit.master.approve_manually,
    )


# Loading ------------------------------------------------------------------------------


class _Openings:
    """What is open of resources in a range, and what blocks them."""

    def __init__(
        self, by_owner: Mapping[UUID, Sequence[Opening]], hidden: Collection[int]
    ) -> None:
        self._by_owner = by_owner
        self._hidden = hidden

    @classmethod
    def load(
        cls, schedulers: Sequence[Asked], start: datetime, end: datetime
    ) -> _Openings:
        """Read what schedulers, and what blocks them, have in a range.

        Two statements; a third one if the exposure decides which allocations are shown.
        """
        session = schedulers[0].session
        own = {each.resource for each in schedulers}
        all_ = own.union(*(each.blocking_resources for each in schedulers))
        places = loading.places(session, all_, start, end)
        masters = [
            each.master.id for each in places if each.is_master and each.owner in own
        ]
        by_owner: defaultdict[UUID, list[Opening]] = defaultdict(list)
        for owner, opening in _openings(places, grouped(session, masters)):
            by_owner[owner].append(opening)
        return cls(by_owner, _hidden(schedulers[0], session, masters))

    def fits(
        self,
        scheduler: Asked,
        wanted: Wanted,
        asked: Span,
        hours: Hours = ANY,
    ) -> Iterator[Fit]:
        """Yield what fits on the resource of a scheduler, by start."""
        windows = hours.within(asked, scheduler.timezone)
        blocking = self._blocking(scheduler)
        for opening in self._own(scheduler):
            yield from fits(opening, wanted, windows, blocking)

    def at(self, scheduler: Asked, asked: Span, places: int) -> Iterator[Fit]:
        """Yield what fits on the resource of a scheduler at a time: one or nothing."""
        blocking = self._blocking(scheduler)
        for opening in self._own(scheduler):
            if fit := fit_at(opening, asked, places, blocking):
                yield fit

    def _own(self, scheduler: Asked) -> Iterator[Opening]:
        for opening in self._by_owner.get(scheduler.resource, ()):
            if opening.master.id not in self._hidden:
                yield opening

    def _blocking(self, scheduler: Asked) -> list[Opening]:
        owners = {*scheduler.blocking_resources} - {scheduler.resource}
        return [each for owner in owners for each in self._by_owner.get(owner, ())]


def _openings(
    places: Iterable[loading.Place], together: Collection[int]
) -> Iterator[tuple[UUID, Opening]]:
    """Yield owners with their openings, by start: a master and its stored places."""
    stored: defaultdict[tuple[UUID, datetime], list[loading.Place]] = defaultdict(list)
    for place in places:
        stored[place.owner, place.master.span.start].append(place)
    for (owner, _), some in stored.items():
        for place in some:
            if place.is_master:
                in_group = place.master.id in together
                master = replace(place.master, in_group=in_group)
                yield owner, Opening(master, tuple(each.taken for each in some))


def grouped(session: Session, ids: Sequence[int]) -> set[int]:
    """Return which of these masters are reserved with others only. One statement."""
    rows = fetch(session, _grouped_statement(), {"ids": ids})
    return {row.id for row in rows}


@cache
def _grouped_statement() -> Executable:
    return select(Allocation.id).where(
        Allocation.id == any_(passed_array("ids", Integer())), criteria.shares_group()
    )


def _hidden(scheduler: Asked, session: Session, ids: Sequence[int]) -> set[int]:
    """Which of these masters may not be seen?"""
    if exposes_everything(scheduler):  # type: ignore[arg-type]
        return set()
    query = select(Allocation).where(
        Allocation.id == any_(passed_array("ids", Integer()))
    )
    found = session.scalars(query.options(loading.WITHOUT_SLOTS), {"ids": ids})
    return {each.id for each in found if not scheduler.is_allocation_exposed(each)}
