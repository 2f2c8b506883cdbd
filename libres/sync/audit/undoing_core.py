"""Undoes changes of reservations, allocations and blockers, by their scheduler.

What a transaction did to one of them is undone as a whole: to give a reservation
another time, the scheduler removes it and makes it anew, under the same key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import inspect, select

from libres.db.models import Allocation, Reservation
from libres.db.models import ReservationBlocker as Blocker
from libres.db.scheduler import Scheduler
from libres.domain.spans import display_end
from libres.modules.errors import insist
from libres.sync.audit import undoing
from libres.sync.audit.tables import BLOCKER
from libres.sync.audit.undoing import CHANGED_SINCE, GONE, NOTHING, THERE, Undone
from libres.sync.audit.values import Action, Reverted
from libres.sync.core_models import ALLOCATION, RESERVATION
from libres.sync.errors import NotRevertible
from libres.sync.fields import MOMENT_IN_UTC
from libres.sync.resources import Resources

if TYPE_CHECKING:
    from libres.sync.registry import Image

NO_SCHEDULER: Final = (
    "Nobody says what the resource {resource} is called: pass its scheduler, or give "
    "it to an organisation by 'sync.resources.add'."
)

APPROVED: Final = (
    "An approval is not taken back: remove the reservation, and reserve it anew."
)

CONFIRMED: Final = (
    "What was confirmed does not go back to the cart: remove the reservation, and "
    "reserve it anew."
)

MIRROR: Final = (
    "It is one of the places of an allocation: undo the change of the allocation "
    "itself, which has the id {id}."
)

BY_HAND: Final = "The scheduler does not set {fields}: change them by hand."

TOGETHER: Final = (
    "Others have it in common, and have changed since ({field}): change it by hand."
)

TIMES: Final = frozenset({"created", "modified"})
"""What is no change by itself."""


@dataclass(frozen=True)
class Case:
    """What a transaction did to a row, and the scheduler that undoes it."""

    undone: Undone
    scheduler: Scheduler
    before: Image | None
    after: Image | None

    @property
    def image(self) -> Image:
        """The row after, or before if there is none after."""
        return (self.after or self.before) or {}

    @property
    def id(self) -> int:
        """The id of the row."""
        return int(self.image["id"])

    @property
    def token(self) -> UUID:
        """The token of a reservation or a blocker."""
        return UUID(self.image["token"])

    @cached_property
    def changed(self) -> frozenset[str]:
        """The names of the columns that have changed."""
        was, is_ = self.before or {}, self.after or {}
        names = was.keys() | is_.keys()
        return frozenset(each for each in names if was.get(each) != is_.get(each))

    def check_settable(self, settable: Collection[str]) -> list[str]:
        """Return what is to be set back, sorted. Raises NotRevertible if there is
        nothing, if it has changed since, or if nobody can set it."""
        fields = sorted(self.changed - TIMES)
        if not fields:
            raise NotRevertible(NOTHING)
        others = [name for name in fields if name not in settable]
        if others:
            raise NotRevertible(BY_HAND.format(fields=", ".join(others)))
        self.undone.check_unchanged(fields)
        return fields

    def check_shared(self, field: str, others: Any) -> None:
        """Refuse to set for all what some of them have got otherwise meanwhile."""
        now = self.undone.session.execute(others).scalars()
        if any(each != self.image[field] for each in now):
            raise NotRevertible(TOGETHER.format(field=field))

    def dates(self, start: str = "start", end: str = "end") -> Any:
        """Return the times before, as the scheduler wants them; None: a group's."""
        image = self.before or {}
        if image[start] is None:
            return None
        return moment(image[start]), display_end(moment(image[end]))

    def done(
        self, action: Action, fields: Collection[str] = (), key: int | None = None
    ) -> Reverted:
        """Say what was done."""
        own = str(self.id if key is None else key)
        return Reverted(self.undone.entry, action, own, tuple(sorted(fields)))


def moment(noted: str) -> datetime:
    """Return a moment of an image."""
    read: datetime = MOMENT_IN_UTC.load(noted)
    return read


