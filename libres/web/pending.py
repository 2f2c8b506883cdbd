"""Reads what waits for the desk: pending reservations, and what collides with them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import and_, func, select

from libres.db import criteria
from libres.db.models import Allocation, Reservation
from libres.db.passing import fetch
from libres.db.queries import Queries
from libres.domain.days import to_zone
from libres.domain.spans import Span
from libres.web.clock import in_words
from libres.web.showing import Part, Viewer, parts_of

if TYPE_CHECKING:
    from sqlalchemy import Select, Subquery

    from libres.context.core import Context
    from libres.web.directory import Place

NEAR: Final = timedelta(days=7)
"""Times that are read together, if no more lies between them."""

MOST_OTHERS: Final = 5
"""Of those who want the same time; the others are counted."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is decided at once: what a token has of a resource."""

    resource: UUID
    token: UUID

    def __str__(self) -> str:
        return f"{self.resource.hex}.{self.token.hex}"


def key_of(text: str) -> Key | None:
    """Read a key; None: it is none."""
    resource, _, token = text.partition(".")
    try:
        return Key(UUID(resource), UUID(token))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Asked:
    """A time that is asked for."""

    words: str
    quota: int
    left: int | None
    """Places that are free all the time; None: it is not allocated any more."""

    is_blocked: bool
    others: tuple[str, ...]
    """Who has or wants a part of it."""

    left_out: int

    @property
    def can_be_approved(self) -> bool:
        """Tell whether there is room."""
        return not self.is_blocked and self.left is not None and self.left >= self.quota


@dataclass(frozen=True, slots=True)
class Pending:
    """What somebody asks for, and what collides with it."""

    key: Key
    place: Place
    email: str
    first: int
    """The id of its first record; who has a lower one asked earlier."""

    asked: tuple[Asked, ...]
    data: tuple[tuple[str, str], ...]

    @property
    def can_be_approved(self) -> bool:
        """Tell whether there is room for all of it."""
        return all(each.can_be_approved for each in self.asked)


def pending_of(
    context: Context,
    places: Sequence[Place],
    email: str = "",
    after: int = 0,
    limit: int = 20,
) -> list[Pending]:
    """Return what waits for a decision, in the order in which it was asked.

    Whatever is still in a cart is not among it. *email* is a part of the address. Two
    statements, one more for groups, and two more for each stretch of time.
    """
    queries = Queries(context)
    by_resource = {each.scheduler(context).resource: each for each in places}
    query = _rows(_first(by_resource, email, after, limit))
    rows = fetch(queries.session, query, {})
    groups = {row.target for row in rows if row.target_type == "group"}
    members = group_spans(queries, groups)
    parts = _parts(context, by_resource, rows, members)
    return [
        _pending(key, first, list(some), by_resource[key.resource], members, parts)
        for (first, key), some in groupby(rows, lambda row: (row.first, _key(row)))
    ]


def _key(row: Any) -> Key:
    return Key(row.resource, row.token)


def _first(resources: Collection[UUID], email: str, after: int, limit: int) -> Subquery:
    """Which tokens of which resources come next?"""
    first = func.min(Reservation.id)
    keys = (Reservation.token, Reservation.resource)
    query = (
        select(first.label("first"), *keys)
        .where(_waits(), Reservation.resource.in_(sorted(resources)))
        .group_by(*keys)
        .having(first > after)
    )
    if email:
        query = query.where(Reservation.email.icontains(email, autoescape=True))
    return query.order_by(first).limit(limit).subquery()


def _waits() -> Any:
    """Is it pending, and in nobody's cart?"""
    return and_(Reservation.status == "pending", Reservation.session_id.is_(None))


