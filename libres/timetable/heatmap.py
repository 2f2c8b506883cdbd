"""How many are free in each step of a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Heat:
    """How many subjects are free in each step."""

    start: datetime
    step: timedelta
    counts: tuple[int, ...]
    """Of each step, from the start on."""
