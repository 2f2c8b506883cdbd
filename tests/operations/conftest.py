"""Makes the servers of these tests known to them."""

from __future__ import annotations

from tests.fixtures.standby import pair

__all__ = ("pair",)
