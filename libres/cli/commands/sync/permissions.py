"""``libres sync permissions``: what roles may do with models, one by one or by files.

A file holds JSON: ``{role: {model: {"can_push": true, …}}}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from libres.cli.commands.sync.opening import (
    FOUND,
    Command,
    House,
    reads,
    refuse,
    show,
    told,
    writes,
)
from libres.cli.options import plain_text
from libres.cli.terminal import printable
from libres.sync.permissions import TEMPLATES
from libres.sync.strict_json import read_json
from libres.sync.values import NOTHING, Flags

if TYPE_CHECKING:
    from libres.sync.permissions import Applied, Document


@click.group()
def permissions() -> None:
    """Keep what roles may do with models in an organisation.

    Who pulls rows needs the flags pull and read; who pushes them needs push, and
    create, update or delete.
    """


org_argument = click.argument("slug", metavar="ORG", callback=plain_text)
role_argument = click.argument("code", metavar="ROLE", callback=plain_text)
model_argument = click.argument("model", callback=plain_text)
flags_argument = click.argument(
    "flags", nargs=-1, required=True, type=click.Choice(Flags._fields)
)
file_argument = click.argument("file", type=click.File("rb"))


def switches(command: Command) -> Command:
    """Give a command what says which flags to switch."""
    return org_argument(role_argument(model_argument(flags_argument(command))))


COLUMNS = ["role", "model", *Flags._fields]


@permissions.command("show")
@reads
@org_argument
@click.option(
    "--role", "code", callback=plain_text, metavar="ROLE", help="Of this one only."
)
def show_permissions(house: House, slug: str, code: str | None) -> None:
    """Show what the roles of an organisation may do, with which model."""
    organization = house.sync.organizations.named(slug)
    if code is not None:
        code = house.sync.roles.named(code, organization).code
    show(COLUMNS, _rows(house.sync.permissions.export(organization), code))


def _rows(document: Document, code: str | None) -> Iterator[tuple[Any, ...]]:
    for role, models in document.items():
        if code in {None, role}:
            for model, flags in models.items():
                yield role, model, *flags.values()


@permissions.command("grant")
@writes
@switches
def grant(
    house: House, slug: str, code: str, model: str, flags: tuple[str, ...]
) -> None:
    """Allow a role something more with a model: pull read …"""
    place = house.role(slug, code)
    allowed = house.write(lambda: house.sync.permissions.grant(*place, model, *flags))
    house.say(_may(code, model, allowed))


@permissions.command("revoke")
@writes
@switches
def revoke(
    house: House, slug: str, code: str, model: str, flags: tuple[str, ...]
) -> None:
    """Allow a role something no more with a model: delete …"""
    place = house.role(slug, code)
    allowed = house.write(lambda: house.sync.permissions.revoke(*place, model, *flags))
    house.say(_may(code, model, allowed))


def _may(code: str, model: str, flags: Flags) -> str:
    can = ", ".join(name for name, is_on in flags._asdict().items() if is_on)
    return (
        f"{code} may do this with {model}: {can}."
        if flags != NOTHING
        else (f"{code} may do nothing with {model}.")
    )


# Files --------------------------------------------------------------------------------


@permissions.command("generate")
@reads
@org_argument
@click.argument("template", type=click.Choice(list(TEMPLATES)))
@click.option(
    "--role",
    "codes",
    multiple=True,
    callback=plain_text,
    metavar="ROLE",
    help="For this one; repeatable. By default all of the organisation.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    callback=plain_text,
    help="With this one; repeatable. By default all.",
)
def generate(
    house: House,
    slug: str,
    template: str,
    codes: tuple[str, ...],
    models: tuple[str, ...],
) -> None:
    """Print a file that allows roles what a TEMPLATE says, to be edited and applied."""
    organization = house.sync.organizations.named(slug)
    known = house.sync.roles
    roles = [known.named(each, organization) for each in codes]
    wanted = models or tuple(each.name for each in house.sync.registry)
    _print(
        house.sync.permissions.generate(
            template, roles or known.all(organization), wanted
        )
    )


@permissions.command("export")
@reads
@org_argument
def export(house: House, slug: str) -> None:
    """Print the rights in an organisation as a file."""
    organization = house.sync.organizations.named(slug)
    _print(house.sync.permissions.export(organization))


def _print(document: Document) -> None:
    click.echo(json.dumps(document, indent=2))


@permissions.command("apply")
@writes
@org_argument
@file_argument
def apply(house: House, slug: str, file: BinaryIO) -> None:
    """Let a FILE say all rights in an organisation: what it does not name is removed.

    All of it, or nothing if something is wrong with the file.
    """
    _apply(house, slug, _read(file))


@permissions.command("import")
@writes
@org_argument
@file_argument
def import_file(house: House, slug: str, file: BinaryIO) -> None:
    """Add the rights of a FILE to those in an organisation, and remove none.

    For a model that it names it says all flags of the role.
    """
    organization = house.sync.organizations.named(slug)
    before = house.sync.permissions.export(organization)
    _apply(house, slug, _merged(before, _read(file)))


def _merged(before: Document, given: object) -> object:
    if not isinstance(given, Mapping):
        return given
    merged: dict[Any, Any] = {**before, **given}
    for role, models in given.items():
        if isinstance(models, Mapping):
            merged[role] = {**before.get(role, {}), **models}
    return merged


def _apply(house: House, slug: str, document: object) -> None:
    organization = house.sync.organizations.named(slug)
    applied = house.write(lambda: house.sync.permissions.apply(organization, document))
    house.say(_counts(applied))


def _counts(applied: Applied) -> str:
    return (
        f"{applied.created:,} created, {applied.updated:,} updated, "
        f"{applied.removed:,} removed."
    )


@permissions.command("validate")
@reads
@org_argument
@file_argument
@click.pass_context
def validate(command: click.Context, house: House, slug: str, file: BinaryIO) -> None:
    """Tell what is wrong with a FILE, in an organisation. Exit status 1 if anything."""
    organization = house.sync.organizations.named(slug)
    problems = house.sync.permissions.validate(_read(file), organization)
    for each in problems or ["It can be applied."]:
        click.echo(printable(each))
    command.exit(FOUND if problems else 0)


def _read(file: BinaryIO) -> object:
    with told():
        try:
            return read_json(file.read())
        except OSError as error:
            refuse(f"{file.name} cannot be read: {error.strerror}.", error)


@permissions.command("templates")
def templates() -> None:
    """List the templates, and what they allow."""
    show(
        ["template", *Flags._fields],
        ((name, *flags) for name, flags in TEMPLATES.items()),
    )
