"""Access to all models from within one of them, without an import cycle."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class OtherModels:
    """Adds the property ``models``."""

    @property
    def models(self) -> ModuleType:
        """The module ``libres.db.models``."""
        return import_module("libres.db.models")
