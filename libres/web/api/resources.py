"""Resources: which there are, and what is free of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint
from marshmallow import fields, validates_schema

from libres.web.directory import Directory, Place, resources_of
from libres.web.documenting import documented
from libres.web.edge import Edge, edge, nothing, polled
from libres.web.fields import Moment, Query, Schema, Text, Whole, check_range
from libres.web.identity import MANAGE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from flask import Response

    from libres.db.models import Allocation


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


class Range(Query):
    """A time, half-open."""

    start = Moment(required=True, data_key="from", metadata={"format": "date-time"})
    end = Moment(required=True, data_key="to", metadata={"format": "date-time"})

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        check_range(data["start"], data["end"], edge().settings.longest_range)


class Partition(Schema):
    """A part of an allocation."""

    percent = fields.Float(required=True, metadata={"description": "Of its length."})
    free = fields.Boolean(required=True)


class Shown(Schema):
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
    allocations = fields.List(fields.Nested(Shown), required=True)


def blueprint() -> APIBlueprint:
    """Make the views."""
    api = APIBlueprint("resources", __name__, tag="Resources")

    @api.get("/resources")
    @documented(api, gives=Resources)
    def listed() -> Response:
        """List the resources."""
        here = edge()
        with here.reading():
            found = resources_of(here.context).all()
        return polled({"resources": [_resource(each) for each in found]})

    @api.put("/resources/<name>")
    @api.input(Described)
    @documented(api, 403, 413, 415, 422, scope=MANAGE, status=204)
    def put(name: str, json_data: dict[str, Any]) -> Response:
        """Add a resource, or change the one of this name."""
        here = edge()
        here.insist(MANAGE)
        names = tuple(json_data.pop("blocking_names"))
        place = Place(name=name, blocking_names=names, **json_data)
        here.write(lambda: Directory(here.context).put(place))
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

    return api


def _resource(place: Place) -> dict[str, object]:
    return {"name": place.name, "title": place.title, "timezone": place.timezone}


def calendar_of(
    here: Edge, name: str, start: datetime, end: datetime
) -> dict[str, object]:
    """Return the calendar of a resource. Raises NotFound. Two statements, or three."""
    with here.reading():
        scheduler = here.scheduler(name)
        found = list(scheduler.allocations_with_availability_by_range(start, end))
    return {
        "resource": name,
        "timezone": scheduler.timezone,
        "allocations": [
            _shown(allocation, availability, partitions)
            for allocation, availability, partitions in found
        ],
    }


def _shown(
    allocation: Allocation,
    availability: float,
    partitions: Iterable[tuple[float, bool]],
) -> dict[str, object]:
    return {
        "id": allocation.id,
        "start": allocation.display_start(),
        "end": allocation.display_end(),
        "quota": allocation.quota,
        "availability": availability,
        "partitions": [
            {"percent": percent, "free": not is_taken}
            for percent, is_taken in partitions
        ],
    }
