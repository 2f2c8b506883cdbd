"""Writes and reads access tokens: JSON web tokens, signed, for a quarter of an hour.

They say who, for which organisation; what that allows is read from the database each
time. Whether they are over is told by the clock of the library, in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID, uuid4

from libres.domain.days import UTC
from libres.sync.errors import NotSignedIn
from libres.sync.keyring import from_text

if TYPE_CHECKING:
    from libres.sync.keyring import Key, Keyring

LONGEST: Final = 4096
"""Letters of a token that is read at all."""

TOLERANCE: Final = timedelta(minutes=1)
"""So much the clock of who made a token may be ahead of ours."""

TYPE: Final = "at+jwt"
"""In the header; so no other kind of token is taken for one of access (RFC 9068)."""

INVALID: Final = "This is not a valid token: sign in."
OVER: Final = "This token is over: refresh it."
EARLY: Final = "This token is not valid yet: look at the clocks."


UNREADABLE: Final = (LookupError, ValueError, TypeError, AttributeError, OverflowError)


class Versions(NamedTuple):
    """What has to be as it was, or the tokens have ended."""

    user: int
    membership: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says."""

    user: str
    organization: UUID
    device: UUID | None
    family: UUID
    """From which signing in it comes."""

    versions: Versions
    issued: datetime
    expires: datetime


def write(keyring: Keyring, claims: Claims) -> str:
    """Return the token that says this."""
    payload = {
        "iss": keyring.issuer,
        "aud": keyring.audience,
        "ctx": keyring.context,
        "sub": claims.user,
        "org": str(claims.organization),
        "dev": None if claims.device is None else str(claims.device),
        "fam": str(claims.family),
        "ver": list(claims.versions),
        "jti": str(uuid4()),
        "iat": int(claims.issued.timestamp()),
        "exp": int(claims.expires.timestamp()),
    }
    key = keyring.current
    headers = {"kid": key.id, "typ": TYPE}
    token: str = _jwt().encode(payload, key.signing, key.algorithm, headers)
    return token


def read(keyring: Keyring, token: str, now: datetime) -> Claims:
    """Return what a token says, if one of our keys has signed it and it is not over.

    Raises NotSignedIn, whatever is wrong with it.
    """
    payload = _payload(keyring, token)
    try:
        claims = _claims(payload)
    except UNREADABLE as error:
        raise NotSignedIn(INVALID) from error
    if claims.issued > now + TOLERANCE:
        raise NotSignedIn(EARLY)
    if claims.expires <= now:
        raise NotSignedIn(OVER)
    return claims


def _payload(keyring: Keyring, token: str) -> Mapping[str, Any]:
    """Return what a key has signed, with the algorithm of that key only."""
    if len(token) > LONGEST:
        raise NotSignedIn(INVALID)
    jwt = _jwt()
    try:
        header = jwt.get_unverified_header(token)
        key = keyring.keys[header["kid"]]
        payload: Mapping[str, Any] = _verified(jwt, keyring, key, token)
    except Exception as error:  # whatever a parser makes of garbage
        raise NotSignedIn(INVALID) from error
    # Older versions of PyJWT let several last letters stand for the same signature.
    is_exact = from_text(token.rpartition(".")[2]) is not None
    is_ours = header.get("typ") == TYPE and payload["ctx"] == keyring.context
    if not (is_exact and is_ours):
        raise NotSignedIn(INVALID)
    return payload


def _verified(jwt: Any, keyring: Keyring, key: Key, token: str) -> Any:
    return jwt.decode(
        token,
        key.verifying,
        algorithms=[key.algorithm],
        audience=keyring.audience,
        issuer=keyring.issuer,
        options={
            "require": CLAIMS,
            # Ours to tell: it would ask the clock of the system.
            **dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf"), False),
        },
    )


CLAIMS: Final = ["iss", "aud", "ctx", "sub", "org", "fam", "ver", "jti", "iat", "exp"]
"""Must be there; ``dev`` may be null."""


def _claims(payload: Mapping[str, Any]) -> Claims:
    device = payload["dev"]
    user, membership = payload["ver"]
    return Claims(
        user=payload["sub"],
        organization=UUID(payload["org"]),
        device=None if device is None else UUID(device),
        family=UUID(payload["fam"]),
        versions=Versions(int(user), int(membership)),
        issued=datetime.fromtimestamp(payload["iat"], UTC),
        expires=datetime.fromtimestamp(payload["exp"], UTC),
    )


def _jwt() -> Any:
    try:
        import jwt  # noqa: PLC0415 - an extra
    except ImportError:
        message = "Signing in needs PyJWT: pip install 'libres[sync]'"
        raise ImportError(message) from None
    return jwt
