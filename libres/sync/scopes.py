"""Says by a short text what a member sees of a model: another text, other rows.

Rights are not part of it: without them nothing is seen, and while they were gone the
feed went on.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from libres.sync.filters import filter_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from libres.sync.fields import Field
    from libres.sync.registry import SyncModel
    from libres.sync.values import Member

LENGTH: Final = 16
"""Letters of a digest; it has to tell the scopes of one model apart."""


def scope_of(model: SyncModel, member: Member) -> str:
    """Return the digest of what a member sees of a model: the rows of which
    organisation, those of them that a filter shows, and which fields."""
    bound = filter_of(model, member)
    told = [
        *(str(member.organization.id), member.organization.reference),
        None if bound is None else bound.digest,
        *(_told(model.key), _told(model.fields.values())),
        *(str(model.tenant), model.tenant_sql, model.shared, str(model.where)),
    ]
    return sha256(json.dumps(told).encode()).hexdigest()[:LENGTH]


def _told(fields: Iterable[Field]) -> list[Any]:
    return sorted([each.name, each.column.name, each.kind.name] for each in fields)
