"""Makes the servers of these tests known to them."""

from __future__ import annotations

from tests.fixtures.pooler import pooler_of
from tests.fixtures.standby import pair

__all__ = ("pair", "pooler_of")
