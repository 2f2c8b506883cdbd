"""Mends what needs no decision.

What was found is looked for again, so that nothing is touched that somebody else has
mended or changed meanwhile; doing it twice does nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, exists, select, tuple_, update
from sqlalchemy.orm import aliased

from libres.db.auditing.findings import Finding, Row
from libres.db.auditing.reading import audit
from libres.db.models import Allocation, Reservation, ReservedSlot

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

BATCH: Final = 1000
"""So many rows are named in one statement."""


def repair(session: Session, findings: Iterable[Finding]) -> list[Finding]:
    """Mend what can be mended of these findings, and return what was.

    Works in the session's transaction and does not commit; at SERIALIZABLE, nobody
    can change meanwhile what it mends.
    """
    wanted = [each for each in findings if each.repairable]
    mended = [_both(each, wanted) for each in _present(session, wanted)]
    for finding in mended:
        for at in range(0, len(finding.rows), BATCH):
            MENDERS[finding.check](session, finding.rows[at : at + BATCH])
    session.expire_all()
    return [each for each in mended if each.rows]


def _present(session: Session, wanted: Sequence[Finding]) -> list[Finding]:
    if not wanted:
        return []
    names = {each.check for each in wanted}
    found = audit(session, notices=True)
    return [each for each in found if each.repairable and each.check in names]


def _both(present: Finding, wanted: Iterable[Finding]) -> Finding:
    """Keep the rows that were found before, too."""
    keys = {
        _key(row) for each in wanted if each.check == present.check for row in each.rows
    }
    rows = tuple(row for row in present.rows if _key(row) in keys)
    return Finding(
        present.check, rows, present.message, present.remedy, True, present.level
    )


def _key(row: Row) -> tuple[Any, ...]:
    names = ("id", "session_id", "resource", "start")
    return tuple(row.get(name) for name in names)


def _delete_slots(session: Session, rows: Sequence[Row]) -> None:
    keys = [(row["resource"], row["start"]) for row in rows]
    key = tuple_(ReservedSlot.resource, ReservedSlot.start)
    _execute(session, delete(ReservedSlot).where(key.in_(keys)))


def _delete_mirrors(session: Session, rows: Sequence[Row]) -> None:
    ids = [row["id"] for row in rows]
    occupied = exists().where(ReservedSlot.allocation_id == Allocation.id)
    is_free = and_(Allocation.id.in_(ids), ~occupied)
    _execute(session, delete(Allocation).where(is_free))


def _align_mirrors(session: Session, rows: Sequence[Row]) -> None:
    master = aliased(Allocation)
    values = {getattr(Allocation, name): getattr(master, name) for name in ALIGNED}
    is_pair = and_(
        Allocation.id.in_([row["id"] for row in rows]),
        master.resource == Allocation.mirror_of,
        master.mirror_of == Allocation.mirror_of,
        master._start == Allocation._start,
    )
    _execute(session, update(Allocation).where(is_pair).values(values))


ALIGNED: Final = (
    "group",
    "quota",
    "quota_limit",
    "partly_available",
    "approve_manually",
    "timezone",
    "_end",
    "_raster",
)
"""What a mirror has in common with its master, and its start and data aside."""


def _delete_sessions(session: Session, rows: Sequence[Row]) -> None:
    is_expired = Reservation.session_id.in_([row["session_id"] for row in rows])
    ids = select(Reservation.id).where(is_expired)
    is_theirs = and_(
        ReservedSlot.source_type == "reservation", ReservedSlot.source_id.in_(ids)
    )
    _execute(session, delete(ReservedSlot).where(is_theirs))
    _execute(session, delete(Reservation).where(is_expired))


def _execute(session: Session, statement: Any) -> None:
    session.execute(statement, execution_options={"synchronize_session": False})


MENDERS: Final[dict[str, Callable[[Session, Sequence[Row]], None]]] = {
    "slot-without-allocation": _delete_slots,
    "slot-without-owner": _delete_slots,
    "expired-session": _delete_sessions,
    "mirror-without-master": _delete_mirrors,
    "mirror-beyond-quota": _delete_mirrors,
    "mirror-unlike-master": _align_mirrors,
    "mirror-with-old-terms": _align_mirrors,
}
