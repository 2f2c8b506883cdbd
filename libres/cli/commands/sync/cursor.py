"""``libres sync cursor``: what the cursor of a device stands for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from libres.cli.commands.sync.opening import House, counted, reads, show
from libres.cli.options import plain_text
from libres.sync import cursors

if TYPE_CHECKING:
    from libres.sync.cursors import Cursor


@click.group()
def cursor() -> None:
    """Look at the cursors of devices."""


@cursor.command("show")
@reads
@click.argument("text", metavar="CURSOR", callback=plain_text)
def show_cursor(house: House, text: str) -> None:
    """Show what a CURSOR stands for, which a device has sent or got.

    It has to come from this context; LIBRES_SYNC_SECRET is what has signed it.
    """
    organization, found = cursors.examined(house.context, text)
    slug = house.slugs().get(organization, str(organization))
    behind = max(house.sync.lag().position - found.position, 0)
    show(["", ""], _rows(slug, found, behind))


def _rows(slug: str, found: Cursor, behind: int) -> Iterator[tuple[str, Any]]:
    yield "organisation", slug
    yield "position", f"{found.position:,}, {counted(behind, 'change')} behind"
    yield "numbered", found.covered
    yield "models", ", ".join(found.scopes)
    yield "all models", found.is_everything
    yield "rows still to be sent of", ", ".join(found.waiting)
    yield "after the row", found.after
