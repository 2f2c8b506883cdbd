"""Shows a problem as a page, to browsers that came for a page."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response, current_app, g, render_template, request

from libres.web.documenting import REASONS

HEADINGS: Final = {
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    405: "Not done here",
    409: "Others were first",
    413: "Too much at once",
    422: "This makes no sense",
    429: "Too often",
    503: "Too many at once",
}
"""What each status is called; the others are called by what went wrong."""


def shown(said: Response) -> Response:
    """Return what tells of a problem: as a page, if that is what was asked for."""
    if not _is_page_wanted():
        return said
    g.libres.settle()
    told = said.get_json()
    status = said.status_code
    page = render_template(
        "libres/problem.html",
        status=status,
        heading=HEADINGS.get(status, "Something went wrong"),
        reason=REASONS.get(status),
        detail=told["detail"],
        errors=told.get("errors", {}),
    )
    said.set_data(page)
    said.content_type = "text/html; charset=utf-8"
    said.vary.add("Accept")
    return said


def _is_page_wanted() -> bool:
    """Tell whether a browser asks for a page, or for nothing that is here."""
    wanted = request.accept_mimetypes
    if wanted["text/html"] <= wanted["application/json"]:
        return False
    here = g.get("libres")
    return here is not None and here.settings.pages and _is_of_page()


def _is_of_page() -> bool:
    name = request.blueprint
    if name is None or "." not in name:
        return request.endpoint is None
    return not isinstance(current_app.blueprints[name], APIBlueprint)
