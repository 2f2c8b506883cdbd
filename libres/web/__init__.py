"""The web edge: an HTTP API, pages and calendar feeds around a context.

It calls the services of the other rooms and holds no rules of its own. `create_app`
makes a WSGI application of it, `blueprint` what any Flask application can mount.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from libres.web.directory import Place
from libres.web.settings import WebSettings

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.web.app import blueprint, create_app
    from libres.web.identity import Caller

__all__ = (
    "Caller",
    "Place",
    "WebSettings",
    "blueprint",
    "create_app",
    "setup",
)

_HOMES = {
    "Caller": "libres.web.identity",
    "blueprint": "libres.web.app",
    "create_app": "libres.web.app",
}
"""What needs the extra ``web`` is imported when it is asked for."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("libres"):
            raise
        message = "The web edge needs more: pip install 'libres[web]'."
        raise ImportError(message) from error


def setup(context: Context) -> None:
    """Create the tables of the web edge; not committed.

    The tables of the core must be there. May be called at each start.
    """
    from libres.web import schema  # noqa: PLC0415 - only who sets up needs it

    schema.create_missing(
        context.get_service("session_provider").session().connection()
    )
