"""``libres occupancy``: how many are in a space; records, counts, proves and draws."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar, get_args

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from sqlalchemy.exc import DBAPIError

from libres.cli.database import connected
from libres.cli.occupancy_day import day_lines
from libres.cli.occupancy_loading import Lines, loaded, repeatable, told
from libres.cli.occupancy_plan import (
    doorways_table,
    furnish,
    plan_of,
    sensors_table,
    spaces_table,
)
from libres.cli.options import dsn_option
from libres.cli.terminal import bar, console, printable
from libres.cli.times import MOMENT
from libres.context.drivers import sqlstate
from libres.modules.errors import Misuse
from libres.occupancy import InvalidPlace, Occupancy, UnknownPlace
from libres.occupancy.algebra import Policy
from libres.occupancy.counting import MOST_STEPS, now
from libres.occupancy.drawing import to_svg
from libres.occupancy.gathering import day_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from libres.occupancy import Health, Space

T = TypeVar("T")

FOUND: Final = 1
"""The exit status if rows were refused, if something is wrong or differs."""

UNDEFINED_TABLE: Final = "42P01"

MINUTE: Final = timedelta(minutes=1)

NOBODY_KNOWS: Final = (
    "Nobody knows: a sensor of {space} had been silent for too long, or none watched "
    "it. What was counted last is shown; libres occupancy health tells more."
)

context_option = click.option(
    "--context",
    "context_name",
    required=True,
    metavar="NAME",
    help="Whose spaces: the name of the context.",
)

at_option = click.option("--at", type=MOMENT, help="When; by default now.")


@click.group()
def occupancy() -> None:
    """Count who is in a space; load what sensors sent; calibrate and draw.

    A SPACE is given by its name, its number or its id.
    """


@contextmanager
def _house(dsn: str | None, name: str) -> Iterator[Occupancy]:
    with connected(dsn, name) as database, _explained(name):
        yield Occupancy(database.context)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Say what to do where an error of the library cannot know it."""
    try:
        yield
    except UnknownPlace as error:
        message = (
            f"There is no {error.kind} {error.names[0]!r} in the context {name!r}: "
            f"libres occupancy {error.kind}s lists those that are there."
        )
        raise click.ClickException(message) from error
    except InvalidPlace as error:
        raise click.ClickException(error.reason) from error
    except DBAPIError as error:
        if sqlstate(error) != UNDEFINED_TABLE:
            raise
        message = (
            "The tables of occupancy are missing: create them with libres occupancy "
            "init, or init --empty to do without the sample."
        )
        raise click.ClickException(message) from error


def _transaction(house: Occupancy, act: Callable[[], Any]) -> Any:
    return house.context.transaction(act)


def _space(house: Occupancy, key: str) -> Space:
    """Return a space by its name or, if none is called so, by its number or id."""
    spaces = house.spaces()
    named = (space for space in spaces if space.name == key)
    others = (space for space in spaces if key in (str(space.number), str(space.id)))
    found = next(named, None) or next(others, None)
    if found is None:
        kind = "space"
        raise UnknownPlace(kind, [key])
    return found


# Setting up ---------------------------------------------------------------------------


@occupancy.command()
@dsn_option
@context_option
@click.option("--empty", is_flag=True, help="Only the tables, without the sample.")
def init(dsn: str | None, context_name: str, empty: bool) -> None:
    """Create the tables of occupancy, and a sample: a building with spaces A and B.

    Sensor 283 hangs above doorway X, between outside and A: +1 enters A. Sensor 423
    hangs above Z, between A and B: +1 goes from B into A. May be repeated: what is
    there remains as it is.
    """
    with _house(dsn, context_name) as house:
        _transaction(house, house.setup)
        if not empty:
            _transaction(house, lambda: furnish(house))
        plan = plan_of(house)
    click.echo("Occupancy is set up.")
    if empty:
        return
    said = console()
    for table in (spaces_table(plan), doorways_table(plan), sensors_table(plan)):
        said.print()
        said.print(table)


@occupancy.command()
@dsn_option
@context_option
def spaces(dsn: str | None, context_name: str) -> None:
    """List spaces, their numbers and ids."""
    with _house(dsn, context_name) as house:
        console().print(spaces_table(plan_of(house)))


@occupancy.command()
@dsn_option
@context_option
def doorways(dsn: str | None, context_name: str) -> None:
    """List doorways: where they lead, and which sensors hang above them now."""
    with _house(dsn, context_name) as house:
        console().print(doorways_table(plan_of(house)))


@occupancy.command()
@dsn_option
@context_option
def sensors(dsn: str | None, context_name: str) -> None:
    """List sensors: where they hang now, and when they were heard last."""
    with _house(dsn, context_name) as house:
        console().print(sensors_table(plan_of(house)))


