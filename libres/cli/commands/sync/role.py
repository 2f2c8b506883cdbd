"""``libres sync role``: what rights are given to."""

from __future__ import annotations

from collections.abc import Iterator

import click

from libres.cli.commands.sync.opening import House, reads, show, writes
from libres.cli.options import plain_text


@click.group()
def role() -> None:
    """Keep the roles of members, global ones and those of organisations."""


org_option = click.option(
    "--org", "slug", callback=plain_text, metavar="SLUG", help="Of this organisation."
)


@role.command("add")
@writes
@click.argument("code", callback=plain_text)
@click.argument("name", callback=plain_text)
@org_option
def add_role(house: House, code: str, name: str, slug: str | None) -> None:
    """Add the role NAME, called CODE in commands and files; without --org for all."""
    organization = house.organization(slug)
    added = house.write(lambda: house.sync.roles.add(code, name, organization))
    house.say(f"{added.name} is added.")


@role.command("list")
@reads
@org_option
def list_roles(house: House, slug: str | None) -> None:
    """List the global roles, and those of an organisation; without --org of all."""
    show(["role", "name", "of"], _rows(house, slug))


def _rows(house: House, slug: str | None) -> Iterator[tuple[str, str, str]]:
    for each in house.sync.roles.all():
        yield each.code, each.name, ""
    wanted = house.organization(slug)
    for place in [wanted] if wanted else house.sync.organizations.all():
        for each in house.sync.roles.all(place):
            if each.organization is not None:
                yield each.code, each.name, place.slug
