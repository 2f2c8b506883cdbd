"""Who asks, and what may they do?

A host that knows its users replaces the service ``identity`` of the context; what it
returns needs a method ``caller(request)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from libres.context.services import service_of_host

if TYPE_CHECKING:
    from flask import Request

    from libres.context.core import Context

SERVICE: Final = "identity"

READ: Final = "read"
BOOK: Final = "book"
MANAGE: Final = "manage"
SENSOR: Final = "sensor"

SCOPES: Final = (READ, BOOK, MANAGE, SENSOR)
"""See whose times are taken; reserve; allocate, approve and deny, which the former two
belong to; send events."""

IMPLIED: Final = {MANAGE: frozenset({READ, BOOK})}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    name: str
    """For people; empty: somebody."""

    scopes: frozenset[str] = frozenset()
    email: str | None = None
    """Whose reservations are theirs; None: nobody's."""

    id: str = ""
    """What they are counted by for limits; empty: by their address."""

    user: str = ""
    """The id of the user of synchronisation that they are, whom its pages let in;
    empty: they sign in there."""

    def may(self, scope: str) -> bool:
        """Tell whether they may do what a scope stands for."""
        implied = (IMPLIED.get(each, ()) for each in self.scopes)
        return scope in self.scopes or any(scope in each for each in implied)

    def has_email(self, email: str) -> bool:
        """Tell whether an address is theirs."""
        return bool(self.email) and email.strip().lower() == str(self.email).lower()


class Identity(Protocol):
    """Tells who asks."""

    def caller(self, request: Request, /) -> Caller | None:
        """Return who sent a request; None: they do not say.

        Raises NotIdentified if they say so, and it is not true.
        """
        ...


def identity_of(context: Context) -> Identity:
    """Return what tells who asks: the service of the host, else keys."""
    found: Identity | None = service_of_host(context, SERVICE)
    if found is not None:
        return found
    from libres.web.keys import Keys  # noqa: PLC0415 - needed without a host's own only

    return Keys(context)
