"""Writes what the domain decided: mirrors and slots, each in one statement.

Slots are inserted in the order of their key, so that two transactions which want the
same slots never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from uuid import UUID as PlainUUID

from sqlalchemy import (
    DateTime,
    Float,
    Integer,
    bindparam,
    cast,
    column,
    func,
    insert,
    inspect,
    select,
    true,
)
from sqlalchemy.dialects import postgresql

from libres.db import criteria
from libres.db.models import Allocation, ReservedSlot
from libres.db.models.allocation import COPIED
from libres.db.models.base import ORMBase
from libres.db.models.reserved_slot import SOURCE_ENUM
from libres.db.models.timestamp import TimestampMixin
from libres.db.models.types import UUID, UTCDateTime
from libres.db.passing import BIND, PassedRows
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
    values = _slots_of(claims, source_type, token)
    session.execute(_slots_statement(), values, bind_arguments=BIND)
    forget_slots(session)


def write_and_return_claims(
    session: Session, claims: Sequence[Claim], source_type: SourceType, token: object
) -> list[ReservedSlot]:
    """Do the same, and return the slots: by record, by place, by start."""
    session.flush()
    write_mirrors(session, [claim.place for claim in claims])
    values = _slots_of(claims, source_type, token)
    written = list(session.scalars(_returning_slots_statement(), values))
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
    rows = ((mirrors[key].master.id, mirrors[key].resource) for key in sorted(mirrors))
    values = {**MIRRORS.of(rows), "created": TimestampMixin.timestamp()}
    session.execute(_mirrors_statement(), values, bind_arguments=BIND)


MIRRORS: Final = PassedRows("mirrors", {"master": Integer(), "resource": UUID()})
"""Which masters get which mirrors?"""


@cache
def _mirrors_statement() -> Any:
    mirrors = MIRRORS.table
    values: dict[str, Any] = {name: getattr(Allocation, name) for name in COPIED}
    values["type"] = Allocation.type
    values["resource"] = mirrors.c.resource
    values["created"] = bindparam("created", type_=UTCDateTime())
    rows = (
        select(*values.values())
        .select_from(mirrors)
        .join(Allocation, Allocation.id == mirrors.c.master)
        .order_by(mirrors.c.position)
    )
    table: Any = Allocation.__table__
    statement = postgresql.insert(table).from_select([*values], rows)
    return statement.on_conflict_do_nothing(index_elements=["resource", "_start"])


SOURCE: Final = postgresql.ENUM(name=SOURCE_ENUM)

RUNS: Final = PassedRows(
    "runs",
    {
        "resource": UUID(),
        "allocated": UTCDateTime(),
        "first": UTCDateTime(),
        "last": UTCDateTime(),
        "seconds": Float(),
        "source_id": Integer(),
    },
)
"""Which slots of which places are written?"""


def _slots_of(
    claims: Sequence[Claim], source_type: SourceType, token: object
) -> dict[str, Any]:
    return {
        **RUNS.of(map(_run_of, claims)),
        "source_type": source_type,
        "token": token,
        "created": TimestampMixin.timestamp(),
    }


def _run_of(claim: Claim) -> tuple[Any, ...]:
    place, slots = claim.place, claim.slots
    return (
        place.resource,
        place.master.span.start,
        slots.span.start,
        slots.last_start,
        slots.step.total_seconds(),
        claim.source_id,
    )


@cache
def _slots_statement() -> Any:
    """Expand runs of slots to rows, in the order of their key."""
    runs = RUNS.table
    step = func.make_interval(0, 0, 0, 0, 0, 0, runs.c.seconds)
    series = func.generate_series(runs.c.first, runs.c.last, step)
    slots = series.table_valued(column("start", UTCDateTime())).render_derived("slots")
    values = {
        "resource": runs.c.resource,
        "start": slots.c.start,
        "end": cast(slots.c.start + step - _tick(), DateTime),
        "allocation_id": Allocation.id,
        "source_type": cast(
            bindparam("source_type"), postgresql.ENUM(name=SOURCE_ENUM)
        ),
        "source_id": runs.c.source_id,
        "reservation_token": bindparam("token", type_=UUID()),
        "created": bindparam("created", type_=UTCDateTime()),
    }
    place = criteria.starts_at(Allocation.resource, runs.c.resource, runs.c.allocated)
    rows = (
        select(*values.values())
        .select_from(runs)
        .join(Allocation, place)
        .join(slots, true())
        .order_by(runs.c.resource, slots.c.start)
    )
    table: Any = ReservedSlot.__table__
    return insert(table).from_select([*values], rows)


@cache
def _returning_slots_statement() -> Any:
    written = _slots_statement().returning(*loaded_columns(ReservedSlot))
    return select(ReservedSlot).from_statement(written)


def _tick() -> ColumnElement[Any]:
    return func.make_interval(0, 0, 0, 0, 0, 0, TICK.total_seconds())


def loaded_columns(model: type[ORMBase]) -> list[Any]:
    """Return the columns that an object is made of, without those that load later."""
    return [
        attribute.columns[0]
        for attribute in inspect(model).column_attrs
        if not attribute.deferred
    ]


def is_watched(session: Session, model: type[ORMBase]) -> bool:
    """Tell whether the host listens to flushes or to new records.

    Then rows must not be written past the session.
    """
    flushes: Any = session.dispatch
    inserts: Any = inspect(model).dispatch
    return any(getattr(flushes, name) for name in FLUSH_EVENTS) or any(
        getattr(inserts, name) for name in INSERT_EVENTS
    )


FLUSH_EVENTS: Final = (
    "before_flush",
    "after_flush",
    "after_flush_postexec",
    "transient_to_pending",
    "pending_to_persistent",
)
INSERT_EVENTS: Final = ("before_insert", "after_insert")


def forget_slots(session: Session) -> None:
    """Let the allocations of this session read their slots anew when asked."""
    for record in session.identity_map.values():
        if isinstance(record, Allocation) and "reserved_slots" in record.__dict__:
            session.expire(record, ["reserved_slots"])
