"""``libres timetable``: who is free, and when; opens, extends, draws and exchanges."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click
from rich.progress import Progress
from rich.table import Table

from libres.cli.database import connected
from libres.cli.drawing import Drawing
from libres.cli.heat import heat_lines
from libres.cli.loading import Loaded, loaded
from libres.cli.options import dsn_option, timezone_option
from libres.cli.terminal import console, printable
from libres.cli.times import MOMENT, chart, local_days
from libres.db.models.timestamp import TimestampMixin
from libres.domain.spans import Span
from libres.timetable import Applied, Timetable
from libres.timetable.asking import local_day
from libres.timetable.heatmap import to_svg

if TYPE_CHECKING:
    from collections.abc import Callable

FOUND = 1
"""The exit status if something differs."""

TOGETHER = 500
"""Subjects per transaction."""

MOST_DRAWN = 30
"""Subjects."""

context_option = click.option(
    "--context",
    "context_name",
    required=True,
    metavar="NAME",
    help="Whose subjects: the name of the context.",
)

from_option = click.option("--from", "start", type=MOMENT, required=True)
to_option = click.option("--to", "end", type=MOMENT, required=True)


@click.group()
def timetable() -> None:
    """Ask who is free and when; open hours; exchange calendars."""


@contextmanager
def _table(dsn: str | None, name: str) -> Iterator[Timetable]:
    with connected(dsn, name) as database:
        yield Timetable(database.context)


def _transaction(table: Timetable, act: Callable[[], Any]) -> Any:
    return table.context.transaction(act)


@contextmanager
def _progress(words: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far it is."""
    with Progress(console=console(stderr=True), transient=True) as shown:
        task = shown.add_task(words, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


# Setting up ---------------------------------------------------------------------------


@timetable.command()
@dsn_option
@context_option
def setup(dsn: str | None, context_name: str) -> None:
    """Create the tables of timetables. May be repeated."""
    with _table(dsn, context_name) as table:
        _transaction(table, table.setup)
    click.echo("Timetables are set up.")


@timetable.command()
@dsn_option
@context_option
@timezone_option
@click.argument("names", nargs=-1, required=True)
@click.option("--tag", "tags", multiple=True, help="What they have; repeatable.")
def add(
    dsn: str | None,
    context_name: str,
    timezone: ZoneInfo,
    names: tuple[str, ...],
    tags: tuple[str, ...],
) -> None:
    """Add subjects, or change those that are there."""
    with _table(dsn, context_name) as table:
        zone = timezone.key
        _transaction(table, lambda: table.add(*names, timezone=zone, tags=tags))
    click.echo(f"Added {len(names)}.")


@timetable.command("open")
@dsn_option
@context_option
@click.argument("names", nargs=-1, required=True)
@from_option
@to_option
def open_(
    dsn: str | None,
    context_name: str,
    names: tuple[str, ...],
    start: datetime,
    end: datetime,
) -> None:
    """Allocate a time of NAMES, in quarters of an hour."""
    with _table(dsn, context_name) as table:
        opened = _transaction(table, lambda: table.open(names, [(start, end)]))
    click.echo(f"Opened {opened}.")


@timetable.command()
@dsn_option
@context_option
@timezone_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--resume",
    is_flag=True,
    help="Commit on the way, and skip what overlaps: go on where it was interrupted.",
)
def load(
    dsn: str | None,
    context_name: str,
    timezone: ZoneInfo,
    file: Path,
    resume: bool,
) -> None:
    """Open all that a CSV FILE says: name, start, end, and, if you like, timezone and
    tags with spaces between. Subjects that are not there are added. All or nothing,
    unless it is to be resumed."""
    found = loaded(file)
    with _table(dsn, context_name) as table, _progress("opens") as progress:
        if resume:
            opened = _load_on(table, found, timezone.key, progress)
        else:
            opened = _transaction(
                table, lambda: _load(table, found, timezone.key, progress)
            )
    click.echo(f"Opened {opened} of {len(found.subjects)} subjects.")


