"""Synchronisation: devices that are sometimes offline keep copies, and push changes.

Organisations share a server and see nothing of each other. Roles decide who may do what
with which model, filters decide which rows. Every change is noted by triggers, numbered
without gaps, and read by a cursor that can pass none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libres.sync.devices import DeviceState, NewDevice
from libres.sync.discovering import Proposal
from libres.sync.doctor import Finding
from libres.sync.errors import (
    AlreadyThere,
    ChangedMeanwhile,
    InvalidConfiguration,
    InvalidFilter,
    InvalidName,
    InvalidPassword,
    InvalidPermissions,
    InvalidSetting,
    KeysMissing,
    MalformedRequest,
    NotKept,
    NotPermitted,
    NotRegistrable,
    NotRevertible,
    NotSetUp,
    NotSignedIn,
    RequestError,
    RequestTooLarge,
    ResyncRequired,
    SyncError,
    TooManyRequests,
    Unavailable,
    UnknownEntity,
)
from libres.sync.feed.keeping import Lag
from libres.sync.filter_store import StoredFilter
from libres.sync.filters import Filter
from libres.sync.keyring import configure
from libres.sync.memberships import Membership
from libres.sync.permissions import Applied
from libres.sync.pulling import PullAnswer
from libres.sync.pushing import PushAnswer
from libres.sync.registry import Registry, SyncModel
from libres.sync.resources import OwnedResource
from libres.sync.service import Sync
from libres.sync.settings import Setting
from libres.sync.signing_in import SignedIn
from libres.sync.switches import Switch
from libres.sync.users import UserService
from libres.sync.values import Device, Flags, Member, Organization, Role, User

if TYPE_CHECKING:
    from libres.context.core import Context

__all__ = (
    "AlreadyThere",
    "Applied",
    "ChangedMeanwhile",
    "Device",
    "DeviceState",
    "Filter",
    "Finding",
    "Flags",
    "InvalidConfiguration",
    "InvalidFilter",
    "InvalidName",
    "InvalidPassword",
    "InvalidPermissions",
    "InvalidSetting",
    "KeysMissing",
    "Lag",
    "MalformedRequest",
    "Member",
    "Membership",
    "NewDevice",
    "NotKept",
    "NotPermitted",
    "NotRegistrable",
    "NotRevertible",
    "NotSetUp",
    "NotSignedIn",
    "Organization",
    "OwnedResource",
    "Proposal",
    "PullAnswer",
    "PushAnswer",
    "Registry",
    "RequestError",
    "RequestTooLarge",
    "ResyncRequired",
    "Role",
    "Setting",
    "SignedIn",
    "StoredFilter",
    "Switch",
    "Sync",
    "SyncError",
    "SyncModel",
    "TooManyRequests",
    "Unavailable",
    "UnknownEntity",
    "User",
    "UserService",
    "configure",
    "setup",
)


def setup(context: Context) -> Sync:
    """Create the tables of synchronisation, and note the changes of all models that are
    registered by now; not committed.

    The tables of the core must be there. May be called at each start.
    """
    sync = Sync(context)
    sync.setup()
    return sync
