"""What can go wrong with synchronising, one class per situation.

As in `libres.modules.errors`, the docstring of a class is its message::

    LibresError
    ├── SyncError
    │   ├── NotRegistrable
    │   ├── NotSetUp
    │   ├── InvalidName, AlreadyThere, UnknownEntity
    │   ├── InvalidFilter, InvalidPermissions, InvalidSetting
    │   ├── InvalidPassword, InvalidConfiguration
    │   ├── ChangedMeanwhile
    │   ├── KeysMissing
    │   └── NotKept, NotRevertible
    └── RequestError
        ├── MalformedRequest             400 validation
        ├── NotSignedIn                  401 authentication
        ├── NotPermitted                 403 authorization
        ├── ResyncRequired               410 resync_required
        ├── RequestTooLarge              413 validation
        ├── TooManyRequests              429 rate_limit
        └── Unavailable                  503 database

What a client is told of a `RequestError` is its message, its ``type`` and its facts;
of a `SyncError`, that something is wrong with the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from libres.modules.errors import LibresError

__all__ = (
    "AlreadyThere",
    "ChangedMeanwhile",
    "InvalidConfiguration",
    "InvalidFilter",
    "InvalidName",
    "InvalidPassword",
    "InvalidPermissions",
    "InvalidSetting",
    "KeysMissing",
    "MalformedRequest",
    "NotKept",
    "NotPermitted",
    "NotRegistrable",
    "NotRevertible",
    "NotSetUp",
    "NotSignedIn",
    "RequestError",
    "RequestTooLarge",
    "ResyncRequired",
    "SyncError",
    "TooManyRequests",
    "Unavailable",
    "UnknownEntity",
)


class SyncError(LibresError):
    """The configuration of the synchronisation does not allow this."""


class NotRegistrable(SyncError):
    """This model cannot be registered: the message says why, and what to do."""


class NotSetUp(SyncError):
    """The tables of the synchronisation are missing: call 'libres.sync.setup'."""


class InvalidName(SyncError):
    """This cannot be a name: the message says why."""


class AlreadyThere(SyncError):
    """There is one of this name already."""

    kind: str
    name: str


class UnknownEntity(SyncError):
    """There is no such thing here."""

    kind: str
    """``organization``, ``user``, ``role``, ``membership``, ``device``, ``model``, …"""

    name: str


class InvalidFilter(SyncError):
    """This filter would not say clearly which rows it shows: the message says why."""


class InvalidPermissions(SyncError):
    """These permissions cannot be applied, and nothing was changed."""

    problems: Sequence[str]


class InvalidSetting(SyncError):
    """There is no such setting, or it cannot have this value: the message says why."""


class InvalidPassword(SyncError):
    """This password cannot be used: the message says why."""


class InvalidConfiguration(SyncError):
    """This configuration cannot be applied, and nothing was changed."""

    problems: Sequence[str]
    """All that is wrong with it, each in a sentence."""


class ChangedMeanwhile(SyncError):
    """Somebody else was faster: look at what it is now, and decide again."""

    kind: str
    """``permission``, ``switch``, ``setting``, …"""

    name: str
    version: int
    """The one it has now; 0: it is not there, or at its default."""

    value: object
    """What it is now."""


class KeysMissing(SyncError):
    """Nobody can sign in without a secret: pass keys to 'libres.sync.configure', or set
    LIBRES_SYNC_SECRET to at least 32 random bytes."""


class NotKept(SyncError):
    """What was noted so long ago is not kept any more."""


class NotRevertible(SyncError):
    """This change cannot be undone: the message says why, and what to do."""


class RequestError(LibresError):
    """The request of a client was refused."""

    type: ClassVar[str] = "unknown"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False


class MalformedRequest(RequestError):
    """What was sent cannot be read: the message says what is wrong."""

    type = "validation"
    status = 400


class NotSignedIn(RequestError):
    """The token is not valid, or not any more: sign in again."""

    type = "authentication"
    status = 401


class NotPermitted(RequestError):
    """You may not do this."""

    type = "authorization"
    status = 403


class ResyncRequired(RequestError):
    """What this cursor stands for is not kept any more, or your rights have changed: go
    on with the cursor of this answer, and replace the rows of these models."""

    type = "resync_required"
    status = 410
    retryable = True

    models: Sequence[str]
    """Those whose rows will be sent anew."""

    cursor: str


class RequestTooLarge(RequestError):
    """This is too much for one request: send it in parts."""

    type = "validation"
    status = 413

    limit: str


class TooManyRequests(RequestError):
    """You ask too often: wait."""

    type = "rate_limit"
    status = 429
    retryable = True

    retry_after: int
    """Seconds."""


class Unavailable(RequestError):
    """Too many others were in the way: send the same once more, with the same ids."""

    type = "database"
    status = 503
    retryable = True
