"""Changes the quota of an allocation.

Lowering it closes the gaps between places; raising it blocks the new ones, too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID as PlainUUID

from sqlalchemy import bindparam, delete, insert, select

from libres.db import loading
from libres.db.models import Allocation, ReservedSlot
from libres.db.models.timestamp import TimestampMixin
from libres.db.models.types import UUID, UTCDateTime
from libres.db.operations.writing import SLOT_COLUMNS, forget_slots, write_mirrors
from libres.db.passing import PassedRows
from libres.domain.judging import check_quota
from libres.domain.places import Place, closed_gaps, place_resources
from libres.modules.errors import AffectedReservationError, insist

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.db.scope import Scope


def change_quota(scope: Scope, master: Allocation, new_quota: int) -> None:
    """Set the quota of a master; approved reservations keep their slots.

    Blockers hold the places that are added, too.

    Raises Misuse for a quota below 1, AffectedReservationError with the first slot in
    the way if fewer places are free than have to go.
    """
    check_quota(new_quota)
    insist(master.is_master, "The quota is changed on the master of an allocation.")
    scope.session.flush()
    if new_quota < master.quota:
        _lower(scope.session, master, new_quota)
    elif new_quota > master.quota:
        _raise(scope.session, master, new_quota)


def reordered_keylist(
    allocations: Sequence[Allocation], new_quota: int
) -> dict[PlainUUID, PlainUUID | None]:
    """Tell where the occupied places of an allocation move when gaps are closed.

    Keys: the resources of the places in their order; values: the new resource, or None
    for a free place. *new_quota* plays no part. Raises Misuse unless exactly one of the
    allocations is a master. Queries the database.
    """
    del new_quota
    masters = [each for each in allocations if each.is_master]
    insist(len(masters) == 1, "Exactly one of the allocations must be a master.")
    known = {each.resource: each for each in allocations}
    order = list(place_resources(masters[0].resource, max(masters[0].quota, 1)))
    resources = [each for each in order if each in known]
    occupied = {each for each in resources if not known[each].is_available()}
    return closed_gaps(resources, occupied)


def check_lowered(session: Session, master: Allocation, new_quota: int) -> None:
    """Raise AffectedReservationError if a lower quota is too low for what is taken."""
    if new_quota < master.quota:
        _checked_occupied(session, master, new_quota)


def _checked_occupied(
    session: Session, master: Allocation, new_quota: int
) -> set[PlainUUID]:
    resources = place_resources(master.resource, master.quota)
    occupied = _occupied(session, master)
    if len(occupied.intersection(resources)) > new_quota:
        raise AffectedReservationError(_first_slot_over(session, master, new_quota))
    return occupied


def _lower(session: Session, master: Allocation, new_quota: int) -> None:
    resources = list(place_resources(master.resource, master.quota))
    occupied = _checked_occupied(session, master, new_quota)
    targets = closed_gaps(resources, occupied)
    moves = {old: new for old, new in targets.items() if new and new != old}
    known = loading.master_of(master)
    write_mirrors(session, [Place(known, resource) for resource in moves.values()])
    if moves:
        _move_slots(session, master, moves)
    _drop_places(session, master, keep={resources[0], *filter(None, targets.values())})
    places = session.query(Allocation).filter(_is_place_of(master))
    places.update({Allocation.quota: new_quota}, synchronize_session="fetch")
    session.expire_all()


def _raise(session: Session, master: Allocation, new_quota: int) -> None:
    """Add places; who blocks the master blocks them, too."""
    old_quota, master.quota = master.quota, new_quota
    session.flush()
    blocked = select(ReservedSlot.start).where(
        ReservedSlot.allocation_id == master.id, ReservedSlot.source_type == "blocker"
    )
    if not session.scalar(select(blocked.exists())):
        return
    added = list(place_resources(master.resource, new_quota))[old_quota:]
    known = loading.master_of(master)
    write_mirrors(session, [Place(known, resource) for resource in added])
    _block(session, master, added)
    forget_slots(session)


def _block(
    session: Session, master: Allocation, resources: Sequence[PlainUUID]
) -> None:
    """Let the blockers of a master hold the same slots of other places."""
    slots: Any = ReservedSlot.__table__
    places: Any = Allocation.__table__
    values = {
        "resource": places.c.resource,
        "allocation_id": places.c.id,
        "created": bindparam("created", type_=UTCDateTime()),
    }
    rows = (
        select(*(values.get(name, slots.c[name]) for name in SLOT_COLUMNS))
        .join(places, places.c._start == master._start)
        .where(
            places.c.resource.in_(resources),
            slots.c.allocation_id == master.id,
            slots.c.source_type == "blocker",
        )
        .order_by(places.c.resource, slots.c.start)
    )
    statement = insert(slots).from_select(SLOT_COLUMNS, rows, include_defaults=False)
    session.execute(statement, {"created": TimestampMixin.timestamp()})


def _is_place_of(master: Allocation) -> Any:
    return (Allocation.mirror_of == master.resource) & (
        Allocation._start == master._start
    )


def _occupied(session: Session, master: Allocation) -> set[PlainUUID]:
    query = select(Allocation.resource).where(
        _is_place_of(master),
        select(ReservedSlot.resource)
        .where(ReservedSlot.allocation_id == Allocation.id)
        .exists(),
    )
    return set(session.scalars(query))


def _first_slot_over(
    session: Session, master: Allocation, new_quota: int
) -> ReservedSlot | None:
    """Return the earliest slot on the places that would have to go."""
    resources = list(place_resources(master.resource, master.quota))[new_quota:]
    query = session.query(ReservedSlot).join(ReservedSlot.allocation)
    query = query.filter(_is_place_of(master), ReservedSlot.resource.in_(resources))
    return query.order_by(ReservedSlot.start).first()


MOVES: Final = PassedRows("moves", {"old": UUID(), "new": UUID()})
"""Which places move where?"""


def _move_slots(
    session: Session, master: Allocation, moves: dict[PlainUUID, PlainUUID]
) -> None:
    """Give slots the key of their new place, all at once.

    They are deleted and inserted, with a sort in between: an UPDATE would meet keys
    that are about to become free.
    """
    slots: Any = ReservedSlot.__table__
    places: Any = Allocation.__table__
    table = MOVES.table
    former = places.alias("former")
    gone = (
        delete(slots)
        .where(
            slots.c.allocation_id == former.c.id,
            former.c.mirror_of == master.resource,
            former.c._start == master._start,
            former.c.resource == table.c.old,
        )
        .returning(table.c.new.label("place"), *slots.c)
        .cte("gone")
    )
    values = {"resource": gone.c.place, "allocation_id": places.c.id}
    columns = [*SLOT_COLUMNS, "modified"]
    rows = (
        select(*(values.get(name, gone.c[name]) for name in columns))
        .join(places, places.c.resource == gone.c.place)
        .where(places.c._start == master._start)
        .order_by(gone.c.place, gone.c.start)
    )
    statement = insert(slots).from_select(columns, rows, include_defaults=False)
    session.execute(statement, MOVES.of(moves.items()))


def _drop_places(
    session: Session, master: Allocation, keep: Collection[PlainUUID]
) -> None:
    query = session.query(Allocation).filter(
        _is_place_of(master), Allocation.resource.not_in(keep)
    )
    query.delete("fetch")
