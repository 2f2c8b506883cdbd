"""Puts the edge together: a blueprint of the API, the pages and the feeds."""

from __future__ import annotations

import os
import secrets
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from apiflask import APIFlask
from flask import Blueprint, Flask, g, request

from libres.version import __version__
from libres.web import api, apidocs, guarding, metrics, pages, problems
from libres.web.api import sync as synchronisation
from libres.web.config import config
from libres.web.edge import Edge
from libres.web.limits import Limits
from libres.web.settings import WebSettings

if TYPE_CHECKING:
    from flask.blueprints import BlueprintSetupState

    from libres.context.core import Context

NAME: Final = "libres"

SYNC: Final = "/api/sync/"

SECRET: Final = "LIBRES_SECRET_KEY"  # noqa: S105 - the name of a variable
"""The variable with the secret that signs cookies."""

DEFAULTS: Final = {
    "BASE_RESPONSE_SCHEMA": None,
    "BASE_RESPONSE_DATA_KEY": "data",
    "VALIDATION_ERROR_STATUS_CODE": 422,
    "VALIDATION_ERROR_DESCRIPTION": "Validation error",
}
"""What the views of APIFlask look up in the configuration of whatever mounts them."""


def create_app(
    context: Context,
    settings: WebSettings | None = None,
    *,
    secret_key: str | None = None,
    secure_cookies: bool = True,
) -> Flask:
    """Make a WSGI application of a context, whose tables are there.

    *secret_key* signs the cookies of the pages; None: that of the environment variable
    LIBRES_SECRET_KEY, else one drawn at random, so that people sign in again after each
    start. *secure_cookies* are sent over HTTPS only.
    """
    app = Flask("libres.web", static_folder=None, template_folder=None)
    app.config.update(
        SECRET_KEY=secret_key or os.environ.get(SECRET) or secrets.token_urlsafe(32),
        SESSION_COOKIE_NAME="libres",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=secure_cookies,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    chosen = settings or WebSettings()

    @app.before_request
    def _begin() -> None:
        g.libres = Edge(context, chosen)

    app.context_processor(pages.known)
    app.register_blueprint(blueprint(context, chosen))
    problems.register_fallback(app)
    return app


def blueprint(context: Context, settings: WebSettings | None = None) -> Blueprint:
    """Make a blueprint of a context, for any Flask application to mount.

    The application needs a SECRET_KEY. If it protects all its forms with Flask-WTF, it
    exempts this blueprint, which protects its own.
    """
    chosen = settings or WebSettings()
    made = Blueprint(
        NAME,
        __name__,
        static_folder="static",
        static_url_path="/assets",
        template_folder="templates",
    )
    limits = Limits(chosen)
    metrics.register(made, context)

    @made.before_request
    def _begin() -> None:
        g.libres = Edge(context, chosen, limits)
        guarding.check(g.libres, limits)

    @made.teardown_request
    def _end(_error: BaseException | None) -> None:
        if "libres" in g:
            g.libres.release()

    made.after_request(guarding.protected)
    made.context_processor(pages.known)
    made.record(_configure)
    problems.register(made)
    children = [
        *api.BLUEPRINTS,
        apidocs.page,
        *((*pages.BLUEPRINTS, config) if chosen.pages else ()),
    ]
    for child in children:
        made.register_blueprint(child)
    made.add_url_rule("/openapi.json", "openapi", _openapi)
    return made


def _configure(state: BlueprintSetupState) -> None:
    for name, value in DEFAULTS.items():
        state.app.config.setdefault(name, value)


# The document -------------------------------------------------------------------------


def _openapi() -> Any:
    from libres.web.edge import polled  # noqa: PLC0415 - it would go round in a circle

    url = request.root_path + _prefix()
    return polled(document(url, sync=synchronisation.is_on(g.libres.context)))


def _prefix() -> str:
    return request.path.removesuffix("/openapi.json")


def document(url: str = "", *, sync: bool = False) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the API, which is at a URL; with *sync* that
    of synchronisation as well."""
    described = _described()
    paths = {
        path: verbs
        for path, verbs in described["paths"].items()
        if sync or not path.startswith(SYNC)
    }
    return {**described, "paths": paths, "servers": [{"url": url or "/"}]}


@cache
def _described() -> dict[str, Any]:
    """Make the document, wherever the API is: once, as that takes a while."""
    app = APIFlask("libres", title="libres", version=__version__, docs_path=None)
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        DESCRIPTION="Reserve things in time, never twice.",
        SECURITY_SCHEMES={
            "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "A key made by 'libres web key create'.",
            },
            "sync": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": f"A token that '{SYNC}auth/token/' gives.",
            },
            "sensor": {
                "type": "apiKey",
                "in": "header",
                "name": "X-Sensor-Key",
                "description": "The key that a sensor was added with.",
            },
        },
    )
    for child in api.BLUEPRINTS:
        app.register_blueprint(child)
    with app.app_context():
        found: dict[str, Any] = dict(app.spec)  # type: ignore[arg-type]
    _insist_on_bodies(found)
    return found


def _insist_on_bodies(document: dict[str, Any]) -> None:
    """Say that what takes a body needs one; APIFlask leaves that open."""
    for verbs in document["paths"].values():
        for operation in verbs.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
