"""Draws a day of a space as SVG: how many were inside, and what was reserved.

Time runs evenly from one local midnight to the next, and the hours beneath it are those
of the clock on the wall: where it is moved, one is missing, or there twice. What is
above the capacity is in another colour, and what no sensor saw is hatched.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

from libres.domain.days import (
    align_to_day,
    check_timezone,
    shifts_within,
    to_utc,
    to_zone,
)
from libres.domain.spans import Span
from libres.modules.errors import insist
from libres.modules.rasterizer import TICK
from libres.occupancy.steps import Step
from libres.timetable.rules import clipped, merged

QUARTER: Final = timedelta(minutes=15)
"""Every clock shows a full hour at one of these."""

HOURS: Final = (1, 2, 3, 6, 12, 24)
"""From one hour that is named to the next."""

LONGEST: Final = timedelta(days=32)

MOST_ROWS: Final = 6
"""Of reservations at the same time; the others are counted."""

MOST_NAMED: Final = 5
"""Of reservations and times in a sentence."""

STRANGE: Final = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Booked:
    """When the space is reserved, and for what."""

    span: Span
    label: str


@dataclass(frozen=True, slots=True)
class Day:
    """What is known of a day of a space; all times are aware."""

    space: str
    timezone: str

    steps: tuple[Step, ...]
    """One at least. Where there are gaps, nothing is drawn."""

    capacity: int | None = None
    booked: tuple[Booked, ...] = ()

    silent: tuple[Span, ...] = ()
    """When its sensors were not heard, so that counts are unknown."""


# What is shown ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hour:
    """A full hour of the clock on the wall."""

    moment: datetime
    label: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A day as it is drawn: in UTC, in order, and cut to the local days it touches."""

    day: Day
    """Its texts can be read anywhere."""

    span: Span
    steps: tuple[Step, ...]
    silent: tuple[Span, ...]

    rows: tuple[tuple[Booked, ...], ...]
    """Reservations below one another, where they are at the same time."""

    left_out: int
    """Reservations that found no row."""

    @property
    def low(self) -> int:
        """The lowest number that is drawn."""
        return min(0, *(min(each.count, each.least) for each in self.steps))

    @property
    def high(self) -> int:
        """The highest number that is drawn."""
        highest = (max(each.count, each.most) for each in self.steps)
        return max(1, self.day.capacity or 0, *highest)

    def times(self, span: Span) -> str:
        """Say from when to when, by the clock on the wall."""
        if span == self.span:
            return "all the time"
        return f"{self._clock(span.start)} to {self._clock(span.end)}"

    def _clock(self, moment: datetime) -> str:
        """Say the time: with its day if there are several, and with its zone where the
        same time may come twice."""
        day = "%a %d " if len(days(self)) > 1 else ""
        zone = " %Z" if shifts_within(self.span, self.day.timezone) else ""
        return f"{to_zone(moment, self.day.timezone):{day}%H:%M{zone}}"


def sheet_of(day: Day) -> Sheet:
    """Arrange a day. Raises Misuse without steps, or for an unknown timezone."""
    check_timezone(day.timezone)
    steps = tuple(sorted(_steps(day), key=lambda step: step.start))
    insist(steps, "A day without steps cannot be drawn: ask for a longer time.")
    span = _whole_days(Span(steps[0].start, steps[-1].end), day.timezone)
    insist(span.duration <= LONGEST, "A month is the longest that can be drawn.")
    *rows, rest = _rows(sorted(_booked(day, span), key=_turn))
    return Sheet(
        day=replace(day, space=readable(day.space)),
        span=span,
        steps=steps,
        silent=tuple(clipped(merged(_in_utc(each, day) for each in day.silent), span)),
        rows=tuple(tuple(row) for row in rows if row),
        left_out=len(rest),
    )


def readable(text: str) -> str:
    """Replace what XML cannot hold, and what would turn or hide the rest."""
    spaced = " ".join(text.split())
    return "".join(letter if letter.isprintable() else STRANGE for letter in spaced)


def _steps(day: Day) -> Iterator[Step]:
    for each in day.steps:
        span = _in_utc(Span(each.start, each.end), day)
        if not span.is_empty:
            yield replace(each, start=span.start, end=span.end)


def _in_utc(span: Span, day: Day) -> Span:
    return Span(to_utc(span.start, day.timezone), to_utc(span.end, day.timezone))


def _whole_days(span: Span, timezone: str) -> Span:
    return Span.from_stored(*align_to_day(span.start, span.end - TICK, timezone))


