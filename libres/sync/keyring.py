"""Keeps the secrets that sign: one of them signs, all of them verify.

So a secret is replaced without anybody having to sign in again: the new one signs, and
the old one goes when what it has signed is over.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from libres.context.core import missing
from libres.modules.errors import Misuse, insist
from libres.sync.errors import KeysMissing

if TYPE_CHECKING:
    from libres.context.core import Context

__all__ = ("configure",)

Algorithm = Literal["HS256", "EdDSA"]

VARIABLE: Final = "LIBRES_SYNC_SECRET"
"""The variable of the environment that holds a secret, if nothing is configured."""

SHORTEST: Final = 32
"""Bytes of a secret; HMAC with SHA-256 is as strong as that, and not stronger."""

LONGEST_ID: Final = 64

ISSUER: Final = "libres"
AUDIENCE: Final = "libres.sync"

SERVICE: Final = "sync.keyring"


@dataclass(frozen=True, slots=True)
class Key:
    """A secret, or a pair of keys, and the one algorithm that it is used with."""

    id: str
    """In the header of what it has signed: ``kid``."""

    algorithm: Algorithm
    verifying: Any = field(repr=False)
    signing: Any = field(repr=False)
    """None: it can only verify."""

    secret: bytes | None = field(repr=False)
    """For what only we read ourselves; None: there is none."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of a context."""

    keys: Mapping[str, Key]
    current: Key
    """The one that signs."""

    issuer: str
    audience: str
    context: str = ""
    """What is signed for one context is nothing in another."""

    def sign(self, purpose: str, data: bytes) -> bytes:
        """Return 32 bytes that prove that *data* comes from here, for this purpose."""
        assert self.current.secret is not None  # noqa: S101 - what signs has a secret
        return self._tag(self.current.secret, purpose, data)

    def verify(self, purpose: str, data: bytes, tag: bytes) -> bool:
        """Tell whether *data* was signed here, for this purpose, by any of the keys."""
        secrets = [each.secret for each in self.keys.values() if each.secret]
        made = [self._tag(secret, purpose, data) for secret in secrets]
        return any([hmac.compare_digest(each, tag) for each in made])  # noqa: C419 - all

    def _tag(self, secret: bytes, purpose: str, data: bytes) -> bytes:
        about = f"libres.sync\0{self.context}\0{purpose}".encode()
        derived = hmac.digest(secret, about, "sha256")
        return hmac.digest(derived, data, "sha256")


def configure(
    context: Context,
    keys: Mapping[str, Any],
    *,
    current: str | None = None,
    issuer: str = ISSUER,
    audience: str = AUDIENCE,
) -> None:
    """Set the keys of a context, by their ids; child contexts have them as well.

    A key is a secret of at least 32 bytes, text or bytes, for HS256; or a key of
    Ed25519 for EdDSA, as PEM or as an object of the package cryptography. *current* is
    the id of the one that signs (None: the first); the others only verify, and public
    keys can do nothing else. To replace a secret, add the new one as the current one,
    and take the old one away a week later; if it was stolen, at once: then everybody
    has to sign in again. *issuer* and *audience* are written into tokens, and expected.

    Raises Misuse for what cannot be a key, and ContextIsLocked.
    """
    context.set(SERVICE, _keyring(keys, current, issuer, audience))


def keys_of(keys: Mapping[str, Any]) -> dict[str, Key]:
    """Read keys that need only verify, as `configure` takes them. Raises Misuse."""
    return {name: _key(name, given) for name, given in keys.items()}


def keyring_of(context: Context) -> Keyring:
    """Return the keys of a context; else the secret of the environment.

    Raises KeysMissing if there is neither.
    """
    found = context.get(SERVICE)
    keyring: Keyring = _of_environment() if found is missing else found
    return replace(keyring, context=context.name)


def _of_environment() -> Keyring:
    secret = os.environ.get(VARIABLE, "")
    if len(secret.encode()) < SHORTEST:
        raise KeysMissing
    return _keyring({"env": secret}, None, ISSUER, AUDIENCE)


def _keyring(
    keys: Mapping[str, Any], current: str | None, issuer: str, audience: str
) -> Keyring:
    insist(keys, "At least one key is needed.")
    insist(issuer and audience, "Neither issuer nor audience can be empty.")
    made = keys_of(keys)
    signing = next(iter(made)) if current is None else current
    insist(signing in made, f"There is no key {signing!r} among the keys.")
    message = f"The key {signing!r} is a public one and cannot sign."
    insist(made[signing].signing is not None, message)
    return Keyring(made, made[signing], issuer, audience)


def _key(name: object, given: Any) -> Key:
    is_printable = isinstance(name, str) and name.isprintable()
    is_id = is_printable and 0 < len(str(name)) <= LONGEST_ID
    insist(is_id, f"The id of a key has 1 to {LONGEST_ID} printable letters.")
    plain = given.encode() if isinstance(given, str) else given
    if not isinstance(plain, bytes):
        return _pair(str(name), given)
    if plain.lstrip().startswith(b"-----BEGIN"):
        return _pair(str(name), _of_pem(plain))
    return _secret(str(name), plain)


def _secret(name: str, secret: bytes) -> Key:
    message = f"The key {name!r} needs {SHORTEST} bytes at least, drawn at random."
    insist(len(secret) >= SHORTEST, message)
    return Key(name, "HS256", verifying=secret, signing=secret, secret=secret)


# Ed25519 ------------------------------------------------------------------------------


def _of_pem(text: bytes) -> Any:
    serialization = _cryptography().serialization
    try:
        if b"PRIVATE" in text:
            return serialization.load_pem_private_key(text, password=None)
        return serialization.load_pem_public_key(text)
    except (ValueError, TypeError):
        message = "This PEM cannot be read: it has to be a key without a password."
        raise Misuse(message) from None


def _pair(name: str, given: Any) -> Key:
    message = f"The key {name!r} is neither a secret nor a key of Ed25519."
    insist(type(given).__module__.startswith("cryptography."), message)
    ed25519 = _cryptography().ed25519
    if isinstance(given, ed25519.Ed25519PublicKey):
        return Key(name, "EdDSA", verifying=given, signing=None, secret=None)
    insist(isinstance(given, ed25519.Ed25519PrivateKey), message)
    secret = given.private_bytes_raw()
    return Key(name, "EdDSA", given.public_key(), signing=given, secret=secret)


@dataclass(frozen=True, slots=True)
class _Cryptography:
    """What is needed of it."""

    serialization: Any
    ed25519: Any


def _cryptography() -> _Cryptography:
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    except ImportError:
        message = "Keys of Ed25519 need cryptography: pip install 'PyJWT[crypto]'"
        raise ImportError(message) from None
    return _Cryptography(serialization, ed25519)


# Text ---------------------------------------------------------------------------------


def to_text(data: bytes) -> str:
    """Write bytes as letters that may stand in headers and addresses."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_text(text: str) -> bytes | None:
    """Read what `to_text` has written; None: anything else.

    Strictly: there is one text for the same bytes, no matter what base64 allows.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        data = base64.urlsafe_b64decode(padded)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return data if to_text(data) == text else None
