"""The week of a resource: what is free, mine and taken; a time is booked in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date as Date
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from flask import (
    Blueprint,
    Response,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)

from libres.domain.days import UTC, to_zone
from libres.domain.spans import Span
from libres.modules.errors import LibresError
from libres.web.booking import (
    Filled,
    Wish,
    book,
    filled,
    give_back,
    other_times,
    refusal,
    viewer_of,
    wait,
)
from libres.web.clock import day_of, today_in
from libres.web.directory import Place, resources_of
from libres.web.drawing import (
    Column,
    Drawn,
    columns,
    scale,
    told_day,
    told_time,
    told_times,
    told_whole,
)
from libres.web.edge import Edge, edge
from libres.web.errors import NotFound
from libres.web.fields import uuid_of
from libres.web.identity import BOOK
from libres.web.showing import Held, Part, parts_of

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from libres.db.operations.fitting import Alternatives, Fitting

DAY: Final = timedelta(days=1)
WEEK: Final = 7 * DAY
USUAL: Final = timedelta(hours=1)
"""What is proposed, if nothing is chosen."""

LONGEST: Final = timedelta(hours=25)
"""What is reserved at once."""

MOST_ID: Final = 2**31 - 1


page = Blueprint("week", __name__)


@page.get("/scale.css")
def scale_css() -> Response:
    """Say which class stands for which row."""
    kept = {"Cache-Control": "public, max-age=86400"}
    return Response(scale(), headers=kept, mimetype="text/css")


@page.get("/week")
def first() -> ResponseReturnValue:
    """Lead to the week of the resource that was chosen, or of the first one."""
    here = edge()
    with here.reading():
        known = list(resources_of(here.context).all())
    if not known:
        return render_template("libres/week_none.html")
    names = [each.name for each in known]
    chosen = request.args.get("name", names[0])
    day = request.args.get("day")
    return redirect(url_for("libres.week.week", name=chosen, day=day), 303)


@page.get("/week/<name>")
def week(name: str) -> ResponseReturnValue:
    """Show the week around a day, and what is chosen of it."""
    here = edge()
    return _page(here, name, Attempt(replace(filled(request.args), wrong={})))


@page.post("/week/<name>/book")
def booked(name: str) -> ResponseReturnValue:
    """Book, or tell why not, and what else would do."""
    return _tried(edge(), name, filled(request.form), _book)


@page.post("/week/<name>/wait")
def waiting(name: str) -> ResponseReturnValue:
    """Wait for what is taken."""
    return _tried(edge(), name, filled(request.form), _wait)


@page.post("/week/<name>/give-back")
def given_back(name: str) -> ResponseReturnValue:
    """Remove a reservation of one's own."""
    here = edge()
    place = here.place(name)
    give_back(here, place, *_reservation())
    flash("Given back: others can have it now.", "good")
    return redirect(_url(place, day=request.form.get("day")), 303)


def _reservation() -> tuple[Any, int]:
    """Read which reservation is meant. Raises NotFound."""
    token = uuid_of(request.form.get("token", ""))
    number = request.form.get("id", type=int)
    if token is None or number is None or not 0 < number <= MOST_ID:
        raise NotFound
    return token, number


def _tried(
    here: Edge, name: str, form: Filled, do: Callable[[Edge, Place, Wish], str]
) -> ResponseReturnValue:
    """Do what is wished and show its day, or what is wrong with it, or why not."""
    here.insist(BOOK)
    place = here.place(name)
    if form.wish is None:
        return _page(here, name, Attempt(form, 422)), 422
    try:
        words = do(here, place, form.wish)
    except LibresError as error:
        refused = refusal(error)
        if refused is None:
            raise
        status, said = refused
        return _page(here, name, Attempt(form, status, said)), status
    flash(words, "good")
    day = to_zone(form.wish.start, place.timezone).date()
    return redirect(_url(place, day=day.isoformat()), 303)


def _book(here: Edge, place: Place, wish: Wish) -> str:
    return book(here, place, wish).words


def _wait(here: Edge, place: Place, wish: Wish) -> str:
    position = wait(here, place, wish)
    return f"You wait for {wish.times(place)}, as number {position}."


def _url(place: Place, **more: Any) -> str:
    return url_for("libres.week.week", name=place.name, **more)


