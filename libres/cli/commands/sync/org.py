"""``libres sync org``: the organisations that share a server."""

from __future__ import annotations

import click

from libres.cli.commands.sync.opening import House, reads, show, writes
from libres.cli.options import plain_text


@click.group()
def org() -> None:
    """Keep the organisations that share the server."""


slug_argument = click.argument("slug", callback=plain_text)


@org.command("add")
@writes
@slug_argument
@click.argument("name", callback=plain_text)
@click.option(
    "--reference",
    callback=plain_text,
    help="What tenant columns of models hold for it; by default an id that is drawn.",
)
def add_org(house: House, slug: str, name: str, reference: str | None) -> None:
    """Add the organisation NAME, which is called SLUG in commands and addresses."""
    added = house.write(lambda: house.sync.organizations.add(name, slug, reference))
    house.say(f"{added.name} is added.")


@org.command("list")
@reads
def list_orgs(house: House) -> None:
    """List all organisations, by name."""
    rows = (
        (each.slug, each.name, each.reference, each.active)
        for each in house.sync.organizations.all()
    )
    show(["slug", "name", "reference", "active"], rows)


@org.command("rename")
@writes
@slug_argument
@click.argument("name", callback=plain_text)
def rename_org(house: House, slug: str, name: str) -> None:
    """Call an organisation NAME from now on; its slug remains."""
    renamed = house.write(lambda: house.sync.organizations.rename(slug, name))
    house.say(f"{slug} is called {renamed.name}.")


@org.command("activate")
@writes
@slug_argument
def activate_org(house: House, slug: str) -> None:
    """Let the members of an organisation in."""
    _switch(house, slug, True, "is active")


@org.command("deactivate")
@writes
@slug_argument
def deactivate_org(house: House, slug: str) -> None:
    """Refuse all members of an organisation, at once."""
    _switch(house, slug, False, "is not active any more")


def _switch(house: House, slug: str, active: bool, said: str) -> None:
    found = house.write(lambda: house.sync.organizations.set_active(slug, active))
    house.say(f"{found.name} {said}.")
