"""Tells of reservations and blockers in plain values, those of groups included.

A group's record has no times of its own: its times are those of the group's members,
read for all records together, in one statement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import undefer

from libres.db import criteria
from libres.db.models import Allocation, Reservation, ReservationBlocker
from libres.db.queries import Queries
from libres.domain.days import to_zone
from libres.domain.spans import display_end
from libres.web.directory import resources_of
from libres.web.edge import cursor_of, cursor_values
from libres.web.errors import NotFound
from libres.web.fields import LARGEST, uuid_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Query

    from libres.context.core import Context
    from libres.db.scheduler import Scheduler
    from libres.web.edge import Edge

R = TypeVar("R", Reservation, ReservationBlocker)

Plain = dict[str, Any]
Times = tuple[datetime, datetime]

WHOLE: Final = (
    undefer(Reservation.data),
    undefer(Reservation.created),
    undefer(Reservation.modified),
)
"""Reads of reservations what else each of them would be asked for by itself."""


def known(text: str) -> UUID:
    """Read the token, or the id of a session, in a path. Raises NotFound."""
    found = uuid_of(text)
    if found is None:
        raise NotFound
    return found


def numbered(id: int) -> int:  # noqa: A002 - as in the path
    """Return the id of a record in a path. Raises NotFound for one that none has."""
    if not 0 < id <= LARGEST:
        raise NotFound
    return id


def schedulers_of(context: Context) -> dict[UUID, Scheduler]:
    """Return the schedulers of all resources that are listed, by resource."""
    made = (place.scheduler(context) for place in resources_of(context).all())
    return {scheduler.resource: scheduler for scheduler in made}


# Pages --------------------------------------------------------------------------------


def page_of(
    here: Edge, query: Query[R], record: type[R], asked: Mapping[str, Any]
) -> tuple[list[R], str | None]:
    """Read a page of records, the oldest first, and where the next one begins.

    *asked* may have ``start``, ``end``, ``cursor`` and ``limit``. Raises
    InvalidRequest.
    """
    most = min(asked.get("limit", here.settings.page), here.settings.largest_page)
    if "cursor" in asked:
        (last,) = cursor_values(asked["cursor"], _id_of)
        query = query.filter(record.id > last)
    query = query.filter(lies_in(record, asked.get("start"), asked.get("end")))
    found = query.order_by(record.id).limit(most + 1).all()
    more = cursor_of(found[most - 1].id) if len(found) > most else None
    return found[:most], more


def _id_of(value: Any) -> int:
    """Read an id. Raises ValueError for one that no record has."""
    found = int(value)
    if not 0 <= found <= LARGEST:
        message = f"{found} is no id."
        raise ValueError(message)
    return found


def lies_in(
    record: type[Reservation | ReservationBlocker],
    start: datetime | None,
    end: datetime | None,
) -> ColumnElement[bool]:
    """Has it a moment in a time, itself or a member of its group? None: no border."""
    if start is None and end is None:
        return and_(True)
    within = _within(Allocation._start, Allocation._end, start, end)
    of_group = (Allocation.group == record.target, criteria.is_master(), within)
    member = select(Allocation.id).where(*of_group).exists()
    is_group = record.target_type == "group"
    return or_(_within(record.start, record.end, start, end), and_(is_group, member))


def _within(
    first: Any, last: Any, start: datetime | None, end: datetime | None
) -> ColumnElement[bool]:
    """Does a stored time overlap a half-open one?"""
    begins = [] if end is None else [first < criteria.moment(end)]
    ends = [] if start is None else [last >= criteria.moment(start)]
    return and_(True, *begins, *ends)


# Plain values -------------------------------------------------------------------------


def tell_reservations(
    context: Context, found: Sequence[Reservation], names: Mapping[UUID, str]
) -> list[Plain]:
    """Tell of reservations, read with WHOLE. *names* are those of their resources.

    One statement if groups are among them, else none.
    """
    times = _times_of_groups(context, found)
    return [
        {
            "resource": names[each.resource],
            "token": each.token,
            "id": each.id,
            "status": each.status,
            "confirmed": each.session_id is None,
            "email": each.email,
            "quota": each.quota,
            "data": each.data,
            "created": each.created,
            **_told_times(each, times),
        }
        for each in found
    ]


def tell_blockers(
    context: Context, found: Sequence[ReservationBlocker], *, all_of_it: bool
) -> list[Plain]:
    """Tell of blockers; unless *all_of_it*, only when they are."""
    times = _times_of_groups(context, found)
    return [_told_blocker(each, times, all_of_it=all_of_it) for each in found]


def _told_blocker(
    blocker: ReservationBlocker,
    times: Mapping[UUID, Sequence[Times]],
    *,
    all_of_it: bool,
) -> Plain:
    told = _told_times(blocker, times)
    if not all_of_it:
        return {key: told[key] for key in ("start", "end", "spans")}
    who = {"token": blocker.token, "id": blocker.id, "reason": blocker.reason}
    return {**who, **told}


def _told_times(
    record: Reservation | ReservationBlocker,
    times: Mapping[UUID, Sequence[Times]],
) -> Plain:
    """Tell when a record is; nothing is left of a group whose allocations are gone."""
    is_group = record.target_type == "group"
    spans = (
        times.get(record.target, ())
        if is_group
        else [_shown(*record.stored_times, record.timezone)]
    )
    return {
        "start": spans[0][0] if spans else None,
        "end": spans[-1][1] if spans else None,
        "group": record.target if is_group else None,
        "spans": [{"start": start, "end": end} for start, end in spans],
    }


def _shown(start: datetime, end: datetime, timezone: str | None) -> Times:
    """Show stored times in a zone; None: nobody has kept it."""
    zone = timezone or "UTC"
    return to_zone(start, zone), to_zone(display_end(end), zone)


def _times_of_groups(
    context: Context, found: Iterable[Reservation | ReservationBlocker]
) -> Mapping[UUID, list[Times]]:
    groups = {each.target for each in found if each.target_type == "group"}
    return _read_times(context, groups) if groups else {}


def _read_times(
    context: Context, groups: Collection[UUID]
) -> Mapping[UUID, list[Times]]:
    columns = (Allocation.group, Allocation._start, Allocation._end)
    members = Queries(context).session.query(*columns, Allocation.timezone)
    masters = members.filter(Allocation.group.in_(groups), criteria.is_master())
    times: defaultdict[UUID, list[Times]] = defaultdict(list)
    for group, start, end, zone in masters.order_by(Allocation._start):
        times[group].append(_shown(start, end, zone))
    return times
