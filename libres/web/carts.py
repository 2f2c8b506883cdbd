"""Keeps carts: the reservations of a session, which expire unless they are confirmed.

Whoever knows the id of a session may do with it as its maker. As in the library, a cart
expires only while something in it is pending, and then as a whole. What a cart holds of
resources that are not listed here is left alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from libres.db.models import Reservation
from libres.db.models.timestamp import TimestampMixin
from libres.db.queries import Queries
from libres.modules.errors import NoReservationsToConfirm
from libres.web.errors import NotFound
from libres.web.records import WHOLE, schedulers_of, tell_reservations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from libres.context.core import Context
    from libres.web.edge import Edge
    from libres.web.records import Plain

AT_ONCE: Final = 20
"""How many expired carts a request takes away at most."""


def cart_of(here: Edge, id: UUID) -> Plain:  # noqa: A002 - as in the path
    """Tell what is in a cart, and when it expires; None: it does not."""
    found = contents(here.context, id)
    return {
        "id": id,
        "expires": _expires(here, found),
        "reservations": _told(here.context, found),
    }


def contents(
    context: Context,
    id: UUID,  # noqa: A002 - as in the path
    token: UUID | None = None,
) -> list[Reservation]:
    """Read what is in a cart (of a token, None: all), the oldest first."""
    query = Queries(context).reservations_by_session(id)
    if token is not None:
        query = query.filter(Reservation.token == token)
    ours = query.filter(Reservation.resource.in_(schedulers_of(context)))
    return ours.order_by(Reservation.id).options(*WHOLE).all()


def _told(context: Context, found: Sequence[Reservation]) -> list[Plain]:
    schedulers = schedulers_of(context)
    names = {resource: str(each.name) for resource, each in schedulers.items()}
    return tell_reservations(context, found, names)


# Expiring -----------------------------------------------------------------------------


def forget_expired(here: Edge, id: UUID | None) -> None:  # noqa: A002 - as above
    """Give back what is in a cart if it has expired. None: there is no cart."""
    if id is None:
        return
    with here.reading():
        is_over = _is_over(here, contents(here.context, id))
    if is_over:
        here.write(partial(_forget, here, id))


def make_way(here: Edge) -> bool:
    """Take away expired carts in which something was approved, which is in the way of
    others; tell whether there were any."""
    return _forget_all(here, Reservation.status == "approved")


def tidy(here: Edge) -> None:
    """Take away some expired carts, whatever is in them."""
    _forget_all(here)


def _forget_all(here: Edge, *criteria: Any) -> bool:
    with here.reading():
        expired = _expired(here, *criteria)
    gone = [here.write(partial(_forget, here, each)) for each in expired]
    return any(gone)


def _expired(here: Edge, *criteria: Any) -> list[UUID]:
    """Find expired carts; the library looks at all contexts, and here at our own."""
    queries = Queries(here.context)
    expired = queries.find_expired_reservation_sessions(
        TimestampMixin.timestamp() - _lifetime(here)
    )
    if not expired:
        return []
    query = queries.session.query(Reservation.session_id).filter(
        Reservation.session_id.in_(expired),
        Reservation.resource.in_(schedulers_of(here.context)),
        *criteria,
    )
    return [id_ for (id_,) in query.distinct().limit(AT_ONCE) if id_ is not None]


def _forget(here: Edge, id: UUID) -> bool:  # noqa: A002 - as above
    """Empty a cart if it has expired, and was not touched meanwhile."""
    found = contents(here.context, id)
    if not _is_over(here, found):
        return False
    remove(here.context, found)
    return True


def remove(context: Context, found: Sequence[Reservation]) -> None:
    """Remove reservations, approved ones too, and tell the listeners."""
    schedulers = schedulers_of(context)
    gone = [(each.resource, each.token, each.id) for each in found]
    for resource, token, id_ in gone:
        schedulers[resource].remove_reservation(token, id_)


def _is_over(here: Edge, found: Sequence[Reservation]) -> bool:
    expires = _expires(here, found)
    return expires is not None and expires < TimestampMixin.timestamp()


def _expires(here: Edge, found: Sequence[Reservation]) -> datetime | None:
    touched = [
        max(each.created, each.modified or each.created)
        for each in found
        if each.status == "pending"
    ]
    return max(touched) + _lifetime(here) if touched else None


def _lifetime(here: Edge) -> timedelta:
    return timedelta(minutes=here.settings.session_minutes)


# Confirming and giving back -----------------------------------------------------------


def confirm(
    context: Context,
    id: UUID,  # noqa: A002 - as above
    token: UUID | None,
) -> list[Plain]:
    """Take reservations (of a token, None: all) out of their cart, for good.

    Raises NoReservationsToConfirm if there are none.
    """
    found = contents(context, id, token)
    if not found:
        raise NoReservationsToConfirm(session_id=id, token=token)
    queries = Queries(context)
    is_ours = queries.reservations_by_session(id).count() == len(found)
    tokens = [None] if is_ours else sorted({each.token for each in found})
    for each in tokens:
        queries.confirm_reservations_for_session(id, each)
    return _told(context, found)


def give_back(context: Context, id: UUID, token: UUID) -> None:  # noqa: A002 - as above
    """Remove what has a token from a cart; what else is in it gets new time.

    Raises NotFound if there is nothing.
    """
    found = contents(context, id, token)
    if not found:
        raise NotFound
    remove(context, found[:-1])
    Queries(context).remove_reservation_from_session(id, token)


def empty(context: Context, id: UUID) -> None:  # noqa: A002 - as above
    """Remove all that is in a cart."""
    remove(context, contents(context, id))
