"""Reads what a client asks for: a cursor to go on with, or models to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from libres.sync.errors import MalformedRequest
from libres.sync.fields import MOMENT, InvalidValue

LARGEST: Final = 1000
USUAL: Final = 100
"""Rows of a page."""

MOST_MODELS: Final = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks for."""

    batch: int
    cursor: str | None = None
    models: Mapping[str, datetime | None] = field(default_factory=dict)
    """Since when, by the names of the models; None: all rows. Without a cursor and
    without models, all that the member may pull."""


def read_request(body: object) -> Asked:
    """Read the body of a pull. Raises MalformedRequest, which says what is wrong."""
    if not isinstance(body, Mapping):
        message = "Send an object: {'models': {}, 'batch_size': 100}."
        raise MalformedRequest(message)
    batch = _batch(body.get("batch_size"))
    cursor = body.get("cursor")
    models = _models(body.get("models"))
    if cursor is None:
        return Asked(batch, models=models)
    if models:
        message = "Send either a cursor, or models to begin with: not both."
        raise MalformedRequest(message)
    if not isinstance(cursor, str):
        message = "A cursor is a text, as it was sent."
        raise MalformedRequest(message)
    return Asked(batch, cursor)


def _batch(given: Any) -> int:
    if given is None:
        return USUAL
    is_whole = isinstance(given, int) and not isinstance(given, bool)
    if not is_whole or not 1 <= given <= LARGEST:
        message = f"batch_size is a whole number from 1 to {LARGEST}."
        raise MalformedRequest(message)
    return int(given)


def _models(given: Any) -> dict[str, datetime | None]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or len(given) > MOST_MODELS:
        message = (
            "models is an object: the names of models, and since when changes are "
            "wanted, or null for all rows."
        )
        raise MalformedRequest(message)
    return {str(name): _moment(str(name), value) for name, value in given.items()}


def _moment(name: str, value: object) -> datetime | None:
    try:
        return None if value is None else MOMENT.read(value)
    except InvalidValue as error:
        message = f"The time of {name!r} {error}."
        raise MalformedRequest(message) from None
