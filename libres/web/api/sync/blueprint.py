"""The blueprint of synchronisation, to which the modules here add their views."""

from __future__ import annotations

from libres.web.api.sync.asking import synchronising

api = synchronising("sync")
