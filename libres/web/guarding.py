"""Guards every request: its size, its rate, its key, its form; and every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Response, request
from flask_wtf.csrf import validate_csrf
from wtforms.validators import ValidationError

from libres.web import actors
from libres.web.errors import NotAllowed, NotIdentified
from libres.web.keys import sent

if TYPE_CHECKING:
    from libres.web.edge import Edge
    from libres.web.limits import Limits

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
"""What browsers send for a page of somebody else, too, without asking."""

LARGE: Final = ("/occupancy/events", "/conflicts/check-batch")
"""Where a body may be larger."""

CHALLENGE: Final = 'Bearer realm="libres"'
"""How to say who one is, in the header of what is refused otherwise."""

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def check(edge: Edge, limits: Limits) -> None:
    """Refuse what comes too often, is too large, or was sent by somebody else's page.

    Raises TooManyRequests, NotIdentified, NotAllowed; what is too large is refused when
    it is read.
    """
    if is_of_sync():
        return  # who signs in there does so by tokens, and is counted by device
    settings = edge.settings
    is_large = request.path.endswith(LARGE)
    request.max_content_length = (
        settings.largest_events if is_large else settings.largest_body
    )
    address = request.remote_addr or ""
    if is_public():
        return
    has_key = sent(request) is not None
    if has_key:
        limits.check_failures(address)
    if request.method in SAFE:
        edge.hold()
    try:
        caller = edge.caller
    except NotIdentified:
        limits.note_failure(address)
        raise
    limits.count(caller.id or address)
    if request.method not in SAFE and not has_key:
        _check_form()


def is_of_sync() -> bool:
    """Tell whether a request is one of synchronisation, which guards itself."""
    return (request.blueprint or "").endswith(".sync")


def is_public() -> bool:
    """Tell whether nobody is asked who they are: assets and health."""
    endpoint = request.endpoint or ""
    return endpoint.endswith((".static", ".health", ".scale_css"))


def _check_form() -> None:
    """Refuse a write whose only proof is a cookie, unless our own page sent it.

    Raises NotAllowed.
    """
    token = request.headers.get("X-CSRF-Token")
    if token is None and request.mimetype in FORMS:
        token = request.form.get("csrf_token")
    if token is None and not request.cookies:
        return  # nothing proves who sent it, so nobody can be tricked
    check_token(token)


def check_token(token: str | None) -> None:
    """Refuse the token of a form that we have not sent. Raises NotAllowed."""
    try:
        validate_csrf(token)
    except ValidationError as error:
        reason = f"This form is not ours, or too old: load the page again ({error})."
        raise NotAllowed(reason) from error


def protected(response: Response) -> Response:
    """Let browsers do nothing with an answer that it is not meant for."""
    actors.echo(response)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response
