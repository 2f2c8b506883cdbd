"""Audit: who changed what, when and why, in a chain of hashes that proves it.

Changes are noted by triggers, whoever makes them; the chain is computed as they are
numbered. It covers salted commitments, not values: personal data can be erased, and the
chain still verifies. It needs no tenants, and nothing else of `libres.sync`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from libres.sync.audit.offline import verify_export
from libres.sync.audit.service import Audit
from libres.sync.audit.tables import audited
from libres.sync.audit.values import (
    ERASED,
    Entry,
    Erased,
    FieldChange,
    Reverted,
    Verdict,
)

if TYPE_CHECKING:
    from libres.context.core import Context

__all__ = (
    "ERASED",
    "Audit",
    "Entry",
    "Erased",
    "FieldChange",
    "Reverted",
    "Verdict",
    "audited",
    "setup",
    "verify_export",
)


def setup(context: Context, *models: Any, slots: bool = False) -> Audit:
    """Note all changes of the core, of the configuration, of what is synchronised, and
    of *models* of the host from now on, and keep them; not committed.

    Models are mapped classes of any declarative base, or what `audited` makes of them;
    their tables, and those of the core, must be there. *slots* are noted as well if it
    is said: they are many, and follow from reservations. May be called at each start;
    what is synchronised is registered before, so that triggers are made once.

    Raises NotRegistrable for what is no mapped class.
    """
    audit = Audit(context)
    audit.setup(*models, slots=slots)
    return audit
