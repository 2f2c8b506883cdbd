"""``libres sync models``: what is synchronised, and what could be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from libres.cli.commands.sync.opening import House, reads, show
from libres.cli.commands.sync.permissions import model_argument
from libres.cli.syncing import Imported
from libres.cli.terminal import printable
from libres.sync.capture.installing import is_installed
from libres.sync.capture.triggers import Capture

if TYPE_CHECKING:
    from libres.sync.registry import SyncModel


@click.group()
def models() -> None:
    """Look at the models that are synchronised: those of the core, and of --models."""


@models.command("list")
@reads
def list_models(house: House) -> None:
    """List the models, and whether their changes are noted."""
    rows = (
        (
            *(each.name, each.relation, len(each.fields)),
            *(_tenant(each), each.policy, _is_noted(house, each)),
        )
        for each in house.sync.registry
    )
    show(["model", "table", "fields", "whose", "conflicts", "noted"], rows)


def _tenant(model: SyncModel) -> str:
    if model.shared:
        return "shared by all"
    return "its handler knows" if model.tenant is None else model.tenant.name


def _is_noted(house: House, model: SyncModel) -> bool:
    capture = Capture(house.context.name, model)
    return is_installed(house.sync.session.connection(), capture)


@models.command("describe")
@reads
@model_argument
def describe(house: House, model: str) -> None:
    """Show the fields of a model, as clients know them."""
    found = house.sync.registry.named(model)
    keys = (
        (each.name, each.kind.name, True, False, each.column.nullable)
        for each in found.key
    )
    others = (
        (each.name, each.kind.name, False, each.writable, each.column.nullable)
        for each in found.fields.values()
    )
    names = ["field", "kind", "key", "written by clients", "may be null"]
    show(names, iter([*keys, *others]))


@models.command("discover")
@reads
@click.argument(
    "bases", nargs=-1, required=True, type=Imported(), metavar="MODULE:BASE…"
)
@click.option("--code", is_flag=True, help="Print the calls that register them.")
def discover(house: House, bases: tuple[Any, ...], code: bool) -> None:
    """Propose which models of declarative bases to register, and say why (not)."""
    found = house.sync.discover(*bases)
    if code:
        for each in found:
            if each.register:
                click.echo(printable(each.call))
        return
    rows = ((each.name, each.register, each.tenant, each.reason) for each in found)
    show(["model", "register", "whose", "reason"], rows)
