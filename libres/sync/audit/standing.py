"""Tells how far the audit has got: what is kept, numbered, and signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Text, bindparam, text

from libres.domain.days import UTC
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from libres.context.core import Context


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the audit of a context has got."""

    is_kept: bool = False
    """Changes are kept for the audit; else only as long as devices need them."""

    position: int = 0
    """The number of the last change."""

    dropped: int = 0
    """Changes up to this number are not there any more."""

    signed: int = 0
    """The number of the last change under a signature; 0: nothing is signed."""

    signed_at: datetime | None = None
    """When that was, in UTC; None: nothing is signed."""

    @property
    def unsigned(self) -> int:
        """How many changes are under no signature yet."""
        return self.position - self.signed


STANDING: Final = text("""\
SELECT audited, position, greatest(dropped, CASE WHEN audited THEN 0 ELSE kept END),
    anchored, anchored_at
FROM sync_feeds WHERE context = :context
""").bindparams(bindparam("context", type_=Text()))


def standing(context: Context) -> Standing:
    """Tell how far the audit has got. One statement."""
    with apart(context) as connection:
        row = connection.execute(STANDING, {"context": context.name}).one_or_none()
    if row is None:
        return Standing()
    is_kept, position, dropped, signed, at = row
    return Standing(
        *(is_kept, position, dropped, signed),
        signed_at=at.astimezone(UTC) if signed else None,
    )
