"""Tells what resources offer in a time: what is left of it, and who has the rest.

Of the reservations of others only those are told who may read them. What may be
reserved is not decided here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from uuid import UUID

from sqlalchemy import Integer, String, and_, any_, bindparam, func, or_, select

from libres.db import criteria, loading
from libres.db.models import Allocation, Reservation
from libres.db.models.types import UUID as UUIDType
from libres.db.models.types import UTCDateTime
from libres.db.operations.availability import laid_out
from libres.db.passing import fetch, passed_array
from libres.db.scope import exposes_everything
from libres.domain.spans import Span

if TYPE_CHECKING:
    from sqlalchemy import Executable
    from sqlalchemy.orm import Session

    from libres.db.loading import Place as StoredPlace
    from libres.db.scheduler import Scheduler
    from libres.domain.availability import Taken
    from libres.domain.places import Master

Kind: TypeAlias = Literal["free", "mine", "taken", "blocked"]

AROUND: Final = timedelta(days=1)
"""What lies around a time and may reach into it."""

LONGEST: Final = timedelta(hours=25)
"""What is reserved at once."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks, and which reservations are theirs."""

    tokens: frozenset[UUID] = frozenset()
    email: str | None = None
    sees_all: bool = False
    """Whether they may know whose the other ones are."""

    def has(self, token: UUID, email: str) -> bool:
        """Tell whether a reservation of this token and address is theirs."""
        own_email = bool(self.email) and email.lower() == str(self.email).lower()
        return token in self.tokens or own_email


@dataclass(frozen=True, slots=True)
class Held:
    """A reservation that the viewer may know of."""

    id: int
    token: UUID
    target: UUID
    span: Span | None
    """None: it is the group that it targets."""

    title: str
    quota: int
    is_mine: bool
    is_pending: bool

    def within(self, master: Master) -> Span | None:
        """Return what it has of an allocation; None: nothing."""
        if self.target != master.group:
            return None
        if self.span is None or not master.partly_available:
            return master.span
        common = master.span.clip(self.span)
        return None if common.is_empty else common


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an allocation in which nothing begins or ends."""

    master: Master
    span: Span
    left: int
    """Places."""

    is_blocked: bool
    held: tuple[Held, ...]
    """By whom, as far as the viewer may know it; the viewer's own first."""

    @property
    def mine(self) -> Held | None:
        """The first reservation of the viewer; None: there is none."""
        return next((each for each in self.held if each.is_mine), None)

    @property
    def kind(self) -> Kind:
        """What it is to the viewer."""
        if self.mine is not None:
            return "mine"
        if self.is_blocked:
            return "blocked"
        return "free" if self.left else "taken"


def parts_of(
    schedulers: Sequence[Scheduler], asked: Span, viewer: Viewer
) -> dict[str, list[Part]]:
    """Return the parts of what is allocated in a time, by start, by resource.

    Takes schedulers of one context. Three statements, however many; a fourth one if
    the exposure decides which allocations are shown.
    """
    if not schedulers:
        return {}
    session = schedulers[0].session
    start, end = asked.start - AROUND, asked.end + AROUND
    stored = loading.places(session, _visible(schedulers), start, end)
    shown = _shown(schedulers, session, stored)
    grouped = _grouped(session, shown)
    held = _held(session, schedulers, asked, viewer, stored)
    by_owner: defaultdict[UUID, list[StoredPlace]] = defaultdict(list)
    for place in stored:
        in_group = place.master.id in grouped
        master = replace(place.master, in_group=in_group)
        by_owner[place.owner].append(replace(place, master=master))
    return {
        str(each.name): list(_parts(each, by_owner, shown, held, asked))
        for each in schedulers
    }


def _visible(schedulers: Iterable[Scheduler]) -> set[UUID]:
    return {
        resource
        for each in schedulers
        for resource in (each.resource, *each.blocking_resources)
    }


def _parts(
    scheduler: Scheduler,
    by_owner: Mapping[UUID, Sequence[StoredPlace]],
    shown: Collection[int],
    held: Mapping[UUID, Sequence[Held]],
    asked: Span,
) -> Iterator[Part]:
    owners = {scheduler.resource, *scheduler.blocking_resources}
    taken = [
        each
        for owner in owners
        for place in by_owner.get(owner, ())
        for each in place.taken
    ]
    for place in by_owner.get(scheduler.resource, ()):
        master = place.master
        is_wanted = place.is_master and master.id in shown
        if is_wanted and master.span.overlaps(asked):
            known = held.get(master.group, ())
            yield from _parts_of_master(master, taken, known, asked)


def _parts_of_master(
    master: Master, taken: Sequence[Taken], held: Sequence[Held], asked: Span
) -> Iterator[Part]:
    inside = [each for each in taken if each.span.overlaps(master.span)]
    line = laid_out(master, inside, quota=master.quota, normalize_dst=False)
    here = [(span, each) for each in held if (span := each.within(master))]
    start, pieces = master.span.start, []
    for block in line.blocks:
        whole = Span(start, start + block.duration)
        pieces += [_part(master, span, block, here) for span in _cut(whole, here)]
        start = whole.end
    same = groupby(pieces, lambda each: (each.left, each.is_blocked, each.held))
    for _, group in same:
        part = _joined(list(group))
        if part.span.overlaps(asked):
            yield part


