"""The pages: one file per page, and here the list of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import g, request
from flask_wtf.csrf import generate_csrf

from libres.version import __version__

if TYPE_CHECKING:
    from flask import Blueprint

_ALL: tuple[Any, ...] = ()


def blueprints() -> list[Blueprint]:
    """Make the blueprints of all pages anew: one can be mounted once only."""
    return [each.blueprint() for each in _ALL]


def known() -> dict[str, Any]:
    """Return what every template knows."""
    return {
        "here": g.get("libres"),
        "csrf_token": generate_csrf,
        "version": __version__,
        "path": request.path,
    }
