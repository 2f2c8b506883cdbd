"""Searching: what is left, what matches, what fits first, and what else would do."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final, get_args

from apiflask import APIBlueprint
from marshmallow import ValidationError, fields, validate, validates_schema

from libres.db.operations.fitting import (
    Fitting,
    alternatives,
    first_fitting,
    grouped,
)
from libres.domain.days import WEEKDAYS, to_zone
from libres.domain.search import Choice
from libres.domain.spans import stored_end
from libres.web.api.allocations import (
    FLAG,
    MOST_PLACES,
    ShownAllocation,
    check_moments,
    told,
)
from libres.web.clock import now_in
from libres.web.directory import resources_of
from libres.web.documenting import documented
from libres.web.edge import answer, edge
from libres.web.errors import InvalidRequest, NotFound
from libres.web.fields import Moment, Query, Schema, Span, Text, Whole, check_range
from libres.web.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from flask import Response

    from libres.db.models import Allocation
    from libres.db.scheduler import Scheduler
    from libres.web.directory import Place
    from libres.web.edge import Edge

DAY: Final = 24 * 60
"""Minutes: the longest that may be reserved at once."""

MOST_NAMES: Final = 500
"""Resources that a search may name; without names it looks at all."""

MOST_TOLD: Final = 10
"""Unknown names that are told."""

LONGEST_TIME: Final = 2
"""Days of a time that alternatives are looked for."""

_CHOICE: Final = validate.OneOf(get_args(Choice))

_CLOCK: Final = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")


class Clock(fields.Field[time]):
    """A local time of day: 09:00; 00:00 as an end is midnight."""

    def __init__(self, **more: Any) -> None:
        described = {"type": "string", "pattern": f"^{_CLOCK.pattern}$"}
        super().__init__(metadata=described, **more)

    def _deserialize(self, value: object, *_args: Any, **_more: Any) -> time:
        if isinstance(value, str) and _CLOCK.fullmatch(value):
            return time.fromisoformat(value)
        message = "A time of day is from 00:00 to 23:59."
        raise ValidationError(message)


def _weekdays() -> fields.List[str]:
    return fields.List(
        fields.String(validate=validate.OneOf(tuple(WEEKDAYS))),
        load_default=(),
        metadata={"description": "Local weekdays; none: any."},
    )


class AllocationSearch(Span):
    """What allocations are searched."""

    days = _weekdays()
    minspots = Whole(most=MOST_PLACES, load_default=0)
    available_only = fields.Boolean(load_default=False, **FLAG)
    whole_day = fields.String(load_default="any", validate=_CHOICE)
    groups = fields.String(load_default="any", validate=_CHOICE)
    strict = fields.Boolean(load_default=False, **FLAG)
    limit = Whole(least=1, most=500)

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        check_moments(data)


class WantedTime(Span):
    """What has to fit, and when."""

    resources = fields.List(
        Text(shortest=1),
        allow_none=True,
        load_default=None,
        validate=validate.Length(max=MOST_NAMES),
        metadata={"description": "Names; null: all resources."},
    )
    duration = Whole(
        least=5, most=DAY, required=True, metadata={"description": "Minutes."}
    )
    days = _weekdays()
    from_time = Clock(allow_none=True, load_default=None)
    to_time = Clock(allow_none=True, load_default=None)
    places = Whole(least=1, most=MOST_PLACES, load_default=1)
    limit = Whole(least=1, most=500, load_default=10)

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        check_moments(data)


class Taken(Query):
    """A time that is not free, and how many places of it were wanted."""

    start = Moment(required=True, metadata={"format": "date-time"})
    end = Moment(required=True, metadata={"format": "date-time"})
    places = Whole(least=1, most=MOST_PLACES, load_default=1, strict=False)
    limit = Whole(least=1, most=50, load_default=5, strict=False)

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        check_range(data["start"], data["end"], LONGEST_TIME, "end")


class Availability(Schema):
    """How much is left."""

    availability = fields.Float(required=True, metadata={"description": "Percent."})


class FoundAllocation(ShownAllocation):
    """An allocation, and how much of it is left."""

    availability = fields.Float(required=True, metadata={"description": "Percent."})
    extra = fields.Boolean(
        required=True,
        metadata={"description": "Whether it is there for its group only."},
    )


class FoundAllocations(Schema):
    """Allocations that match, by start."""

    allocations = fields.List(fields.Nested(FoundAllocation), required=True)
    more = fields.Boolean(
        required=True, metadata={"description": "Whether the limit left some out."}
    )


class FittingTime(Schema):
    """A time that can be reserved as it is."""

    resource = fields.String(required=True)
    start = Moment(required=True)
    end = Moment(required=True)
    places_left = fields.Integer(required=True)
    approve_manually = fields.Boolean(required=True)


class FittingTimes(Schema):
    """The first times that fit, by start."""

    spans = fields.List(fields.Nested(FittingTime), required=True)


class Alternatives(Schema):
    """What else would do."""

    here = fields.List(
        fields.Nested(FittingTime),
        required=True,
        metadata={"description": "The same day first, then within a week."},
    )
    elsewhere = fields.List(
        fields.Nested(FittingTime),
        required=True,
        metadata={"description": "Other resources at the same time."},
    )


api = APIBlueprint("search", __name__, tag="Search")


@api.get("/resources/<name>/availability")
@api.input(Range, location="query")
@documented(api, 404, 422, gives=Availability)
def availability(name: str, query_data: dict[str, Any]) -> Response:
    """Tell how much of what is allocated in a time is left."""
    here = edge()
    with here.reading():
        scheduler = here.scheduler(name)
        left = scheduler.availability(query_data["start"], query_data["end"])
    return answer({"availability": left})


@api.post("/resources/<name>/search")
@api.input(AllocationSearch)
@documented(api, 404, 413, 415, 422, gives=FoundAllocations)
def search(name: str, json_data: dict[str, Any]) -> Response:
    """Search allocations by time of day, weekday, and what is left of them.

    Their times overlap the times of day of start and end, which are those in the
    zone of the resource, on each day.
    """
    here = edge()
    most = here.settings.largest_page
    limit = min(json_data.pop("limit", here.settings.page), most)
    with here.reading():
        return answer(_matches(here, here.scheduler(name), json_data, limit))


@api.post("/search")
@api.input(WantedTime)
@documented(api, 413, 415, 422, gives=FittingTimes)
def first(json_data: dict[str, Any]) -> Response:
    """Find the first times that fit, of some resources or of all.

    All of a time lies between the times of day, and on the raster of what is
    allocated. What is reserved as a whole is offered as a whole.
    """
    here = edge()
    with here.reading():
        places = _chosen(here, json_data["resources"])
        found = _first(here, places, json_data)
    return answer({"spans": [fitted(each) for each in found]})


@api.get("/resources/<name>/alternatives")
@api.input(Taken, location="query")
@documented(api, 404, 422, gives=Alternatives)
def others(name: str, query_data: dict[str, Any]) -> Response:
    """Find what else would do, if a time is taken: of the same length, or then."""
    here = edge()
    with here.reading():
        return answer(alternatives_of(here, name, **query_data))


# Matches ------------------------------------------------------------------------------


def _matches(
    here: Edge, scheduler: Scheduler, wanted: dict[str, Any], limit: int
) -> dict[str, object]:
    start, end = (
        to_zone(each, scheduler.timezone)
        for each in (wanted.pop("start"), stored_end(wanted.pop("end")))
    )
    found = scheduler.search_allocations(start, end, **wanted)
    return {
        "allocations": list(_with_availability(here, scheduler, found[:limit])),
        "more": len(found) > limit,
    }


def _with_availability(
    here: Edge, scheduler: Scheduler, found: Sequence[Allocation]
) -> Iterator[dict[str, object]]:
    """Tell of allocations, with what is left of them. Two statements."""
    in_group = grouped(scheduler.session, [each.id for each in found])
    shown = scheduler.queries.availability_and_partitions_by_allocations(
        found, scheduler.resource, scheduler.blocking_resources
    )
    for allocation, left, _ in shown:
        yield {
            **told(here, allocation, is_grouped=allocation.id in in_group),
            "availability": left,
            "extra": getattr(allocation, "is_extra_result", False),
        }


# What fits ----------------------------------------------------------------------------


def _chosen(here: Edge, names: Sequence[str] | None) -> list[Place]:
    """Return the resources of these names, in their order; None: all.

    Raises InvalidRequest for a name that is none's.
    """
    all_ = {each.name: each for each in resources_of(here.context).all()}
    if names is None:
        return [*all_.values()]
    unknown = [f"There is no resource {each!r}." for each in names if each not in all_]
    if unknown:
        raise InvalidRequest(errors={"resources": unknown[:MOST_TOLD]})
    return [all_[name] for name in dict.fromkeys(names)]


def _first(
    here: Edge, places: Iterable[Place], wanted: dict[str, Any]
) -> list[Fitting]:
    return first_fitting(
        [each.scheduler(here.context) for each in places],
        timedelta(minutes=wanted["duration"]),
        wanted["start"],
        wanted["end"],
        places=wanted["places"],
        days=wanted["days"],
        begins=wanted["from_time"],
        ends=wanted["to_time"],
        limit=wanted["limit"],
    )


def alternatives_of(
    here: Edge,
    name: str,
    start: datetime,
    end: datetime,
    places: int = 1,
    limit: int = 5,
) -> dict[str, object]:
    """Return what else would do, if a time of a resource is taken. Raises NotFound.

    Five statements. What lies in the past is left out, unless the time does so, too.
    """
    all_ = [each.scheduler(here.context) for each in resources_of(here.context).all()]
    scheduler = next((each for each in all_ if each.name == name), None)
    if scheduler is None:
        raise NotFound
    found = alternatives(
        scheduler,
        start,
        end,
        others=[each for each in all_ if each is not scheduler],
        places=places,
        now=now_in(scheduler.timezone),
        limit=limit,
    )
    return {
        "here": [fitted(each) for each in found.here],
        "elsewhere": [fitted(each) for each in found.elsewhere],
    }


def fitted(found: Fitting) -> dict[str, object]:
    """Tell of a time that fits."""
    return {
        "resource": found.name,
        "start": found.start,
        "end": found.end,
        "places_left": found.places_left,
        "approve_manually": found.approve_manually,
    }