@occupancy.command()
@dsn_option
@context_option
@click.argument("sensor")
@click.argument("doorway")
@click.option(
    "--sign",
    type=click.Choice(["+1", "1", "-1"]),
    required=True,
    help="+1: the positive direction of the sensor leads to side A; -1: to side B.",
)
@click.option("--since", type=MOMENT, required=True, help="From when on.")
def assign(
    dsn: str | None,
    context_name: str,
    sensor: str,
    doorway: str,
    sign: str,
    since: datetime,
) -> None:
    """Hang SENSOR above DOORWAY, from a moment on.

    It hangs elsewhere until then. What it told since is counted anew.
    """
    with _house(dsn, context_name) as house:
        made = _transaction(
            house, lambda: house.assign(sensor, doorway, int(sign), since)
        )
    until = "" if made.until is None else f" until {made.until.isoformat()}"
    click.echo(
        f"{printable(made.sensor.code)} hangs above {printable(made.doorway.name)} "
        f"since {made.since.isoformat()}{until}, sign {made.sign:+}."
    )


@occupancy.command()
@dsn_option
@context_option
@click.argument("sensor")
@at_option
def unassign(
    dsn: str | None, context_name: str, sensor: str, at: datetime | None
) -> None:
    """Take SENSOR down. What it told since is counted no more."""
    moment = at or now()
    with _house(dsn, context_name) as house:
        hung = _transaction(house, lambda: house.unassign(sensor, moment))
    if hung:
        click.echo(f"{printable(sensor)} hangs nowhere since {moment.isoformat()}.")
    else:
        click.echo(f"Nothing to do: it hung nowhere at {moment.isoformat()}.")


# Recording ----------------------------------------------------------------------------


@occupancy.command()
@dsn_option
@context_option
@click.argument("file", type=click.File("rb"))
@click.option("--atomic", is_flag=True, help="Record nothing if any row is refused.")
@click.option(
    "--source", default="csv", show_default=True, help="Where the rows come from."
)
@click.pass_context
def load(
    command: click.Context,
    dsn: str | None,
    context_name: str,
    file: IO[bytes],
    atomic: bool,
    source: str,
) -> None:
    """Record a CSV FILE: timestamp, direction and dpu_id, named by its first line.

    - is the standard input. Doing it again records nothing twice, so what was
      interrupted is simply done again. The exit status is 1 if a row was refused.
    """
    with _house(dsn, context_name) as house, repeatable(file, atomic) as stream:
        made = loaded(house, Lines(stream), source, atomic=atomic)
    for line in told(made, atomic=atomic):
        click.echo(line)
    if made.invalid or made.unknown:
        command.exit(FOUND)


# Counting -----------------------------------------------------------------------------


