"""Who is free: a week as a heatmap, and the persons behind a cell of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date as Date
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Blueprint, render_template, request, url_for
from marshmallow import ValidationError

from libres.domain.days import check_timezone, to_utc, to_zone
from libres.domain.spans import Span
from libres.modules.errors import Misuse
from libres.timetable import Timetable
from libres.timetable.heatmap import Row, rows
from libres.web.clock import day_of, in_words, today_in
from libres.web.directory import resources_of
from libres.web.edge import Edge, edge
from libres.web.fields import FIRST, LAST, check_text, moment_of
from libres.web.identity import READ
from libres.web.rooms import room

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from libres.modules.rasterizer import Raster
    from libres.timetable.heatmap import Cell as Stretch
    from libres.timetable.heatmap import Heat

DAY: Final = timedelta(days=1)
WEEK: Final = 7
MINUTE: Final = timedelta(minutes=1)

DURATIONS: Final = (15, 30, 60, 90, 120, 180, 240, 480)
"""Minutes that can be asked for."""

USUAL: Final = 60

MOST: Final = 100
"""Persons on a page."""

MOST_TAGS: Final = 10
LONGEST_TAG: Final = 100

LEVELS: Final = 5
"""Of a colour, above that of nobody."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, and what is wrong with it."""

    day: Date
    """A Monday."""

    timezone: str
    tags: tuple[str, ...] = ()
    minutes: int = USUAL
    at: datetime | None = None
    """When the persons are asked for; None: they are not."""

    after: str | None = None
    wrong: Mapping[str, str] | None = None

    @property
    def step(self) -> Raster:
        """The minutes of a cell: as long as what is asked for, an hour at most."""
        return cast("Raster", min(self.minutes, USUAL))

    @property
    def week(self) -> Span:
        """The time that is shown."""
        first = day_of(self.day, self.timezone)
        last = day_of(self.day + (WEEK - 1) * DAY, self.timezone)
        return Span(first.start, last.end)

    @property
    def window(self) -> Span | None:
        """The time for which somebody is to be free."""
        if self.at is None:
            return None
        return Span(self.at, self.at + self.minutes * MINUTE)

    @property
    def link(self) -> dict[str, Any]:
        """What a link to this question carries."""
        tags = ", ".join(self.tags)
        known = {"tags": tags} if tags else {}
        return {"day": self.day.isoformat(), "duration": self.minutes, **known}


