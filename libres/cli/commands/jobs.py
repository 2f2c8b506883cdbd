"""``libres jobs``: what is to be done now and then, run by cron or by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click
from rich.progress import MofNCompleteColumn, TextColumn

from libres.cli.commands.sync.opening import DRY, dry_run_option, show
from libres.cli.database import connected
from libres.cli.options import plain_text, told_dsn_option, web_context_option
from libres.cli.terminal import bar, printable
from libres.jobs import JOBS, USUAL, due, named
from libres.jobs import run as run_job
from libres.jobs.rooms import is_set_up
from libres.sync.errors import UnknownEntity

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.jobs import Job, Outcome

FAILED: Final = 1
"""The exit status if a job has failed."""


@click.group()
def jobs() -> None:
    """Run jobs: each may be repeated at any time, and runs once at a time.

    Let cron run 'libres jobs run --due' each minute: it runs those whose time has come.
    """


@jobs.command("list")
def list_jobs() -> None:
    """List the jobs, and how often they should run."""
    rows = (
        (each.name, str(each.every), "by name" if each.by_name else "", each.meaning)
        for each in JOBS
    )
    show(["job", "every", "only", "meaning"], rows)


@jobs.command("run")
@told_dsn_option
@web_context_option
@click.argument("names", nargs=-1, metavar="[NAME…]", callback=plain_text)
@click.option("--due", "only_due", is_flag=True, help="Only those whose time has come.")
@dry_run_option
@click.pass_context
def run(
    command: click.Context,
    dsn: str | None,
    context_name: str,
    names: tuple[str, ...],
    only_due: bool,
    dry_run: bool,
) -> None:
    """Run the jobs NAME…, or all that need not be named.

    What is not set up is skipped. The exit status is 1 if a job has failed.
    """
    if names and only_due:
        message = "Say the names of jobs, or --due."
        raise click.UsageError(message)
    chosen = _named(names) or USUAL
    with connected(dsn, context_name, create=False) as database:
        context = database.context
        wanted = due(context) if only_due else chosen
        if dry_run:
            _tell(context, wanted)
            return
        outcomes = _run(context, wanted)
    command.exit(FAILED if "error" in {each.status for each in outcomes} else 0)


def _named(names: Sequence[str]) -> list[Job]:
    try:
        return [named(each) for each in dict.fromkeys(names)]
    except UnknownEntity as error:
        message = f"There is no job {error.name!r}: see 'libres jobs list'."
        raise click.ClickException(printable(message)) from error


def _run(context: Context, wanted: Sequence[Job]) -> list[Outcome]:
    outcomes = []
    with bar(TextColumn("{task.description}"), MofNCompleteColumn()) as shown:
        task = shown.add_task("", total=len(wanted))
        for job in wanted:
            shown.update(task, description=job.name)
            outcome = run_job(context, job.name)
            outcomes.append(outcome)
            click.echo(_line(outcome))
            shown.advance(task)
    return outcomes


def _line(outcome: Outcome) -> str:
    said = f"{outcome.name}: {outcome.status}, {outcome.count:,}"
    return printable(f"{said} in {outcome.seconds:.2f} s. {outcome.text}".rstrip())


def _tell(context: Context, wanted: Sequence[Job]) -> None:
    """Tell what would run, and how much there is to do where that can be told."""
    for job in wanted:
        count = ""
        if job.waiting is not None and is_set_up(context, job.room):
            count = f", {job.waiting(context):,} to do"
        click.echo(f"{DRY}{job.name}{count}.")
