"""Reserves ranges or groups: pending reservations, which hold no slots yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import select

from libres.context.telling import tell
from libres.context.transactions import leave_trace
from libres.db import loading
from libres.db.models import Reservation
from libres.db.operations.repeating import once
from libres.domain.judging import (
    Match,
    check_dates_or_group,
    check_length,
    check_reservable,
)
from libres.domain.spans import Range
from libres.modules import events
from libres.modules.errors import (
    InvalidEmailAddress,
    InvalidReservationError,
    OverlappingReservationError,
)

if TYPE_CHECKING:
    from libres.db.scope import Scope


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for; either dates or a group."""

    email: str
    dates: object
    group: object
    data: dict[str, Any] | None
    session_id: object
    quota: int
    single_token_per_session: bool


@dataclass(frozen=True, slots=True)
class Target:
    """What one record is about: an allocation's time, or (no match) a group."""

    group: UUID
    match: Match | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The columns that say so."""
        if self.match is None:
            return {"target": self.group, "target_type": "group"}
        start, end = self.match.span.stored
        return {
            "target": self.group,
            "target_type": "allocation",
            "start": start,
            "end": end,
            "timezone": self.match.master.timezone,
        }

    def matches_among(self, members: Iterable[Sequence[Match]]) -> list[Match]:
        """Return the own match, or those of the group's members."""
        if self.match is not None:
            return [self.match]
        return [some[0] for some in members if some[0].master.group == self.group]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be written for a request, judged; one record per target."""

    token: UUID
    email: str
    targets: list[Target]
    matches: list[list[Match]]


def reserve(scope: Scope, request: Request, key: object = None) -> UUID:
    """Write pending reservations, tell ``on_reservations_made``, return their token.

    A request that was made with the *key* before only gets its token again.
    """
    planned = once(scope, "reserve", request, key, partial(plan, scope))
    if isinstance(planned, Plan):
        write_new(scope, reservations_of(scope, request, planned, "pending"))
    return planned.token


def plan(scope: Scope, request: Request) -> Plan:
    """Load and judge a request without writing anything."""
    check_dates_or_group(request.dates, request.group)
    check_quota_type(request.quota)
    email = checked_email(scope, request.email)
    matches = judged_matches(scope, request)
    cart = _Cart.of(scope, request.session_id)
    token = cart.token if request.single_token_per_session else None
    targets = list(targets_of(matches, request.group, scope.resource))
    if not targets:
        raise InvalidReservationError(group=request.group)
    cart.check(targets)
    return Plan(token or uuid4(), email, targets, matches)


def judged_matches(scope: Scope, request: Request) -> list[list[Match]]:
    """Find what a request touches, own and blocking, and judge it range by range.

    Raises what check_length and check_reservable raise.
    """
    ranges, found = touched(scope, request.dates, request.group)
    for asked, matches in zip(ranges, found, strict=True):
        check_length(asked, scope.timezone)
        for match in matches:
            check_reservable(match, request.quota, own=is_own(scope, match))
    return found


def touched(
    scope: Scope, dates: object, group: object
) -> tuple[list[Range], list[list[Match]]]:
    """Return the dates, or the times of the group's masters, and what they touch."""
    scope.session.flush()  # the caller may have switched autoflush off
    if group:
        found = loading.group_matches(scope, [group])
        return [matches[0].asked for matches in found], found
    ranges = scope.prepare(dates)
    return ranges, loading.matches(scope, ranges, scope.visible_resources)


def check_quota_type(quota: object) -> None:
    """Raise TypeError if a quota is not a whole number."""
    if not isinstance(quota, int) or isinstance(quota, bool):
        message = f"The quota is a whole number of places, not {quota!r}."
        raise TypeError(message)


def checked_email(scope: Scope, email: object) -> str:
    """Return the address without blanks around it.

    Raises InvalidEmailAddress if the context's validator refuses it.
    """
    stripped = email.strip() if isinstance(email, str) else ""
    if (
        not stripped
        or "\x00" in stripped
        or not scope.services.validate_email(stripped)
    ):
        raise InvalidEmailAddress(email=email)
    return stripped


def is_own(scope: Scope, match: Match) -> bool:
    """Tell whether a match is ours and not a blocking resource's."""
    return match.master.resource == scope.resource


def targets_of(
    matches: Iterable[Iterable[Match]], group: Any, resource: UUID
) -> Iterator[Target]:
    """Yield one target per range and own allocation; groups only once."""
    groups = set()
    for match in (match for some in matches for match in some):
        master = match.master
        if master.resource != resource:
            continue
        if not (group or master.in_group):
            yield Target(master.group, match)
        elif master.group not in groups:
            groups.add(master.group)
            yield Target(master.group)


def write_new(scope: Scope, reservations: Sequence[Reservation]) -> None:
    """Write reservations that never existed before: by them their COMMIT is known."""
    write(scope, reservations)
    ids, token = [each.id for each in reservations], reservations[0].token
    query = select(Reservation.id).where(
        Reservation.id.in_(ids), Reservation.token == token
    )
    leave_trace(scope.session, lambda found: found.execute(query).first() is not None)


def write(scope: Scope, reservations: Sequence[Reservation]) -> None:
    """Add the reservations, flush, and tell ``on_reservations_made``."""
    scope.session.add_all(reservations)
    scope.session.flush()
    told = tuple(reservations)
    tell(scope.context, scope.session, events.on_reservations_made, told)


def reservations_of(
    scope: Scope, request: Request, planned: Plan, status: str
) -> list[Reservation]:
    """Make the records of a plan, not yet in the session."""
    made = []
    for target in planned.targets:
        reservation = scope.reservation_cls()
        reservation.token = planned.token
        reservation.resource = scope.resource
        reservation.status = status
        reservation.email = planned.email
        reservation.data = request.data
        reservation.quota = request.quota
        reservation.session_id = request.session_id or None  # type: ignore[assignment]
        for name, value in target.values.items():
            setattr(reservation, name, value)
        made.append(reservation)
    return made


@dataclass(frozen=True, slots=True)
class _Cart:
    """What a session holds already: its first token, and what it is about."""

    token: UUID | None
    contents: frozenset[tuple[Any, Any]]

    @classmethod
    def of(cls, scope: Scope, session_id: object) -> _Cart:
        if not session_id:
            return cls(None, frozenset())
        query = (
            scope.session.query(
                Reservation.token, Reservation.target, Reservation.start
            )
            .filter(Reservation.session_id == session_id)
            .order_by(Reservation.created, Reservation.id)
        )
        rows = query.all()
        token = rows[0].token if rows else None
        return cls(token, frozenset((row.target, row.start) for row in rows))

    def check(self, targets: Iterable[Target]) -> None:
        for each in targets:
            start = each.values.get("start")
            if (each.group, start) in self.contents:
                raise OverlappingReservationError(start=start, target=each.group)
