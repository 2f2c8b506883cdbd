"""Allocations: what can be reserved of a resource, for those who manage it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from apiflask import APIBlueprint
from marshmallow import ValidationError, fields, validate, validates_schema
from sqlalchemy import tuple_

from libres.db import criteria
from libres.db.loading import WITHOUT_SLOTS
from libres.db.models import Allocation
from libres.db.scheduler import missing
from libres.domain.days import WEEKDAYS
from libres.domain.spans import stored_end
from libres.modules.errors import InvalidAllocationError
from libres.modules.rasterizer import VALID_RASTER
from libres.web.documenting import documented
from libres.web.edge import answer, cursor_of, cursor_values, edge, nothing
from libres.web.errors import NotFound
from libres.web.fields import (
    LARGEST,
    Data,
    Identifier,
    Moment,
    Page,
    Paged,
    Query,
    Schema,
    Span,
    Whole,
    check_range,
    moment_of,
)
from libres.web.identity import MANAGE, READ
from libres.web.ranges import Range

if TYPE_CHECKING:
    from flask import Response
    from sqlalchemy.orm import Query as Rows

    from libres.db.scheduler import Scheduler
    from libres.web.edge import Edge

FLAG: Final[dict[str, Any]] = {"truthy": {True}, "falsy": {False}}
"""True and false are words of JSON, and not others."""

MOST_DATES: Final = 1000
"""NewAllocations at once."""

MOST_PLACES: Final = 10_000
"""Of an allocation: more would be too many rows for one reservation."""


def check_moments(data: dict[str, Any], start: str = "start", end: str = "end") -> None:
    """Refuse a time of a request that is empty, reversed or too long."""
    check_range(data[start], data[end], edge().settings.longest_range, end)


class NewDates(Span):
    """A time to allocate, half-open."""

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        check_moments(data)


class NewAllocations(Schema):
    """What all allocations of a request have in common."""

    dates = fields.List(
        fields.Nested(NewDates),
        required=True,
        validate=validate.Length(min=1, max=MOST_DATES),
    )
    partly_available = fields.Boolean(load_default=False, **FLAG)
    raster = fields.Integer(
        strict=True,
        load_default=5,
        validate=validate.OneOf(VALID_RASTER),
        metadata={"description": "Minutes of a step."},
    )
    whole_day = fields.Boolean(
        load_default=False,
        **FLAG,
        metadata={"description": "Extend each time to whole days of the resource."},
    )
    quota = Whole(least=1, most=MOST_PLACES, load_default=1)
    quota_limit = Whole(
        most=MOST_PLACES,
        load_default=0,
        metadata={"description": "The most one reservation may take; 0: any number."},
    )
    grouped = fields.Boolean(load_default=False, **FLAG)
    data = Data(load_default=None, allow_none=True)
    approve_manually = fields.Boolean(load_default=False, **FLAG)
    skip_overlapping = fields.Boolean(load_default=False, **FLAG)


class ChangedAllocation(Schema):
    """What is to change of an allocation; what is left out stays."""

    start = Moment(metadata={"format": "date-time"})
    end = Moment(metadata={"format": "date-time"})
    whole_day = fields.Boolean(**FLAG)
    group = Identifier(metadata={"description": "A group to join."})
    quota = Whole(least=1, most=MOST_PLACES)
    quota_limit = Whole(most=MOST_PLACES)
    approve_manually = fields.Boolean(**FLAG)
    data = Data(allow_none=True)


class ListedRange(Page, Range):
    """A part of the allocations that touch a time."""


class Unwanted(Query):
    """A group; or a time, of which what nobody uses is removed."""

    group = Identifier()
    start = Moment(data_key="from", metadata={"format": "date-time"})
    end = Moment(data_key="to", metadata={"format": "date-time"})
    days = fields.List(
        fields.String(validate=validate.OneOf(tuple(WEEKDAYS))),
        metadata={"description": "Local weekdays; groups are left alone then."},
    )

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        if "group" in data and len(data) == 1:
            return
        if "group" in data or not {"start", "end"} <= data.keys():
            message = "Pass either a group, or from and to."
            raise ValidationError(message, "group")
        check_range(data["start"], data["end"], edge().settings.longest_range)


class ShownAllocation(Schema):
    """An allocation."""

    id = fields.Integer(required=True)
    start = Moment(required=True)
    end = Moment(required=True)
    quota = fields.Integer(required=True)
    quota_limit = fields.Integer(required=True)
    raster = fields.Integer(required=True)
    partly_available = fields.Boolean(required=True)
    whole_day = fields.Boolean(required=True)
    grouped = fields.Boolean(required=True)
    group = Identifier(required=True)
    approve_manually = fields.Boolean(required=True)
    data = Data(metadata={"description": "For those who may read."})


class Allocations(Schema):
    """Allocations."""

    allocations = fields.List(fields.Nested(ShownAllocation), required=True)


class PageOfAllocations(Allocations, Paged):
    """Some of the allocations, by start."""


class RemovedPlaces(Schema):
    """How many places were removed."""

    removed = fields.Integer(required=True)


api = APIBlueprint("allocations", __name__, tag="Allocations")


@api.get("/resources/<name>/allocations")
@api.input(ListedRange, location="query")
@documented(api, 404, 422, gives=PageOfAllocations)
def listed(name: str, query_data: dict[str, Any]) -> Response:
    """List the allocations that touch a time, by start."""
    here = edge()
    with here.reading():
        return answer(_page(here, here.scheduler(name), query_data))


@api.post("/resources/<name>/allocations")
@api.input(NewAllocations)
@documented(
    api,
    *(403, 404, 409, 413, 415, 422, 503),
    gives=Allocations,
    scope=MANAGE,
    status=201,
)
def allocate(name: str, json_data: dict[str, Any]) -> Response:
    """Allocate times, all or none.

    Sent again it is refused by 409, as the times are allocated then; so it needs no
    Idempotency-Key. With skip_overlapping what overlaps something is left out.
    """
    here = edge()
    here.insist(MANAGE)
    dates = [(each["start"], each["end"]) for each in json_data.pop("dates")]

    def write() -> list[dict[str, object]]:
        made = here.scheduler(name).allocate(dates, **json_data)
        is_grouped = json_data["grouped"] and len(made) > 1
        return [told(here, each, is_grouped=is_grouped) for each in made]

    return answer({"allocations": here.write(write)}, 201)


@api.delete("/resources/<name>/allocations")
@api.input(Unwanted, location="query")
@documented(api, 403, 404, 409, 422, 503, gives=RemovedPlaces, scope=MANAGE)
def remove_many(name: str, query_data: dict[str, Any]) -> Response:
    """Remove a group, or what nobody has reserved or blocked in a time.

    A group of which something is reserved is refused; with a time, what is reserved
    stays. Each place counts.
    """
    here = edge()
    here.insist(MANAGE)
    removed = here.write(lambda: _remove(here.scheduler(name), query_data))
    return answer({"removed": removed})


@api.get("/resources/<name>/allocations/<int:id>")
@documented(api, 404, gives=ShownAllocation)
def get(name: str, id: int) -> Response:  # noqa: A002 - as in the path
    """Tell of an allocation."""
    here = edge()
    with here.reading():
        return answer(_one(here, here.scheduler(name), id))


@api.patch("/resources/<name>/allocations/<int:id>")
@api.input(ChangedAllocation)
@documented(
    api, *(403, 404, 409, 413, 415, 422, 503), gives=ShownAllocation, scope=MANAGE
)
def change(name: str, id: int, json_data: dict[str, Any]) -> Response:  # noqa: A002 - as in the path
    """Move an allocation, or change its terms.

    Quota, limit and approval hold for its whole group.
    """
    here = edge()
    here.insist(MANAGE)

    def write() -> dict[str, object]:
        scheduler = here.scheduler(name)
        _move(scheduler, _master(here, scheduler, id)[0], json_data)
        return _one(here, scheduler, id)

    return answer(here.write(write))


@api.delete("/resources/<name>/allocations/<int:id>")
@documented(api, 403, 404, 409, 503, scope=MANAGE, status=204)
def remove(name: str, id: int) -> Response:  # noqa: A002 - as in the path
    """Remove an allocation that nobody has reserved."""
    here = edge()
    here.insist(MANAGE)

    def write() -> None:
        scheduler = here.scheduler(name)
        master, _ = _master(here, scheduler, id)
        scheduler.remove_allocation(master.id)

    here.write(write)
    return nothing()


# Reading ------------------------------------------------------------------------------


def _page(here: Edge, scheduler: Scheduler, asked: dict[str, Any]) -> dict[str, object]:
    """Return a page, and the cursor of the next one. Two statements."""
    limit = min(asked.get("limit", here.settings.page), here.settings.largest_page)
    touching = scheduler.allocations_in_range(asked["start"], stored_end(asked["end"]))
    query = _with_group(touching)
    key = Allocation._start, Allocation.id
    if "cursor" in asked:
        start, last = cursor_values(asked["cursor"], _moment, _small)
        query = query.filter(tuple_(*key) > tuple_(criteria.moment(start), last))
    rows = query.order_by(*key).limit(limit + 1).all()
    last_one = rows[limit - 1][0] if len(rows) > limit else None
    return {
        "allocations": [
            told(here, each, is_grouped=is_grouped)
            for each, is_grouped in rows[:limit]
            if may_see(here, scheduler, each)
        ],
        "next": None if last_one is None else cursor_of(last_one._start, last_one.id),
    }


def _moment(text: object) -> datetime:
    try:
        return moment_of(text)
    except ValidationError as error:
        raise ValueError from error


def _small(number: object) -> int:
    """Read an id. Raises ValueError."""
    if not isinstance(number, int) or abs(number) > LARGEST:
        raise ValueError
    return number


def _with_group(query: Rows[Allocation]) -> Rows[Any]:
    """Look up for each of some allocations whether it is reserved with others."""
    chosen = query.options(WITHOUT_SLOTS)
    return chosen.add_columns(criteria.shares_group())


def _master(here: Edge, scheduler: Scheduler, id: int) -> tuple[Allocation, bool]:  # noqa: A002 - the public name
    """Return a master, and whether it is reserved with others. Raises NotFound."""
    query = _with_group(scheduler.allocations_by_ids([id]))
    found = query.filter(criteria.is_master()).one_or_none()
    if found is None or not may_see(here, scheduler, found[0]):
        raise NotFound
    return found[0], found[1]


def _one(here: Edge, scheduler: Scheduler, id: int) -> dict[str, object]:  # noqa: A002 - the public name
    allocation, is_grouped = _master(here, scheduler, id)
    return told(here, allocation, is_grouped=is_grouped)


def may_see(here: Edge, scheduler: Scheduler, allocation: Allocation) -> bool:
    """Tell whether the caller may see an allocation: what the exposure hides is there
    for those who manage it."""
    return here.caller.may(MANAGE) or scheduler.is_allocation_exposed(allocation)


def told(here: Edge, allocation: Allocation, *, is_grouped: bool) -> dict[str, object]:
    """Tell of an allocation what the caller may know."""
    shown = {
        "id": allocation.id,
        "start": allocation.display_start(),
        "end": allocation.display_end(),
        "quota": allocation.quota,
        "quota_limit": allocation.quota_limit,
        "raster": allocation.raster,
        "partly_available": allocation.partly_available,
        "whole_day": allocation.whole_day,
        "grouped": is_grouped,
        "group": allocation.group,
        "approve_manually": allocation.approve_manually,
    }
    if here.caller.may(READ):
        shown["data"] = allocation.data or {}
    return shown


# Writing ------------------------------------------------------------------------------


def _move(scheduler: Scheduler, master: Allocation, wanted: dict[str, Any]) -> None:
    """Change what is given; the scheduler takes a time with everything."""
    start = wanted.get("start", master.display_start())
    end = wanted.get("end", master.display_end())
    if start >= end:
        raise InvalidAllocationError(start=start, end=end)
    scheduler.move_allocation(
        master.id,
        new_start=start,
        new_end=end,
        group=wanted.get("group"),
        new_quota=wanted.get("quota"),
        approve_manually=wanted.get("approve_manually"),
        quota_limit=wanted.get("quota_limit"),
        whole_day=wanted.get("whole_day"),
        data=wanted.get("data", missing),
    )


def _remove(scheduler: Scheduler, wanted: dict[str, Any]) -> int:
    """Return how many places were removed. Raises NotFound for an unknown group."""
    group = wanted.get("group")
    if group is None:
        days = wanted.get("days")
        return scheduler.remove_unused_allocations(wanted["start"], wanted["end"], days)
    number = scheduler.allocations_by_group(group, masters_only=False).count()
    if not number:
        raise NotFound
    scheduler.remove_allocation(groups=group)
    return number
