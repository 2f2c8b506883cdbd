"""Occupancy: how many are in a space, and what sensors tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, get_args

from flask import abort, request
from marshmallow import fields, validate
from werkzeug.exceptions import BadRequest

from libres.db.models.timestamp import TimestampMixin
from libres.occupancy import Occupancy, Reading
from libres.occupancy.ingesting import MOST_REFUSED, Outcome
from libres.occupancy.places import hashed
from libres.occupancy.readings import reading_of
from libres.occupancy.values import HIGHEST
from libres.web.api.specified import described, specified
from libres.web.bodies import read
from libres.web.documenting import documented
from libres.web.edge import Edge, answer, edge, polled
from libres.web.errors import InvalidRequest, NotFound, NotIdentified, TooLarge
from libres.web.fields import Moment, Query, Schema, Text, Whole, uuid_of
from libres.web.identity import MANAGE, READ, SENSOR
from libres.web.ranges import Range
from libres.web.sensors import HEADER, check_key

if TYPE_CHECKING:
    from uuid import UUID

    from flask import Response

    from libres.occupancy import Calibrated, Recorded, Space, Step

MOST_EVENTS: Final = 10_000
"""Of one request."""

MOST_MINUTES: Final = 60 * 24 * 366
"""Of a step."""

LONGEST_NUMBER: Final = 18
"""Digits; so many always fit."""

LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")

OUTCOMES: Final = get_args(Outcome)

EVENTS: Final = {
    "type": "array",
    "minItems": 1,
    "description": f"{MOST_EVENTS:,} at most.",
    "items": {
        "description": "An object with timestamp, direction (1 or -1), dpu_id and "
        "perhaps seq; what is none of that is refused by itself, as 'invalid'."
    },
}


# What is asked ------------------------------------------------------------------------


class At(Query):
    """A moment; without one, now."""

    ts = Moment(load_default=None, metadata={"format": "date-time"})


class HistoryAsked(Range):
    """A time, in steps of minutes; 2,000 at most."""

    step = Whole(least=1, most=MOST_MINUTES, strict=False, load_default=60)


class Calibration(Schema):
    """How many there really are; now, if no moment is said."""

    value = Whole(most=HIGHEST, required=True)
    ts = Moment(load_default=None, metadata={"format": "date-time"})
    note = Text(longest=1000, load_default=None)


# What is answered ---------------------------------------------------------------------


class Id(fields.Field[Any]):
    """The number of a space, or its UUID, as it was asked for."""

    def __init__(self) -> None:
        super().__init__(required=True, metadata={"type": ["integer", "string"]})


class Counted(Schema):
    """How many are in a space at a moment."""

    space_id = Id()
    ts = fields.DateTime(required=True)
    count = fields.Integer(required=True)


class StepTold(Schema):
    """A part of a time, and how many were inside: just before its end, at least, at
    most; and how many came and left."""

    start = Moment(required=True)
    end = Moment(required=True)
    count = fields.Integer(required=True)
    min = fields.Integer(required=True)
    max = fields.Integer(required=True)
    ins = fields.Integer(required=True)
    outs = fields.Integer(required=True)


class SpaceNow(Schema):
    """A space, by its short number, and how many are in it; if it is stale, nobody
    knows."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    count = fields.Integer(required=True)
    capacity = fields.Integer(required=True, allow_none=True)
    stale = fields.Boolean(required=True)


class Corrected(Schema):
    """What was told, and how many too many had been counted, of how many passages."""

    space_id = Id()
    ts = fields.DateTime(required=True)
    value = fields.Integer(required=True)
    drift = fields.Integer(required=True)
    passages = fields.Integer(required=True)


class Refused(Schema):
    """Which event was refused, counted from 1, and why."""

    line = fields.Integer(required=True)
    reason = fields.String(required=True)


class Totals(Schema):
    """What became of events: how many of each kind; the first refused ones."""

    counted = fields.Integer(required=True)
    duplicate = fields.Integer(required=True)
    unassigned = fields.Integer(required=True)
    unknown_sensor = fields.Integer(required=True)
    quarantined = fields.Integer(required=True)
    invalid = fields.Integer(required=True)
    refused = fields.List(
        fields.Nested(Refused), required=True, validate=validate.Length(max=1000)
    )


# Views --------------------------------------------------------------------------------


api = specified("occupancy", "Occupancy")


@api.get("/space/<id>/count")
@api.input(At, location="query")
@documented(api, 403, 404, gives=Counted, scope=READ)
def count(id: str, query_data: dict[str, Any]) -> Response:  # noqa: A002
    """Count who is in a space, by its policy; an event exactly then counts."""
    here = edge()
    here.insist(READ)
    key = _key(id)
    with here.reading():
        found = _occupancy(here).count(key, query_data["ts"])
    return polled({"space_id": key, "ts": _zulu(found.ts), "count": found.count})


@api.get("/space/<id>/history")
@api.input(HistoryAsked, location="query")
@documented(api, 403, 404, gives=StepTold(many=True), scope=READ)
def history(id: str, query_data: dict[str, Any]) -> Response:  # noqa: A002
    """Tell how many were in a space during each step of a time."""
    here = edge()
    here.insist(READ)
    asked = query_data["start"], query_data["end"]
    step = timedelta(minutes=query_data["step"])
    with here.reading():
        found = _occupancy(here).history(_key(id), *asked, step)
    return polled(list(map(_step, found)))


