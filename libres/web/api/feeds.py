"""Calendar feeds: made and revoked by who manages, read by who knows the address."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request, url_for
from marshmallow import fields, validate

from libres.db.models.timestamp import TimestampMixin
from libres.web.documenting import documented
from libres.web.edge import answer, cursor_of, cursor_values, edge, nothing
from libres.web.feeds import Feeds, ics
from libres.web.feeds.values import KINDS, LEVELS
from libres.web.fields import (
    Flag,
    Moment,
    Page,
    Query,
    Schema,
    Text,
    moment_of,
)
from libres.web.identity import MANAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from libres.web.feeds import Feed

TYPE: Final = "text/calendar"
FILE: Final[dict[str, str]] = {"type": "string"}
"""An iCalendar object, as the document has it."""


class Wanted(Schema):
    """What a feed shall tell of."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    name = Text(
        shortest=1,
        longest=254,
        required=True,
        metadata={"description": "Of a resource or a subject, or the e-mail."},
    )
    level = fields.String(load_default="busy", validate=validate.OneOf(LEVELS))


class Made(Schema):
    """A new feed; who has its address reads it, and it is not shown again."""

    id = fields.UUID(required=True)
    url = fields.String(required=True)
    secret = fields.String(required=True)


class Shown(Schema):
    """A feed."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True)
    name = fields.String(required=True)
    level = fields.String(required=True)
    created = Moment(required=True, metadata={"format": "date-time"})
    revoked = Moment(required=True, allow_none=True, metadata={"format": "date-time"})


class Listed(Schema):
    """A page of feeds, the oldest first."""

    feeds = fields.List(fields.Nested(Shown), required=True)
    next = fields.String(required=True, allow_none=True)


class How(Query):
    """How a feed is told."""

    freebusy = Flag(
        load_default=False, metadata={"description": "Only when it is busy."}
    )


api = APIBlueprint("feeds", __name__, tag="Feeds")


@api.post("/feeds")
@api.input(Wanted)
@documented(api, 403, 404, 413, 415, 422, 503, gives=Made, scope=MANAGE, status=201)
def make(json_data: dict[str, Any]) -> Response:
    """Make a feed of a resource, a person or a subject."""
    here = edge()
    here.insist(MANAGE)
    made = here.write(lambda: Feeds(here.context).make(**json_data))
    url = url_for(".calendar", secret=made.secret, _external=True)
    return answer({"id": made.id, "url": url, "secret": made.secret}, 201)


@api.get("/feeds")
@api.input(Page, location="query")
@documented(api, 403, 422, gives=Listed, scope=MANAGE)
def listed(query_data: dict[str, Any]) -> Response:
    """List the feeds; what opens them is not told."""
    here = edge()
    here.insist(MANAGE)
    limit = min(query_data.get("limit", here.settings.page), here.settings.largest_page)
    after = _after(query_data.get("cursor"))
    with here.reading():
        found = Feeds(here.context).page(limit + 1, after)
    return answer(_page(found, limit))


@api.delete("/feeds/<uuid:id>")
@documented(api, 403, 404, 503, scope=MANAGE, status=204)
def revoke(id: UUID) -> Response:  # noqa: A002 - as in the path
    """Let a feed tell nothing from now on."""
    here = edge()
    here.insist(MANAGE)
    here.write(lambda: Feeds(here.context).revoke(id))
    return nothing()


@api.get("/feeds/<secret>.ics")
@api.input(How, location="query")
@documented(api, 404, 422, gives=FILE, media_type=TYPE)
def calendar(secret: str, query_data: dict[str, Any]) -> Response:
    """Tell of reservations as events, to whatever calendar knows the address.

    Removed ones are told as cancelled for 90 days.
    """
    return _busy(secret) if query_data["freebusy"] else _events(secret)


@api.get("/feeds/<secret>.ifb")
@documented(api, 404, gives=FILE, media_type=TYPE)
def freebusy(secret: str) -> Response:
    """Tell only when it is busy."""
    return _busy(secret)


def _after(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    created, last = cursor_values(cursor, moment_of, UUID)
    return created, last


def _page(found: list[Feed], limit: int) -> dict[str, object]:
    shown = found[:limit]
    is_more = len(found) > limit
    return {
        "feeds": [_shown(each) for each in shown],
        "next": cursor_of(shown[-1].created, shown[-1].id) if is_more else None,
    }


def _shown(feed: Feed) -> dict[str, object]:
    return {name: getattr(feed, name) for name in feed.__slots__}


# Reading ------------------------------------------------------------------------------


def _events(secret: str) -> Response:
    here = edge()
    with here.reading():
        found = Feeds(here.context).calendar(secret)
    return _file(found.etag, lambda: ics.written(found), found.settled(_now()))


def _busy(secret: str) -> Response:
    here = edge()
    with here.reading():
        found = Feeds(here.context).freebusy(secret)
    return _file(found.etag, lambda: ics.written_freebusy(found), None)


def _now() -> datetime:
    return TimestampMixin.timestamp()


def _file(etag: str, write: Callable[[], bytes], modified: datetime | None) -> Response:
    """Answer with a file, or by 304 if the caller has it: then nothing is written."""
    if is_known(etag, modified):
        response = Response(status=304)
    else:
        response = Response(write(), content_type=f"{TYPE}; charset=utf-8")
        response.headers["Content-Disposition"] = "inline"
    response.set_etag(etag)
    if modified is not None:
        response.last_modified = modified
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def is_known(etag: str, modified: datetime | None) -> bool:
    """Tell whether the caller of this request has what it asks for.

    A date counts only if it is the one that was told: what began earlier may have been
    committed later.
    """
    if request.if_none_match:
        return request.if_none_match.contains_weak(etag)
    since = request.if_modified_since
    return since is not None and since == modified