# What was tried -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is chosen or was filled in, and what came of it."""

    form: Filled
    status: int = 200
    refused: str = ""
    """Why not, for people; empty: nothing was refused."""

    @property
    def span(self) -> Span | None:
        """The time; None: none that makes sense."""
        start, end = self.form.start, self.form.end
        if start is None or end is None or start >= end:
            return None
        return Span(start, end)

    @property
    def places(self) -> int:
        """How many places."""
        text = self.form.typed.get("places", "")
        is_number = text.isascii() and text.isdigit() and len(text) < 6
        return max(1, int(text)) if is_number else 1


# The page -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    """A time in a list to choose from."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Own:
    """A reservation of the viewer."""

    held: Held
    times: str


@dataclass(frozen=True, slots=True)
class Other:
    """A time that could be had instead."""

    url: str
    span: str
    words: str


@dataclass(frozen=True, slots=True)
class View:
    """What the template shows."""

    place: Place
    places: Sequence[Place]
    monday: Date
    day: Date
    today: Date
    columns: Sequence[Column]
    own: Sequence[Own]
    starts: Sequence[Option]
    ends: Sequence[Option]
    most: int
    """Places that one could have."""

    left: int | None
    """Places that are left of what is chosen; None: nothing is chosen."""

    group: Sequence[str] = ()
    """The times that are booked together, if there are several."""

    is_approved: bool = False
    """Whether somebody has to approve what is chosen."""

    others: Sequence[Other] = ()
    once: str = field(default_factory=lambda: str(uuid4()))

    @property
    def title(self) -> str:
        """The week, for people."""
        sunday = self.monday + WEEK - DAY
        return f"{told_day(self.monday)} to {told_day(sunday)} {sunday.year}"

    @property
    def before(self) -> str:
        """The week before."""
        return _url(self.place, day=(self.day - WEEK).isoformat())

    @property
    def after(self) -> str:
        """The next week."""
        return _url(self.place, day=(self.day + WEEK).isoformat())

    def chosen_url(self, drawn: Drawn) -> str:
        """Where a part is chosen."""
        start, end = (each.isoformat() for each in drawn.chosen)
        url = _url(self.place, day=self.day_of(drawn), start=start, end=end)
        return f"{url}#book"

    def day_of(self, drawn: Drawn) -> str:
        """The day in whose column a part stands."""
        return drawn.start.date().isoformat()


def _page(here: Edge, name: str, attempt: Attempt) -> str:
    with here.reading():
        view = _view(here, name, attempt)
    return render_template(
        "libres/week.html",
        view=view,
        attempt=attempt,
        typed=attempt.form.typed,
        wrong=attempt.form.wrong,
        can_book=here.caller.may(BOOK),
    )


def _view(here: Edge, name: str, attempt: Attempt) -> View:
    known = list(resources_of(here.context).all())
    place = next((each for each in known if each.name == name), None)
    if place is None:
        raise NotFound
    zone, today = place.timezone, today_in(place.timezone)
    day = _day(attempt, zone) or today
    monday = day - day.weekday() * DAY
    days = [monday + number * DAY for number in range(7)]
    asked = Span(day_of(days[0], zone).start, day_of(days[-1], zone).end)
    scheduler = place.scheduler(here.context)
    parts = parts_of([scheduler], asked, viewer_of(here))[str(name)]
    drawn = columns([parts] * 7, [(each, zone) for each in days])
    touched = _touched(parts, attempt)
    left = min((0 if p.is_blocked else p.left for p in touched), default=None)
    is_taken = left is not None and left < attempt.places
    is_refused = is_taken or attempt.status in {409, 422}
    column = drawn[day.weekday()]
    starts, ends = _options(column, attempt, zone)
    return View(
        place=place,
        places=known,
        monday=monday,
        day=day,
        today=today,
        columns=drawn,
        own=list(_own(parts, zone)),
        starts=starts,
        ends=ends,
        most=max((part.master.quota for part in parts), default=1),
        left=left,
        group=_group(scheduler, touched),
        is_approved=any(part.master.approve_manually for part in touched),
        others=_others(here, place, known, attempt, day) if is_refused else [],
    )


def _day(attempt: Attempt, zone: str) -> Date | None:
    """Return the day to show: the one asked for, else that of what is chosen."""
    try:
        day = Date.fromisoformat(attempt.form.typed.get("day", ""))
    except ValueError:
        day = None
    chosen = attempt.form.start or attempt.form.end
    if day is None and chosen is not None:
        day = to_zone(chosen, zone).date()
    return day if day is not None and 1970 < day.year < 2999 else None


