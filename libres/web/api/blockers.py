"""Blockers: times out of service. When they are is told to everybody; why, and by
which token they can be changed, to who may read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from apiflask import APIBlueprint
from marshmallow import fields

from libres.db.models import ReservationBlocker
from libres.web.api.reservations import DatesOrGroup, Listing, ShownTimes
from libres.web.documenting import documented
from libres.web.edge import answer, edge, nothing, polled
from libres.web.errors import NotFound
from libres.web.fields import Identifier, Paged, Schema, Span, Text
from libres.web.identity import MANAGE, READ
from libres.web.records import known, numbered, page_of, tell_blockers

if TYPE_CHECKING:
    from flask import Response

    from libres.db.scheduler import Scheduler
    from libres.web.edge import Edge
    from libres.web.records import Plain

LONGEST_REASON: Final = 1000
"""Characters."""


def _reason(**more: Any) -> Text:
    return Text(longest=LONGEST_REASON, allow_none=True, **more)


class BlockerWish(DatesOrGroup):
    """What is to be taken out of service."""

    reason = _reason(load_default=None)


class NewReason(Schema):
    """Why it is out of service."""

    reason = _reason(required=True)


class BlockerTime(Span):
    """When it is to be out of service."""


class ShownBlocker(ShownTimes):
    """A time that is out of service; to who may not read, no more than the time."""

    token = Identifier()
    id = fields.Integer()
    reason = fields.String(allow_none=True)
    group = Identifier(allow_none=True)


class ShownBlockers(Paged):
    """A page of blockers, the oldest first."""

    blockers = fields.List(fields.Nested(ShownBlocker), required=True)


class ShownBlockerToken(Schema):
    """What the token of blockers stands for."""

    token = Identifier(required=True)
    resource = fields.String(required=True)
    blockers = fields.List(fields.Nested(ShownBlocker), required=True)


ROOT: Final = "/resources/<name>/blockers"


api = APIBlueprint("blockers", __name__, tag="Blockers")


@api.get(ROOT)
@api.input(Listing, location="query")
@documented(api, 404, 422, gives=ShownBlockers)
def listed(name: str, query_data: dict[str, Any]) -> Response:
    """List what is out of service, the oldest record first."""
    here = edge()
    with here.reading():
        query = here.scheduler(name).managed_blockers()
        found, more = page_of(here, query, ReservationBlocker, query_data)
        told = tell_blockers(here.context, found, all_of_it=here.caller.may(READ))
    return polled({"blockers": told, "next": more})


@api.post(ROOT)
@api.input(BlockerWish)
@documented(
    api,
    403,
    404,
    409,
    413,
    415,
    422,
    503,
    gives=ShownBlockerToken,
    scope=MANAGE,
    status=201,
)
def block(name: str, json_data: dict[str, Any]) -> Response:
    """Take times or a group out of service: every place; 409 if one is taken."""
    here = edge()
    here.insist(MANAGE)
    return answer(_blocked(here, name, json_data), 201)


def _blocked(here: Edge, name: str, asked: dict[str, Any]) -> Plain:
    scheduler = here.scheduler(name)
    dates = [(each["start"], each["end"]) for each in asked.get("dates", ())]

    def block_and_tell() -> Plain:
        made = scheduler.add_blocker(dates or None, asked.get("group"), asked["reason"])
        return _of_token(scheduler, made[0].token)

    return here.write(block_and_tell)


def _of_token(scheduler: Scheduler, token: UUID) -> Plain:
    """Tell what a token stands for. Raises NotFound."""
    found = _found(scheduler, token)
    told = tell_blockers(scheduler.context, found, all_of_it=True)
    return {"token": token, "resource": scheduler.name, "blockers": told}


def _found(
    scheduler: Scheduler,
    token: UUID,
    id: int | None = None,  # noqa: A002 - as in the path
) -> list[ReservationBlocker]:
    """Read the blockers of a token. Raises NotFound if there are none."""
    query = scheduler.blockers_by_token(token, id)
    found = query.order_by(ReservationBlocker.id).all()
    if not found:
        raise NotFound
    return found


@api.patch(f"{ROOT}/<token>")
@api.input(NewReason)
@documented(api, 403, 404, 413, 415, 422, 503, gives=ShownBlockerToken, scope=MANAGE)
def explain(name: str, token: str, json_data: dict[str, Any]) -> Response:
    """Replace the reason of all blockers of a token."""
    reason = json_data["reason"]
    return answer(
        _changed(
            name,
            token,
            lambda scheduler, which: scheduler.change_blocker_reason(which, reason),
        )
    )


@api.patch(f"{ROOT}/<token>/<int:id>")
@api.input(BlockerTime)
@documented(
    api, 403, 404, 409, 413, 415, 422, 503, gives=ShownBlockerToken, scope=MANAGE
)
def move(
    name: str,
    token: str,
    id: int,  # noqa: A002 - as in the path
    json_data: dict[str, Any],
) -> Response:
    """Move a blocker within its allocation."""
    times = json_data["start"], json_data["end"]

    def change(scheduler: Scheduler, which: UUID) -> None:
        scheduler.change_blocker(which, numbered(id), *times)

    return answer(_changed(name, token, change))


def _changed(
    name: str, token: str, change: Callable[[Scheduler, UUID], object]
) -> Plain:
    """Change the blockers of a token, and tell of them. Raises NotFound."""
    here = edge()
    here.insist(MANAGE)
    scheduler, which = here.scheduler(name), known(token)

    def change_and_tell() -> Plain:
        _found(scheduler, which)
        change(scheduler, which)
        return _of_token(scheduler, which)

    return here.write(change_and_tell)


@api.delete(f"{ROOT}/<token>")
@documented(api, 403, 404, 503, scope=MANAGE, status=204)
def remove(name: str, token: str) -> Response:
    """Put what a token stands for back into service."""
    return _removed(name, token)


@api.delete(f"{ROOT}/<token>/<int:id>")
@documented(api, 403, 404, 503, scope=MANAGE, status=204)
def remove_one(
    name: str,
    token: str,
    id: int,  # noqa: A002 - as in the path
) -> Response:
    """Put the time of one blocker of a token back into service."""
    return _removed(name, token, id)


def _removed(
    name: str,
    token: str,
    id: int | None = None,  # noqa: A002 - as in the path
) -> Response:
    here = edge()
    here.insist(MANAGE)
    scheduler, which = here.scheduler(name), known(token)
    if id is not None:
        numbered(id)

    def remove_known() -> None:
        _found(scheduler, which, id)
        scheduler.remove_blocker(which, id)

    here.write(remove_known)
    return nothing()
