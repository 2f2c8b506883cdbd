"""Signs the chain on request, and writes signatures so that they can be kept elsewhere.

Who has a signature that is kept elsewhere can tell whether the chain was computed anew,
or cut off, up to its change.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, bindparam, text

from libres.domain.days import UTC
from libres.modules.errors import Misuse, insist
from libres.sync.feed import numbering
from libres.sync.feed.anchoring import Anchor, Head, write
from libres.sync.keyring import keyring_of
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from libres.context.core import Context

HEAD: Final = text("""\
SELECT position, digest FROM sync_feeds WHERE context = :context AND position > 0
""").bindparams(bindparam("context", type_=Text()))

ALL: Final = text("""\
SELECT position, digest, at, key, signature FROM audit_anchors
WHERE context = :context ORDER BY position
""").bindparams(bindparam("context", type_=Text()))


def anchor(context: Context) -> int:
    """Number what waits, and sign the chain; 0: there is none yet."""
    keyring_of(context)  # rather no number than no signature
    numbering.number(context)
    values = {"context": context.name}
    with apart(context) as connection:
        connection.execute(numbering.LOCK, values)
        row = connection.execute(HEAD, values).one_or_none()
        if row is None:
            return 0
        write(connection, context, Head(row.position, bytes(row.digest)))
        return int(row.position)


def stored(connection: Connection, context: str) -> list[Anchor]:
    """Return all signatures, the oldest first. One statement."""
    return [
        Anchor(row.position, bytes(row.digest), row.at, row.key, bytes(row.signature))
        for row in connection.execute(ALL, {"context": context})
    ]


def exported(context: Context) -> list[dict[str, Any]]:
    """Return all signatures as JSON."""
    with apart(context) as connection:
        found = stored(connection, context.name)
    return [as_json(context.name, each) for each in found]


# As JSON ------------------------------------------------------------------------------


def as_json(context: str, made: Anchor) -> dict[str, Any]:
    """Write a signature: bytes as hexadecimal digits, and the time in UTC."""
    return {
        "context": context,
        "position": made.position,
        "digest": made.digest.hex(),
        "at": made.at.astimezone(UTC).isoformat(),
        "key": made.key,
        "signature": made.signature.hex(),
    }


def of_json(context: str, given: Mapping[str, Any]) -> Anchor:
    """Read a signature. Raises Misuse for what is none, or of another context."""
    try:
        owner, position = given["context"], int(given["position"])
        at = datetime.fromisoformat(given["at"]).astimezone(UTC)
        digest, signature = map(bytes.fromhex, (given["digest"], given["signature"]))
        made = Anchor(position, digest, at, str(given["key"]), signature)
        insist(position > 0, "Changes are numbered from 1.")
    except (KeyError, Misuse, OverflowError, TypeError, ValueError):
        message = "This is no signature of an audit, as Audit.anchors returns them."
        raise Misuse(message) from None
    if owner != context:
        message = f"This is a signature of the context {owner!r}, not of {context!r}."
        raise Misuse(message)
    return made
