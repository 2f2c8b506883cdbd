"""What becomes of the world if something is taken out of service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from libres.modules.errors import (
    InvalidReservationError,
    Misuse,
    NotReservableError,
    TimerangeTooLong,
)
from tests.model.calendar import Asked
from tests.model.reserving import (
    Request,
    Target,
    check_each,
    check_free,
    check_ranges,
    dates_of,
    targets_of,
)
from tests.model.world import Allocation, Blocker, Refused, World


def add(
    world: World,
    room: str,
    dates: Sequence[Asked],
    group: str | None,
    reason: str | None = None,
) -> list[int]:
    """Take every place of ranges or of a group; return the names."""
    if bool(dates) == bool(group):
        raise Refused(Misuse)
    asked = dates_of(world, room, Request(dates=tuple(dates), group=group))
    check_ranges(world, room, asked, _blockable)
    targets = targets_of(world, room, dates, group)
    if not targets:
        raise Refused(NotReservableError if group else InvalidReservationError)
    token = world.names.text("token")
    made = [
        Blocker(world.names.number(), room, token, each.group, each.times, reason)
        for each in targets
    ]
    for blocker in made:
        _take_all(world, blocker)
    return [each.key for each in made]


def _blockable(world: World, each: Allocation, asked: Asked, own: bool) -> None:
    check_free(each.quota)(world, each, asked, own)
    if own and not each.contains(asked):
        raise Refused(TimerangeTooLong)


def _all_free(world: World, each: Allocation, asked: Asked, own: bool) -> None:
    check_free(each.quota)(world, each, asked, own)


def _take_all(world: World, blocker: Blocker) -> None:
    """Occupy every place of what it is about."""
    world.blockers[blocker.key] = blocker
    members = world.members(blocker.room, blocker.target)
    for member in members:
        asked = blocker.times or member.own
        check_each(world, blocker.room, asked, _all_free)
    for member in members:
        asked = blocker.times or member.own
        world.take(member, member.places, asked, blocker.owner)


def remove(world: World, room: str, token: str, key: int | None) -> None:
    """Delete the blockers of a token, or one of them."""
    gone = world.blockers_of(room, token, key)
    world.give_back(each.owner for each in gone)
    for each in gone:
        del world.blockers[each.key]


def change_reason(world: World, room: str, token: str, reason: str | None) -> None:
    """Set the reason of all blockers of a token."""
    for each in world.blockers_of(room, token):
        world.blockers[each.key] = replace(each, reason=reason)


def change(
    world: World, room: str, token: str, key: int, asked: Asked
) -> Blocker | None:
    """Move a blocker within its allocation; None if it is there."""
    found = world.blockers_of(room, token, key)
    if not found:
        raise Refused(NoResultFound)
    (old,) = found
    if old.times == Asked(asked.start, asked.end):
        return None
    members = world.members(room, old.target)
    if len(members) != 1:
        raise Refused(MultipleResultsFound if members else NoResultFound)
    if not members[0].contains(asked):
        raise Refused(TimerangeTooLong)
    remove(world, room, token, key)
    check_ranges(world, room, [asked], _blockable)
    (target,) = targets_of(world, room, [asked], None)
    new = _moved(old, target)
    _take_all(world, new)
    return new


def _moved(old: Blocker, target: Target) -> Blocker:
    return replace(old, target=target.group, times=target.times)
