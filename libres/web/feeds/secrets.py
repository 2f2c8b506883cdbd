"""Makes the secrets of feeds; only their hashes are stored."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Final

PREFIX: Final = "libresfeed_"
"""Secrets begin with it, so that scanners find them where they should not be."""

BYTES: Final = 32
"""Drawn at random for a secret: 256 bits cannot be guessed, and need no slow hash."""


def new_secret() -> str:
    """Draw a secret."""
    return PREFIX + secrets.token_urlsafe(BYTES)


def hashed(secret: str) -> str:
    """Return what is stored of a secret."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