def _load(
    table: Timetable,
    found: Loaded,
    timezone: str,
    progress: Callable[[int, int], None],
) -> int:
    _add_missing(table, found, timezone)
    opened = 0
    for number, (spans, names) in enumerate(found.spans.items(), 1):
        opened += table.open(names, spans, timezone=timezone)
        progress(number, len(found.spans))
    return opened


def _load_on(
    table: Timetable,
    found: Loaded,
    timezone: str,
    progress: Callable[[int, int], None],
) -> int:
    """Open in many transactions; what was opened before overlaps, and is skipped."""
    _transaction(table, lambda: _add_missing(table, found, timezone))
    parts = [
        (spans, names[first : first + TOGETHER])
        for spans, names in found.spans.items()
        for first in range(0, len(names), TOGETHER)
    ]
    opened = 0
    for number, (spans, names) in enumerate(parts, 1):
        act = partial(
            table.open, names, spans, timezone=timezone, skip_overlapping=True
        )
        opened += _transaction(table, act)
        progress(number, len(parts))
    return opened


def _add_missing(table: Timetable, found: Loaded, timezone: str) -> None:
    present = {each.name for each in table.subjects(inactive=True)}
    for name, (zone, tags) in found.subjects.items():
        if name not in present:
            table.add(name, timezone=zone or timezone, tags=tags)


@timetable.command()
@dsn_option
@context_option
@click.option("--days", default=365, show_default=True, type=click.IntRange(1, 3650))
@click.option("--holidays", help="A country, or a part of it: CH, or CH-ZH.")
def extend(dsn: str | None, context_name: str, days: int, holidays: str | None) -> None:
    """Allocate the weekly hours of all subjects, for so many days from today.

    Some subjects at a time: what was interrupted is taken up again by doing it again.
    """
    with _table(dsn, context_name) as table, _progress("extends") as progress:
        made = _extended(table, days, holidays, progress)
    click.echo(f"Opened {made.opened}, took back {made.cut}.")
    for name, span in made.outside:
        click.echo(f"Outside of the hours: {printable(name)}, {_words(span)}")


def _extended(
    table: Timetable,
    days: int,
    holidays: str | None,
    progress: Callable[[int, int], None],
) -> Applied:
    names = table.with_hours()
    until = TimestampMixin.timestamp().date() + timedelta(days=days)
    done = Applied()
    for first in range(0, len(names), TOGETHER):
        some = names[first : first + TOGETHER]
        made = _transaction(
            table, partial(table.apply_template, some, until, holidays=holidays)
        )
        done.opened += made.opened
        done.cut += made.cut
        done.outside += made.outside
        progress(first + len(some), len(names))
    return done


@timetable.command()
@dsn_option
@context_option
@click.argument("name")
def hours(dsn: str | None, context_name: str, name: str) -> None:
    """Show the weekly hours and the exceptions of NAME."""
    with _table(dsn, context_name) as table:
        weekly, special = table.hours(name)
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    shown = Table("when", "from", "to", "why")
    for week in weekly:
        shown.add_row(
            days[week.weekday], f"{week.start:%H:%M}", f"{week.end:%H:%M}", ""
        )
    for day in special:
        ends = (
            "" if each is None else f"{each:%H:%M}" for each in (day.start, day.end)
        )
        reason = printable(day.reason or "")
        shown.add_row(
            f"{day.first} to {day.last}", *ends, f"{day.kind} {reason}".strip()
        )
    console().print(shown)


# Asking -------------------------------------------------------------------------------


