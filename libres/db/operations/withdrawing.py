"""Denies, removes and edits reservations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import undefer

from libres.context.telling import tell
from libres.db import selections
from libres.db.criteria import owned_by
from libres.db.models import Reservation, ReservedSlot
from libres.modules import events
from libres.modules.errors import insist

if TYPE_CHECKING:
    from sqlalchemy.orm import Query, Session

    from libres.db.scope import Scope


def readable(query: Query[Reservation]) -> Query[Reservation]:
    """Load everything of these records, so that they stay readable once detached."""
    return query.options(undefer("*")).order_by(Reservation.id)


def detach(session: Session, records: Sequence[object]) -> None:
    """Take records out of the session, as they are."""
    for record in records:
        session.expunge(record)


def deny(scope: Scope, token: object) -> None:
    """Delete what is pending under a token; tell ``on_reservations_denied``."""
    pending = selections.reservations_by_token(scope, token).filter(
        Reservation.status == "pending"
    )
    denied = readable(pending).all()
    if not denied:
        return
    _delete(scope.session, denied)
    tell(scope.context, scope.session, events.on_reservations_denied, denied)


def remove(scope: Scope, token: object, id: int | None = None) -> None:  # noqa: A002 - the public name
    """Delete reservations and their slots; tell ``on_reservations_removed``."""
    insist(token, "A token is needed to remove its reservations.")
    query = selections.reservations_by_token(scope, token, id)
    removed = readable(query).all()
    if removed:
        take_away(scope.session, removed)
        tell(scope.context, scope.session, events.on_reservations_removed, removed)


def take_away(session: Session, removed: Sequence[Reservation]) -> None:
    """Delete reservations with their slots; the objects are detached, but readable."""
    slots = session.query(ReservedSlot).filter(
        owned_by("reservation", removed[0].token, None),
        ReservedSlot.source_id.in_([each.id for each in removed]),
    )
    slots.delete("fetch")
    _delete(session, removed)
    session.expire_all()


def _delete(session: Session, records: Sequence[Reservation]) -> None:
    detach(session, records)
    query = session.query(Reservation)
    query.filter(Reservation.id.in_([each.id for each in records])).delete("fetch")


def change_email(scope: Scope, token: object, email: str) -> None:
    """Set the e-mail of all reservations of a token."""
    for reservation in selections.reservations_by_token(scope, token):
        reservation.email = email


def change_data(scope: Scope, token: object, data: dict[str, Any] | None) -> None:
    """Replace the data of all reservations of a token."""
    for reservation in selections.reservations_by_token(scope, token):
        reservation.data = data
