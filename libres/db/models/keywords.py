"""Constructors that take any mapped attribute as keyword, in any order."""

from __future__ import annotations

from typing import Any


def assign(record: object, values: dict[str, Any]) -> None:
    """Set *values* as attributes. Raises TypeError for a name the model lacks."""
    for name, value in values.items():
        if not hasattr(type(record), name):
            message = f"{name!r} is not an attribute of {type(record).__name__}."
            raise TypeError(message)
        setattr(record, name, value)
