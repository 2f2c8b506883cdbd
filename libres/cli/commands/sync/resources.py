"""``libres sync resources``: whose the resources of the core are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from libres.cli.commands.sync.opening import House, reads, refuse, show, writes
from libres.cli.commands.sync.permissions import org_argument
from libres.cli.commands.sync.role import org_option
from libres.cli.options import blocking_option, plain_text, timezone_option

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


@click.group()
def resources() -> None:
    """Keep whose a resource is; its organisation alone sees what is reserved of it."""


@resources.command("add")
@writes
@timezone_option
@org_argument
@click.argument("name", callback=plain_text)
@blocking_option
def add_resource(
    house: House, slug: str, name: str, timezone: ZoneInfo, blocking: tuple[str, ...]
) -> None:
    """Give the resource NAME, that of a scheduler, to an organisation."""
    organization = house.sync.organizations.named(slug)
    known = house.sync.resources
    house.write(lambda: known.add(organization, name, timezone.key, blocking))
    house.say(f"{name} belongs to {organization.name}.")


@resources.command("list")
@reads
@org_option
def list_resources(house: House, slug: str | None) -> None:
    """List resources, and whose they are."""
    found = house.sync.resources.all(house.organization(slug))
    slugs = house.slugs()
    rows = (
        (
            *(each.name, slugs[each.organization], each.timezone),
            ", ".join(each.blocking_names),
        )
        for each in found
    )
    show(["name", "organisation", "timezone", "blocked by"], rows)


@resources.command("remove")
@writes
@click.argument("name", callback=plain_text)
def remove_resource(house: House, name: str) -> None:
    """Take the resource NAME from its organisation; what is reserved of it remains."""
    known = house.sync.resources
    resource = known.generate_uuid(name)
    if known.of(resource) is None:
        refuse(f"No organisation has a resource {name!r}.")
    house.write(lambda: known.remove(resource))
    house.say(f"{name} belongs to nobody any more.")
