"""Constructors that take any mapped attribute as keyword, and texts for messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar


def assign(record: object, values: dict[str, Any]) -> None:
    """Set *values* as attributes. Raises TypeError for a name the model lacks."""
    for name, value in values.items():
        if not hasattr(type(record), name):
            message = f"{name!r} is not an attribute of {type(record).__name__}."
            raise TypeError(message)
        setattr(record, name, value)


class Described:
    """Says in messages what a record is, as far as it is loaded."""

    _described_by: ClassVar[tuple[str, ...]] = ("id", "start", "end")

    def __repr__(self) -> str:
        known = ((name, self.__dict__.get(name)) for name in self._described_by)
        facts = (
            f"{name}={_short(value)}" for name, value in known if value is not None
        )
        return f"<{' '.join((type(self).__name__, *facts))}>"


def _short(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
