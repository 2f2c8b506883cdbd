"""``libres sync models``: what is synchronised, what is switched on, what could be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from libres.cli.commands.sync.opening import House, reads, show, writes
from libres.cli.commands.sync.permissions import model_argument
from libres.cli.syncing import Imported
from libres.cli.terminal import printable
from libres.sync.capture.installing import installed
from libres.sync.capture.triggers import Capture

if TYPE_CHECKING:
    from libres.sync.registry import SyncModel


@click.group()
def models() -> None:
    """Look at the models that are synchronised: those of the core, and of --models."""


@models.command("list")
@reads
@click.option("--enabled", "wanted", flag_value="on", help="Those switched on only.")
@click.option("--disabled", "wanted", flag_value="off", help="Those switched off only.")
def list_models(house: House, wanted: str | None) -> None:
    """List the models, whether they are switched on, and whether changes are noted."""
    known = list(house.sync.registry)
    noted, switches = _noted(house, known), _switches(house)
    rows = (
        (
            *(each.name, each.relation, len(each.fields)),
            *(_tenant(each), each.policy),
            *(switches[each.name], each.name in noted),
        )
        for each in known
        if wanted in {None, "on" if switches[each.name] else "off"}
    )
    show(["model", "table", "fields", "whose", "conflicts", "on", "noted"], rows)


def _tenant(model: SyncModel) -> str:
    if model.shared:
        return "shared by all"
    return "its handler knows" if model.tenant is None else model.tenant.name


def _switches(house: House) -> dict[str, bool]:
    return {each.model: each.on for each in house.sync.switches.all()}


def _noted(house: House, known: list[SyncModel]) -> set[str]:
    captures = [Capture(house.context.name, each) for each in known]
    return installed(house.sync.session.connection(), captures)


@models.command("show")
@reads
@model_argument
def show_model(house: House, model: str) -> None:
    """Show a model: its table, whose its rows are, its switch, and who has rights."""
    found = house.sync.registry.named(model)
    rights = house.sync.permissions.holders()
    facts = {
        "model": found.name,
        "table": found.relation,
        "key": ", ".join(each.name for each in found.key),
        "whose": _tenant(found),
        "conflicts": found.policy,
        "written by": _handler(found),
        "switched on": _switches(house)[found.name],
        "changes noted": found.name in _noted(house, [found]),
        "roles with rights": rights.get(found.name, 0),
        "written by clients": ", ".join(sorted(found.writable)),
        "read only": ", ".join(sorted(found.fields.keys() - found.writable)),
        "secret": ", ".join(sorted(found.secret)),
    }
    show(["fact", "value"], ((name, _plain(value)) for name, value in facts.items()))


def _handler(model: SyncModel) -> str:
    return "plain rows" if model.handler is None else type(model.handler).__name__


def _plain(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


# Switches -----------------------------------------------------------------------------


@models.command("enable")
@writes
@model_argument
def enable(house: House, model: str) -> None:
    """Switch a model on, for all organisations: who has rights pushes and pulls it."""
    _switch(house, model, on=True)


@models.command("disable")
@writes
@model_argument
def disable(house: House, model: str) -> None:
    """Switch a model off, for all organisations: nobody pushes or pulls it any more."""
    _switch(house, model, on=False)


def _switch(house: House, model: str, *, on: bool) -> None:
    house.write(lambda: house.sync.switches.set(model, on))
    house.say(f"{model} is switched {'on' if on else 'off'}.")


@models.command("start")
@writes
@click.argument("state", type=click.Choice(["on", "off"]))
def start(house: House, state: str) -> None:
    """Say whether models that are registered from now on start switched on or off.

    What is on or off now stays so.
    """
    house.write(lambda: house.sync.switches.set_start_off(state == "off"))
    house.say(f"New models start switched {state}.")


# Fields, and what could be ------------------------------------------------------------


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
