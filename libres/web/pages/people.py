"""How many are in a space: now, and today against its capacity and reservations."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, render_template, request, url_for

from libres.db.models.timestamp import TimestampMixin
from libres.domain.days import to_zone
from libres.occupancy import Occupancy, drawing
from libres.occupancy.gathering import day_of as gathered
from libres.web.clock import day_of, today_in
from libres.web.edge import conditional, edge
from libres.web.errors import NotFound
from libres.web.fields import FIRST, LAST
from libres.web.identity import READ
from libres.web.rooms import room

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from libres.domain.spans import Span
    from libres.occupancy import Count, Space
    from libres.occupancy.drawing import Day
    from libres.occupancy.steps import Step

STEP: Final = timedelta(minutes=15)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Present:
    """How many are in a space now."""

    name: str
    url: str
    count: int
    capacity: int | None
    is_stale: bool

    @property
    def is_over(self) -> bool:
        """Tell whether there are more than there is room for."""
        return self.capacity is not None and self.count > self.capacity


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of the day, for those who do not see the curve."""

    label: str
    count: int
    least: int
    most: int
    ins: int
    outs: int
    is_unknown: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A day of a space."""

    space: Space
    day: Date
    present: Present | None
    """None: it is not today."""

    drawn: Day | None
    """None: nothing of it has come yet."""

    hours: tuple[Hour, ...]

    @property
    def version(self) -> str:
        """What changes when the drawing does; of the past nothing is kept for long."""
        return f"{self.drawn.steps[-1].end:%H%M}" if self.drawn else ""

    @property
    def sentences(self) -> list[str]:
        """What there is to see."""
        if self.drawn is None:
            return []
        return drawing.sentences(drawing.sheet_of(self.drawn))


page = Blueprint("people", __name__)


@page.get("/people")
def people() -> ResponseReturnValue:
    """Show all spaces, and who is in them now."""
    here = edge()
    here.insist(READ)
    with here.reading(), room("occupancy"):
        house = Occupancy(here.context)
        found = [_present(house, each) for each in house.spaces()]
    return render_template("libres/people.html", spaces=found)


@page.get("/people/<int:number>")
def space(number: int) -> ResponseReturnValue:
    """Show a day of a space."""
    return render_template("libres/people_space.html", **_of(number))


@page.get("/people/<int:number>/now")
def now(number: int) -> Response:
    """Give what changes of that page, for its script; 304 if nothing has."""
    page = render_template("libres/people_now.html", **_of(number))
    return conditional(Response(page))


@page.get("/people/<int:number>.svg")
def svg(number: int) -> Response:
    """Draw a day of a space. Raises NotFound for a day that has not come."""
    shown = _of(number)["shown"]
    if shown.drawn is None:
        raise NotFound
    drawn = drawing.to_svg(shown.drawn)
    policy = {"Content-Security-Policy": POLICY}
    return conditional(Response(drawn, headers=policy, mimetype="image/svg+xml"))


POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    f"{b64encode(sha256(drawing.THEMES.encode()).digest()).decode()}'; "
    "frame-ancestors 'none'"
)
"""A drawing may use its own colours for the dark, and nothing else."""


def _of(number: int) -> dict[str, Any]:
    """Read a day of a space, for who may. Raises NotFound."""
    here = edge()
    here.insist(READ)
    if number > LARGEST:
        raise NotFound
    with here.reading(), room("occupancy"):
        house = Occupancy(here.context)
        shown = _shown(house, house.space(number))
    today = today_in(shown.space.timezone)
    return {
        "shown": shown,
        "day_words": f"{shown.day:%A} {shown.day.day} {shown.day:%B %Y}",
        "before": shown.day - DAY,
        "after": shown.day + DAY if shown.day < today else None,
    }


def _shown(house: Occupancy, space: Space) -> Shown:
    today = today_in(space.timezone)
    day = _day(today)
    span = day_of(day, space.timezone)
    minute = TimestampMixin.timestamp().replace(second=0, microsecond=0)
    end = min(span.end, minute)
    present = _present(house, space) if day == today else None
    if end <= span.start:
        return Shown(space, day, present, None, ())
    drawn = gathered(house, space, span.start, end, STEP, emails=True)
    hours = tuple(_hours(house, space, span.start, end, drawn.silent))
    return Shown(space, day, present, drawn, hours)


def _day(today: Date) -> Date:
    """Read which day is asked for; today, if it is none."""
    try:
        day = Date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        return today
    return day if FIRST.date() + DAY < day < LAST.date() - DAY else today


def _present(house: Occupancy, space: Space) -> Present:
    found: Count = house.count(space)
    url = url_for("libres.people.space", number=space.number)
    return Present(space.name, url, found.count, space.capacity, found.stale)


def _hours(
    house: Occupancy,
    space: Space,
    start: datetime,
    end: datetime,
    silent: tuple[Span, ...],
) -> Iterator[Hour]:
    for step in house.history(space, start, end, HOUR):
        yield _hour(step, space.timezone, silent)


def _hour(step: Step, timezone: str, silent: tuple[Span, ...]) -> Hour:
    ends = (to_zone(each, timezone) for each in (step.start, step.end))
    first, last = (f"{each:%H:%M}" for each in ends)
    return Hour(
        label=f"{first} to {last}",
        count=step.count,
        least=step.least,
        most=step.most,
        ins=step.ins,
        outs=step.outs,
        is_unknown=any(each.overlaps(step.span) for each in silent),
    )
