"""Serves the documentation of the API to be read and tried: at /docs, from here alone.

Its script and style are those of the package flask-swagger-ui, as they are; a script of
ours starts them, since the policy of the answers lets none be written into the page.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, render_template, send_file

from libres.web.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Response

ASSETS: Final[Mapping[str, str]] = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
}
"""What of the package is served, and as what."""

AGE: Final = 86_400
"""Seconds for which browsers keep it."""


page = Blueprint("docs", __name__)


@page.get("/docs")
def shown() -> str:
    """Show what the API can do."""
    return render_template("libres/docs.html")


@page.get("/docs/assets/<name>")
def asset(name: str) -> Response:
    """Give what the page is drawn with."""
    if name not in ASSETS:
        raise NotFound
    found: Any = files("flask_swagger_ui") / "dist" / name
    return send_file(found, ASSETS[name], max_age=AGE)
