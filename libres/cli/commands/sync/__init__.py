"""``libres sync``: the synchronisation of a context, and devices to try it with."""

from __future__ import annotations

import click

from libres.cli.commands.sync.audit import audit
from libres.cli.commands.sync.config import config
from libres.cli.commands.sync.cursor import cursor
from libres.cli.commands.sync.device import device
from libres.cli.commands.sync.devices import devices
from libres.cli.commands.sync.doctor import doctor
from libres.cli.commands.sync.feed import feed
from libres.cli.commands.sync.filters import filters
from libres.cli.commands.sync.logs import logs
from libres.cli.commands.sync.models import models
from libres.cli.commands.sync.org import org
from libres.cli.commands.sync.permissions import permissions
from libres.cli.commands.sync.resources import resources
from libres.cli.commands.sync.role import role
from libres.cli.commands.sync.settings import settings
from libres.cli.commands.sync.setup import example, setup
from libres.cli.commands.sync.tokens import tokens
from libres.cli.commands.sync.user import user

__all__ = ("sync",)


@click.group()
def sync() -> None:
    """Keep organisations, their users, rights and devices; and be a device.

    The commands work on one context of one database; 'device' on a file, and on a
    server that 'libres serve' runs.
    """


for command in (
    *(setup, example, doctor, org, user, role, permissions, filters, resources),
    *(models, devices, settings, config, cursor, feed, audit, tokens, logs, device),
):
    sync.add_command(command)
