"""What can go wrong at the web edge, one class per situation.

As in `libres.modules.errors`, the docstring of a class is its message; what HTTP makes
of each error, of all rooms, is one table in `libres.web.problems`.
"""

from __future__ import annotations

from libres.modules.errors import LibresError

__all__ = (
    "InvalidRequest",
    "NotAllowed",
    "NotFound",
    "NotIdentified",
    "TooLarge",
    "TooManyRequests",
)


class NotFound(LibresError):
    """Not found."""


class NotIdentified(LibresError):
    """Say who you are: send a key as 'Authorization: Bearer KEY'."""


class NotAllowed(LibresError):
    """You may not do this: it needs a scope that your key does not have."""


class InvalidRequest(LibresError):
    """This request cannot be understood."""

    errors: dict[str, list[str]]
    """What is wrong, by the name of the field."""


class TooLarge(LibresError):
    """This is too much at once: send less."""


class TooManyRequests(LibresError):
    """You ask too often: wait a little."""

    seconds: int
    """How long."""