@timetable.command()
@dsn_option
@context_option
@click.argument("name")
@from_option
@to_option
@click.option("--min", "minutes", type=click.IntRange(1), help="Minutes at least.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
def free(
    dsn: str | None,
    context_name: str,
    name: str,
    start: datetime,
    end: datetime,
    minutes: int | None,
    wants_json: bool,
) -> None:
    """Tell when NAME is free."""
    with _table(dsn, context_name) as table:
        found = table.free(name, start, end, min_length=_minutes(minutes))
    if wants_json:
        spans = [
            {"start": span.start.isoformat(), "end": span.end.isoformat()}
            for span in found
        ]
        click.echo(json.dumps(spans, indent=2))
        return
    for span in found:
        click.echo(_words(span))
    if not found:
        click.echo("Not at all.")


@timetable.command()
@dsn_option
@context_option
@timezone_option
@click.option(
    "--window",
    "windows",
    nargs=2,
    type=(MOMENT, MOMENT),
    multiple=True,
    required=True,
    metavar="FROM TO",
    help="Free during all of it; repeatable, then all of them count.",
)
@click.option("--tag", "tags", multiple=True, help="Who has this; repeatable.")
@click.option("--among", multiple=True, help="Only this one; repeatable.")
@click.option(
    "--duration", type=click.IntRange(1), help="So many minutes of it will do."
)
@click.option("--fraction", type=float, default=1.0, help="Such a share of it will do.")
@click.option("--limit", type=click.IntRange(1), help="So many at most.")
@click.option("--count", "wants_count", is_flag=True, help="Print the number only.")
@click.option("--draw", is_flag=True, help=f"Draw their days, of {MOST_DRAWN} at most.")
def who(
    dsn: str | None,
    context_name: str,
    timezone: ZoneInfo,
    windows: tuple[tuple[datetime, datetime], ...],
    tags: tuple[str, ...],
    among: tuple[str, ...],
    duration: int | None,
    fraction: float,
    limit: int | None,
    wants_count: bool,
    draw: bool,
) -> None:
    """Tell who is free."""
    asked: dict[str, Any] = {
        "tags": tags,
        "among": among or None,
        "duration": _minutes(duration),
        "fraction": fraction,
    }
    with _table(dsn, context_name) as table:
        if wants_count:
            click.echo(table.count_free(windows, **asked))
            return
        names = [each.name for each in table.who_is_free(windows, limit=limit, **asked)]
        for name in names:
            click.echo(printable(name))
        if draw and names:
            _draw(table, names[:MOST_DRAWN], windows, timezone.key)


def _draw(
    table: Timetable,
    names: list[str],
    windows: tuple[tuple[datetime, datetime], ...],
    timezone: str,
) -> None:
    start, end = min(each[0] for each in windows), max(each[1] for each in windows)
    days = local_days(start, end, timezone)
    whole = [local_day(day, timezone) for day in (days[0], days[-1])]
    first, last = whole[0].start, whole[1].end
    charts = [
        chart(
            name,
            days,
            table.free(name, first, last),
            table.busy(name, first, last),
            timezone,
        )
        for name in names
    ]
    console().print(Drawing(tuple(charts)))


@timetable.command()
@dsn_option
@context_option
@click.argument("names", nargs=-1, required=True)
@from_option
@to_option
@click.option("--min", "minutes", type=click.IntRange(1), help="Minutes at least.")
@click.option("--quorum", type=click.IntRange(1), help="So many of them will do.")
def common(
    dsn: str | None,
    context_name: str,
    names: tuple[str, ...],
    start: datetime,
    end: datetime,
    minutes: int | None,
    quorum: int | None,
) -> None:
    """Tell when all NAMES are free."""
    with _table(dsn, context_name) as table:
        found = table.common(
            names, start, end, min_length=_minutes(minutes), quorum=quorum
        )
    for each in found:
        click.echo(f"{_words(each.span)}: {printable(', '.join(each.subjects))}")
    if not found:
        click.echo("Not at all.")


@timetable.command("next")
@dsn_option
@context_option
@click.argument("names", nargs=-1, required=True)
@click.option("--duration", type=click.IntRange(1), required=True, help="Minutes.")
@click.option("--after", type=MOMENT, required=True)
@click.option("-n", "number", default=1, show_default=True, type=click.IntRange(1))
def next_(
    dsn: str | None,
    context_name: str,
    names: tuple[str, ...],
    duration: int,
    after: datetime,
    number: int,
) -> None:
    """Tell the next times at which one of NAMES is free, within 30 days."""
    with _table(dsn, context_name) as table:
        length = timedelta(minutes=duration)
        found = table.next_free(names, length, after=after, n=number)
    for each in found:
        click.echo(f"{_words(each.span)}: {printable(each.subject)}")
    if not found:
        click.echo("Not at all.")


@timetable.command()
@dsn_option
@context_option
@timezone_option
@from_option
@to_option
@click.option(
    "--step",
    default="15",
    show_default=True,
    type=click.Choice(["5", "10", "15", "30", "60"]),
    help="Minutes.",
)
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="A file.")
def heatmap(
    dsn: str | None,
    context_name: str,
    timezone: ZoneInfo,
    start: datetime,
    end: datetime,
    step: str,
    svg: Path | None,
) -> None:
    """Draw how many are free: here, or as SVG."""
    with _table(dsn, context_name) as table:
        heat = table.heatmap(start, end, int(step))  # type: ignore[arg-type]
    if svg is None:
        said = console()
        said.print(heat_lines(heat, timezone.key, said.width))
        return
    svg.write_text(to_svg(heat, timezone.key, title=f"Free: {context_name}"), "utf-8")
    click.echo(f"Drawn: {svg}")