def _rows(first: Subquery) -> Select[Any]:
    columns = (
        Reservation.id,
        Reservation.token,
        Reservation.resource,
        Reservation.target,
        Reservation.target_type,
        Reservation.start,
        Reservation.end,
        Reservation.email,
        Reservation.quota,
        Reservation.data,
        first.c.first,
    )
    same = and_(
        Reservation.token == first.c.token, Reservation.resource == first.c.resource
    )
    return (
        select(*columns)
        .join(first, same)
        .where(_waits())
        .order_by(first.c.first, Reservation.start, Reservation.id)
    )


def group_spans(queries: Queries, groups: Collection[UUID]) -> dict[UUID, list[Span]]:
    """Return the times of groups. One statement; none without groups."""
    found: defaultdict[UUID, list[Span]] = defaultdict(list)
    if not groups:
        return found
    query = select(Allocation.group, Allocation._start, Allocation._end).where(
        Allocation.group.in_(sorted(groups)), criteria.is_master()
    )
    for row in fetch(queries.session, query.order_by(Allocation._start), {}):
        found[row.group].append(Span.from_stored(row._start, row._end))
    return found


def _spans(row: Any, members: Mapping[UUID, Sequence[Span]]) -> Sequence[Span]:
    if row.target_type == "group":
        return members.get(row.target, ())
    return [Span.from_stored(row.start, row.end)]


# What collides ------------------------------------------------------------------------


def _parts(
    context: Context,
    places: Mapping[UUID, Place],
    rows: Iterable[Any],
    members: Mapping[UUID, Sequence[Span]],
) -> dict[UUID, list[Part]]:
    """Read what is at the times that are asked for, by what is targeted."""
    wanted = [(span, row.resource) for row in rows for span in _spans(row, members)]
    viewer = Viewer(sees_all=True)
    found: dict[tuple[int, Span], Part] = {}
    for span, resources in _stretches(wanted):
        schedulers = [places[each].scheduler(context) for each in resources]
        for some in parts_of(schedulers, span, viewer).values():
            found.update({(each.master.id, each.span): each for each in some})
    by_target: defaultdict[UUID, list[Part]] = defaultdict(list)
    for part in found.values():
        by_target[part.master.group].append(part)
    return by_target


def _stretches(
    wanted: Iterable[tuple[Span, UUID]],
) -> Iterator[tuple[Span, Collection[UUID]]]:
    """Put together what lies near to each other."""
    span: Span | None = None
    resources: dict[UUID, None] = {}
    for each, resource in sorted(wanted):
        if span is not None and each.start - span.end > NEAR:
            yield span, resources
            span, resources = None, {}
        span = each if span is None else Span(span.start, max(span.end, each.end))
        resources[resource] = None
    if span is not None:
        yield span, resources


def _pending(
    key: Key,
    first: int,
    rows: Sequence[Any],
    place: Place,
    members: Mapping[UUID, Sequence[Span]],
    parts: Mapping[UUID, Sequence[Part]],
) -> Pending:
    asked = [
        _asked(row, span, place, parts.get(row.target, ()))
        for row in rows
        for span in _spans(row, members)
    ]
    data = tuple(_in_lines(rows[0].data or {}))
    return Pending(key, place, rows[0].email, first, tuple(asked), data)


def _asked(row: Any, span: Span, place: Place, parts: Sequence[Part]) -> Asked:
    met = [each for each in parts if each.span.overlaps(span)]
    others = {
        held.id: f"{held.title} ({'asks for it' if held.is_pending else 'has it'})"
        for part in met
        for held in part.held
        if held.token != row.token
    }
    told = tuple(others.values())
    return Asked(
        words=in_words(*(to_zone(each, place.timezone) for each in _ends(span))),
        quota=row.quota,
        left=min((each.left for each in met), default=None),
        is_blocked=any(each.is_blocked for each in met),
        others=told[:MOST_OTHERS],
        left_out=max(0, len(told) - MOST_OTHERS),
    )


def _ends(span: Span) -> tuple[Any, Any]:
    return span.start, span.end


def _in_lines(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Write down what came with a reservation, as people read it."""
    for name, value in data.items():
        plain = value if isinstance(value, str) else json.dumps(value)
        yield str(name), plain
