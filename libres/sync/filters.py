"""Decides which rows a filter shows: the same in SQL and for the image of a row.

To be filled in.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that a row has to meet, all of them."""
