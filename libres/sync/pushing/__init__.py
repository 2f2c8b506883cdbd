"""Takes what devices have changed: item by item as sent, or all or nothing."""

from __future__ import annotations

from libres.sync.pushing.answers import PushAnswer
from libres.sync.pushing.pushing import push

__all__ = ("PushAnswer", "push")