def undo(undone: Undone, given: Scheduler | None) -> Reverted:
    """Undo what was done to a record of the core. Raises NotRevertible."""
    found = undoing.whole(undone)
    before, after = (_read(each) for each in (found.before, found.after))
    verbs = VERBS[undone.model.name]
    scheduler = _scheduler(undone, (after or before) or {}, given)
    case = Case(found, scheduler, before, after)
    if before is None:
        return verbs.made(case)
    if after is None:
        if found.stale([]) is not None:
            raise NotRevertible(THERE)
        return verbs.removed(case)
    return verbs.changed(case)


def _read(image: str | None) -> Image | None:
    read: Image | None = None if image is None else json.loads(image)
    return read


def check(undone: Undone, scheduler: Scheduler) -> None:
    """Refuse the scheduler of another resource. Raises Misuse."""
    image: Mapping[str, Any] = undone.entry.after or undone.entry.before or {}
    own = {image.get("resource"), image.get("mirror_of")}
    insist(str(scheduler.resource) in own, "That is the scheduler of another resource.")
    insist(scheduler.context is undone.context, "That scheduler has another context.")


def _scheduler(undone: Undone, image: Image, given: Scheduler | None) -> Scheduler:
    """Return the scheduler that makes records of the class of a row."""
    if image.get("mirror_of", image["resource"]) != image["resource"]:
        raise NotRevertible(MIRROR.format(id=_master(undone, image)))
    made = given or _known(undone, UUID(image["resource"]))
    scheduler = made.clone()
    if undone.model.model is Allocation:
        scheduler.allocation_cls = _class(Allocation, image)
    elif undone.model.model is Reservation:
        scheduler.reservation_cls = _class(Reservation, image)
    return scheduler


def _master(undone: Undone, image: Image) -> object:
    query = select(Allocation.id).where(
        Allocation.resource == UUID(image["mirror_of"]),
        Allocation._start == moment(image["_start"]),
    )
    return undone.session.execute(query).scalar() or "of the same time"


def _known(undone: Undone, resource: UUID) -> Scheduler:
    owned = Resources(undone.context).of(resource)
    if owned is None:
        raise NotRevertible(NO_SCHEDULER.format(resource=resource))
    return owned.scheduler(undone.context)


def _class(base: Any, image: Image) -> Any:
    known = inspect(base).polymorphic_map.get(image["type"])
    if known is None:
        raise NotRevertible(BY_HAND.format(fields=f"the type {image['type']!r}"))
    return known.class_


def _check_extra(case: Case, known: Collection[str]) -> None:
    """Refuse to make anew what has columns that the scheduler does not know."""
    image = case.before or {}
    extra = sorted(n for n, v in image.items() if n not in known and v is not None)
    if extra:
        raise NotRevertible(BY_HAND.format(fields=", ".join(extra)))


# Reservations -------------------------------------------------------------------------

RESERVED: Final = ("start", "end", "quota", "email", "data")

DRAWN: Final = ("id", "token", "type", "resource", "timezone", "created", "modified")
"""What the scheduler fills in."""

KNOWN: Final = {*RESERVED, *DRAWN, "target", "target_type", "status", "session_id"}


def _made_reservation(case: Case) -> Reverted:
    stale = case.undone.stale([*RESERVED, "status", "session_id"])
    if stale is None:
        raise NotRevertible(GONE)
    if "status" in stale:
        raise NotRevertible(APPROVED)
    if stale:
        raise NotRevertible(CHANGED_SINCE.format(fields=", ".join(stale)))
    case.scheduler.remove_reservation(case.token, case.id)
    return case.done("delete")


def _removed_reservation(case: Case) -> Reverted:
    _check_extra(case, KNOWN)
    image, dates = case.before or {}, case.dates()
    cart = image["session_id"]
    token = case.scheduler.reserve(
        image["email"],
        dates=dates,
        group=None if dates else UUID(image["target"]),
        data=image["data"],
        session_id=None if cart is None else UUID(cart),
        quota=image["quota"],
    )
    if image["status"] == "approved":
        case.scheduler.approve_reservations(token)
    made = case.scheduler.reservations_by_token(token).one()
    return case.done("insert", KNOWN - set(DRAWN), made.id)


