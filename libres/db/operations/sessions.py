"""Shopping carts: reservations that belong to a web session until confirmed."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, false, func

from libres.context.telling import tell
from libres.db.criteria import moment
from libres.db.models import Reservation, ReservedSlot
from libres.db.models.timestamp import TimestampMixin
from libres.modules import events
from libres.modules.errors import NoReservationsToConfirm, insist

if TYPE_CHECKING:
    from sqlalchemy.orm import Query, Session

    from libres.context.core import Context

log = logging.getLogger("libres")

LIFETIME: Final = timedelta(minutes=15)
"""How long a session keeps its reservations if nobody says otherwise."""


def of_session(session: Session, session_id: object) -> Query[Reservation]:
    """The reservations of a session id, by creation; of a falsy one: none."""
    query = session.query(Reservation)
    if not session_id:
        log.warning("Reservations of an empty session id were asked for.")
        return query.filter(false())
    query = query.filter(Reservation.session_id == session_id)
    return query.order_by(Reservation.created)


def confirm(
    context: Context, session: Session, session_id: object, token: object
) -> None:
    """Take reservations out of a session; tell ``on_reservations_confirmed``."""
    insist(session_id, "A session id is needed.")
    query = of_session(session, session_id)
    if token:
        query = query.filter(Reservation.token == token)
    confirmed = query.all()
    if not confirmed:
        raise NoReservationsToConfirm(session_id=session_id, token=token)
    for reservation in confirmed:
        reservation.session_id = None
    session.flush()
    tell(context, session, events.on_reservations_confirmed, confirmed, session_id)


def remove_from_session(session: Session, session_id: object, token: object) -> None:
    """Delete the one reservation of a token, and give the session new time."""
    insist(token and session_id, "Both the session id and the token are needed.")
    query = of_session(session, session_id)
    reservation = query.filter(Reservation.token == token).one()
    _delete_slots(session, [reservation.id])
    session.delete(reservation)
    session.flush()
    others = session.query(Reservation).filter(Reservation.session_id == session_id)
    others.update(
        {Reservation.modified: TimestampMixin.timestamp()}, synchronize_session="fetch"
    )


def find_expired(session: Session, expiration_date: datetime | None) -> list[Any]:
    """Return the session ids that nobody has touched since a date."""
    limit = expiration_date or TimestampMixin.timestamp() - LIFETIME
    latest = func.max(func.greatest(Reservation.created, Reservation.modified))
    query = (
        session.query(Reservation.session_id)
        .filter(
            and_(Reservation.session_id.is_not(None), Reservation.status == "pending")
        )
        .group_by(Reservation.session_id)
        .having(latest < moment(limit))
    )
    return [row[0] for row in query]


def remove_expired(session: Session, expiration_date: datetime | None) -> list[Any]:
    """Delete all reservations of the expired sessions, and their slots."""
    expired = find_expired(session, expiration_date)
    if expired:
        query = session.query(Reservation).filter(Reservation.session_id.in_(expired))
        _delete_slots(session, query.with_entities(Reservation.id).scalar_subquery())
        query.delete("fetch")
        session.expire_all()
    return expired


def _delete_slots(session: Session, reservation_ids: Any) -> None:
    slots = session.query(ReservedSlot).filter(
        ReservedSlot.source_type == "reservation",
        ReservedSlot.source_id.in_(reservation_ids),
    )
    slots.delete("fetch")
