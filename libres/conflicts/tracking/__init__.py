"""Keeps the claims of tables that a host has already: tracks its models.

`mapping` says what of a row is a claim, `derivation` and `triggers` write that as SQL,
`watching` does the same in Python where it cannot be written so, `keeping` compares,
mends and rebuilds.
"""

from __future__ import annotations

from libres.conflicts.tracking.mapping import ClaimMapping, Tracking

__all__ = ("ClaimMapping", "Tracking")
