"""The HTTP API: one file per kind of thing, and here the list of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libres.web.api import resources

if TYPE_CHECKING:
    from apiflask import APIBlueprint

_ALL = (resources,)


def blueprints() -> list[APIBlueprint]:
    """Make the blueprints of all files anew: one can be mounted once only."""
    return [each.blueprint() for each in _ALL]