def _booked(day: Day, within: Span) -> Iterator[Booked]:
    for each in day.booked:
        span = _in_utc(each.span, day)
        if not span.is_empty and span.overlaps(within):
            yield Booked(span, readable(each.label))


def _turn(booked: Booked) -> tuple[Span, str]:
    return booked.span, booked.label


def _rows(booked: Iterable[Booked]) -> list[list[Booked]]:
    """Put each into the first row that is free then; the last holds what found none."""
    rows: list[list[Booked]] = [[] for _ in range(MOST_ROWS)]
    rest: list[Booked] = []
    for each in booked:
        free = (row for row in rows if not row or row[-1].span.end <= each.span.start)
        next(free, rest).append(each)
    return [*rows, rest]


def hours(sheet: Sheet, most: int) -> list[Hour]:
    """Return the hours to name beneath a drawing that has room for so many."""
    choices = (list(_hours(sheet, every)) for every in HOURS)
    found = next((some for some in choices if len(some) <= most), None)
    return _apart(found or list(_hours(sheet, HOURS[-1])), sheet.span.duration / most)


def _apart(some: Iterable[Hour], least: timedelta) -> list[Hour]:
    """Leave out what comes too soon, as the second of an hour that is there twice."""
    found: list[Hour] = []
    for hour in some:
        if not found or hour.moment - found[-1].moment >= least:
            found.append(hour)
    return found


