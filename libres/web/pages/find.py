"""Find: how long, on which days, at which hours, how many places; what fits first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date as Date
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from apiflask import Schema
from flask import Blueprint, render_template, request, url_for
from marshmallow import ValidationError, fields, validate

from libres.db.models.timestamp import TimestampMixin
from libres.db.operations.fitting import Fitting, first_fitting
from libres.domain.days import WEEKDAYS
from libres.web.booking import MOST_PLACES, load
from libres.web.clock import day_of, today_in
from libres.web.directory import Place, resources_of
from libres.web.drawing import told_day, told_times
from libres.web.edge import Edge, edge
from libres.web.fields import Day, Whole
from libres.web.identity import BOOK

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

DAY: Final = timedelta(days=1)

LONGEST: Final = 24 * 60
"""Minutes that can be looked for."""

MOST: Final = 20
"""Times that are shown."""

FAR: Final = 60
"""Days that are looked through, unless it is said how many."""

DURATIONS: Final = (15, 30, 45, 60, 90, 120, 180, 240, 480)
"""Minutes that are proposed."""

NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Clock(fields.Field[time]):
    """A time of day as browsers send it: 08:30."""

    def _deserialize(self, value: object, *_args: Any, **_more: Any) -> time:
        try:
            found = time.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            found = None
        if found is None or found.tzinfo is not None:
            message = "A time of day looks like 08:30."
            raise ValidationError(message)
        return found


class Form(Schema):
    """What is looked for."""

    minutes = Whole(least=5, most=LONGEST, strict=False, load_default=60)
    places = Whole(least=1, most=MOST_PLACES, strict=False, load_default=1)
    days = fields.List(fields.String(validate=validate.OneOf(list(WEEKDAYS))))
    begins = Clock(load_default=None)
    ends = Clock(load_default=None)
    first = Day(load_default=None)
    last = Day(load_default=None)


@dataclass(frozen=True, slots=True)
class Found:
    """A time that fits."""

    title: str
    day: str
    times: str
    places_left: int
    is_approved: bool
    span: str
    book_url: str
    week_url: str


@dataclass(frozen=True, slots=True)
class View:
    """What the template shows."""

    typed: Mapping[str, str]
    days: Sequence[tuple[str, str, bool]]
    """Of the week: what is sent, what people read, whether it is chosen."""

    durations: Sequence[int]
    is_asked: bool
    found: Sequence[Found] = ()
    wrong: Mapping[str, list[str]] = field(default_factory=dict)
    once: str = field(default_factory=lambda: str(uuid4()))


page = Blueprint("find", __name__)


@page.get("/find")
def find() -> ResponseReturnValue:
    """Ask what is looked for, and show the first times that fit."""
    here = edge()
    view = _view(here)
    text = render_template(
        "libres/find.html", view=view, can_book=here.caller.may(BOOK)
    )
    return text, 422 if view.wrong else 200


def _view(here: Edge) -> View:
    blank = _blank(dict(request.args), request.args.getlist("days"))
    if not blank.is_asked:
        return blank
    given = {key: value for key, value in blank.typed.items() if value.strip()}
    asked, wrong = load(Form(), {**given, "days": request.args.getlist("days")})
    wrong = wrong or _wrong(asked, here.settings.longest_range)
    if wrong:
        return replace(blank, wrong=wrong)
    return replace(blank, found=_found(here, asked))


def _blank(typed: dict[str, str], days: Sequence[str]) -> View:
    """Return the form as it is before anything was looked for."""
    chosen = typed.get("minutes", "60")
    known = {*DURATIONS, *([int(chosen)] if _is_short_number(chosen) else [])}
    names = zip(WEEKDAYS, NAMES, strict=True)
    return View(
        typed=typed,
        days=[(name, label, name in days) for name, label in names],
        durations=sorted(known),
        is_asked="minutes" in typed,
    )


def _is_short_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 5


def _wrong(asked: Mapping[str, Any], most: int) -> dict[str, list[str]]:
    """Say what is wrong with the days, if anything is."""
    first, last = asked["first"], asked["last"]
    if first is None or last is None:
        return {}
    if last < first:
        return {"last": ["It must not lie before the first day."]}
    if (last - first).days >= most:
        return {"last": [f"At most {most} days can be looked through."]}
    return {}


def _found(here: Edge, asked: Mapping[str, Any]) -> list[Found]:
    with here.reading():
        places = {each.name: each for each in resources_of(here.context).all()}
        if not places:
            return []
        start, end = _range(asked, next(iter(places.values())).timezone)
        fitting = first_fitting(
            [each.scheduler(here.context) for each in places.values()],
            timedelta(minutes=asked["minutes"]),
            start,
            end,
            places=asked["places"],
            days=asked.get("days"),
            begins=asked["begins"],
            ends=asked["ends"],
            limit=MOST,
        )
    return [_told(each, places[each.name]) for each in fitting]


def _range(asked: Mapping[str, Any], zone: str) -> tuple[datetime, datetime]:
    """Return the days to look through; what is over today is left out."""
    first: Date = asked["first"] or asked["last"] or today_in(zone)
    last: Date = asked["last"] or first + FAR * DAY
    start = day_of(first, zone).start
    if first == today_in(zone):
        start = max(start, TimestampMixin.timestamp())
    return start, day_of(last, zone).end


def _told(fitting: Fitting, place: Place) -> Found:
    start, end = fitting.start.isoformat(), fitting.end.isoformat()
    day = fitting.start.date()
    week = url_for(
        "libres.week.week", name=place.name, day=day.isoformat(), start=start, end=end
    )
    return Found(
        title=place.title,
        day=told_day(day),
        times=told_times(fitting.start, fitting.end),
        places_left=fitting.places_left,
        is_approved=fitting.approve_manually,
        span=f"{start}/{end}",
        book_url=url_for("libres.week.booked", name=place.name),
        week_url=f"{week}#book",
    )
