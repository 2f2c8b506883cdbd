"""Writes what the domain decided: mirrors and slots, each in one statement.

Slots are inserted in the order of their key, so that two transactions which want the
same slots never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from uuid import UUID as PlainUUID

from sqlalchemy import (
    DateTime,
    Float,
    Integer,
    and_,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    true,
)
from sqlalchemy.dialects import postgresql

from libres.db import criteria
from libres.db.models import Allocation, ReservedSlot
from libres.db.models.allocation import COPIED
from libres.db.models.reserved_slot import SOURCE_ENUM
from libres.db.models.timestamp import TimestampMixin
from libres.db.models.types import UUID, UTCDateTime
from libres.domain.allotting import Claim
from libres.domain.places import Place
from libres.modules.rasterizer import TICK

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

SourceType: TypeAlias = Literal["reservation", "blocker"]

SLOT_COLUMNS = (
    "resource",
    "start",
    "end",
    "allocation_id",
    "source_type",
    "source_id",
    "reservation_token",
    "created",
)


def write_claims(
    session: Session, claims: Sequence[Claim], source_type: SourceType, token: object
) -> None:
    """Make the claimed mirrors records where they are not, and write the slots.

    Allocations of this session see them at once.
    """
    session.flush()
    write_mirrors(session, [claim.place for claim in claims])
    session.execute(_slots_of(claims, source_type, token))
    forget_slots(session)


def write_and_return_claims(
    session: Session, claims: Sequence[Claim], source_type: SourceType, token: object
) -> list[ReservedSlot]:
    """Do the same, and return the slots: by record, by place, by start."""
    session.flush()
    write_mirrors(session, [claim.place for claim in claims])
    query = _slots_of(claims, source_type, token).returning(ReservedSlot)
    written = list(session.scalars(query))
    forget_slots(session)
    return sorted(written, key=_order_of(claims))


def _order_of(claims: Sequence[Claim]) -> Callable[[ReservedSlot], tuple[Any, ...]]:
    first_claims: dict[int, int] = {}
    first_places: dict[PlainUUID, int] = {}
    for number, claim in enumerate(claims):
        first_claims.setdefault(claim.source_id, number)
        first_places.setdefault(claim.place.resource, number)
    return lambda slot: (
        first_claims[slot.source_id],
        first_places[slot.resource],
        slot.start,
    )


def write_mirrors(session: Session, places: Iterable[Place]) -> None:
    """Make records of mirrors that are none yet, alike their masters."""
    mirrors = {place.key: place for place in places if not place.is_master}
    if not mirrors:
        return
    names = ("type", *COPIED, "created")
    rows = _mirrors_of([mirrors[key] for key in sorted(mirrors)], names)
    columns = [getattr(Allocation, name) for name in names]
    session.execute(
        postgresql.insert(Allocation)
        .from_select(columns, rows)
        .on_conflict_do_nothing(index_elements=["resource", "_start"])
    )


def _mirrors_of(mirrors: Sequence[Place], names: Sequence[str]) -> Any:
    table = criteria.table_of(
        "mirrors",
        {
            "master": (Integer(), [place.master.id for place in mirrors]),
            "resource": (UUID(), [place.resource for place in mirrors]),
        },
    )
    return (
        select(*(_copied(name, table) for name in names))
        .select_from(table)
        .join(Allocation, Allocation.id == table.c.master)
        .order_by(table.c.position)
    )


def _copied(name: str, table: Any) -> Any:
    if name == "resource":
        return table.c.resource
    if name == "created":
        return literal(TimestampMixin.timestamp(), UTCDateTime())
    return getattr(Allocation, name)


def _slots_of(claims: Sequence[Claim], source_type: SourceType, token: object) -> Any:
    """Expand runs of slots to rows, in the order of their key."""
    runs = _runs_table(claims)
    step = func.make_interval(0, 0, 0, 0, 0, 0, runs.c.seconds)
    series = func.generate_series(runs.c.first, runs.c.last, step)
    slots = series.table_valued(column("start", UTCDateTime())).render_derived("slots")
    place = and_(
        Allocation.resource == runs.c.resource,
        Allocation._start == runs.c.allocated,
    )
    rows = (
        select(
            runs.c.resource,
            slots.c.start,
            cast(slots.c.start + step - _tick(), DateTime),
            Allocation.id,
            cast(literal(source_type), postgresql.ENUM(name=SOURCE_ENUM)),
            runs.c.source_id,
            literal(token, UUID()),
            literal(TimestampMixin.timestamp(), UTCDateTime()),
        )
        .select_from(runs)
        .join(Allocation, place)
        .join(slots, true())
        .order_by(runs.c.resource, slots.c.start)
    )
    columns = [getattr(ReservedSlot, name) for name in SLOT_COLUMNS]
    return insert(ReservedSlot).from_select(columns, rows)


def _tick() -> ColumnElement[Any]:
    return func.make_interval(0, 0, 0, 0, 0, 0, TICK.total_seconds())


def _runs_table(claims: Sequence[Claim]) -> Any:
    slots = [claim.slots for claim in claims]
    return criteria.table_of(
        "runs",
        {
            "resource": (UUID(), [claim.place.resource for claim in claims]),
            "allocated": (UTCDateTime(), [c.place.master.span.start for c in claims]),
            "first": (UTCDateTime(), [run.span.start for run in slots]),
            "last": (UTCDateTime(), [run.last_start for run in slots]),
            "seconds": (Float(), [run.step.total_seconds() for run in slots]),
            "source_id": (Integer(), [claim.source_id for claim in claims]),
        },
    )


def forget_slots(session: Session) -> None:
    """Let the allocations of this session read their slots anew when asked."""
    for record in session.identity_map.values():
        if isinstance(record, Allocation) and "reserved_slots" in record.__dict__:
            session.expire(record, ["reserved_slots"])