def _hours(sheet: Sheet, every: int) -> Iterator[Hour]:
    many = len(days(sheet)) > 1
    for number in range((sheet.span.duration - TICK) // QUARTER + 1):
        moment = sheet.span.start + number * QUARTER
        local = to_zone(moment, sheet.day.timezone)
        if local.minute == 0 and local.hour % every == 0:
            names_day = many and local.hour == 0
            label = f"{local:%a} {local.day}" if names_day else f"{local:%H}"
            yield Hour(moment, label)


def days(sheet: Sheet) -> list[str]:
    """Name the first local day, and the last if it is another one."""
    ends = (sheet.span.start, sheet.span.end - TICK)
    shown = (to_zone(moment, sheet.day.timezone) for moment in ends)
    names = (f"{local:%a} {local.day} {local:%b %Y}" for local in shown)
    return list(dict.fromkeys(names))


# What is said -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest count that sensors saw, and when it was so first."""

    count: int
    span: Span


def peak(sheet: Sheet) -> Peak | None:
    """Return the highest count; None if sensors were silent in every step."""
    heard = _heard(sheet)
    if not heard:
        return None
    count = max(step.most for step in heard)
    return Peak(count, merged(step.span for step in heard if step.most == count)[0])


def _heard(sheet: Sheet) -> list[Step]:
    """Return the steps of which at least a part is known."""
    starts = [silence.start for silence in sheet.silent]
    return [
        step
        for step in sheet.steps
        if not (place := bisect_right(starts, step.start))
        or not sheet.silent[place - 1].contains(step.span)
    ]


def sentences(sheet: Sheet) -> list[str]:
    """Say what there is to see: the highest count, the capacity, what is unknown."""
    said = [_highest(sheet)]
    if sheet.day.capacity is not None:
        said.append(_capacity(sheet, sheet.day.capacity))
    if sheet.silent:
        said.append(f"Unknown, no sensor heard: {_times(sheet.silent, sheet)}.")
    return said


def _highest(sheet: Sheet) -> str:
    found = peak(sheet)
    if found is None:
        return "Highest count: unknown."
    return f"Highest count: {found.count}, {sheet.times(found.span)}."


def _capacity(sheet: Sheet, capacity: int) -> str:
    over = merged(step.span for step in _heard(sheet) if step.most > capacity)
    exceeded = f", exceeded {_times(over, sheet)}" if over else ""
    return f"Capacity: {capacity}{exceeded}."


def _times(spans: Sequence[Span], sheet: Sheet) -> str:
    return _listed([sheet.times(span) for span in spans], ", ")


def _listed(words: Sequence[str], between: str) -> str:
    more = len(words) - MOST_NAMED
    rest = [f"{more} more"] if more > 0 else []
    return between.join([*words[:MOST_NAMED], *rest])


def _reservations(sheet: Sheet) -> str:
    booked = sorted((each for row in sheet.rows for each in row), key=_turn)
    words = [f"{each.label} {sheet.times(each.span)}" for each in booked]
    return f"Reserved: {_listed(words, '; ')}."


# Drawing ------------------------------------------------------------------------------

LEFT, TOP, WIDTH, HEIGHT, RIGHT = 64, 48, 816, 200, 64
ROW, GAP, FOOT, SWATCH = 20, 4, 44, 18
ROWS_TOP: Final = TOP + HEIGHT + 30

MIDDLE: Final = 'text-anchor="middle"'
END: Final = 'text-anchor="end"'
BAND: Final = 'fill-opacity="0.35"'
DASHES: Final = 'stroke-width="1.5" stroke-dasharray="6 4"'

LETTER: Final = 0.53
"""Width of a letter, on the average, as a part of its size."""

HOUR_ROOM: Final = 28
LINES: Final = 5
HATCH: Final = 9
"""From one stripe to the next."""

INKS: Final = {
    "paper": ("#ffffff", "#14181d"),
    "ink": ("#1f2933", "#e4e7eb"),
    "quiet": ("#5b6770", "#a3adb7"),
    "grid": ("#e3e7eb", "#2c343c"),
    "count": ("#9cc3ea", "#2f6ba8"),
    "edge": ("#1d5fa3", "#8ec2f7"),
    "over": ("#e0533d", "#e8684f"),
    "limit": ("#a3271a", "#ffb3a3"),
    "booked": ("#e4dcf3", "#453763"),
    "bound": ("#6b4ba3", "#b79cf0"),
    "stripe": ("#7b858e", "#8f99a3"),
}
"""The colours on light and on dark; where styles are not allowed, it stays light."""

DARK: Final = "".join(f".libres-{name}{{color:{INKS[name][1]}}}" for name in INKS)
THEMES: Final = f"@media (prefers-color-scheme:dark){{{DARK}}}"
STYLE: Final = 'font-family="sans-serif" font-size="12" shape-rendering="crispEdges"'


def to_svg(day: Day, *, title: str | None = None) -> str:
    """Draw a day as SVG, which needs nothing else to be shown, on light or on dark.

    *title* is by default the space and the day.

    Raises Misuse without steps, for more than a month, or for an unknown timezone.
    """
    sheet = sheet_of(day)
    plot = _plot_of(sheet)
    heading = readable(title) if title is not None else name_of(sheet)
    width, height = LEFT + WIDTH + RIGHT, _rows_end(sheet) + FOOT
    size = f'width="{width}" height="{height}"'
    box = f'viewBox="0 0 {width} {height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} {box} {STYLE}>',
        f"<title>{escape(heading)}</title>",
        f"<desc>{escape(' '.join(_description(sheet)))}</desc>",
        f"<style>{THEMES}</style>",
        f"<rect {size} {_fill('paper')}/>",
        _text(LEFT, 24, _cut(heading, WIDTH, 15), "ink", 'font-size="15"'),
        *_grid(sheet, plot),
        *_counts(sheet, plot),
        *_silences(sheet, plot),
        *_limit(sheet, plot),
        *_reserved(sheet, plot),
        *_legend(sheet, height - 16),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def name_of(sheet: Sheet) -> str:
    """Name the space and the day."""
    return f"{sheet.day.space}, {' to '.join(days(sheet))}"


def _description(sheet: Sheet) -> list[str]:
    said = [f"How many were inside, {sheet.day.timezone}.", *sentences(sheet)]
    return [*said, _reservations(sheet)] if sheet.rows else said


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where moments and counts are on the paper."""

    span: Span
    low: int
    high: int
    every: int
    """From one line of the grid to the next."""

    def x(self, moment: datetime) -> float:
        share = (moment - self.span.start) / self.span.duration
        return LEFT + WIDTH * min(max(share, 0.0), 1.0)

    def y(self, count: int) -> float:
        return TOP + HEIGHT * (self.high - count) / (self.high - self.low)


def _plot_of(sheet: Sheet) -> _Plot:
    every = _even((sheet.high - sheet.low) / LINES)
    low, high = sheet.low // every * every, -(-sheet.high // every) * every
    return _Plot(sheet.span, low, high, every)


def _even(least: float) -> int:
    """Return the first of 1, 2, 5, 10, 20, 50 and so on that is not less."""
    power = 1
    while 10 * power < least:
        power *= 10
    return next(power * each for each in (1, 2, 5, 10) if power * each >= least)


def _grid(sheet: Sheet, plot: _Plot) -> Iterator[str]:
    right, bottom = LEFT + WIDTH, TOP + HEIGHT
    for hour in hours(sheet, WIDTH // HOUR_ROOM):
        x = plot.x(hour.moment)
        yield _line(f"M{_n(x)} {TOP}V{bottom}", "grid")
        yield _text(x, bottom + 16, hour.label, "quiet", MIDDLE)
    for count in range(plot.low, plot.high + 1, plot.every):
        y = plot.y(count)
        yield _line(f"M{LEFT} {_n(y)}H{right}", "quiet" if count == 0 else "grid")
        yield _text(LEFT - 8, y + 4, str(count), "quiet", END)


# Counts -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Box:
    """A stretch of time, and from which count to which it is filled."""

    start: datetime
    end: datetime
    low: int
    high: int


def _counts(sheet: Sheet, plot: _Plot) -> Iterator[str]:
    """Yield the counts, what of them is above the capacity, and the band of each."""
    limit = sheet.high if sheet.day.capacity is None else sheet.day.capacity
    counted = _boxes(sheet, lambda step: (0, step.count))
    above = _boxes(sheet, lambda step: (min(limit, step.count), step.count))
    below = _boxes(sheet, lambda step: (min(step.least, limit), min(step.most, limit)))
    beyond = _boxes(sheet, lambda step: (max(step.least, limit), max(step.most, limit)))
    yield from _filled(counted, plot, "count")
    yield from _filled(above, plot, "over")
    yield from _filled(below, plot, "edge", BAND)
    yield from _filled(beyond, plot, "limit", BAND)
    yield _line(_edge(counted, plot), "edge", 'stroke-width="1.5"')
    yield from _tooltips(sheet, plot)


def _boxes(sheet: Sheet, ends: Callable[[Step], tuple[int, int]]) -> list[_Box]:
    """Return what is filled; steps in a row that are alike are one box."""
    found: list[_Box] = []
    for step in sheet.steps:
        low, high = ends(step)
        last = found[-1] if found else None
        if last and (last.end, last.low, last.high) == (step.start, low, high):
            found[-1] = replace(last, end=step.end)
        else:
            found.append(_Box(step.start, step.end, low, high))
    return found


def _filled(
    boxes: Sequence[_Box], plot: _Plot, ink: str, look: str = ""
) -> Iterator[str]:
    shapes = "".join(
        f"M{_n(plot.x(box.start))} {_n(plot.y(box.low))}V{_n(plot.y(box.high))}"
        f"H{_n(plot.x(box.end))}V{_n(plot.y(box.low))}Z"
        for box in boxes
        if box.low != box.high
    )
    if shapes:
        yield f'<path d="{shapes}" {_fill(ink)} {look}/>'


def _edge(boxes: Sequence[_Box], plot: _Plot) -> str:
    """Return the line along the counts, with a break wherever steps are missing."""
    parts: list[str] = []
    end: datetime | None = None
    for box in boxes:
        y = _n(plot.y(box.high))
        parts.append(f"V{y}" if box.start == end else f"M{_n(plot.x(box.start))} {y}")
        parts.append(f"H{_n(plot.x(box.end))}")
        end = box.end
    return "".join(parts)


def _tooltips(sheet: Sheet, plot: _Plot) -> Iterator[str]:
    for step in sheet.steps:
        words = f"{sheet.times(step.span)}: {step.count} ({step.least} to {step.most})"
        yield _area(step.span, plot, words, 'fill-opacity="0"')


def _area(span: Span, plot: _Plot, words: str, look: str) -> str:
    """Draw a stretch of time from top to bottom, which says what it is."""
    left = plot.x(span.start)
    width = max(plot.x(span.end) - left, 1)
    return (
        f'<rect x="{_n(left)}" y="{TOP}" width="{_n(width)}" height="{HEIGHT}" '
        f"{look}><title>{escape(words)}</title></rect>"
    )


def _silences(sheet: Sheet, plot: _Plot) -> Iterator[str]:
    for span in sheet.silent:
        words = f"{sheet.times(span)}: unknown, no sensor heard"
        yield _area(span, plot, words, f'{_fill("paper")} fill-opacity="0.6"')
        yield _hatched(plot.x(span.start), TOP, plot.x(span.end), TOP + HEIGHT)


def _hatched(left: float, top: float, right: float, bottom: float) -> str:
    """Return stripes, cut by hand: a pattern would need an id, unique on its page."""
    parts = []
    first = int((left + top) // HATCH) + 1
    for total in range(first * HATCH, int(right + bottom) + 1, HATCH):
        lower, upper = max(left, total - bottom), min(right, total - top)
        if lower < upper:
            parts.append(
                f"M{_n(lower)} {_n(total - lower)}L{_n(upper)} {_n(total - upper)}"
            )
    return _line("".join(parts), "stripe", 'shape-rendering="auto"')


def _limit(sheet: Sheet, plot: _Plot) -> Iterator[str]:
    capacity = sheet.day.capacity
    if capacity is not None:
        y, right = plot.y(capacity), LEFT + WIDTH
        yield _line(f"M{LEFT} {_n(y)}H{right}", "limit", DASHES)
        yield _text(right + 8, y + 4, str(capacity), "limit")


# Reservations -------------------------------------------------------------------------


def _reserved(sheet: Sheet, plot: _Plot) -> Iterator[str]:
    for number, row in enumerate(sheet.rows):
        y = ROWS_TOP + number * (ROW + GAP)
        yield from (line for each in row for line in _bar(each, sheet, plot, y))
    if sheet.rows:
        yield _text(LEFT - 8, ROWS_TOP + 14, "reserved", "quiet", END)
    if sheet.left_out:
        words = f"and {sheet.left_out} more at the same time"
        yield _text(LEFT, _rows_end(sheet) - 6, words, "quiet")


def _bar(booked: Booked, sheet: Sheet, plot: _Plot, y: int) -> Iterator[str]:
    left, right = plot.x(booked.span.start), plot.x(booked.span.end)
    width = max(right - left - 1, 2)
    words = f"{sheet.times(booked.span)}: {booked.label}"
    yield f"<g><title>{escape(words)}</title>"
    yield _rect(left, y, width, ROW, "booked")
    if booked.span.start >= sheet.span.start:
        yield _rect(left, y, 2, ROW, "bound")
    if label := _cut(booked.label, width - 10, 11):
        yield _text(left + 6, y + 14, label, "ink", 'font-size="11"')
    yield "</g>"


def _rows_end(sheet: Sheet) -> int:
    count = len(sheet.rows) + bool(sheet.left_out)
    return ROWS_TOP + count * (ROW + GAP)


def _cut(text: str, width: float, size: int) -> str:
    """Cut a text to a width, with an ellipsis; nothing if there is no room for two."""
    left = width / (size * LETTER)
    if _letters(text) <= left:
        return text
    kept = ""
    for letter in text:
        left -= _letters(letter)
        if left < 1:
            break
        kept += letter
    return f"{kept.rstrip()}…" if len(kept) > 1 else ""


def _letters(text: str) -> int:
    """Return the width of a text, in letters; those of East Asia are twice as wide."""
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text)


# Legend -------------------------------------------------------------------------------


def _legend(sheet: Sheet, y: int) -> Iterator[str]:
    x = float(LEFT)
    for name, swatch in _swatches(sheet, y - 10):
        yield f'<g transform="translate({_n(x)} 0)">{swatch}'
        yield f"{_text(SWATCH + 6, y, name, 'quiet')}</g>"
        x += SWATCH + 24 + len(name) * 12 * LETTER


def _swatches(sheet: Sheet, y: int) -> Iterator[tuple[str, str]]:
    """Name what there is in this drawing, each with a small piece of it."""
    capacity = sheet.day.capacity
    yield "count", _rect(0, y, SWATCH, 12, "count")
    if any(step.least != step.most for step in sheet.steps):
        yield "least to most", _rect(0, y, SWATCH, 12, "edge", BAND)
    if capacity is not None:
        yield "capacity", _line(f"M0 {y + 6}H{SWATCH}", "limit", DASHES)
        if any(step.count > capacity for step in sheet.steps):
            yield "above capacity", _rect(0, y, SWATCH, 12, "over")
    if sheet.rows:
        yield "reserved", _rect(0, y, SWATCH, 12, "booked")
    if sheet.silent:
        yield "unknown, no sensor heard", _hatched(0, y, SWATCH, y + 12)


# Shapes -------------------------------------------------------------------------------


def _fill(ink: str) -> str:
    return f'class="libres-{ink}" color="{INKS[ink][0]}" fill="currentColor"'


def _rect(
    x: float, y: float, width: float, height: float, ink: str, look: str = ""
) -> str:
    size = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
    return f"<rect {size} {_fill(ink)} {look}/>"


def _line(shape: str, ink: str, look: str = "") -> str:
    colour = f'class="libres-{ink}" color="{INKS[ink][0]}" stroke="currentColor"'
    return f'<path d="{shape}" fill="none" {colour} {look}/>'


def _text(x: float, y: float, words: str, ink: str, look: str = "") -> str:
    place = f'x="{_n(x)}" y="{_n(y)}"'
    return f"<text {place} {_fill(ink)} {look}>{escape(words)}</text>"


def _n(number: float) -> str:
    """Write a number, to a hundredth of a pixel."""
    return f"{round(number, 2):g}"
