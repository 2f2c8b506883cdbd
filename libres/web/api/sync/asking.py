"""Says who asks, and what: a token in the header, and a document that is read strictly.

Keys of the web edge and cookies count for nothing here.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from apiflask import APIBlueprint
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from libres.sync import Sync, counting
from libres.sync.errors import KeysMissing, NotSignedIn, RequestTooLarge
from libres.sync.keyring import keyring_of
from libres.sync.settings import Settings
from libres.sync.strict_json import read_json
from libres.web.actors import request_id
from libres.web.api.sync import refusing
from libres.web.api.sync.refusing import malformed
from libres.web.edge import edge
from libres.web.errors import NotFound

if TYPE_CHECKING:
    from marshmallow import Schema

    from libres.context.core import Context
    from libres.sync.values import Member

KIB: Final = 1024

SMALL: Final = 16 * KIB
"""Bytes that a request to sign in may have."""

NO_TOKEN: Final = "Say who you are: send a token as 'Authorization: Bearer TOKEN'."  # noqa: S105 - told


def is_on(context: Context) -> bool:
    """Tell whether anybody can sign in: the extra ``sync`` is there, and keys are."""
    if not _is_installed():
        return False
    try:
        keyring_of(context)
    except KeysMissing:
        return False
    return True


@cache
def _is_installed() -> bool:
    return find_spec("jwt") is not None


def synchronising(name: str) -> APIBlueprint:
    """Make the blueprint, whose errors have their own shape."""
    api = APIBlueprint(name, __name__, url_prefix="/api/sync", tag="Synchronisation")
    refusing.register(api)
    api.before_request(_begin)
    api.teardown_request(_end)
    return api


def _begin() -> None:
    """Call the request something, and find nothing while nobody can sign in."""
    request_id()
    if not is_on(edge().context):
        raise NotFound
    counting.begin()


def _end(_error: BaseException | None) -> None:
    counting.end()


def here() -> Sync:
    """Return the synchronisation of this context."""
    return Sync(edge().context)


def member() -> Member:
    """Return who asks, and count it. Raises NotSignedIn, NotPermitted for an
    organisation that the token is not for, TooManyRequests."""
    sent = token()
    organization = request.headers.get("X-Organization")
    with edge().reading():
        found = here().authenticate(sent, organization)
        here().count(found)
    return found


def token() -> str:
    """Return the token of the header. Raises NotSignedIn if there is none."""
    kind, _, sent = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not sent.strip():
        raise NotSignedIn(NO_TOKEN)
    return sent.strip()


def document() -> object:
    """Return what a member has sent. Raises MalformedRequest, RequestTooLarge."""
    settings = Settings(edge().context)
    with edge().reading():
        largest, deepest = settings.get("largest_body"), settings.get("deepest")
    return _read(largest, deepest)


def fitting(schema: Schema) -> dict[str, Any]:
    """Return what somebody has sent to sign in, if it is as a schema says. Raises
    MalformedRequest."""
    found: Any = _read(SMALL, 2)
    if wrong := schema.validate(found):
        raise malformed(wrong)
    loaded: dict[str, Any] = schema.load(found)
    return loaded


def _read(largest: int, deepest: int) -> object:
    """Read the body: not at all if it says that it is too large."""
    request.max_content_length = largest
    try:
        raw = request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise RequestTooLarge(limit=f"{largest} bytes") from error
    if raw and not request.is_json:
        raise UnsupportedMediaType
    return read_json(raw, deepest)