@api.get("/spaces")
@documented(api, 403, 404, gives=SpaceNow(many=True), scope=READ)
def spaces() -> Response:
    """List the spaces, by name, and who is in them now."""
    here = edge()
    here.insist(READ)
    now = TimestampMixin.timestamp()
    with here.reading():
        occupancy = _occupancy(here)
        found = [_space(occupancy, each, now) for each in occupancy.spaces()]
    return polled(found)


@api.post("/space/<id>/calibrations")
@api.input(Calibration)
@documented(api, 403, 404, 413, 415, 503, gives=Corrected, scope=MANAGE, status=201)
def calibrate(id: str, json_data: dict[str, Any]) -> Response:  # noqa: A002
    """Say how many there are in a space, whatever was counted."""
    here = edge()
    here.insist(MANAGE)
    key = _key(id)
    return answer(here.write(lambda: _calibrated(here, key, json_data)), 201)


@documented(
    api,
    *(403, 404, 413, 415, 503),
    gives=Totals,
    scope=SENSOR,
    also={207: Totals},
)
def record() -> Response:
    """Take events of sensors, in any order, as late and as often as they come.

    A list, or lines of JSON (application/x-ndjson), 10,000 at most. With a key of
    scope sensor, of all sensors; with the key of a sensor, its own.
    """
    here = edge()
    if not request.headers.get(HEADER):
        here.insist(SENSOR)
    events = _events()
    here.limits.count_events(_sender(here, events), len(events))
    said = here.write(lambda: _recorded(_occupancy(here).record(events)))
    return answer(said, 207 if said["refused"] else 200)


described(
    record, body=EVENTS, content_type="application/json", security=["key", "sensor"]
)


api.post("/occupancy/events")(record)


# Reading what is asked ----------------------------------------------------------------


def _occupancy(here: Edge) -> Occupancy:
    return Occupancy(here.context)


def _key(text: str) -> int | UUID:
    """Read the number or the UUID of a space. Raises NotFound."""
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER:
        return int(text)
    found = uuid_of(text)
    if found is None:
        raise NotFound
    return found


def _events() -> list[object]:
    """Read the events of a request.

    Raises TooLarge, InvalidRequest, BadRequest, UnsupportedMediaType.
    """
    found = _lines() if request.mimetype in LINES else _list_sent()
    if len(found) > MOST_EVENTS:
        message = f"There are more than {MOST_EVENTS:,} events: send less."
        raise TooLarge(message)
    if not found:
        message = "There is no event."
        raise InvalidRequest(errors={"request": [message]})
    return found


def _list_sent() -> list[object]:
    if request.mimetype != "application/json":
        abort(415, f"Send application/json, or {LINES[0]}.")
    found = read(request.get_data())
    if not isinstance(found, list):
        message = "A list of events is expected."
        raise InvalidRequest(errors={"request": [message]})
    return found


def _lines() -> list[object]:
    lines = [line for line in request.get_data().split(b"\n") if line.strip()]
    return list(map(_line, lines[: MOST_EVENTS + 1]))


def _line(line: bytes) -> object:
    """Read a line; one that is no JSON is no event, as text is none."""
    try:
        return read(line)
    except BadRequest:
        return line.decode(errors="replace")


def _sender(here: Edge, events: list[object]) -> str:
    """Tell by what the sender is counted.

    Raises NotIdentified and NotAllowed for those who may not send these events.
    """
    address = request.remote_addr or ""
    key = request.headers.get(HEADER)
    if not key:
        return here.caller.id or address
    here.limits.check_failures(address)
    readings = (reading_of(each, 0) for each in events)
    codes = {each.sensor for each in readings if isinstance(each, Reading)}
    try:
        with here.reading():
            check_key(here.context, key, codes)
    except NotIdentified:
        here.limits.note_failure(address)
        raise
    return hashed(key)


# Writing ------------------------------------------------------------------------------


def _calibrated(here: Edge, key: int | UUID, told: dict[str, Any]) -> dict[str, object]:
    found = _occupancy(here).calibrate(
        key, told["value"], told["ts"], actor=here.caller.name, note=told["note"]
    )
    return _corrected(key, found)


# Telling ------------------------------------------------------------------------------


def _zulu(moment: datetime) -> str:
    """Write a moment as sensors do, with Z."""
    return moment.isoformat().replace("+00:00", "Z")


def _step(step: Step) -> dict[str, object]:
    return {
        "start": step.start,
        "end": step.end,
        "count": step.count,
        "min": step.least,
        "max": step.most,
        "ins": step.ins,
        "outs": step.outs,
    }


def _space(occupancy: Occupancy, space: Space, now: datetime) -> dict[str, object]:
    found = occupancy.count(space, now)
    return {
        "id": space.number,
        "name": space.name,
        "count": found.count,
        "capacity": space.capacity,
        "stale": found.stale,
    }


def _corrected(key: int | UUID, found: Calibrated) -> dict[str, object]:
    return {
        "space_id": key,
        "ts": _zulu(found.ts),
        "value": found.value,
        "drift": found.drift,
        "passages": found.passages,
    }


def _recorded(made: Recorded) -> dict[str, Any]:
    refused = [
        {"line": each.line, "reason": each.reason}
        for each in made.refused[:MOST_REFUSED]
    ]
    totals = made.totals
    return {**{each: totals[each] for each in OUTCOMES}, "refused": refused}
