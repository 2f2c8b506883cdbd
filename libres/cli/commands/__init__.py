"""The list of commands; one file each, and a new one needs nothing but a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libres.cli.commands.check import check
from libres.cli.commands.conflicts import conflicts
from libres.cli.commands.db import db
from libres.cli.commands.demo import demo
from libres.cli.commands.jobs import jobs
from libres.cli.commands.occupancy import occupancy
from libres.cli.commands.serve import serve
from libres.cli.commands.sync import sync
from libres.cli.commands.timetable import timetable
from libres.cli.commands.web import web

if TYPE_CHECKING:
    import click

COMMANDS: tuple[click.Command, ...] = (
    demo,
    serve,
    web,
    check,
    db,
    conflicts,
    timetable,
    occupancy,
    sync,
    jobs,
)
