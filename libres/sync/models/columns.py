"""What the tables of this room have in common."""

from __future__ import annotations

from typing import Final

from sqlalchemy import DateTime, text
from sqlalchemy.dialects.postgresql import JSONB

OPTIONAL: Final = {"room": "sync"}
"""Says that `libres.sync.setup` makes a table, and not the core."""

NEW_ID: Final = text("gen_random_uuid()")
NOW: Final = text("now()")
MOMENT: Final = DateTime(timezone=True)
DOCUMENT: Final = JSONB(none_as_null=True)
