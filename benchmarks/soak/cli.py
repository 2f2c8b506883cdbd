"""The command line: how long, how many processes, and who is killed."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import make_url

from benchmarks import foreign
from benchmarks.cli import NARROWEST, end_like_ctrl_c
from benchmarks.databases import Databases
from benchmarks.soak import report
from benchmarks.soak.checking import Verdict, verdict
from benchmarks.soak.clients import Clients
from benchmarks.soak.killing import DATABASE, Killer
from benchmarks.soak.server import own_server
from benchmarks.soak.world import allocate, context_on, create_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.soak.server import OwnServer

LOOK = 0.25
"""Seconds between two looks at the notes of the clients."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0.0))
@click.option("--processes", default=8, show_default=True, type=click.IntRange(1))
@click.option("--dsn", help="A server to use; else one is started and deleted.")
@click.option("--seed", default=1, show_default=True, help="Makes the same choices.")
@click.option(
    "--kill-server", is_flag=True, help="Kill the server, too, if it is ours."
)
def main(
    minutes: float, processes: int, dsn: str | None, seed: int, kill_server: bool
) -> None:
    """Let many clients work at random, kill some of them, and look at the result.

    The exit status is 1 if anything is booked twice, if an acknowledged reservation is
    lost, or if the auditor finds something.
    """
    if dsn and kill_server:
        raise click.UsageError(_NOT_OURS)
    signal.signal(signal.SIGTERM, end_like_ctrl_c)
    plan = Plan(minutes * 60, processes, seed, kill_server)
    with _databases(dsn) as (databases, server):
        found = run(databases, server, plan)
    sys.exit(0 if found.holds else 1)


_NOT_OURS = "A server that is named by --dsn is not killed: use either of them."


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, with how many, and by which chance."""

    seconds: float
    processes: int
    seed: int
    kills_server: bool = False
    foreign_rooms: int = 100


def run(databases: Databases, server: OwnServer | None, plan: Plan) -> Verdict:
    """Make a run, print how it went, and say whether all is well."""
    dsn = databases.create(DATABASE)
    _prepare(databases, plan.foreign_rooms)
    random = Random(plan.seed)  # noqa: S311 - load, no secret
    with tempfile.TemporaryDirectory() as folder:
        clients = Clients(dsn, Path(folder), plan.processes, random)
        killer = Killer(random, clients, databases, server, plan.kills_server)
        try:
            _work(clients, killer, plan.seconds)
            clients.finish()
        finally:
            clients.end()
        found = verdict(databases, clients.ledger)
    _print(clients, killer, found)
    return found


def _prepare(databases: Databases, foreign_rooms: int) -> None:
    """Create the tables, filled by others, so that PostgreSQL walks the indexes."""
    context = context_on(databases.dsn(DATABASE))
    create_tables(context)
    foreign.fill(databases, DATABASE, foreign_rooms)
    context.transaction(lambda: allocate(context))
    context.get_service("session_provider").stop_service()


def _work(clients: Clients, killer: Killer, seconds: float) -> None:
    """Kill somebody now and then until the time is over."""
    began = time.monotonic()
    next_kill = began + killer.pause()
    with _progress(seconds) as progress:
        task = progress.add_task("", total=seconds)
        while (now := time.monotonic()) < began + seconds:
            time.sleep(LOOK)
            clients.read()
            if now >= next_kill:
                killer.kill()
                next_kill = time.monotonic() + killer.pause()
            said = f"{clients.ledger.operations:,} done, {killer.kills.total()} killed"
            progress.update(task, completed=now - began, description=said)


def _progress(seconds: float) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn(f"of {seconds:.0f} s"),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


@contextmanager
def _databases(
    dsn: str | None,
) -> Iterator[tuple[Databases, OwnServer | None]]:
    with nullcontext() if dsn else own_server() as server:
        named = dsn or (server.dsn if server else "")
        url = make_url(named.replace("postgres://", "postgresql://", 1))
        made = Databases(url)
        try:
            yield made, server
        finally:
            made.drop_all()


def _print(clients: Clients, killer: Killer, found: Verdict) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=NARROWEST)
    console.print(report.operations(clients.ledger))
    console.print(report.refusals(clients.ledger))
    console.print(report.outcome(killer.kills, clients.died_alone, found))
    for line in report.mistakes(found, clients.ledger):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
