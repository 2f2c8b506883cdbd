"""Conflicts: would it collide with what is claimed already, and claims themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from marshmallow import ValidationError, fields, validate, validates_schema

from libres.conflicts import Claim, Claims, ConflictError, NumericSpan, Proposal
from libres.conflicts.passing import BATCH
from libres.conflicts.values import LONGEST_NAME
from libres.web.api.specified import insist_on_one, specified
from libres.web.documenting import documented
from libres.web.edge import Edge, answer, edge
from libres.web.errors import TooLarge
from libres.web.fields import (
    Data,
    Flag,
    Moment,
    Problem,
    Query,
    Schema,
    Text,
    Whole,
    check_range,
    check_text,
)
from libres.web.identity import BOOK, MANAGE, READ
from libres.web.problems import problem_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Response

    from libres.conflicts.asking import Answer

LARGEST_ID: Final = 2**63 - 1

LONGEST_CLAIM: Final = 36_600
"""Days."""

MOST_RESULTS: Final = BATCH
"""Proposals of one request."""


class Key(fields.Field[str]):
    """The primary key of a record: a text, or a whole number."""

    def __init__(self) -> None:
        kinds = {"type": ["string", "integer"], "maxLength": LONGEST_NAME}
        super().__init__(load_default=None, metadata=kinds)

    def _deserialize(self, value: object, *_args: Any, **_more: Any) -> str:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if is_number and abs(value) <= LARGEST_ID:  # type: ignore[arg-type]
            return str(value)
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_NAME:
            message = "A text that is not empty, or a whole number, is expected."
            raise ValidationError(message)
        check_text(value)
        return value


class Number(fields.Float):
    """A number as it is; in JSON, "1" is none."""

    def _validated(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            message = "Not a number."
            raise ValidationError(message)
        return value


class Inclusive(Schema):
    """Which ends belong to a range; in a request both do, unless it says otherwise."""

    lower_inclusive = Flag(load_default=True)
    upper_inclusive = Flag(load_default=True)


class NumberRange(Schema):
    """Numbers; null is an open end."""

    lower = Number(required=True, allow_none=True)
    upper = Number(required=True, allow_none=True)
    bounds = fields.Nested(Inclusive, load_default=None)


class TimeRange(Schema):
    """A time; null is an open end."""

    lower = Moment(required=True, allow_none=True)
    upper = Moment(required=True, allow_none=True)
    bounds = fields.Nested(Inclusive, required=True)


# What is asked ------------------------------------------------------------------------


class Asked(Schema):
    """What somebody wants to have.

    *source_app* and *id* name the record that is being changed: it is not in its own
    way. *equipment_serial* is what older clients call *resource_id*.
    """

    resource_id = Text(shortest=1, longest=LONGEST_NAME)
    equipment_serial = Text(shortest=1, longest=LONGEST_NAME)
    start_time = Moment(required=True, metadata={"format": "date-time"})
    end_time = Moment(required=True, metadata={"format": "date-time"})
    integer_range = fields.Nested(NumberRange, load_default=None)
    arbitrary_dims = Data(load_default=None)
    source_app = Text(shortest=1, longest=LONGEST_NAME, load_default=None)
    id = Key()

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        named = {data.get(name) for name in ("resource_id", "equipment_serial")}
        if len(named - {None}) != 1:
            message = "Name one resource."
            raise ValidationError(message, "resource_id")
        longest = self._longest()
        check_range(data["start_time"], data["end_time"], longest, "end_time")
        if data["id"] is not None and data["source_app"] is None:
            message = "An id belongs to a source: say which."
            raise ValidationError(message, "source_app")

    def _longest(self) -> int:
        return edge().settings.longest_range


class Claimed(Asked):
    """What somebody takes: for a record of a source, or for itself.

    A record that has claimed something already has this instead.
    """

    source_object_id = Key()
    part = Whole(load_default=0)
    exclusive = Flag(load_default=True)
    capacity = Whole(least=1, load_default=None)
    places = Whole(least=1, load_default=1)
    tentative = Flag(load_default=False)
    expires = Moment(load_default=None, metadata={"format": "date-time"})
    label = Text(longest=1000, load_default=None)
    url = fields.String(
        load_default=None,
        validate=[
            validate.Length(max=2000),
            validate.Regexp(r"^https?://", error="It begins with https://."),
            check_text,
        ],
    )

    @validates_schema
    def _check_record(self, data: dict[str, Any], **_more: Any) -> None:
        ids = {data["id"], data["source_object_id"]} - {None}
        if len(ids) != (data["source_app"] is not None):
            message = "A source and the id of its record belong together."
            raise ValidationError(message, "source_object_id")

    def _longest(self) -> int:
        return LONGEST_CLAIM


class Batch(Schema):
    """Proposals, 1,000 at most."""

    proposals = fields.List(
        fields.Nested(Asked), required=True, validate=validate.Length(min=1)
    )


class ClaimsAsked(Query):
    """Of a resource, or of a time, or both."""

    resource = Text(shortest=1, longest=LONGEST_NAME)
    start = Moment(data_key="from", metadata={"format": "date-time"})
    end = Moment(data_key="to", metadata={"format": "date-time"})
    after = Text(longest=500, metadata={"description": "'next' of the page before."})
    limit = Whole(least=1, most=500, strict=False)

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        if "start" not in data and "end" not in data:
            return
        if "start" not in data or "end" not in data:
            message = "A time has both ends."
            raise ValidationError(message, "from" if "end" in data else "to")
        check_range(data["start"], data["end"], LONGEST_CLAIM)


# What is answered ---------------------------------------------------------------------


class Item(Schema):
    """A claim; without the scope read only that it is busy, and when."""

    busy = fields.Boolean()
    temporal_range = fields.Nested(TimeRange, required=True, allow_none=True)
    id = fields.Integer()
    resource_id = fields.String()
    integer_range = fields.Nested(NumberRange, allow_none=True)
    arbitrary_dims = fields.Dict(keys=fields.String(), allow_none=True)
    source_app = fields.String()
    source_object_id = fields.String()
    tentative = fields.Boolean()


class Result(Schema):
    """What is in the way of a proposal: claims, and other proposals by their index."""

    index = fields.Integer(required=True)
    conflicts = fields.List(fields.Nested(Item), required=True)
    within = fields.List(fields.Integer(), required=True)


class Results(Schema):
    """What is in the way of each proposal, in their order."""

    results = fields.List(fields.Nested(Result), required=True)


class ClaimsPage(Schema):
    """Claims by start, and where to go on."""

    claims = fields.List(fields.Nested(Item), required=True)
    next = fields.String(required=True, allow_none=True)


class Conflicted(Problem):
    """Somebody was first."""

    conflicts = fields.List(fields.Nested(Item), required=True)


# Views --------------------------------------------------------------------------------


api = specified("conflicts", "Conflicts")


@api.post("/conflicts/check")
@api.input(Asked)
@documented(api, 403, 404, 413, 415, gives=Item(many=True), scope=READ)
def check(json_data: dict[str, Any]) -> Response:
    """Tell which claims are in the way of a proposal; none: it is free.

    True for this moment only: to have it, claim it.
    """
    here = edge()
    insist_on_one(here, READ, BOOK)
    with here.reading():
        found = _claims(here).check(_proposal(json_data))
    return answer(_items(here, found))


@api.post("/conflicts/check-batch")
@api.input(Batch)
@documented(api, 403, 404, 413, 415, gives=Results, scope=READ)
def check_batch(json_data: dict[str, Any]) -> Response:
    """Tell what is in the way of each of some proposals, the others included."""
    here = edge()
    insist_on_one(here, READ, BOOK)
    proposals = json_data["proposals"]
    if len(proposals) > MOST_RESULTS:
        message = f"There are more than {MOST_RESULTS:,} proposals: send less."
        raise TooLarge(message)
    with here.reading():
        found = _claims(here).check_many(map(_proposal, proposals))
    return answer({"results": [_result(here, each) for each in found]})


@api.post("/conflicts/claims")
@api.input(Claimed)
@documented(
    api,
    *(403, 404, 413, 415, 503),
    gives=Item,
    scope=MANAGE,
    status=201,
    also={409: Conflicted},
)
def claim(json_data: dict[str, Any]) -> Response:
    """Claim a resource for a time, if nobody was first."""
    here = edge()
    here.insist(MANAGE)
    proposal = _taken(json_data)
    try:
        made = here.write(lambda: _claims(here).claim(proposal))
    except ConflictError as error:
        return problem_of(error, conflicts=_items(here, error.conflicts))
    return answer(_item(here, made), 201)


@api.get("/conflicts/claims")
@api.input(ClaimsAsked, location="query")
@documented(api, 403, 404, gives=ClaimsPage, scope=READ)
def listed(query_data: dict[str, Any]) -> Response:
    """List the claims of a resource, or of a time, by start."""
    here = edge()
    insist_on_one(here, READ, BOOK)
    limit = query_data.get("limit", here.settings.page)
    most = min(limit, here.settings.largest_page)
    with here.reading():
        query = _claims(here).query()
        if "resource" in query_data:
            query = query.resource(query_data["resource"])
        if "start" in query_data:
            query = query.during(query_data["start"], query_data["end"])
        page = query.page(most, query_data.get("after"))
    return answer({"claims": _items(here, page.claims), "next": page.next})


# Reading what is asked ----------------------------------------------------------------


def _claims(here: Edge) -> Claims:
    return Claims(here.context)


def _proposal(asked: dict[str, Any]) -> Proposal:
    """Make what is asked. A source without an id has no record yet."""
    return Proposal(
        **_wanted(asked),
        source=asked["source_app"] if asked["id"] is not None else None,
        source_id=asked["id"],
    )


def _taken(asked: dict[str, Any]) -> Proposal:
    names = ("part", "exclusive", "capacity", "places")
    more = ("tentative", "expires", "label", "url")
    return Proposal(
        **_wanted(asked),
        source=asked["source_app"],
        source_id=asked["id"] or asked["source_object_id"],
        **{name: asked[name] for name in (*names, *more)},
    )


def _wanted(asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "resource": asked.get("resource_id") or asked["equipment_serial"],
        "during": (asked["start_time"], asked["end_time"]),
        "span": _numbers(asked["integer_range"]),
        "dims": asked["arbitrary_dims"],
    }


def _numbers(asked: dict[str, Any] | None) -> NumericSpan | None:
    if asked is None:
        return None
    known = asked["bounds"] or {"lower_inclusive": True, "upper_inclusive": True}
    lower = "[" if known["lower_inclusive"] else "("
    upper = "]" if known["upper_inclusive"] else ")"
    return NumericSpan(asked["lower"], asked["upper"], f"{lower}{upper}")  # type: ignore[arg-type]


# Telling ------------------------------------------------------------------------------


def _items(here: Edge, claims: Iterable[Claim]) -> list[dict[str, Any]]:
    return [_item(here, each) for each in claims]


def _item(here: Edge, claim: Claim) -> dict[str, Any]:
    return claim.as_json() if here.caller.may(READ) else claim.as_busy()


def _result(here: Edge, found: Answer) -> dict[str, object]:
    return {
        "index": found.index,
        "conflicts": _items(here, found.conflicts),
        "within": found.within,
    }
