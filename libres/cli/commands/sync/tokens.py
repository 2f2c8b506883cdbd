"""``libres sync tokens``: what is left of tokens that are over."""

from __future__ import annotations

import click

from libres.cli.commands.sync.opening import House, counted, writes


@click.group()
def tokens() -> None:
    """Keep the tokens of who is signed in."""


@tokens.command("clean")
@writes
def clean(house: House) -> None:
    """Forget tokens, and counts of requests, that are over. Do so each day."""
    count = house.sync.over() if house.dry_run else house.sync.drop_over()
    house.say(f"{counted(count, 'record')} forgotten.")
