"""Answers paths that lead nowhere, in the shape of all errors here."""

from __future__ import annotations

from flask import Response

from libres.web.api.sync.blueprint import api
from libres.web.api.sync.documenting import VERBS
from libres.web.errors import NotFound


@api.route("/", defaults={"path": ""}, methods=sorted(VERBS))
@api.route("/<path:path>", methods=sorted(VERBS))
@api.doc(hide=True)
def nowhere(path: str) -> Response:  # noqa: ARG001 - whatever it is
    """Find nothing."""
    raise NotFound