def _touched(parts: Sequence[Part], attempt: Attempt) -> list[Part]:
    """Return the parts of which something is chosen."""
    span = attempt.span
    return [each for each in parts if span and each.span.overlaps(span)]


def _own(parts: Sequence[Part], zone: str) -> Iterator[Own]:
    """Yield the reservations of the viewer, each once, with its time in this week."""
    spans: dict[int, tuple[Held, list[Span]]] = {}
    for part in parts:
        for held in part.held:
            if held.is_mine:
                _, known = spans.setdefault(held.id, (held, []))
                span = held.within(part.master)
                if span is not None and span not in known:
                    known.append(span)
    for held, known in spans.values():
        times = (_told(span, zone) for span in known)
        yield Own(held, "; ".join(times))


def _told(span: Span, zone: str) -> str:
    return told_whole(to_zone(span.start, zone), to_zone(span.end, zone))


def _group(scheduler: Any, touched: Sequence[Part]) -> list[str]:
    """Tell what is booked together. One statement, if anything is."""
    groups = {part.master.group for part in touched if part.master.in_group}
    if not groups:
        return []
    dates = (scheduler.allocation_dates_by_group(each) for each in sorted(groups))
    spans = (Span.from_stored(*row) for some in dates for row in some)
    return [_told(span, scheduler.timezone) for span in spans]


# Times to choose from -----------------------------------------------------------------


def _options(
    column: Column, attempt: Attempt, zone: str
) -> tuple[list[Option], list[Option]]:
    """Return the starts and ends of a day, on the raster."""
    free = [each for each in column.drawn if each.part.left]
    starts = {start for each in free for start, _ in _steps(each)}
    ends = {end for each in free for _, end in _steps(each)}
    first, last = _proposed(free)
    span = attempt.span
    if span is not None:
        first, last = to_zone(span.start, zone), to_zone(span.end, zone)
        starts.add(first)
        ends.add(last)
    return (
        [_option(each, first, column.day) for each in sorted(starts)],
        [_option(each, last, column.day) for each in sorted(ends)],
    )


def _steps(drawn: Drawn) -> Iterator[tuple[datetime, datetime]]:
    start, end = drawn.chosen
    if drawn.is_whole:
        yield start, end
        return
    zone, step = drawn.part.master.timezone, timedelta(minutes=drawn.step)
    at, last = drawn.start.astimezone(UTC), drawn.end.astimezone(UTC)
    while at < last:
        yield to_zone(at, zone), to_zone(min(at + step, last), zone)
        at += step


def _proposed(free: Sequence[Drawn]) -> tuple[datetime | None, datetime | None]:
    """Return the first hour that is free, or what there is of it."""
    if not free:
        return None, None
    start, end = free[0].chosen
    if free[0].is_whole:
        return start, end
    steps = [last for first, last in _steps(free[0]) if last - start <= USUAL]
    return start, steps[-1] if steps else end


def _option(moment: datetime, chosen: datetime | None, day: Date) -> Option:
    label = told_time(moment)
    if moment.date() != day:
        label = f"{told_day(moment.date())} {label}"
    return Option(moment.isoformat(), label, moment == chosen)


# What else would do -------------------------------------------------------------------


def _others(
    here: Edge, place: Place, known: Sequence[Place], attempt: Attempt, day: Date
) -> list[Other]:
    """Return what could be had instead. Two statements."""
    span = attempt.span
    if span is None or span.duration > LONGEST:
        return []
    found: Alternatives = other_times(
        here, place, known, span.start, span.end, attempt.places
    )
    titles = {each.name: each.title for each in known}
    return [
        _other(each, titles, place, day) for each in (*found.here, *found.elsewhere)
    ]


def _other(fitting: Fitting, titles: dict[str, str], place: Place, day: Date) -> Other:
    times = told_times(fitting.start, fitting.end)
    words = [] if fitting.name == place.name else [titles[fitting.name]]
    if fitting.start.date() != day:
        words.append(told_day(fitting.start.date()))
    return Other(
        url=url_for("libres.week.booked", name=fitting.name),
        span=f"{fitting.start.isoformat()}/{fitting.end.isoformat()}",
        words=", ".join([*words, times]),
    )
