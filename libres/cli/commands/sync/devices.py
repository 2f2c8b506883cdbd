"""``libres sync devices``: the phones and kiosks of organisations, as the server knows
them."""

from __future__ import annotations

from uuid import UUID

import click

from libres.cli.commands.sync.opening import House, reads, show, writes
from libres.cli.commands.sync.role import org_option
from libres.cli.commands.sync.user import name_argument, org_argument
from libres.cli.options import plain_text


@click.group()
def devices() -> None:
    """Keep the devices of the organisations."""


@devices.command("list")
@reads
@org_option
def list_devices(house: House, slug: str | None) -> None:
    """List devices; the lag counts changes of all organisations since they asked."""
    found = house.sync.devices.all(house.organization(slug))
    slugs = house.slugs()
    users = {each.id: each.username for each in house.sync.users.all()}
    rows = (
        (
            *(each.id, each.name, slugs.get(each.organization)),
            *(users.get(each.user, each.user), each.has_key, each.lag),
            *(each.seen, each.revoked),
        )
        for each in found
    )
    names = ["id", "name", "organisation", "user", "key", "lag", "seen", "revoked"]
    show(names, rows)


@devices.command("add")
@writes
@name_argument
@org_argument
@click.argument("name", callback=plain_text)
def add_device(house: House, username: str, slug: str, name: str) -> None:
    """Add a device that acts for a user, and print its key, this once."""
    organization = house.sync.organizations.named(slug)
    found = house.sync.users.named(username)
    added = house.write(lambda: house.sync.devices.add(found, organization, name))
    if house.dry_run:
        house.say(f"{added.device.name} is added.")
        return
    click.echo("Keep it: it cannot be shown again.", err=True)
    click.echo(added.key)


@devices.command("revoke")
@writes
@click.argument("id_", metavar="ID", type=click.UUID)
def revoke_device(house: House, id_: UUID) -> None:
    """Refuse the device of this ID from now on."""
    house.write(lambda: house.sync.devices.revoke(id_))
    house.say("Revoked.")
