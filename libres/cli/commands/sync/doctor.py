"""``libres sync doctor``: what keeps the synchronisation from working."""

from __future__ import annotations

import click
from rich.text import Text

from libres.cli.commands.sync.opening import (
    FOUND,
    House,
    check_tables,
    counted,
    writes_anywhere,
)
from libres.cli.terminal import console, printable

STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}


@click.command()
@writes_anywhere
@click.option("--mend", is_flag=True, help="Install the triggers that are missing.")
@click.pass_context
def doctor(command: click.Context, house: House, mend: bool) -> None:
    """Tell what is wrong, or good to know, and what to do about it.

    The exit status is 1 if something does not work, and is not mended.
    """
    if mend:
        check_tables(house)
        number = house.write(house.sync.mend)
        house.say(f"The triggers of {counted(number, 'table')} are installed.")
    found = house.sync.examine()
    said = console()
    for each in found:
        title = printable(f"{each.severity}: {each.message}")
        said.print(Text(title, STYLES[each.severity]))
        said.print(Text(f"  {printable(each.remedy)}"))
    if not found:
        click.echo("All is well.")
    command.exit(FOUND if any(each.severity == "error" for each in found) else 0)
