"""Decides which allocations are shown to the public; hosts replace it."""

from __future__ import annotations

from typing import Any

__all__ = ("Exposure",)


class Exposure:
    """The default exposure service: everything is shown."""

    def is_allocation_exposed(
        self,
        allocation: Any,  # what a replacement decides by
    ) -> bool:
        """Tell whether *allocation* may be seen and searched: always."""
        return True
