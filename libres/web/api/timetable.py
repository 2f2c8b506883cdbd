"""Timetables: when subjects are free, and who is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date as Date
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any, Final

from marshmallow import ValidationError, fields, validate, validates_schema
from werkzeug.routing import BaseConverter

from libres.db.models.timestamp import TimestampMixin
from libres.modules.rasterizer import VALID_RASTER
from libres.timetable import Applied, InvalidSubject, Reason, Timetable, Weekly
from libres.timetable.asking import RASTER
from libres.timetable.rules import merged
from libres.timetable.windows import LONGEST_NAME, MOST_WINDOWS, name_of
from libres.web.api.specified import insist_on_one, specified
from libres.web.documenting import documented
from libres.web.edge import Edge, answer, edge, polled
from libres.web.errors import InvalidRequest, NotFound
from libres.web.fields import Day, Moment, Query, Schema, Text, Whole, check_range
from libres.web.identity import BOOK, MANAGE, READ
from libres.web.ranges import Range

if TYPE_CHECKING:
    from flask import Response
    from flask.blueprints import BlueprintSetupState

    from libres.domain.spans import Span as Time
    from libres.timetable import Common, Subject

MOST_NAMES: Final = 500
"""Subjects that one question may name."""

MOST_TAGS: Final = 50
MOST_HOURS: Final = 500

MOST_MINUTES: Final = 60 * 24 * 366
"""Of a length that is asked for."""

LONGEST_HEATMAP: Final = 62
"""Days: each is asked about everybody."""


A_CLOCK: Final = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")


class Name(BaseConverter):
    """The name of a subject in a path; it may hold slashes, anywhere."""

    regex = r"[\s\S]+?"
    part_isolating = False


class Clock(fields.String):
    """A time of day on the local clock: 08:00; midnight ends a day, too."""

    def __init__(self, **more: Any) -> None:
        told = {"pattern": f"^{A_CLOCK.pattern}$", "minLength": 5, "maxLength": 5}
        super().__init__(metadata=told, **more)

    def _deserialize(self, value: Any, *args: Any, **more: Any) -> Any:
        text = super()._deserialize(value, *args, **more)
        try:
            return _clock(text)
        except ValueError as error:
            message = "A time of day is written as 08:00."
            raise ValidationError(message) from error


def _clock(text: str) -> time:
    """Read HH:MM. Raises ValueError for anything else."""
    if not A_CLOCK.fullmatch(text):
        raise ValueError
    return time.fromisoformat(text)


class Share(fields.Float):
    """A number above 0, at most 1; in JSON, "1" is none."""

    def __init__(self, **more: Any) -> None:
        bounds = validate.Range(min=0, max=1, min_inclusive=False)
        told = {"exclusiveMinimum": 0}
        super().__init__(validate=bounds, metadata=told, **more)

    def _validated(self, value: Any) -> Any:
        if isinstance(value, str):
            message = "Not a number."
            raise ValidationError(message)
        return super()._validated(value)


def _minutes(**more: Any) -> Whole:
    told = {"description": "Minutes."}
    return Whole(least=1, most=MOST_MINUTES, metadata=told, load_default=None, **more)


def _names(most: int, **more: Any) -> Any:
    name = Text(shortest=1, longest=LONGEST_NAME)
    return fields.List(name, validate=validate.Length(max=most), **more)


class Interval(Schema):
    """A time, half-open."""

    start = Moment(required=True, metadata={"format": "date-time"})
    end = Moment(required=True, metadata={"format": "date-time"})


# What is asked ------------------------------------------------------------------------


class FreeAsked(Range):
    """A time, and how long a free time has to be."""

    least = _minutes(data_key="min", strict=False)


class BusyAsked(Range):
    """A time, and which part of it matters."""

    within = fields.String(
        validate=validate.OneOf(["allocated", "window"]), load_default="allocated"
    )


class Window(Query):
    """A time, half-open."""

    start = Moment(required=True, metadata={"format": "date-time"})
    end = Moment(required=True, metadata={"format": "date-time"})

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        longest = edge().settings.longest_range
        check_range(data["start"], data["end"], longest, "end")


class DayAsked(Query):
    """A day."""

    day = Day(required=True, metadata={"format": "date"})


class HeatAsked(Range):
    """A time, in steps, and whom it is about: all, if nothing is said."""

    step = fields.Integer(validate=validate.OneOf(VALID_RASTER), load_default=RASTER)
    among = _names(MOST_NAMES)
    tags = _names(MOST_TAGS)

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        longest = min(LONGEST_HEATMAP, edge().settings.longest_range)
        check_range(data["start"], data["end"], longest)


class WhoAsked(Schema):
    """Windows in all of which somebody has to be free.

    All the time; or for a duration somewhere in each, or for a share of each.
    """

    windows = fields.List(
        fields.Nested(Interval),
        required=True,
        validate=validate.Length(min=1, max=MOST_WINDOWS),
    )
    tags = _names(MOST_TAGS, load_default=None)
    duration = _minutes()
    fraction = Share(load_default=None)
    limit = Whole(least=1, most=500, load_default=None)
    after = Text(
        shortest=1,
        longest=LONGEST_NAME,
        load_default=None,
        metadata={"description": "'next' of the page before."},
    )

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        longest = edge().settings.longest_range
        for each in data["windows"]:
            check_range(each["start"], each["end"], longest, "windows")


class CommonAsked(Window):
    """Subjects, and a time that they may have in common."""

    subjects = _names(MOST_NAMES, required=True)
    least = _minutes(data_key="min")
    quorum = Whole(
        least=1,
        load_default=None,
        metadata={"description": "How many of them are enough; else all."},
    )


class Hours(Schema):
    """Hours of a weekday, Monday is 0; what ends before it starts ends a day later."""

    weekday = Whole(most=6, required=True)
    start = Clock(required=True)
    end = Clock(required=True)
    valid_from = Day(load_default=None, metadata={"format": "date"})
    valid_until = Day(load_default=None, metadata={"format": "date"})


class Template(Schema):
    """The weekly hours of a subject, all of them."""

    hours = fields.List(
        fields.Nested(Hours), required=True, validate=validate.Length(max=MOST_HOURS)
    )
    until = Day(
        load_default=None,
        metadata={
            "format": "date",
            "description": "Allocate them from today until this day.",
        },
    )


# What is answered ---------------------------------------------------------------------


class _Spoken(Schema):
    """About whom, and which time."""

    subject = fields.String(required=True)
    start = Moment(required=True, data_key="from")
    end = Moment(required=True, data_key="to")


class Free(_Spoken):
    """When a subject is free: as long as possible each, in whole steps of a raster."""

    raster = fields.Integer(required=True)
    free = fields.List(fields.Nested(Interval), required=True)


class Busy(_Spoken):
    """When a subject is not free."""

    busy = fields.List(fields.Nested(Interval), required=True)


class ReasonGiven(Interval):
    """A time that is not free; those who may know are told why."""

    kind = fields.String(
        validate=validate.OneOf(["reservation", "blocker", "claim", "closed"])
    )
    label = fields.String(allow_none=True)


class Reasons(_Spoken):
    """Why a subject is not free; nothing, if it is."""

    reasons = fields.List(fields.Nested(ReasonGiven), required=True)


class Bits(Schema):
    """A local day of a subject: 1 for each step that is free; 92, 96 or 100 of them."""

    day = fields.Date(required=True)
    raster = fields.Integer(required=True)
    bits = fields.String(required=True)


class Heated(Schema):
    """How many are free during each step."""

    start = Moment(required=True, data_key="from")
    end = Moment(required=True, data_key="to")
    step = fields.Integer(required=True)
    counts = fields.List(fields.Integer(), required=True)


class Known(Schema):
    """A subject."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)


