"""Claims: is it free, and a guard that cannot be raced.

A claim says that a resource is taken for a time, by a record of the application or of
the core. Ask before saving with `Claims.check`; save with `Claims.claim`, or let
`Claims.track` keep claims of tables that you have already. An exclusion constraint
keeps claims apart, whoever writes them and at any isolation level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libres.conflicts.claim import Claim, Proposal
from libres.conflicts.errors import (
    ConflictError,
    EmptyQuery,
    IncompleteQuestion,
    InvalidClaim,
    MirroredElsewhere,
    NotTrackable,
)
from libres.conflicts.recurring import recurring
from libres.conflicts.service import Claims
from libres.conflicts.tracking import ClaimMapping, Tracking
from libres.conflicts.values import ALWAYS, OPEN, NumericSpan, Period

if TYPE_CHECKING:
    from libres.context.core import Context

__all__ = (
    "ALWAYS",
    "OPEN",
    "Claim",
    "ClaimMapping",
    "Claims",
    "ConflictError",
    "EmptyQuery",
    "IncompleteQuestion",
    "InvalidClaim",
    "MirroredElsewhere",
    "NotTrackable",
    "NumericSpan",
    "Period",
    "Proposal",
    "Tracking",
    "recurring",
    "setup",
)


def setup(
    context: Context,
    *,
    mirror_reservations: bool = False,
    mirror_pending: bool = False,
) -> Claims:
    """Create the tables of claims, their guard and triggers where they are missing.

    Works in the session of *context*, the caller commits; may be repeated at any time.
    With *mirror_reservations*, approved reservations and blockers of the core become
    claims of this context: those that exist at once, and all others with the statement
    that writes them. With *mirror_pending* pending ones as well, as tentative claims
    that keep nobody out, and that expire with the session they belong to. Without them,
    a mirror that is there already stays.

    Raises ConflictError if something that is reserved is claimed as well,
    MirroredElsewhere if another context mirrors the reservations of this database.
    """
    claims = Claims(context)
    claims.setup(mirror_reservations=mirror_reservations, mirror_pending=mirror_pending)
    return claims
