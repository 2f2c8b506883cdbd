"""``libres sync setup`` and ``example``: the tables, the triggers, and some data."""

from __future__ import annotations

import click

from libres import occupancy
from libres.cli.commands.sync.opening import (
    House,
    counted,
    show,
    writes,
    writes_anywhere,
)
from libres.db.scheduler import Scheduler
from libres.sync import audit
from libres.sync.examples import set_up_example


@click.command()
@writes_anywhere
@click.option(
    "--audit/--no-audit",
    "with_audit",
    default=True,
    help="Note the configuration as well, and keep all changes for the audit.",
)
def setup(house: House, with_audit: bool) -> None:
    """Create the tables, and note the changes of all models from now on.

    Models are those of the core, and those that --models registers; their tables have
    to be there. May be repeated.
    """
    house.write(lambda: set_up(house, with_audit=with_audit))
    number = counted(len(house.sync.registry), "model")
    house.say(f"Synchronisation is set up: changes of {number} are noted.")


def set_up(house: House, *, with_audit: bool, slots: bool = False) -> None:
    """Create what is missing in the database."""
    Scheduler(house.context, "", "UTC").setup_database()
    occupancy.setup(house.context)
    house.sync.setup()
    if with_audit:
        audit.setup(house.context, slots=slots)


@click.command()
@writes
def example(house: House) -> None:
    """Add three organisations, seven roles with rights, and a user in each.

    The passwords of the users are drawn and printed, this once.
    """
    made = house.write(lambda: set_up_example(house.context))
    number = counted(len(made.organizations), "organisation")
    if house.dry_run:
        house.say(f"{number} and {counted(len(made.users), 'user')} are added.")
        return
    click.echo("Keep the passwords: they cannot be shown again.", err=True)
    show(["user", "password"], iter(made.passwords.items()))
