"""Signs the chain with a secret that the database does not know.

Whoever can write to the database can compute a chain anew, but not what was signed. A
key of Ed25519 signs so that others can check it who have its public half only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, LargeBinary, Text, bindparam, func, select, text

from libres.domain.days import UTC
from libres.sync.errors import KeysMissing
from libres.sync.keyring import Key, Keyring, keyring_of
from libres.sync.models.columns import MOMENT
from libres.sync.settings import setting_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from libres.context.core import Context

PURPOSE: Final = "audit"

ROWS: Final = "anchor_rows"
MINUTES: Final = "anchor_minutes"


@dataclass(frozen=True, slots=True)
class Head:
    """What is signed: the chain up to a change."""

    position: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Anchor:
    """A signature under the chain up to a change."""

    position: int
    digest: bytes
    at: datetime
    key: str
    """The id of the key that has signed."""

    signature: bytes

    @property
    def signed(self) -> bytes:
        """What the signature is of."""
        return signed(self.position, self.digest, self.at)


def signed(position: int, digest: bytes, at: datetime) -> bytes:
    """Write what is signed: number, digest, and when."""
    return f"{position} {digest.hex()} {at.astimezone(UTC).isoformat()}".encode()


# Signatures ---------------------------------------------------------------------------


def sign(keyring: Keyring, head: Head, at: datetime) -> Anchor:
    """Put a signature under the chain."""
    key, data = keyring.current, signed(head.position, head.digest, at)
    if key.algorithm == "EdDSA":
        signature: bytes = key.signing.sign(_about(keyring.context) + data)
    else:
        signature = keyring.sign(PURPOSE, data)
    return Anchor(head.position, head.digest, at, key.id, signature)


def holds(keys: Mapping[str, Key], context: str, anchor: Anchor) -> bool | None:
    """Tell whether a signature is that of its key; None: the key is not known."""
    key = keys.get(anchor.key)
    if key is None:
        return None
    if key.algorithm == "EdDSA":
        return _is_of(key, _about(context) + anchor.signed, anchor.signature)
    only = Keyring({key.id: key}, key, "", "", context)
    return only.verify(PURPOSE, anchor.signed, anchor.signature)


def _about(context: str) -> bytes:
    """Begin what a pair of keys signs: it may sign other things, too."""
    return f"libres.sync\0{context}\0{PURPOSE}\0".encode()


def _is_of(key: Key, data: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra

    try:
        key.verifying.verify(signature, data)
    except InvalidSignature:
        return False
    return True


# Storing ------------------------------------------------------------------------------

WRITE: Final = text("""\
WITH added AS (
    INSERT INTO audit_anchors (context, position, digest, at, key, signature)
    VALUES (:context, :position, :digest, :at, :key, :signature)
    ON CONFLICT (context, position) DO NOTHING
)
UPDATE sync_feeds SET anchored = :position, anchored_at = :at
WHERE context = :context AND anchored <= :position
""").bindparams(
    bindparam("context", type_=Text()),
    bindparam("position", type_=BigInteger()),
    bindparam("digest", type_=LargeBinary()),
    bindparam("at", type_=MOMENT),
    bindparam("key", type_=Text()),
    bindparam("signature", type_=LargeBinary()),
)


def keys_or_none(context: Context) -> Keyring | None:
    """Return the keys of a context; None: there are none."""
    try:
        return keyring_of(context)
    except KeysMissing:
        return None


def write(connection: Connection, context: Context, head: Head) -> None:
    """Sign the chain up to a change. Raises KeysMissing.

    Whoever does so holds the lock of numbering.
    """
    keyring = keyring_of(context)
    now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    made = sign(keyring, head, now)
    values: dict[str, Any] = {
        "context": context.name,
        "position": made.position,
        "digest": made.digest,
        "at": made.at,
        "key": made.key,
        "signature": made.signature,
    }
    connection.execute(WRITE, values)


@dataclass(frozen=True, slots=True)
class Numbered:
    """How far numbering has got, and how far signing."""

    count: int
    """So many changes were numbered."""

    head: Head
    at: datetime
    audited: bool
    anchored: int
    anchored_at: datetime
    rows: Any = None
    """How many changes are signed at once, as somebody has set it; None: nobody has."""

    minutes: Any = None

    def is_due(self, rows: int, minutes: int) -> bool:
        """Tell whether it is time to sign."""
        is_much = self.head.position - self.anchored >= rows
        return is_much or self.at - self.anchored_at >= timedelta(minutes=minutes)


def write_if_due(connection: Connection, context: Context, found: Numbered) -> None:
    """Sign the chain if it has become long, or time has passed; not without secrets,
    and not what nobody audits."""
    if not found.audited or keys_or_none(context) is None:
        return
    rows, minutes = setting_of(ROWS), setting_of(MINUTES)
    asked = [
        each.default if each.wrong(value) else value
        for each, value in ((rows, found.rows), (minutes, found.minutes))
    ]
    if found.is_due(*asked):
        write(connection, context, found.head)
