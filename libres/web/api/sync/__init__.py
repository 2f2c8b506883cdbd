"""Synchronisation: devices sign in, push what they changed, and pull what others did.

There is nothing here unless the extra ``sync`` is installed and there are keys.
"""

from __future__ import annotations

from libres.web.api.sync import elsewhere, exchanging, signing_in, watching
from libres.web.api.sync.asking import is_on
from libres.web.api.sync.blueprint import api

__all__ = ("api", "elsewhere", "exchanging", "is_on", "signing_in", "watching")
