"""What can go wrong on a device, one class per situation.

As in `libres.modules.errors`, the docstring of a class is its message::

    LibresError
    └── ClientError
        ├── Refused
        ├── ServerAway
        ├── SignInNeeded
        └── UnknownRow
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libres.modules.errors import LibresError

__all__ = ("ClientError", "Refused", "ServerAway", "SignInNeeded", "UnknownRow")


class ClientError(LibresError):
    """The device cannot do this now; nothing that it keeps is lost."""


class Refused(ClientError):
    """The server has refused the request as a whole."""

    status: int
    type: str
    context: Mapping[str, Any]
    retry_after: int | None
    """Seconds to wait before asking again; None: that would not help."""


class ServerAway(ClientError):
    """The server gave no answer: what was sent is sent again by the next call."""


class SignInNeeded(ClientError):
    """Nobody is signed in on this device, or not any more: sign in."""


class UnknownRow(ClientError):
    """The device has no such row."""

    model: str
    id: object
