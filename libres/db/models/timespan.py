"""A start and an end, as reservations tell them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Timespan(NamedTuple):
    """Two aware datetimes."""

    start: datetime
    end: datetime