def _changed_reservation(case: Case) -> Reverted:
    if "status" in case.changed:
        raise NotRevertible(APPROVED)
    if "session_id" in case.changed:
        raise NotRevertible(CONFIRMED)
    fields = case.check_settable(RESERVED)
    image = case.before or {}
    if not case.changed.isdisjoint({"start", "end", "quota"}):
        insist(case.dates(), "A group is reserved as a whole.")
        start, end = case.dates()
        case.scheduler.change_reservation(
            case.token, case.id, start, end, image["quota"]
        )
    others = Reservation.token == case.token, Reservation.id != case.id
    if "email" in fields:
        case.check_shared("email", select(Reservation.email).where(*others))
        case.scheduler.change_email(case.token, image["email"])
    if "data" in fields:
        case.check_shared("data", select(Reservation.data).where(*others))
        case.scheduler.change_reservation_data(case.token, image["data"])
    return case.done("update", fields)


# Allocations --------------------------------------------------------------------------

TERMS: Final = ("quota", "quota_limit", "approve_manually")
"""What all allocations of a group have in common."""

MOVED: Final = ("_start", "_end", "group", "data", *TERMS)
FIXED: Final = ("partly_available", "_raster")

ALLOCATED: Final = {*MOVED, *FIXED, *DRAWN, "mirror_of"}


def _made_allocation(case: Case) -> Reverted:
    case.undone.check_unchanged([*MOVED, *FIXED])
    case.scheduler.remove_allocation(case.id)
    return case.done("delete")


def _removed_allocation(case: Case) -> Reverted:
    _check_extra(case, ALLOCATED)
    image = case.before or {}
    (made,) = case.scheduler.allocate(
        case.dates("_start", "_end"),
        partly_available=image["partly_available"],
        raster=image["_raster"],
        quota=image["quota"],
        quota_limit=image["quota_limit"],
        data=image["data"],
        approve_manually=image["approve_manually"],
    )
    group = UUID(image["group"])
    if case.scheduler.allocations_by_group(group).first() is not None:
        case.scheduler.move_allocation(made.id, made.start, _end(made), group=group)
    return case.done("insert", {*MOVED, *FIXED}, made.id)


def _end(allocation: Allocation) -> datetime:
    return display_end(allocation.end)


def _changed_allocation(case: Case) -> Reverted:
    fields = case.check_settable(MOVED)
    image, group = case.before or {}, UUID(case.image["group"])
    for name in set(fields) & set(TERMS):
        column = getattr(Allocation, name)
        case.check_shared(name, select(column).where(Allocation.group == group))
    names = {"quota": "new_quota", **{each: each for each in (*TERMS[1:], "data")}}
    wanted = {new: image[old] for old, new in names.items() if old in fields}
    if "group" in fields:
        wanted["group"] = UUID(image["group"])
    start, end = case.dates("_start", "_end")
    case.scheduler.move_allocation(case.id, start, end, **wanted)
    return case.done("update", fields)


# Blockers -----------------------------------------------------------------------------

BLOCKED: Final = ("start", "end", "reason")


def _made_blocker(case: Case) -> Reverted:
    case.undone.check_unchanged(BLOCKED)
    case.scheduler.remove_blocker(case.token, case.id)
    return case.done("delete")


def _removed_blocker(case: Case) -> Reverted:
    image, dates = case.before or {}, case.dates()
    group = None if dates else UUID(image["target"])
    case.scheduler.add_blocker(dates, group, image["reason"], case.token, case.id)
    return case.done("insert", BLOCKED)


def _changed_blocker(case: Case) -> Reverted:
    fields = case.check_settable(BLOCKED)
    if not case.changed.isdisjoint({"start", "end"}):
        case.scheduler.change_blocker(case.token, case.id, *case.dates())
    if "reason" in fields:
        others = Blocker.token == case.token, Blocker.id != case.id
        case.check_shared("reason", select(Blocker.reason).where(*others))
        reason = (case.before or {})["reason"]
        case.scheduler.change_blocker_reason(case.token, reason)
    return case.done("update", fields)


@dataclass(frozen=True, slots=True)
class Verbs:
    """How what was done to a kind of record is undone."""

    made: Callable[[Case], Reverted]
    changed: Callable[[Case], Reverted]
    removed: Callable[[Case], Reverted]


VERBS: Final = {
    RESERVATION: Verbs(_made_reservation, _changed_reservation, _removed_reservation),
    ALLOCATION: Verbs(_made_allocation, _changed_allocation, _removed_allocation),
    BLOCKER: Verbs(_made_blocker, _changed_blocker, _removed_blocker),
}
"""By the names of models."""
