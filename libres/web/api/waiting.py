"""Waiting lists: who would like what is taken, in their turn.

Who joins is given an id, and whoever knows it may look how far they are, and leave.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from apiflask import APIBlueprint
from flask import url_for
from marshmallow import fields, validate

from libres.waiting import NotWaiting, UnknownEntry, WaitingList
from libres.web.api.reservations import Listing
from libres.web.documenting import documented
from libres.web.edge import (
    Edge,
    answer,
    cursor_of,
    cursor_values,
    edge,
    nothing,
    polled,
)
from libres.web.errors import InvalidRequest
from libres.web.fields import (
    Data,
    Email,
    Identifier,
    Moment,
    Paged,
    Schema,
    Span,
    Whole,
)
from libres.web.identity import BOOK, MANAGE, READ
from libres.web.records import known
from libres.web.rooms import room

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Response

    from libres.db.scheduler import Scheduler
    from libres.waiting import Entry
    from libres.web.records import Plain

LAST: Final = 2**63 - 1
"""Of the turns that there can be."""


class WaitingWish(Span):
    """What somebody would like to have once it is free."""

    email = Email(metadata={"description": "Missing: that of the caller."})
    places = Whole(least=1, load_default=1)
    data = Data(load_default=None, allow_none=True)
    until = Moment(
        load_default=None,
        allow_none=True,
        metadata={"description": "Null: until the time is over."},
    )


class ShownEntry(Schema):
    """How far somebody is who waits."""

    id = Identifier(required=True)
    resource = fields.String(required=True)
    status = fields.String(
        required=True, validate=validate.OneOf(("waiting", "served", "expired"))
    )
    position = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Among those who wait for the same time, from 1."},
    )
    start = Moment(required=True)
    end = Moment(required=True)
    places = fields.Integer(required=True)
    until = Moment(required=True)


class ShownWaiting(ShownEntry):
    """Somebody who waits, with all that is known of them."""

    email = fields.String(required=True)
    data = Data(required=True)
    created = Moment(required=True)


class ShownWaitingList(Paged):
    """A page of a waiting list, by turn."""

    entries = fields.List(fields.Nested(ShownWaiting), required=True)


class ServedToken(Schema):
    """What was reserved for who waited."""

    token = Identifier(required=True)


ROOT: Final = "/resources/<name>/waiting"


api = APIBlueprint("waiting", __name__, tag="Waiting lists")


@api.get(ROOT)
@api.input(Listing, location="query")
@documented(api, 403, 404, 422, gives=ShownWaitingList, scope=MANAGE)
def listed(name: str, query_data: dict[str, Any]) -> Response:
    """List who waits for a resource, or for a part of a time of it, by turn."""
    here = edge()
    here.insist(MANAGE)
    with here.reading(), room("waiting"):
        return polled(_page(here, here.scheduler(name), query_data))


@api.post(ROOT)
@api.input(WaitingWish)
@documented(
    api, 403, 404, 409, 413, 415, 422, 503, gives=ShownEntry, scope=BOOK, status=201
)
def join(name: str, json_data: dict[str, Any]) -> Response:
    """Wait for a time that is taken; what is free is refused by 409: reserve it.

    An address waits for a time once. Joining again keeps the turn, and what is said
    last counts; it is refused by 409 unless the address is that of the caller.
    """
    here = edge()
    here.insist(BOOK)
    wish = {**json_data, "email": _email(here, json_data)}
    wish["again"] = here.caller.may(MANAGE) or here.caller.has_email(wish["email"])
    joined = _written(here, name, partial(_join, wish=wish))
    at = url_for(".one", name=name, id=joined["id"])
    return answer(joined, 201, {"Location": at})


@api.get(f"{ROOT}/<id>")
@documented(api, 403, 404, gives=ShownEntry, scope=BOOK)
def one(name: str, id: str) -> Response:  # noqa: A002 - as in the path
    """Tell how far somebody is: to who may read, and to who has the id."""
    here = edge()
    if not here.caller.may(READ):
        here.insist(BOOK)
    with here.reading(), room("waiting"):
        queue, scheduler = WaitingList(here.context), here.scheduler(name)
        return polled(_shown(_entry(queue, scheduler, id), name))


@api.delete(f"{ROOT}/<id>")
@documented(api, 403, 404, 409, 503, scope=BOOK, status=204)
def leave(name: str, id: str) -> Response:  # noqa: A002 - as in the path
    """Wait no more; 409 for who was served: remove the reservation."""
    here = edge()
    here.insist(BOOK)
    _written(here, name, partial(_leave, id=id))
    return nothing()


@api.post(f"{ROOT}/<id>/serve")
@documented(api, 403, 404, 409, 422, 503, gives=ServedToken, scope=MANAGE, status=201)
def serve(name: str, id: str) -> Response:  # noqa: A002 - as in the path
    """Reserve for who waits; pending, if the allocation is approved manually."""
    here = edge()
    here.insist(MANAGE)
    return answer(_written(here, name, partial(_serve, id=id)), 201)


# What is done -------------------------------------------------------------------------


def _written(
    here: Edge, name: str, act: Callable[[WaitingList, Scheduler], Plain]
) -> Plain:
    """Do something with the waiting list of a resource, in a transaction."""
    queue, scheduler = WaitingList(here.context), here.scheduler(name)

    def write() -> Plain:
        with room("waiting"):
            return act(queue, scheduler)

    return here.write(write)


def _join(queue: WaitingList, scheduler: Scheduler, wish: dict[str, Any]) -> Plain:
    return _shown(queue.join(scheduler, **wish), str(scheduler.name))


def _leave(queue: WaitingList, scheduler: Scheduler, id: str) -> Plain:  # noqa: A002
    entry = _entry(queue, scheduler, id)
    if not queue.leave(entry.id):
        raise NotWaiting(id=entry.id, status=entry.status)
    return {}


def _serve(queue: WaitingList, scheduler: Scheduler, id: str) -> Plain:  # noqa: A002
    return {"token": queue.serve(scheduler, known(id))}


def _entry(queue: WaitingList, scheduler: Scheduler, id: str) -> Entry:  # noqa: A002
    """Return an entry of a resource. Raises NotFound, UnknownEntry."""
    entry = queue.entry(known(id))
    if entry.resource != scheduler.resource:
        raise UnknownEntry(id=entry.id)
    return entry


def _email(here: Edge, wish: Mapping[str, Any]) -> str:
    """Return the address of a request, or of who sent it. Raises InvalidRequest."""
    found: str | None = wish.get("email", here.caller.email)
    if found is None:
        raise InvalidRequest(errors={"email": ["Say who waits."]})
    return found


# What is shown ------------------------------------------------------------------------


def _page(here: Edge, scheduler: Scheduler, asked: Mapping[str, Any]) -> Plain:
    most = min(asked.get("limit", here.settings.page), here.settings.largest_page)
    after = cursor_values(asked["cursor"], _turn)[0] if "cursor" in asked else 0
    start, end = asked.get("start"), asked.get("end")
    queue, name = WaitingList(here.context), str(scheduler.name)
    found = queue.entries(scheduler, start, end, after=after, limit=most + 1)
    more = cursor_of(found[most - 1].turn) if len(found) > most else None
    return {"entries": [_known(each, name) for each in found[:most]], "next": more}


def _turn(value: Any) -> int:
    """Read a turn. Raises ValueError for one that nobody has."""
    found = int(value)
    if not 0 <= found <= LAST:
        message = f"{found} is no turn."
        raise ValueError(message)
    return found


def _shown(entry: Entry, name: str) -> Plain:
    told = ("id", "status", "position", "start", "end", "places", "until")
    return {"resource": name, **{each: getattr(entry, each) for each in told}}


def _known(entry: Entry, name: str) -> Plain:
    known_ = {"email": entry.email, "data": entry.data, "created": entry.created}
    return {**_shown(entry, name), **known_}
