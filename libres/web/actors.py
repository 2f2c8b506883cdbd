"""Lets the feed of changes know who has made those of a request, if there is a feed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from typing import TYPE_CHECKING, Final
from uuid import uuid4
from weakref import WeakKeyDictionary

from flask import g, request
from sqlalchemy import func, select

from libres.context.core import ContextServicesMixin
from libres.sync.acting import Act, acting
from libres.sync.models import SyncPending

if TYPE_CHECKING:
    from flask import Response

    from libres.context.core import Context
    from libres.web.edge import Edge

HEADER: Final = "X-Request-Id"
"""What a request is called by who sends it, if that can be written down."""

LONGEST: Final = 128

AGAIN: Final = 60.0
"""Seconds after which one looks again whether there is a feed by now."""

IS_THERE: Final = select(func.to_regclass(SyncPending.__tablename__).is_not(None))

_looked: Final[WeakKeyDictionary[Context, tuple[bool, float]]] = WeakKeyDictionary()


def request_id() -> str:
    """Return what this request is called: as its sender says, or as drawn."""
    if "libres_request" not in g:
        sent = request.headers.get(HEADER, "")
        g.libres_request = sent if is_sane(sent) else str(uuid4())
    found: str = g.libres_request
    return found


def is_sane(name: str) -> bool:
    """Tell whether a request may be called so: printable ASCII, and not too much."""
    return 0 < len(name) <= LONGEST and name.isascii() and name.isprintable()


def echo(response: Response) -> Response:
    """Tell what a request was called, if it was called anything."""
    if "libres_request" in g:
        response.headers[HEADER] = g.libres_request
    return response


def acting_as(here: Edge, name: str) -> AbstractContextManager[None]:
    """Let the changes of a with-block be those of a caller, if changes are noted.

    Somebody without a name is whoever the database knows. Colons are left to actors
    that are no callers, such as ``system:<job>``.
    """
    if not is_noted(here):
        return nullcontext()
    act = Act(name.replace(":", " "), request_id())
    return acting(_Lent(here.context).session, act)


def is_noted(here: Edge) -> bool:
    """Tell whether changes are noted in a database. Asks once, or once a minute while
    they are not."""
    found, until = _looked.get(here.context, (False, 0.0))
    if not found and monotonic() >= until:
        with here.reading():
            found = bool(_Lent(here.context).session.scalar(IS_THERE))
        _looked[here.context] = found, monotonic() + AGAIN
    return found


class _Lent(ContextServicesMixin):
    """The session of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context