# The cache ----------------------------------------------------------------------------


@timetable.command()
@dsn_option
@context_option
def cache(dsn: str | None, context_name: str) -> None:
    """Keep free times in a table from now on, so that answers are faster."""
    with _table(dsn, context_name) as table, _progress("caches") as progress:
        number = _transaction(table, lambda: table.cache(progress=progress))
    click.echo(f"{number} free times are cached.")


@timetable.command()
@dsn_option
@context_option
def uncache(dsn: str | None, context_name: str) -> None:
    """Keep them no more."""
    with _table(dsn, context_name) as table:
        _transaction(table, table.uncache)
    click.echo("Nothing is cached.")


@timetable.command("rebuild-cache")
@dsn_option
@context_option
def rebuild_cache(dsn: str | None, context_name: str) -> None:
    """Make the cache anew."""
    with _table(dsn, context_name) as table, _progress("caches") as progress:
        number = _transaction(table, lambda: table.rebuild_cache(progress=progress))
    click.echo(f"{number} free times are cached.")


@timetable.command("verify-cache")
@dsn_option
@context_option
@click.pass_context
def verify_cache(command: click.Context, dsn: str | None, context_name: str) -> None:
    """Compare the cache with what it is made of.

    The exit status is 1 if it differs.
    """
    with _table(dsn, context_name) as table:
        found = table.verify_cache()
    for each in found:
        span = Span(each.starts, each.ends)
        click.echo(f"{each.kind}: {printable(each.subject)}, {_words(span)}")
    if found:
        command.exit(FOUND)
    click.echo("All is well.")


# Exchange -----------------------------------------------------------------------------


@timetable.command()
@dsn_option
@context_option
@click.argument("name")
@from_option
@to_option
@click.option("--csv", "form", flag_value="csv", default=True, help="As CSV.")
@click.option("--ics", "form", flag_value="ics", help="As iCalendar.")
@click.option("--busy", is_flag=True, help="What is taken, not what is free.")
def export(
    dsn: str | None,
    context_name: str,
    name: str,
    start: datetime,
    end: datetime,
    form: str,
    busy: bool,
) -> None:
    """Print the free times of NAME."""
    with _table(dsn, context_name) as table:
        if form == "ics":
            text = table.export_ics(name, start, end, "events" if busy else "freebusy")
        else:
            text = table.export_csv([name], start, end, "busy" if busy else "free")
    sys.stdout.write(text)


@timetable.command("import")
@dsn_option
@context_option
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@from_option
@to_option
@click.option(
    "--calendar", default="default", show_default=True, help="Which file it is."
)
def import_(
    dsn: str | None,
    context_name: str,
    name: str,
    file: Path,
    start: datetime,
    end: datetime,
    calendar: str,
) -> None:
    """Take the busy times of an iCalendar FILE instead of those it brought before."""
    text = file.read_bytes()
    with _table(dsn, context_name) as table:
        number = _transaction(
            table,
            lambda: table.import_ics(name, text, start, end, calendar=calendar),
        )
    click.echo(f"{number} busy times.")


def _minutes(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(minutes=number)


def _words(span: Span) -> str:
    return f"{span.start.isoformat()} to {span.end.isoformat()}"