class WhoIsFree(Schema):
    """A page of those who are free, how many they are in all, and where to go on."""

    subjects = fields.List(fields.Nested(Known), required=True)
    count = fields.Integer(required=True)
    next = fields.String(required=True, allow_none=True)


class Together(Interval):
    """A time in which several are free."""

    subjects = fields.List(fields.String(), required=True)


class InCommon(Schema):
    """The times that subjects have in common."""

    intervals = fields.List(fields.Nested(Together), required=True)


class Outside(Interval):
    """What is held outside of the hours, and was left there."""


class AppliedHours(Schema):
    """What became of allocations."""

    opened = fields.Integer(required=True)
    cut = fields.Integer(required=True)
    outside = fields.List(fields.Nested(Outside), required=True)


class Planned(Schema):
    """The weekly hours of a subject, and what they have changed."""

    subject = fields.String(required=True)
    hours = fields.List(fields.Nested(Hours), required=True)
    applied = fields.Nested(AppliedHours, required=True, allow_none=True)


# Views --------------------------------------------------------------------------------


api = specified("timetable", "Timetables")


def _allow_names(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["libres_subject"] = Name


api.record(_allow_names)


@api.get("/timetable/<libres_subject:subject>/free")
@api.input(FreeAsked, location="query")
@documented(api, 404, gives=Free)
def free(subject: str, query_data: dict[str, Any]) -> Response:
    """Tell when a subject is free: as long as possible each."""
    here, name = edge(), _name(subject)
    asked = query_data["start"], query_data["end"]
    least = _length(query_data["least"])
    with here.reading():
        found = _timetable(here).free(name, *asked, min_length=least, raster=RASTER)
    said = {"raster": RASTER, "free": list(map(_span, found))}
    return polled(_about(name, query_data) | said)


@api.get("/timetable/<libres_subject:subject>/busy")
@api.input(BusyAsked, location="query")
@documented(api, 404, gives=Busy)
def busy(subject: str, query_data: dict[str, Any]) -> Response:
    """Tell when a subject is not free: of what is allocated, or of the window."""
    here, name = edge(), _name(subject)
    asked = query_data["start"], query_data["end"]
    with here.reading():
        found = _timetable(here).busy(name, *asked, within=query_data["within"])
    return polled(_about(name, query_data) | {"busy": list(map(_span, found))})


@api.get("/timetable/<libres_subject:subject>/why-not")
@api.input(Window, location="query")
@documented(api, 404, gives=Reasons)
def why_not(subject: str, query_data: dict[str, Any]) -> Response:
    """Tell why a subject is not free in a window.

    Without the scope read, only when it is not.
    """
    here, name = edge(), _name(subject)
    asked = query_data["start"], query_data["end"]
    with here.reading():
        found = _timetable(here).why_not(name, *asked)
    return polled(_about(name, query_data) | {"reasons": _reasons(here, found)})


@api.get("/timetable/<libres_subject:subject>/bits")
@api.input(DayAsked, location="query")
@documented(api, 404, gives=Bits)
def bits(subject: str, query_data: dict[str, Any]) -> Response:
    """Tell which quarters of a local day of a subject are free."""
    here, day = edge(), query_data["day"]
    with here.reading():
        found = _timetable(here).to_bits(_name(subject), day)
    return polled({"day": day, "raster": RASTER, "bits": found})


@api.post("/timetable/free-subjects")
@api.input(WhoAsked)
@documented(api, 403, 404, 413, 415, gives=WhoIsFree, scope=READ)
def free_subjects(json_data: dict[str, Any]) -> Response:
    """Tell who is free in all of some windows, by name."""
    here = edge()
    insist_on_one(here, READ, BOOK)
    limit, after = json_data["limit"] or here.settings.page, json_data["after"]
    most = min(limit, here.settings.largest_page)
    asked = _question(json_data)
    with here.reading():
        table = _timetable(here)
        found = table.who_is_free(**asked, limit=most + 1, after=after)
        count = table.count_free(**asked)
    return answer(_page(found, most) | {"count": count})


@api.post("/timetable/common")
@api.input(CommonAsked)
@documented(api, 404, 413, 415, gives=InCommon)
def common(json_data: dict[str, Any]) -> Response:
    """Tell when all of some subjects are free, or at least a quorum of them."""
    here = edge()
    least = _length(json_data.pop("least"))
    names = json_data.pop("subjects")
    with here.reading():
        found = _timetable(here).common(names, **json_data, min_length=least)
    return answer({"intervals": list(map(_together, found))})


@api.get("/timetable/heatmap")
@api.input(HeatAsked, location="query")
@documented(api, 404, gives=Heated)
def heatmap(query_data: dict[str, Any]) -> Response:
    """Tell how many are free during each step of a time; not who."""
    here = edge()
    with here.reading():
        found = _timetable(here).heatmap(**query_data)
    said = {
        "from": found.start,
        "to": found.start + found.step * len(found.counts),
        "step": query_data["step"],
        "counts": found.counts,
    }
    return polled(said)


@api.put("/timetable/<libres_subject:subject>/template")
@api.input(Template)
@documented(api, 403, 404, 413, 415, 503, gives=Planned, scope=MANAGE)
def template(subject: str, json_data: dict[str, Any]) -> Response:
    """Replace the weekly hours of a subject, and allocate them if a day is said.

    What somebody holds outside of the hours remains, and is told.
    """
    here, name, until = edge(), _name(subject), json_data["until"]
    here.insist(MANAGE)
    _check_until(here, until)
    weekly = [Weekly(**each) for each in json_data["hours"]]
    return answer(here.write(lambda: _planned(here, name, weekly, until)))


# Reading what is asked ----------------------------------------------------------------


def _timetable(here: Edge) -> Timetable:
    return Timetable(here.context)


def _name(subject: str) -> str:
    """Read a name of a path. Raises NotFound for what cannot be one."""
    try:
        return name_of(subject)
    except InvalidSubject as error:
        raise NotFound from error


def _length(minutes: int | None) -> timedelta | None:
    return None if minutes is None else timedelta(minutes=minutes)


def _question(asked: dict[str, Any]) -> dict[str, Any]:
    windows = [(each["start"], each["end"]) for each in asked["windows"]]
    found = {"windows": windows, "tags": asked["tags"]}
    if asked["fraction"] is not None:
        found["fraction"] = asked["fraction"]
    return {**found, "duration": _length(asked["duration"])}


def _check_until(here: Edge, until: Date | None) -> None:
    """Refuse to fill a calendar for too long. Raises InvalidRequest."""
    days = here.settings.longest_range
    last = TimestampMixin.timestamp().date() + timedelta(days=days)
    if until is not None and until > last:
        message = f"It is more than {days} days ahead: allocate less at once."
        raise InvalidRequest(errors={"until": [message]})


# Writing ------------------------------------------------------------------------------


def _planned(
    here: Edge, name: str, weekly: list[Weekly], until: Date | None
) -> dict[str, object]:
    table = _timetable(here)
    table.set_hours([name], weekly)
    applied = None if until is None else table.apply_template([name], until)
    stored, _ = table.hours(name)
    return {
        "subject": name,
        "hours": list(map(_hours, stored)),
        "applied": None if applied is None else _applied(applied),
    }


# Telling ------------------------------------------------------------------------------


def _about(name: str, asked: dict[str, Any]) -> dict[str, object]:
    return {"subject": name, "from": asked["start"], "to": asked["end"]}


def _span(span: Time) -> dict[str, object]:
    return {"start": span.start, "end": span.end}


def _together(found: Common) -> dict[str, object]:
    return _span(found.span) | {"subjects": found.subjects}


def _reasons(here: Edge, found: Iterable[Reason]) -> list[dict[str, object]]:
    if not here.caller.may(READ):
        return list(map(_span, merged(each.span for each in found)))
    return [
        _span(each.span) | {"kind": each.kind, "label": each.label} for each in found
    ]


def _page(found: list[Subject], most: int) -> dict[str, object]:
    shown = found[:most]
    return {
        "subjects": [{"id": each.resource, "name": each.name} for each in shown],
        "next": shown[-1].name if len(found) > most else None,
    }


def _hours(weekly: Weekly) -> dict[str, object]:
    return {
        "weekday": weekly.weekday,
        "start": f"{weekly.start:%H:%M}",
        "end": f"{weekly.end:%H:%M}",
        "valid_from": weekly.valid_from,
        "valid_until": weekly.valid_until,
    }


def _applied(applied: Applied) -> dict[str, object]:
    outside = [_span(span) for _name, span in applied.outside]
    return {"opened": applied.opened, "cut": applied.cut, "outside": outside}