def _cut(whole: Span, here: Iterable[tuple[Span, Held]]) -> Iterator[Span]:
    """Cut a span where a reservation begins or ends."""
    edges = {whole.start, whole.end}
    for span, _ in here:
        edges.update(e for e in (span.start, span.end) if whole.start < e < whole.end)
    for start, end in pairwise(sorted(edges)):
        yield Span(start, end)


def _part(
    master: Master, span: Span, block: Any, here: Iterable[tuple[Span, Held]]
) -> Part:
    held = [each for covered, each in here if covered.contains(span)]
    held.sort(key=lambda each: (not each.is_mine, each.is_pending, each.id))
    return Part(master, span, block.left, block.blocked, tuple(held))


def _joined(parts: Sequence[Part]) -> Part:
    first = parts[0]
    span = Span(first.span.start, parts[-1].span.end)
    return Part(first.master, span, first.left, first.is_blocked, first.held)


# Which allocations are shown ----------------------------------------------------------


def _shown(
    schedulers: Sequence[Scheduler], session: Session, stored: Iterable[StoredPlace]
) -> set[int]:
    """Which masters may be seen? No statement if all may, else one."""
    own = {each.resource for each in schedulers}
    ids = [each.master.id for each in stored if each.is_master and each.owner in own]
    if exposes_everything(schedulers[0]):
        return set(ids)
    query = select(Allocation).where(
        Allocation.id == any_(passed_array("ids", Integer()))
    )
    found = session.scalars(query.options(loading.WITHOUT_SLOTS), {"ids": ids})
    is_exposed = schedulers[0].is_allocation_exposed
    return {each.id for each in found if is_exposed(each)}


def _grouped(session: Session, ids: Iterable[int]) -> set[int]:
    """Which of these masters are reserved with their group only? One statement."""
    rows = fetch(session, _grouped_statement(), {"ids": sorted(ids)})
    return {row.id for row in rows}


@cache
def _grouped_statement() -> Executable:
    return select(Allocation.id).where(
        Allocation.id == any_(passed_array("ids", Integer())), criteria.shares_group()
    )


# Who has them -------------------------------------------------------------------------


def _held(
    session: Session,
    schedulers: Iterable[Scheduler],
    asked: Span,
    viewer: Viewer,
    stored: Iterable[StoredPlace],
) -> dict[UUID, list[Held]]:
    """Read the reservations that the viewer may know of, by target. One statement."""
    values = {
        "resources": sorted({each.resource for each in schedulers}),
        "start": asked.start - AROUND - LONGEST,
        "end": asked.end + AROUND,
        "groups": sorted({place.master.group for place in stored}),
        "tokens": sorted(viewer.tokens),
        "email": (viewer.email or "").lower(),
    }
    found: defaultdict[UUID, list[Held]] = defaultdict(list)
    for row in fetch(session, _held_statement(viewer.sees_all), values):
        found[row.target].append(_held_from(row, viewer))
    return found


@cache
def _held_statement(sees_all: bool) -> Executable:
    start, end = (bindparam(key, type_=UTCDateTime()) for key in ("start", "end"))
    is_group = and_(
        Reservation.target_type == "group",
        Reservation.target == any_(passed_array("groups", UUIDType())),
    )
    is_near = and_(
        Reservation.target_type == "allocation",
        Reservation.start >= start,
        Reservation.start < end,
    )
    columns = (Reservation.id, Reservation.token, Reservation.target)
    times = (Reservation.target_type, Reservation.start, Reservation.end)
    more = (Reservation.status, Reservation.quota, Reservation.email, Reservation.data)
    query = select(*columns, *times, *more).where(
        Reservation.resource == any_(passed_array("resources", UUIDType())),
        or_(is_group, is_near),
    )
    return (query if sees_all else query.where(_is_mine())).order_by(Reservation.id)


def _is_mine() -> Any:
    email = bindparam("email", type_=String())
    return or_(
        Reservation.token == any_(passed_array("tokens", UUIDType())),
        and_(email != "", func.lower(Reservation.email) == email),
    )


def _held_from(row: Any, viewer: Viewer) -> Held:
    is_group = row.target_type == "group"
    return Held(
        id=row.id,
        token=row.token,
        target=row.target,
        span=None if is_group else Span.from_stored(row.start, row.end),
        title=_title(row),
        quota=row.quota,
        is_mine=viewer.has(row.token, row.email),
        is_pending=row.status == "pending",
    )


def _title(row: Any) -> str:
    """Say what a reservation is called: by its data, else by the e-mail."""
    title = (row.data or {}).get("title")
    return title if isinstance(title, str) and title.strip() else str(row.email)