@occupancy.command()
@dsn_option
@context_option
@click.argument("space")
@at_option
@click.option(
    "--policy",
    type=click.Choice(get_args(Policy)),
    help="What becomes of a count below zero: raw leaves it, floor shows zero, "
    "saturate never counts below. By default that of the space.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
def count(
    dsn: str | None,
    context_name: str,
    space: str,
    at: datetime | None,
    policy: Policy | None,
    wants_json: bool,
) -> None:
    """Print how many are in SPACE; an event exactly at the moment counts."""
    with _house(dsn, context_name) as house:
        found = _space(house, space)
        counted = house.count(found, at, policy)
    if counted.stale:
        click.echo(NOBODY_KNOWS.format(space=printable(found.name)), err=True)
    if not wants_json:
        click.echo(counted.count)
        return
    values = {
        "space_id": str(counted.space_id),
        "number": found.number,
        "name": found.name,
        "ts": counted.ts.isoformat(),
        "count": counted.count,
        "stale": counted.stale,
        "drift_hint": counted.drift_hint,
    }
    click.echo(json.dumps(values, indent=2))


@occupancy.command()
@dsn_option
@context_option
@click.argument("space")
@click.argument("value", type=click.IntRange(0))
@at_option
@click.option("--note", help="Who counted, or why.")
def calibrate(
    dsn: str | None,
    context_name: str,
    space: str,
    value: int,
    at: datetime | None,
    note: str | None,
) -> None:
    """Let the count of SPACE be VALUE from a moment on, whatever came before."""
    with _house(dsn, context_name) as house:
        found = _space(house, space)
        made = _transaction(house, lambda: house.calibrate(found, value, at, note=note))
    click.echo(f"{printable(found.name)} is {value} since {made.ts.isoformat()}.")
    click.echo(_drift(made.drift, made.passages))


def _drift(drift: int, passages: int) -> str:
    if not drift:
        return "That is what had been counted."
    off = f"{abs(drift)} too {'many' if drift > 0 else 'few'}"
    return f"The count was {off}, after about {passages} passages."


@occupancy.command()
@dsn_option
@context_option
def resets(dsn: str | None, context_name: str) -> None:
    """Set spaces to zero where they were empty by their schedule, up to now.

    For a cron job: once a day is enough.
    """
    with _house(dsn, context_name) as house:
        done = _transaction(house, house.apply_resets)
    click.echo(f"Reset {done}.")


# Proving ------------------------------------------------------------------------------


@occupancy.command()
@dsn_option
@context_option
@click.pass_context
def health(command: click.Context, dsn: str | None, context_name: str) -> None:
    """Tell which sensors are silent, which counts cannot be, what is not counted.

    The exit status is 1 if something is wrong.
    """
    with _house(dsn, context_name) as house:
        found = house.health()
    for line in _ills(found):
        click.echo(line)
    if not found.is_well:
        command.exit(FOUND)
    click.echo("All is well.")


def _ills(health: Health) -> Iterator[str]:
    for sensor in health.silent:
        seen = sensor.last_seen
        since = "ever" if seen is None else f"since {seen.isoformat()}"
        yield f"silent: sensor {printable(sensor.code)} has not been heard {since}"
    for each in health.strange:
        limit = "below zero" if each.capacity is None else f"above {each.capacity}"
        yield f"impossible: {printable(each.space)} counts {each.count}, {limit}"
    for left in health.left_out:
        yield (
            f"not counted: of {left.received} events that sensor "
            f"{printable(left.sensor)} sent in the last day, {left.quarantined} are "
            f"quarantined and {left.unassigned} unassigned"
        )


@occupancy.command()
@dsn_option
@context_option
@click.argument("space", required=False)
def rebuild(dsn: str | None, context_name: str, space: str | None) -> None:
    """Count SPACE anew from all its events; without one, all spaces.

    Each by itself: what was interrupted is taken up again by doing it again.
    """
    with _house(dsn, context_name) as house:
        hours = sum(_each(house, space, "counts", house.rebuild))
    click.echo(f"Counted {hours} hours anew.")


@occupancy.command()
@dsn_option
@context_option
@click.argument("space", required=False)
@click.pass_context
def verify(
    command: click.Context, dsn: str | None, context_name: str, space: str | None
) -> None:
    """Compare the tallies of SPACE with its events; without one, of all spaces.

    The exit status is 1 if they differ.
    """
    with _house(dsn, context_name) as house:
        found = [
            each
            for some in _each(house, space, "compares", house.verify)
            for each in some
        ]
    for each in found:
        start = each.start.isoformat()
        click.echo(f"{each.kind}: {printable(each.space)}, {each.level} of {start}")
    if found:
        click.echo("libres occupancy rebuild makes them anew.", err=True)
        command.exit(FOUND)
    click.echo("All is well.")


def _each(
    house: Occupancy, key: str | None, words: str, act: Callable[[Space], T]
) -> Iterator[T]:
    """Do something with one space or all, a transaction for each, and show how far."""
    found = house.spaces() if key is None else [_space(house, key)]
    with bar(TextColumn(words), BarColumn(), MofNCompleteColumn()) as shown:
        for space in shown.track(found):
            yield _transaction(house, partial(act, space))


# Drawing ------------------------------------------------------------------------------


@occupancy.command()
@dsn_option
@context_option
@click.argument("space")
@click.option("--from", "start", type=MOMENT, required=True)
@click.option("--to", "end", type=MOMENT, required=True)
@click.option(
    "--step",
    default=15,
    show_default=True,
    type=click.IntRange(1, 1440),
    help="Minutes.",
)
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="A file.")
@click.option(
    "--emails", is_flag=True, help="Name reservations by e-mail, not by token."
)
def report(
    dsn: str | None,
    context_name: str,
    space: str,
    start: datetime,
    end: datetime,
    step: int,
    svg: Path | None,
    emails: bool,
) -> None:
    """Draw how many were in SPACE, its capacity, what was reserved and is unknown.

    Here, or as SVG; some days, a month at most.
    """
    _check_steps(start, end, step)
    with _house(dsn, context_name) as house, _drawn():
        found = _space(house, space)
        day = day_of(house, found, start, end, step * MINUTE, emails=emails)
        if svg is None:
            said = console()
            for line in day_lines(day, said.width):
                said.print(line, soft_wrap=True)
            return
        svg.write_text(to_svg(day), "utf-8")
    click.echo(f"Drawn: {svg}")


def _check_steps(start: datetime, end: datetime, step: int) -> None:
    least = -((start - end) // (MOST_STEPS * MINUTE))
    if step < least:
        message = f"That is too much: make --step {least} or more, or ask for less."
        raise click.UsageError(message)


@contextmanager
def _drawn() -> Iterator[None]:
    """Say why something cannot be drawn."""
    try:
        yield
    except Misuse as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        message = f"The drawing cannot be written: {error}"
        raise click.ClickException(message) from error
