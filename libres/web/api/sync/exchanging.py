"""Pushing, pulling, and what there is to push and to pull."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libres.web.actors import request_id
from libres.web.api.sync import asking, schemas
from libres.web.api.sync.blueprint import api
from libres.web.api.sync.documenting import at, documented
from libres.web.edge import answer

if TYPE_CHECKING:
    from flask import Response

PUSHED = schemas.Pushed()


@at(api, "POST", "/push/")
@documented(
    takes=schemas.Push(),
    gives=PUSHED,
    also={207: PUSHED, 409: PUSHED, 422: PUSHED},
)
def push() -> Response:
    """Write what has changed on a device: each item is answered for itself, or, in mode
    'atomic', all are written or none.

    With '_op_id' an item can be sent again, and is written once. If others were faster,
    the answer has their row.
    """
    member = asking.member()
    sent = asking.document()
    found = asking.here().push(member, sent, request=request_id())
    return answer(found.body, found.http)


@at(api, "POST", "/pull/")
@documented(410, takes=schemas.Pull(), gives=schemas.Pulled())
def pull() -> Response:
    """Fetch what has changed since a cursor; without one, everything.

    While there is more, ask again with the cursor of the answer. It is kept until the
    rows are stored: with the same one the same rows come once more.
    """
    member = asking.member()
    sent = asking.document()
    found = asking.here().pull(member, sent, request=request_id())
    return answer(found.body)


@at(api, "GET", "/models/")
@documented(gives=schemas.DescribedModels())
def models() -> Response:
    """Describe the models that the caller may push or pull."""
    member = asking.member()
    return answer({"models": asking.here().describe(member)})
