"""``libres sync config``: the configuration of a context, as a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from libres.cli.commands.sync.opening import (
    FOUND,
    Command,
    House,
    counted,
    reads,
    refuse,
    show,
    told,
    writes,
)
from libres.cli.terminal import printable
from libres.sync.configuration import SECTIONS, environment
from libres.sync.configuration.sections import SETTINGS
from libres.sync.errors import InvalidConfiguration
from libres.sync.strict_json import read_json

if TYPE_CHECKING:
    from libres.sync.permissions import Applied


@click.group()
def config() -> None:
    """Keep the configuration as a file: settings, models, organisations, users, roles,
    memberships, permissions, filters and resources.

    There is nothing secret in it: who is imported has no password.
    """


section_option = click.option(
    "--section",
    "sections",
    multiple=True,
    type=click.Choice(SECTIONS),
    help="This one only; repeatable.",
)

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["json", "env"]),
    default="json",
    show_default=True,
    help="env is for settings only: LIBRES_SYNC_NAME=value.",
)

replace_option = click.option(
    "--replace",
    is_flag=True,
    help="Remove what the sections of the file do not name; organisations and users "
    "are let in no more instead.",
)


def of_file(command: Command) -> Command:
    """Give a command a file, and what says which part of it counts."""
    file = click.argument("file", type=click.File("rb"))
    return file(section_option(format_option(replace_option(command))))


# Looking ------------------------------------------------------------------------------


@config.command("show")
@reads
@section_option
def show_config(house: House, sections: tuple[str, ...]) -> None:
    """Show what is configured."""
    for name, records in house.sync.configuration.export(*sections).items():
        click.echo(f"{name}:")
        if name == SETTINGS:
            show(["name", "value"], ((each, str(it)) for each, it in records.items()))
        elif records:
            show(list(records[0]), (tuple(map(_told, it.values())) for it in records))
        click.echo()


def _told(value: object) -> object:
    is_plain = value is None or isinstance(value, str | bool)
    return value if is_plain else json.dumps(value, ensure_ascii=False)


@config.command("summary")
@reads
def summary(house: House) -> None:
    """Tell how much is configured; of the settings, how many are not at their
    defaults."""
    counts = house.sync.configuration.summary()
    show(["section", "count"], ((name, str(it)) for name, it in counts.items()))


@config.command("export")
@reads
@section_option
@format_option
def export(house: House, sections: tuple[str, ...], form: str) -> None:
    """Print the configuration as a file; the same for the same configuration."""
    _check_format(form, sections)
    wanted = (SETTINGS,) if form == "env" else sections
    document = house.sync.configuration.export(*wanted)
    if form == "env":
        click.echo("\n".join(environment.written(document[SETTINGS])))
    else:
        click.echo(json.dumps(document, indent=2))


def _check_format(form: str, sections: tuple[str, ...]) -> None:
    if form == "env" and set(sections) - {SETTINGS}:
        message = "The format env is for settings only."
        raise click.UsageError(message)


# Changing -----------------------------------------------------------------------------


@config.command("import")
@writes
@of_file
def import_config(
    house: House, file: BinaryIO, sections: tuple[str, ...], form: str, replace: bool
) -> None:
    """Let what a FILE says be so: all of it, or nothing if something is wrong.

    What it does not say stays, without --replace.
    """
    document = _read(file, form, sections)
    configuration = house.sync.configuration
    try:
        done = house.write(lambda: configuration.apply(document, replace=replace))
    except InvalidConfiguration as error:
        refuse("\n".join(["Nothing is imported:", *error.problems]), error)
    for name, applied in done.items():
        house.say(f"{name}: {_counts(applied)}")


def _counts(applied: Applied) -> str:
    return (
        f"{applied.created:,} created, {applied.updated:,} updated, "
        f"{applied.removed:,} removed."
    )


@config.command("validate")
@reads
@of_file
@click.pass_context
def validate(
    command: click.Context,
    house: House,
    file: BinaryIO,
    sections: tuple[str, ...],
    form: str,
    replace: bool,
) -> None:
    """Tell all that is wrong with a FILE. Exit status 1 if anything is."""
    document = _read(file, form, sections)
    problems = house.sync.configuration.validate(document, replace=replace)
    for each in problems or ["It can be imported."]:
        click.echo(printable(each))
    command.exit(FOUND if problems else 0)


@config.command("reset")
@writes
@click.option("--force", is_flag=True, help="Do not ask.")
def reset(house: House, force: bool) -> None:
    """Let all settings be at their defaults again; nothing else is touched."""
    if not force and not house.dry_run:
        click.confirm("Reset all settings to their defaults?", abort=True, err=True)
    count = house.write(house.sync.configuration.reset)
    house.say(f"{counted(count, 'setting')} reset.")


# Files --------------------------------------------------------------------------------


def _read(file: BinaryIO, form: str, sections: tuple[str, ...]) -> object:
    """Return the document of a file, or some sections of it."""
    _check_format(form, sections)
    with told():
        try:
            document = READERS[form](file.read())
        except OSError as error:
            refuse(f"{file.name} cannot be read: {error.strerror}.", error)
        except UnicodeDecodeError as error:
            refuse(f"{file.name} is not written in UTF-8.", error)
    if not sections or not isinstance(document, Mapping):
        return document
    return {name: it for name, it in document.items() if name in sections}


READERS: Final[Mapping[str, Callable[[bytes], Any]]] = {
    "json": read_json,
    "env": lambda raw: environment.read(raw.decode()),
}
