"""The first page: what there is, and how much of it is free today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, render_template, request, url_for

from libres.web.clock import day_of, now_in
from libres.web.directory import resources_of
from libres.web.edge import edge

if TYPE_CHECKING:
    from datetime import datetime

    from libres.context.core import Context
    from libres.web.directory import Place

MOST: Final = 40
"""Resources on a page."""

MOST_TIMES: Final = 4
"""Times of a resource; the others are counted."""


@dataclass(frozen=True, slots=True)
class Time:
    """When a resource can be reserved today, and how much of that is left."""

    start: datetime
    end: datetime
    percent: float
    is_over: bool

    @property
    def state(self) -> str:
        """What it is, in a word that is a class of the stylesheet as well."""
        if self.is_over:
            return "over"
        return "free" if self.percent > 0 else "taken"

    @property
    def words(self) -> str:
        """How much is free, for people."""
        if self.is_over:
            return "over"
        if self.percent <= 0:
            return "nothing free"
        return f"{max(1, int(self.percent))} % free"


@dataclass(frozen=True, slots=True)
class Card:
    """A resource, as it is today."""

    title: str
    day: str
    times: tuple[Time, ...]
    left_out: int
    url: str


page = Blueprint("home", __name__)


@page.get("/")
def home() -> str:
    """Show the resources."""
    here = edge()
    first = max(0, request.args.get("from", 0, type=int))
    with here.reading():
        found = list(resources_of(here.context).all())
        cards = [_card(here.context, each) for each in found[first : first + MOST]]
    return render_template("libres/home.html", cards=cards, **_turns(first, found))


def _turns(first: int, found: list[Place]) -> dict[str, Any]:
    """Say where the page before begins, and the next one; None: there is none."""
    before = max(0, first - MOST) if first else None
    after = first + MOST if len(found) > first + MOST else None
    return {"before": before, "after": after, "total": len(found)}


def _card(context: Context, place: Place) -> Card:
    now = now_in(place.timezone)
    today = day_of(now.date(), place.timezone)
    found = place.scheduler(context).allocations_with_availability_by_range(
        today.start, today.end
    )
    times = [
        _time(allocation, percent, now)
        for allocation, percent, _ in found
        if allocation.display_start() < today.end
    ]
    shown = tuple(times[:MOST_TIMES])
    day = f"{now:%A} {now.day} {now:%B}"
    return Card(
        place.title,
        day,
        shown,
        len(times) - len(shown),
        url_for("libres.week.week", name=place.name),
    )


def _time(allocation: Any, percent: float, now: datetime) -> Time:
    start, end = allocation.display_start(), allocation.display_end()
    return Time(start, end, percent, end <= now)