@dataclass(frozen=True, slots=True)
class Cell:
    """A step of a day."""

    words: str
    """How many are free."""

    level: int
    """How dark it is drawn, of `LEVELS`."""

    when: str
    url: str | None
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A time of day, and its cells; None where a clock was moved."""

    label: str
    cells: tuple[Cell | None, ...]


page = Blueprint("who", __name__)


@page.get("/who")
def who() -> ResponseReturnValue:
    """Show how many are free; to who may read, also who they are."""
    here = edge()
    sees_all = here.caller.may(READ)
    with here.reading(), room("timetable"):
        asked = _asked(here)
        shown = _shown(here, asked, sees_all=sees_all)
    status = 422 if asked.wrong else 200
    return render_template("libres/who.html", asked=asked, **shown), status


def _shown(here: Edge, asked: Asked, *, sees_all: bool) -> dict[str, Any]:
    timetable = Timetable(here.context)
    week = asked.week
    heat = timetable.heatmap(week.start, week.end, asked.step, tags=asked.tags)
    drawn = rows(heat, asked.timezone)
    persons = _persons(timetable, asked) if sees_all else None
    return {
        "days": [_name(row.day) for row in drawn],
        "lines": list(_lines(drawn, heat, asked, sees_all=sees_all)),
        "most": max(heat.counts),
        "sees_all": sees_all,
        "durations": [(each, _length(each)) for each in DURATIONS],
        "before": replace(asked, day=asked.day - WEEK * DAY).link,
        "after": replace(asked, day=asked.day + WEEK * DAY).link,
        **(persons or {"persons": None}),
    }


def _name(day: Date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def _length(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    words = [f"{hours} h"] if hours else []
    return " ".join([*words, *([f"{rest} min"] if rest else [])])


# What is asked ------------------------------------------------------------------------


def _asked(here: Edge) -> Asked:
    """Read the question; what is wrong is left out of it, and told."""
    wrong: dict[str, str] = {}
    args = request.args
    timezone = _timezone(here, args.get("timezone", ""), wrong)
    return Asked(
        day=_monday(args.get("day", ""), timezone, wrong),
        timezone=timezone,
        tags=_tags(args.get("tags", ""), wrong),
        minutes=_minutes(args.get("duration", str(USUAL)), wrong),
        at=_moment(args.get("at", ""), wrong),
        after=_after(args.get("after", "")),
        wrong=wrong or None,
    )


def _timezone(here: Edge, text: str, wrong: dict[str, str]) -> str:
    """Read the zone of the clock on the page: by default that of the first resource."""
    try:
        if text:
            return check_timezone(text)
    except Misuse:
        wrong["timezone"] = "It is the name of a zone, as Europe/Zurich."
    places = list(resources_of(here.context).all())
    return places[0].timezone if places else "UTC"


def _monday(text: str, timezone: str, wrong: dict[str, str]) -> Date:
    try:
        day = Date.fromisoformat(text) if text else today_in(timezone)
        if not FIRST.date() + WEEK * DAY < day < LAST.date() - 2 * WEEK * DAY:
            wrong["day"] = "The year must be from 1970 to 2999."
            day = today_in(timezone)
    except ValueError:
        wrong["day"] = "Write it as 2026-11-27."
        day = today_in(timezone)
    return day - day.weekday() * DAY


def _tags(text: str, wrong: dict[str, str]) -> tuple[str, ...]:
    tags = [tag for each in text.split(",") if (tag := each.strip())]
    if len(tags) > MOST_TAGS or any(len(each) > LONGEST_TAG for each in tags):
        wrong["tags"] = f"No more than {MOST_TAGS}, of {LONGEST_TAG} characters."
        return ()
    try:
        check_text(text)
    except ValidationError as error:
        wrong["tags"] = str(error.messages[0])
        return ()
    return tuple(tags)


def _minutes(text: str, wrong: dict[str, str]) -> int:
    known = {str(each): each for each in DURATIONS}
    if text not in known:
        wrong["duration"] = "Choose one of the list."
    return known.get(text, USUAL)


def _moment(text: str, wrong: dict[str, str]) -> datetime | None:
    if not text:
        return None
    try:
        return moment_of(text)
    except ValidationError as error:
        wrong["at"] = str(error.messages[0])
    return None


def _after(text: str) -> str | None:
    """Read the name after which a page begins; what is no name begins at the first."""
    try:
        check_text(text)
    except ValidationError:
        return None
    return text[:255] or None


# The heatmap --------------------------------------------------------------------------


def _lines(
    drawn: Sequence[Row], heat: Heat, asked: Asked, *, sees_all: bool
) -> Iterator[Line]:
    """Yield the times of day between the first and the last at which somebody is
    free; all of them, if nobody is."""
    by_day = [_by_minute(row, asked.step) for row in drawn]
    minutes = sorted({minute for day in by_day for minute in day})
    used = [m for m in minutes if any(d[m].count for d in by_day if m in d)]
    most = max(heat.counts)
    for minute in minutes:
        if used and not used[0] <= minute <= used[-1]:
            continue
        cells = (
            _cell(row.day, minute, day.get(minute), most, asked, sees_all)
            for row, day in zip(drawn, by_day, strict=True)
        )
        yield Line(f"{minute // 60:02}:{minute % 60:02}", tuple(cells))


def _by_minute(row: Row, step: int) -> dict[int, Stretch]:
    return {
        minute: each
        for each in row.cells
        for minute in range(each.begin, each.end, step)
    }


def _cell(
    day: Date,
    minute: int,
    stretch: Stretch | None,
    most: int,
    asked: Asked,
    sees_all: bool,
) -> Cell | None:
    if stretch is None:
        return None
    moment = to_utc(datetime.combine(day, time()) + minute * MINUTE, asked.timezone)
    when = to_zone(moment, asked.timezone)
    at = when.isoformat()
    url = url_for("libres.who.who", **asked.link, at=at, _anchor="persons")
    return Cell(
        words=stretch.words.rpartition(": ")[2].removesuffix(" free"),
        level=_level(stretch.count, most),
        when=f"{_name(day)}, {when:%H:%M}",
        url=url if sees_all and stretch.count else None,
        is_chosen=moment == asked.at,
    )


def _level(count: int, most: int) -> int:
    return -(-count * LEVELS // most) if count else 0


# The persons --------------------------------------------------------------------------


def _persons(timetable: Timetable, asked: Asked) -> dict[str, Any] | None:
    window = asked.window
    if window is None:
        return None
    found = timetable.who_is_free(
        (window.start, window.end), tags=asked.tags, limit=MOST + 1, after=asked.after
    )
    ends = (to_zone(each, asked.timezone) for each in (window.start, window.end))
    start = to_zone(window.start, asked.timezone)
    more = {**asked.link, "at": start.isoformat()}
    return {
        "when": in_words(*ends),
        "persons": [(each.name, ", ".join(each.tags)) for each in found[:MOST]],
        "more": {**more, "after": found[MOST - 1].name} if len(found) > MOST else None,
    }
