"""Pushes a batch in the background, for somebody who does not wait for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from libres.sync import members
from libres.sync.errors import UnknownEntity
from libres.sync.pushing import PushAnswer, push

if TYPE_CHECKING:
    from libres.context.core import Context


def bulk(
    context: Context,
    user_id: str,
    organization_id: UUID,
    body: object,
    *,
    request: str | None = None,
) -> PushAnswer:
    """Push a batch for a member, as `libres.sync.Sync.push` does, and answer so.

    They are who acts, with the rights that they have when it runs. *request* is an id
    for the log and the changes; with it, each item has its effect once, however often
    the same batch is pushed under the same id.

    Raises UnknownEntity if the user is not there, not active or no member any more,
    and what `push` raises.
    """
    member = context.transaction(
        lambda: members.load(context, user_id, organization_id, None)
    )
    if member is None:
        raise UnknownEntity(kind="membership", name=user_id)
    return push(context, member, _repeatable(body, request), request)


def _repeatable(body: object, request: str | None) -> object:
    """Give ids to items that have none, so that they are known when they come again.

    What is no batch is left to `push`, which says what is wrong with it.
    """
    data = body.get("data") if isinstance(body, Mapping) else None
    if request is None or not isinstance(body, Mapping) or not isinstance(data, list):
        return body
    named = [_named(each, f"{request}:{at}") for at, each in enumerate(data)]
    return {**body, "data": named}


def _named(item: Any, op_id: str) -> Any:
    return {"_op_id": op_id, **item} if isinstance(item, Mapping) else item
