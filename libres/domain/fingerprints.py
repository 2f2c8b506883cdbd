"""Tells whether two requests are the same: takes what was asked, gives a hash."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from hashlib import sha256
from typing import Final

from libres.domain.days import UTC

__all__ = ("fingerprint", "identity")


def fingerprint(asked: Mapping[str, object]) -> str:
    """Return the SHA-256, in hex, of values; the same in every process and zone.

    What JSON cannot hold counts by its type and its ``repr``. Raises ValueError if the
    values hold themselves.
    """
    try:
        return sha256(_written(_canonical(asked)).encode()).hexdigest()
    except RecursionError:
        message = "The data of a reservation must not hold itself: leave that part out."
        raise ValueError(message) from None


def identity(value: object) -> str | None:
    """Return the text of a uuid, however it is written, or of any other name.

    A falsy value is none.
    """
    if not value:
        return None
    try:
        return uuid.UUID(str(value).strip()).hex
    except ValueError:
        return str(value)


def _canonical(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(name): _canonical(item) for name, item in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(map(_canonical, value), key=_written)
    if isinstance(value, list | tuple):
        return list(map(_canonical, value))
    return [_kind(value), _said(value)]


def _kind(value: object) -> str:
    """Name the type; that of a uuid or a time may be any that equals it."""
    for kind in (uuid.UUID, datetime, date, time):
        if isinstance(value, kind):
            return kind.__name__
    return type(value).__qualname__


def _said(value: object) -> str:
    """Say which value it is, but not where in the memory."""
    if isinstance(value, datetime) and value.utcoffset() is not None:
        value = value.astimezone(UTC)
    if isinstance(value, date | time):
        return value.isoformat()
    try:
        said = str(value) if isinstance(value, uuid.UUID) else repr(value)
    except Exception:  # whatever a foreign class raises
        return ""
    return _ADDRESS.sub("", said)


_ADDRESS: Final = re.compile(r" at 0x[0-9A-Fa-f]+")


def _written(value: object) -> str:
    return json.dumps(value, sort_keys=True)
