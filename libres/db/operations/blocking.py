"""Takes times out of service: blockers, which hold every place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from libres.db import loading, selections
from libres.db.criteria import owned_by
from libres.db.models import ReservationBlocker, ReservedSlot
from libres.db.operations import reserving
from libres.db.operations.writing import write_claims
from libres.domain.allotting import Allotment
from libres.domain.judging import (
    Match,
    check_blockable,
    check_contained,
    check_dates_or_group,
    check_length,
)
from libres.domain.spans import stored_end
from libres.modules.errors import (
    InvalidReservationError,
    NotReservableError,
    insist,
)

if TYPE_CHECKING:
    from libres.db.scope import Scope


def add(
    scope: Scope,
    dates: object,
    group: object,
    reason: str | None,
    token: UUID | None = None,
    id: int | None = None,  # noqa: A002 - the public name
) -> list[ReservationBlocker]:
    """Block every place of the ranges or of the group, under one token."""
    check_dates_or_group(dates, group)
    matches = _judged(scope, dates, group)
    targets = list(reserving.targets_of(matches, group, scope.resource))
    if not targets:
        raise (NotReservableError if group else InvalidReservationError)(group=group)
    members = _members(scope, matches, targets, group)
    token = token or uuid4()
    blockers = [_blocker(scope, each, reason, token, id) for each in targets]
    allotment = _claimed(targets, members)
    scope.session.add_all(blockers)
    scope.session.flush()
    claims = [
        claim.owned_by(blockers[claim.source_id].id) for claim in allotment.claims
    ]
    write_claims(scope.session, claims, "blocker", token)
    return blockers


def _judged(scope: Scope, dates: object, group: object) -> list[list[Match]]:
    ranges, found = reserving.touched(scope, dates, group)
    for asked, matches in zip(ranges, found, strict=True):
        check_length(asked, scope.timezone)
        for match in matches:
            check_blockable(match, own=reserving.is_own(scope, match))
    return found


def _members(
    scope: Scope,
    matches: list[list[Match]],
    targets: Sequence[reserving.Target],
    group: object,
) -> list[list[Match]]:
    """Find all members of the groups that dates have led to, and judge them, too."""
    groups = [target.group for target in targets if target.match is None]
    if group or not groups:
        return matches
    members = loading.group_matches(scope, groups)
    for match in (match for some in members for match in some):
        check_blockable(match, own=False)
    return members


def _claimed(
    targets: Sequence[reserving.Target], members: Sequence[Sequence[Match]]
) -> Allotment:
    """Claim every place; ``source_id`` is the position of the target."""
    allotment = Allotment()
    for position, target in enumerate(targets):
        for match in target.matches_among(members):
            allotment.take_all(match, position)
    return allotment


def _blocker(
    scope: Scope,
    target: reserving.Target,
    reason: str | None,
    token: UUID,
    id: int | None,  # noqa: A002 - the public name
) -> ReservationBlocker:
    values = target.values
    if id is not None:
        values["id"] = id
    return ReservationBlocker(
        token=token, resource=scope.resource, reason=reason, **values
    )


def remove(scope: Scope, token: object, id: int | None = None) -> None:  # noqa: A002 - the public name
    """Delete blockers and their slots."""
    insist(token, "A token is needed to remove its blockers.")
    blockers = selections.blockers_by_token(scope, token, id)
    ids = blockers.with_entities(ReservationBlocker.id).scalar_subquery()
    slots = scope.session.query(ReservedSlot).filter(
        owned_by("blocker", token, None), ReservedSlot.source_id.in_(ids)
    )
    slots.delete("fetch")
    blockers.delete("fetch")
    scope.session.expire_all()


def change_reason(scope: Scope, token: object, reason: str | None) -> None:
    """Set the reason of all blockers of a token."""
    for blocker in selections.blockers_by_token(scope, token):
        blocker.reason = reason


def change(
    scope: Scope,
    token: object,
    id: int,  # noqa: A002 - the public name
    new_start: datetime | None,
    new_end: datetime | None,
) -> ReservationBlocker | None:
    """Move a blocker; None if it is there already."""
    insist(new_start and new_end, "A change needs both a new start and a new end.")
    times = scope.utc(new_start), scope.utc(new_end)  # type: ignore[arg-type]
    blocker = selections.blockers_by_token(scope, token, id).one()
    if times[0] == blocker.start and blocker.end in (times[1], stored_end(times[1])):
        return None
    targets = blocker.target_allocations().options(loading.WITHOUT_SLOTS)
    check_contained(Match(times, loading.master_of(targets.one())))
    return _moved(scope, blocker, times)


def _moved(
    scope: Scope, old: ReservationBlocker, times: tuple[datetime, datetime]
) -> ReservationBlocker:
    token, id_, reason = old.token, old.id, old.reason
    with scope.session.begin_nested():
        remove(scope, token, id_)
        (new,) = add(scope, times, None, reason, token, id_)
    return new
