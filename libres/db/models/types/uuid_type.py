"""UUIDs that compare equal to their text, with or without dashes."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect


class SoftUUID(uuid.UUID):
    """A UUID that equals any UUID of the same number and its text in hex.

    Its hash is that of the plain UUID, so both find each other in a dict.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.hex == other.strip().replace("-", "")
        if isinstance(other, uuid.UUID):
            return self.int == other.int
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.int)


@lru_cache(maxsize=2**12)
def _soft(value: uuid.UUID) -> SoftUUID:
    """Soften what the driver gives; most rows repeat the uuid of one resource."""
    return SoftUUID(int=value.int)


def _parsed(value: object) -> uuid.UUID:
    """Read a text as UUID, before the server does and gives up the transaction."""
    try:
        return uuid.UUID(str(value).strip())
    except ValueError:
        message = f"{value!r} is not a UUID: use one, or its 32 hexadecimal digits."
        raise ValueError(message) from None


class UUID(TypeDecorator[uuid.UUID]):
    """PostgreSQL's ``uuid``: binds whatever prints as one, returns SoftUUID."""

    impl = postgresql.UUID(as_uuid=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> uuid.UUID | None:
        if value is None or isinstance(value, uuid.UUID):
            return value
        return _parsed(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> SoftUUID | None:
        return None if value is None else _soft(value)
