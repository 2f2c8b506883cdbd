"""Refuses bodies that cannot be read as JSON, before a view looks at them.

What they have to say is checked by their schema, afterwards.
"""

from __future__ import annotations

import json
from typing import Any

from flask import current_app, request
from marshmallow import Schema
from werkzeug.exceptions import BadRequest, UnsupportedMediaType


def check() -> None:
    """Check the body of a request, if its view reads one by a schema.

    Raises UnsupportedMediaType for what is not sent as JSON, BadRequest for what is
    none, RequestEntityTooLarge.
    """
    view = current_app.view_functions.get(request.endpoint or "")
    expected = getattr(view, "_spec", {}).get("body")
    if not isinstance(expected, Schema) or not (sent := request.get_data()):
        return
    if not request.is_json:
        message = "Send it as application/json."
        raise UnsupportedMediaType(message)
    read(sent)


def read(sent: bytes) -> Any:
    """Read JSON. Raises BadRequest, also for numbers that are too long, and lists that
    are too deep, to be read."""
    try:
        return json.loads(sent)
    except (ValueError, RecursionError) as error:
        message = "This is no JSON."
        raise BadRequest(message) from error
