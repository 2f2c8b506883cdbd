"""What can go wrong at the web edge, one class per situation.

As in `libres.modules.errors`, the docstring of a class is its message; what HTTP makes
of each error, of all rooms, is one table in `libres.web.problems`.
"""

from __future__ import annotations

from libres.modules.errors import LibresError

__all__ = (
    "AlreadyDecided",
    "InvalidRequest",
    "NeedsApproval",
    "NotAllowed",
    "NotFound",
    "NotIdentified",
    "NotSetUp",
    "RemovedMeanwhile",
    "TooLarge",
    "TooManyRequests",
)


class NotFound(LibresError):
    """Not found."""


class NotSetUp(LibresError):
    """This room is not set up: its tables are not there."""

    room: str
    """That of ``libres.<room>.setup``."""


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


class NeedsApproval(LibresError):
    """This time is given by hand: reserve it, and somebody will decide."""


class AlreadyDecided(LibresError):
    """Nothing of this is pending any more: somebody has approved it already."""


class RemovedMeanwhile(LibresError):
    """What was made with this idempotency key is there no more: use a new key to ask
    for it again."""
