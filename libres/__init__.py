"""The reservation engine for Python and PostgreSQL.

Register a context, give it a DSN, make a scheduler per resource; then allocate,
reserve and approve::

    context = libres.registry.register_context("hotel")
    context.set_setting("dsn", "postgresql://localhost/hotel")
    scheduler = libres.new_scheduler(context, "suite", "Europe/Zurich")
"""

from libres.context.registry import create_default_registry
from libres.version import __version__ as __version__

registry = create_default_registry()

from libres.db import new_scheduler  # noqa: E402 - models may ask for the registry

__all__ = ("new_scheduler", "registry")
