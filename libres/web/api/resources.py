"""Resources: which there are, and what is free of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint
from marshmallow import fields

from libres.db.operations.availability import drawn
from libres.domain.days import to_zone
from libres.domain.spans import stored_end
from libres.web.directory import Directory, Place, resources_of
from libres.web.documenting import documented
from libres.web.edge import Edge, edge, nothing, polled
from libres.web.errors import NotAllowed
from libres.web.fields import Moment, Schema, Text, Whole
from libres.web.identity import MANAGE
from libres.web.ranges import Range

if TYPE_CHECKING:
    from datetime import datetime

    from flask import Response

    from libres.db.operations.availability import Drawn


class Resource(Schema):
    """A resource."""

    name = fields.String(required=True)
    title = fields.String(required=True)
    timezone = fields.String(required=True)


class Resources(Schema):
    """All resources, in the order in which they are shown."""

    resources = fields.List(fields.Nested(Resource), required=True)


class Described(Schema):
    """How a resource is shown, and what belongs to its scheduler."""

    title = Text(shortest=1, required=True)
    timezone = Text(shortest=1, required=True)
    blocking_names = fields.List(Text(shortest=1), load_default=())
    position = Whole(least=-10_000, most=10_000, load_default=0)


class Partition(Schema):
    """A part of an allocation."""

    percent = fields.Float(required=True, metadata={"description": "Of its length."})
    free = fields.Boolean(required=True)


class CalendarAllocation(Schema):
    """An allocation, and how much of it is left."""

    id = fields.Integer(required=True)
    start = Moment(required=True)
    end = Moment(required=True)
    quota = fields.Integer(required=True)
    availability = fields.Float(required=True, metadata={"description": "Percent."})
    partitions = fields.List(fields.Nested(Partition), required=True)


class Calendar(Schema):
    """What is allocated of a resource in a time, by start."""

    resource = fields.String(required=True)
    timezone = fields.String(required=True)
    allocations = fields.List(fields.Nested(CalendarAllocation), required=True)


api = APIBlueprint("resources", __name__, tag="Resources")


@api.get("/resources")
@documented(api, gives=Resources)
def listed() -> Response:
    """List the resources."""
    here = edge()
    with here.reading():
        found = resources_of(here.context).all()
    return polled({"resources": [_resource(each) for each in found]})


@api.get("/resources/<name>")
@documented(api, 404, gives=Resource)
def get(name: str) -> Response:
    """Tell of a resource."""
    return polled(_resource(edge().place(name)))


@api.put("/resources/<name>")
@api.input(Described)
@documented(api, 403, 413, 415, 422, 503, scope=MANAGE, status=204)
def put(name: str, json_data: dict[str, Any]) -> Response:
    """Add a resource, or change the one of this name.

    The timezone of one with allocations must not change.
    """
    here = edge()
    here.insist(MANAGE)
    names = tuple(json_data.pop("blocking_names"))
    place = Place(name=name, blocking_names=names, **json_data)
    here.write(lambda: _directory(here).put(place))
    return nothing()


@api.delete("/resources/<name>")
@documented(api, 403, 404, 503, scope=MANAGE, status=204)
def remove(name: str) -> Response:
    """Take a resource off the list.

    What is allocated and reserved of it remains, and is there again if a resource
    of this name is added.
    """
    here = edge()
    here.insist(MANAGE)

    def write() -> None:
        _directory(here).named(name)
        _directory(here).remove(name)

    here.write(write)
    return nothing()


@api.get("/resources/<name>/calendar")
@api.input(Range, location="query")
@documented(api, 404, 422, gives=Calendar)
def calendar(name: str, query_data: dict[str, Any]) -> Response:
    """Tell what is allocated in a time, and which parts of it are free.

    Whose times are taken is not told. Answers 304 to what has not changed.
    """
    here = edge()
    return polled(calendar_of(here, name, query_data["start"], query_data["end"]))


def _directory(here: Edge) -> Directory:
    """Return the list that can be changed. Raises NotAllowed if the host keeps it."""
    found = resources_of(here.context)
    if not isinstance(found, Directory):
        reason = "The application keeps the list of resources: change it there."
        raise NotAllowed(reason)
    return found


def _resource(place: Place) -> dict[str, object]:
    return {"name": place.name, "title": place.title, "timezone": place.timezone}


def calendar_of(
    here: Edge, name: str, start: datetime, end: datetime
) -> dict[str, object]:
    """Return the calendar of a resource. Raises NotFound. Two statements, or three."""
    with here.reading():
        scheduler = here.scheduler(name)
        last = stored_end(end)
        found = drawn(
            scheduler, start, last, scheduler.resource, scheduler.blocking_resources
        )
        allocations = [_shown(each, scheduler.timezone) for each in found]
    return {
        "resource": name,
        "timezone": scheduler.timezone,
        "allocations": allocations,
    }


def _shown(drawn: Drawn, timezone: str) -> dict[str, object]:
    master, percent, partitions = drawn
    return {
        "id": master.id,
        "start": to_zone(master.span.start, timezone),
        "end": to_zone(master.span.end, timezone),
        "quota": master.quota,
        "availability": percent,
        "partitions": [
            {"percent": share, "free": not is_taken} for share, is_taken in partitions
        ],
    }
