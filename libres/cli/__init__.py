"""The command ``libres``: one group, and in ``commands`` one visible list of what it
can do."""

from __future__ import annotations

import click

from libres.cli.commands import COMMANDS
from libres.version import __version__

__all__ = ("main",)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="libres")
def main() -> None:
    """Reserve things in time, never twice."""


for command in COMMANDS:
    main.add_command(command)
