"""A day across resources, side by side: as on the wall of a reception."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Date
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, render_template, request, url_for

from libres.domain.spans import Span
from libres.web.booking import viewer_of
from libres.web.clock import day_of, today_in
from libres.web.directory import Place, resources_of
from libres.web.drawing import Column, Drawn, columns, told_day
from libres.web.edge import Edge, edge
from libres.web.showing import parts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY: Final = timedelta(days=1)

MOST: Final = 60
"""Resources on a page."""


@dataclass(frozen=True, slots=True)
class Room:
    """A resource, and its day."""

    place: Place
    column: Column

    def url(self, **more: Any) -> str:
        """Where its week is."""
        day = self.column.day.isoformat()
        return url_for("libres.week.week", name=self.place.name, day=day, **more)

    def chosen_url(self, drawn: Drawn) -> str:
        """Where a part of it is chosen."""
        start, end = (each.isoformat() for each in drawn.chosen)
        return f"{self.url(start=start, end=end)}#book"


@dataclass(frozen=True, slots=True)
class View:
    """What the template shows."""

    day: Date
    is_today: bool
    rooms: Sequence[Room]
    left_out: int

    @property
    def title(self) -> str:
        """The day, for people."""
        return f"{told_day(self.day)} {self.day.year}"

    def url(self, days: int = 0) -> str:
        """Where a day before or after is."""
        day = self.day + days * DAY
        return url_for("libres.day.day", day=day.isoformat())

    @property
    def rooms_url(self) -> str:
        """Where a script asks what has changed; of today without saying which day."""
        asked = None if request.args.get("day") is None else self.day.isoformat()
        return url_for("libres.day.rooms", day=asked)


page = Blueprint("day", __name__)


@page.get("/day")
def day() -> str:
    """Show a day, today unless another one is asked for."""
    return render_template("libres/day.html", view=_view(edge()))


@page.get("/day/rooms")
def rooms() -> Response:
    """Show the same without anything around it, or say that nothing has changed."""
    text = render_template("libres/_rooms.html", view=_view(edge()))
    response = Response(text, mimetype="text/html")
    response.add_etag()
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization, Cookie"
    response.make_conditional(request)
    return response


def _view(here: Edge) -> View:
    """Return the day. Five statements, however many resources there are."""
    with here.reading():
        known = list(resources_of(here.context).all())
        shown = known[:MOST]
        zones = [each.timezone for each in shown] or ["UTC"]
        today = today_in(zones[0])
        day = asked_day() or today
        days = [day_of(day, zone) for zone in zones]
        asked = Span(min(d.start for d in days), max(d.end for d in days))
        schedulers = [each.scheduler(here.context) for each in shown]
        found = parts_of(schedulers, asked, viewer_of(here))
    parts = [found[each.name] for each in shown]
    drawn = columns(parts, [(day, each.timezone) for each in shown])
    rooms = [Room(*each) for each in zip(shown, drawn, strict=True)]
    return View(day, day == today, rooms, len(known) - len(shown))


def asked_day() -> Date | None:
    """Return the day that is asked for; None: none that there is."""
    try:
        day = Date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        return None
    return day if 1970 < day.year < 2999 else None
