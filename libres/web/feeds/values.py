"""What is known of feeds, as plain values."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

Kind = Literal["resource", "person", "subject"]
KINDS: Final[Sequence[Kind]] = get_args(Kind)

Level = Literal["busy", "details"]
LEVELS: Final[Sequence[Level]] = get_args(Level)
"""Tell that something is reserved; or also what it is called, and by whom."""

KEPT: Final = timedelta(days=90)
"""How long calendars are told that a reservation was removed."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What is known of a feed; its secret is known to who made it."""

    id: uuid.UUID
    kind: Kind
    name: str
    level: Level
    created: datetime
    revoked: datetime | None


@dataclass(frozen=True, slots=True)
class NewFeed:
    """A feed that was just made, and what opens it."""

    id: uuid.UUID
    secret: str
