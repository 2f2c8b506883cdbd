"""Writes and reads cursors: how far a client has got, signed, and opaque to it.

What is read from a cursor was said by the server itself, to a client of the same
organisation: nothing else verifies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from libres.domain.days import UTC
from libres.sync.errors import MalformedRequest
from libres.sync.keyring import from_text, keyring_of, to_text

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.sync.values import Member

PURPOSE: Final = "cursor"

TAG: Final = 32
"""Bytes of a signature; they come first."""

LONGEST: Final = 100_000
"""Characters of a cursor."""

REFUSED: Final = (
    "This is no cursor of this organisation: send the last one you got, or begin anew "
    "without one."
)


def _none() -> Any:
    return field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a client has got."""

    position: int
    """Of the feed: what comes after it is still to be sent."""

    covered: datetime
    """When its last change was numbered: what comes after it was so later, or then."""

    scopes: Mapping[str, str] = _none()
    """What it concerns: the digests of the scopes, by the names of the models."""

    is_everything: bool = False
    """It concerns all that the member may pull, now and later."""

    waiting: tuple[str, ...] = ()
    """The models whose rows are still to be sent before any changes."""

    after: Any = None
    """The id of the last row that was sent of the first of them; None: none was."""

    begun: Mapping[str, int] = _none()
    """The positions from which on changes concern a model, where that is later."""


def write(context: Context, member: Member, cursor: Cursor) -> str:
    """Write a cursor for a member of an organisation. Raises KeysMissing."""
    told = [
        *_owner(context, member),
        *(cursor.position, cursor.covered.astimezone(UTC).isoformat()),
        *(dict(cursor.scopes), int(cursor.is_everything)),
        *(cursor.waiting, cursor.after, dict(cursor.begun)),
    ]
    data = json.dumps(told, separators=(",", ":")).encode()
    return to_text(keyring_of(context).sign(PURPOSE, data) + data)


def read(context: Context, member: Member, text: object) -> Cursor:
    """Read a cursor. Raises MalformedRequest for what was not written for this
    organisation, and KeysMissing."""
    owner = _owner(context, member)
    told = _verified(context, text)
    if told is None or told[: len(owner)] != owner:
        raise MalformedRequest(REFUSED)
    return _cursor(told[len(owner) :])


def examined(context: Context, text: object) -> tuple[UUID, Cursor]:
    """Return for which organisation a cursor was written, its id, and what it says.

    For operators. Raises MalformedRequest for what comes from elsewhere, and
    KeysMissing.
    """
    told = _verified(context, text)
    if told is None or told[:2] != [VERSION, context.name]:
        raise MalformedRequest(UNKNOWN)
    return UUID(told[2]), _cursor(told[3:])


UNKNOWN: Final = (
    "This is no cursor of this context, or was signed by another secret: copy all of "
    "it, and set LIBRES_SYNC_SECRET to that of the server."
)


def _cursor(told: list[Any]) -> Cursor:
    position, covered, scopes, is_everything, waiting, after, begun = told
    return Cursor(
        position=position,
        covered=datetime.fromisoformat(covered),
        scopes=scopes,
        is_everything=bool(is_everything),
        waiting=tuple(waiting),
        after=after,
        begun=begun,
    )


def _owner(context: Context, member: Member) -> list[Any]:
    return [VERSION, context.name, str(member.organization.id)]


VERSION: Final = 1
"""Of this form: a later one refuses what it does not understand."""


def _verified(context: Context, text: object) -> list[Any] | None:
    """Return what was signed; None: it was not, or not here."""
    if not isinstance(text, str) or len(text) > LONGEST:
        return None
    signed = from_text(text) or b""
    tag, data = signed[:TAG], signed[TAG:]
    if not keyring_of(context).verify(PURPOSE, data, tag):
        return None
    told: list[Any] = json.loads(data)
    return told
