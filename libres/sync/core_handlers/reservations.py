"""Reserves, changes and gives back for clients, by the scheduler of the resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from libres.db.models import Reservation
from libres.domain.spans import display_end
from libres.modules.errors import InvalidEmailAddress
from libres.sync.core_handlers import finding
from libres.sync.core_handlers.finding import Declined, Seen
from libres.sync.core_handlers.refusing import Wish, decided_or_others
from libres.sync.core_models import RESERVATION
from libres.sync.handlers import NOT_FOUND, Done, Outcome, Refused

if TYPE_CHECKING:
    from libres.db.scheduler import Scheduler
    from libres.sync.handlers import Item, Work

BY_HAND: Final = Refused("forbidden", "Somebody has to approve this by hand.", "status")

NOT_TAKEN_BACK: Final = Refused(
    "invalid", "what is approved stays so: delete it instead", "status"
)

TOGETHER: Final = Refused(
    "forbidden", "It was reserved together with what you may not change."
)

NO_TIMES: Final = Refused("invalid", "a group is reserved as a whole", "start")

TIMES: Final = ("start", "end", "quota")
FIXED: Final = ("resource", "group")


class ReservationHandler:
    """Lets the scheduler decide on each reservation by itself."""

    batch = 1
    serializable = True

    def write(self, work: Work, items: Sequence[Item]) -> Sequence[Outcome]:
        """Write items of the same operation; answer for each, in their order.

        What is taken is a conflict, with ``alternatives`` that are free.
        """
        return [
            decided_or_others(
                work, partial(VERBS[item.op], work, item), partial(_wish, work, item)
            )
            for item in items
        ]


# Creating -----------------------------------------------------------------------------


def _create(work: Work, item: Item) -> Done:
    """Reserve, and approve if the member may and nobody has to do it by hand."""
    if item.key is not None:
        raise Declined(NOT_FOUND)  # the database draws ids: nobody else has this one
    scheduler = finding.named(work, item.values.get("resource")).scheduler(work.context)
    token = scheduler.reserve(
        item.values.get("email") or work.member.user.email,
        dates=_dates(item.values),
        group=item.values.get("group"),
        data=item.values.get("data"),
        quota=item.values.get("quota", 1),
    )
    made = scheduler.reservations_by_token(token).one()
    _decide(work, scheduler, made, item.values.get("status"))
    return finding.written(work, item, "created", made.id)


def _dates(values: Mapping[str, Any]) -> Any:
    """Return the times as the scheduler wants them; None: there are none."""
    times = {name: values.get(name) for name in ("start", "end")}
    missing = [name for name, moment in times.items() if moment is None]
    if len(missing) == 1:
        raise Declined(Refused("invalid", "is missing", missing[0]))
    return None if missing else (values["start"], display_end(values["end"]))


def _decide(
    work: Work, scheduler: Scheduler, made: Reservation, status: str | None
) -> None:
    """Approve what nobody has to, unless it is said to be left pending."""
    if status == "pending":
        return
    if may_approve(work, made):
        scheduler.approve_reservations(made.token)
    elif status == "approved":
        raise Declined(BY_HAND)


def may_approve(work: Work, reservation: Reservation) -> bool:
    """Tell whether a member may approve a reservation: they may change reservations,
    and its time is not given by hand."""
    may_update = work.member.flags_of(RESERVATION).update
    return may_update and reservation.autoapprovable


# Changing -----------------------------------------------------------------------------


def _update(work: Work, item: Item) -> Done:
    """Change the time and the places, then what is said of it, then approve it."""
    found, values = finding.wanted(work, item), item.values
    for name in FIXED:
        if found.changes(values, name):
            raise Declined(Refused("invalid", "cannot be changed", name))
    scheduler, record = _scheduled(work, found)
    _change_times(scheduler, record, found, values)
    _change_words(work, scheduler, found, values)
    if found.changes(values, "status"):
        _approve(work, scheduler, found)
    return finding.written(work, item, "updated", found.id)


def _scheduled(work: Work, found: Seen) -> tuple[Scheduler, Reservation]:
    """Return the scheduler of a reservation, for its class, and the record."""
    record = work.session.get_one(Reservation, found.id, populate_existing=True)
    return found.resource.scheduler(work.context, type(record)), record


def _change_times(
    scheduler: Scheduler, record: Reservation, found: Seen, values: Mapping[str, Any]
) -> None:
    if not any(found.changes(values, name) for name in TIMES):
        return
    start, end, quota = (values.get(name, found.values[name]) for name in TIMES)
    if start is None or end is None:
        raise Declined(NO_TIMES)
    if quota < 1:
        raise Declined(Refused("invalid", "must be 1 at least", "quota"))
    if record.status == "approved" and not record.autoapprovable:
        raise Declined(BY_HAND)
    scheduler.change_reservation(record.token, found.id, start, display_end(end), quota)


def _change_words(
    work: Work, scheduler: Scheduler, found: Seen, values: Mapping[str, Any]
) -> None:
    """Set e-mail and data, which all reservations of a token have in common."""
    token = found.values["token"]
    if found.changes(values, "email"):
        _check_siblings(work, scheduler, found)
        scheduler.change_email(token, _checked(scheduler, values["email"]))
    if "data" in values and (values["data"] or {}) != found.values["data"]:
        _check_siblings(work, scheduler, found)
        scheduler.change_reservation_data(token, values["data"])


def _checked(scheduler: Scheduler, email: str) -> str:
    """Return an address as the scheduler would keep it. Raises InvalidEmailAddress."""
    stripped = email.strip()
    if not (stripped and scheduler.validate_email(stripped)):
        raise InvalidEmailAddress(email=email)
    return stripped


def _approve(work: Work, scheduler: Scheduler, found: Seen) -> None:
    if found.values["status"] == "approved":
        raise Declined(NOT_TAKEN_BACK)
    _check_siblings(work, scheduler, found)
    record = work.session.get_one(Reservation, found.id)
    if not may_approve(work, record):
        raise Declined(BY_HAND)
    scheduler.approve_reservations(record.token)


def _check_siblings(work: Work, scheduler: Scheduler, found: Seen) -> None:
    """Refuse to do something to reservations that the member may not see."""
    for id_ in _siblings(scheduler, found):
        if finding.seen(work, found.model, (id_,)) is None:
            raise Declined(TOGETHER)


def _siblings(scheduler: Scheduler, found: Seen) -> list[int]:
    """Return the ids of what else was reserved with it."""
    query = scheduler.reservations_by_token(found.values["token"])
    rows = query.filter(Reservation.id != found.id).with_entities(Reservation.id)
    return [row.id for row in rows.order_by(Reservation.id)]


# Deleting -----------------------------------------------------------------------------


def _delete(work: Work, item: Item) -> Done:
    """Deny what is pending, give back what is approved; nothing else of its token."""
    found = finding.wanted(work, item)
    scheduler, record = _scheduled(work, found)
    if record.status == "pending" and not _siblings(scheduler, found):
        scheduler.deny_reservation(record.token)
    else:
        scheduler.remove_reservation(record.token, found.id)
    return finding.written(work, item, "deleted", found.id)


VERBS: Final = {"create": _create, "update": _update, "delete": _delete}


# What else would do -------------------------------------------------------------------


def _wish(work: Work, item: Item) -> Wish | None:
    """Return the time that was not to be had; None: it was a group."""
    known: Mapping[str, Any] = item.values
    if item.key is not None:
        found = finding.wanted(work, item)
        known = {**found.values, **item.values}
    if known.get("start") is None or known.get("end") is None:
        return None
    owned = finding.named(work, known["resource"])
    end = display_end(known["end"])
    return Wish(owned, known["start"], end, known.get("quota", 1))
