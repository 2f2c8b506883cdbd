"""Hashes passwords by scrypt, and compares them in the same time whoever is asked for.

What is stored names the parameters and the salt, so that they can be raised later: who
signs in with a hash of old ones gets a new one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from libres.sync.errors import InvalidPassword
from libres.sync.names import normalised

SHORTEST: Final = 10
LONGEST: Final = 256
"""Characters."""

SALT: Final = 16
"""Bytes, drawn for each password."""

DIGEST: Final = 32
"""Bytes that are kept."""

MOST: Final = 256 * 1024 * 1024
"""Bytes of memory that a hash may ask for; what is stored cannot make it more."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a hash costs: 128 · n · r bytes of memory, p times."""

    n: int
    r: int
    p: int

    @property
    def memory(self) -> int:
        """How many bytes it takes, and a margin."""
        return 128 * self.r * (self.n + self.p + 2) + 1024 * 1024


NOW: Final = Parameters(n=2**14, r=8, p=5)
"""16 MB and some 0.2 s: many can sign in at once, and guessing is slow."""

NAME: Final = "scrypt"


@dataclass(frozen=True, slots=True)
class _Stored:
    parameters: Parameters
    salt: bytes
    digest: bytes


NOBODYS: Final = _Stored(NOW, bytes(SALT), bytes(DIGEST))
"""Is compared where there is no password, so that it takes as long; fits none."""


def hashed(password: str) -> str:
    """Return what is stored of a password.

    Raises InvalidPassword for one of fewer than 10 or more than 256 characters, and
    for one with half a character.
    """
    text = _checked(password)
    salt = secrets.token_bytes(SALT)
    parts = NOW.n, NOW.r, NOW.p, _text(salt), _text(_digest(text, NOW, salt))
    return "$".join([NAME, *map(str, parts)])


def fits(password: str, stored: str | None) -> bool:
    """Tell whether a password is the one that was hashed; None: there is none.

    It takes the same time in all cases.
    """
    known = NOBODYS if stored is None else _read(stored) or NOBODYS
    text = _normal(password)
    digest = _digest(text[: LONGEST + 1], known.parameters, known.salt)
    return hmac.compare_digest(digest, known.digest) and known is not NOBODYS


def is_outdated(stored: str) -> bool:
    """Tell whether a password should be hashed anew, as what is stored is weaker than
    what is made now."""
    known = _read(stored)
    return known is None or known.parameters != NOW


def _checked(password: str) -> str:
    text = _normal(password)
    if not SHORTEST <= len(text) <= LONGEST:
        message = (
            f"A password has {SHORTEST} to {LONGEST} characters: choose one like that."
        )
        raise InvalidPassword(message)
    if any("\ud800" <= each <= "\udfff" for each in text):
        message = "A password must not contain half a character: leave it out."
        raise InvalidPassword(message)
    return text


def _normal(password: str) -> str:
    """Compose accents, which keyboards send in two ways; of what is far too long,
    only the beginning is looked at."""
    return normalised(password[: 4 * LONGEST])


def _digest(text: str, parameters: Parameters, salt: bytes) -> bytes:
    return hashlib.scrypt(
        text.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=parameters.n,
        r=parameters.r,
        p=parameters.p,
        maxmem=parameters.memory,
        dklen=DIGEST,
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _read(stored: str) -> _Stored | None:
    """Understand what was stored; None: it is nothing that we have written."""
    try:
        name, n, r, p, salt, digest = stored.split("$")
        parameters = Parameters(int(n), int(r), int(p))
        found = _Stored(
            parameters,
            base64.b64decode(salt, validate=True),
            base64.b64decode(digest, validate=True),
        )
    except (ValueError, binascii.Error):
        return None
    return found if name == NAME and _is_possible(found) else None


def _is_possible(stored: _Stored) -> bool:
    n, r, p = stored.parameters.n, stored.parameters.r, stored.parameters.p
    is_power = n > 1 and n & (n - 1) == 0
    is_bounded = r > 0 and 0 < p <= 64 and 128 * r * (n + p) <= MOST
    return is_power and is_bounded and len(stored.digest) == DIGEST
