"""How it is stored who may synchronise what, what changed, and what was done."""

from __future__ import annotations

from libres.sync.models.audit import AuditAnchor, AuditErasure
from libres.sync.models.devices import SyncDevice, SyncLimit, SyncToken
from libres.sync.models.feed import SyncChange, SyncFeed, SyncPending, SyncVersion
from libres.sync.models.journal import (
    SyncApplied,
    SyncLog,
    SyncMetric,
    SyncSetting,
)
from libres.sync.models.people import (
    SyncFilter,
    SyncMembership,
    SyncOrganization,
    SyncPermission,
    SyncResource,
    SyncRole,
    SyncSwitch,
    SyncUser,
)

MODELS = (
    SyncOrganization,
    SyncUser,
    SyncRole,
    SyncMembership,
    SyncPermission,
    SyncSwitch,
    SyncFilter,
    SyncResource,
    SyncDevice,
    SyncToken,
    SyncLimit,
    SyncFeed,
    SyncPending,
    SyncChange,
    SyncVersion,
    SyncApplied,
    SyncLog,
    SyncMetric,
    SyncSetting,
    AuditAnchor,
    AuditErasure,
)
"""All tables of this room, in the order in which they are made."""

__all__ = (
    "MODELS",
    "AuditAnchor",
    "AuditErasure",
    "SyncApplied",
    "SyncChange",
    "SyncDevice",
    "SyncFeed",
    "SyncFilter",
    "SyncLimit",
    "SyncLog",
    "SyncMembership",
    "SyncMetric",
    "SyncOrganization",
    "SyncPending",
    "SyncPermission",
    "SyncResource",
    "SyncRole",
    "SyncSetting",
    "SyncSwitch",
    "SyncToken",
    "SyncUser",
    "SyncVersion",
)
