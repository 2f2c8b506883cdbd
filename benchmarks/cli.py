"""The command line: which workloads, how often, and where the results go."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from benchmarks import charts, growth_charts, growth_report, report
from benchmarks import growth as measuring
from benchmarks.campaign import Campaign
from benchmarks.databases import databases
from benchmarks.peer import PeerMissingError, peer_python
from benchmarks.workloads import WORKLOADS, UnknownWorkloadError, workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.table import Table

    from benchmarks.workload import Workload

NARROWEST = 160
"""Columns that the table gets where nobody says how many there are."""

_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only", multiple=True, metavar="NAME", help="This workload; repeatable."
)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--large/--no-large", default=True, help="Measure in a large database.")
@click.option("--dsn", help="A server to use; else one is started and deleted.")
@click.option("--json", "json_file", type=_FILE, help="Write all figures here.")
@click.option("--svg", "svg_file", type=_FILE, help="Draw the ratios here.")
@click.option(
    "--growth", is_flag=True, help="Measure how costs grow, this library alone."
)
@click.option("--list", "list_only", is_flag=True, help="Name the workloads.")
def main(
    only: tuple[str, ...],
    rounds: int,
    large: bool,
    dsn: str | None,
    json_file: Path | None,
    svg_file: Path | None,
    growth: bool,
    list_only: bool,
) -> None:
    """Measure this library beside libres 1.4.0 and hand-written SQL.

    The exit status is 1 if their answers differ, or if this library fails.
    """
    if list_only:
        _list()
        return
    chosen = _chosen(only)
    if svg_file:
        _check_drawing()
    signal.signal(signal.SIGTERM, end_like_ctrl_c)
    if growth:
        if only:
            raise click.UsageError(_EITHER)
        _grow(rounds, dsn, json_file, svg_file)
    with databases(dsn) as made:
        campaign = Campaign(made, rounds, _peer(), large)
        with _progress(campaign.steps(chosen)) as tell:
            comparisons = list(campaign.run(chosen, tell))
        machine = report.machine(comparisons, made.version())
    _print(report.table(comparisons), report.footnotes(comparisons), machine)
    if json_file:
        report.write_json(json_file, comparisons, machine)
    if svg_file:
        charts.draw(svg_file, comparisons)
    sys.exit(0 if all(each.holds for each in comparisons) else 1)


_EITHER = "Use either --only or --growth, which measures workloads of its own."


def _grow(
    rounds: int, dsn: str | None, json_file: Path | None, svg_file: Path | None
) -> NoReturn:
    """Print how costs grow, and leave."""
    with databases(dsn) as made, _progress(measuring.steps(rounds)) as tell:
        points = list(measuring.measure(made, rounds, tell))
        machine = report.described([each.course for each in points], made.version())
    notes = growth_report.footnotes(points)
    _print(growth_report.table(points), notes, machine)
    if json_file:
        growth_report.write_json(json_file, points, machine)
    if svg_file:
        growth_charts.draw(svg_file, points)
    sys.exit(0 if all(each.holds for each in points) else 1)


def _list() -> None:
    width = max(len(each.name) for each in WORKLOADS)
    for each in WORKLOADS:
        click.echo(f"{each.name:{width}}  {each.title}, ≥ {each.target:g} times")


def _chosen(names: Sequence[str]) -> list[Workload]:
    try:
        return [workload(name) for name in names] or list(WORKLOADS)
    except UnknownWorkloadError as error:
        raise click.BadParameter(str(error), param_hint="--only") from error


def _check_drawing() -> None:
    try:
        charts.check()
    except charts.MatplotlibMissingError as error:
        raise click.ClickException(str(error)) from error


def _peer() -> Path | None:
    try:
        return peer_python()
    except PeerMissingError as error:
        click.echo(str(error), err=True)
        return None


def end_like_ctrl_c(*_: Any) -> NoReturn:
    """Leave as Ctrl-C does, so that everything is cleaned up."""
    raise KeyboardInterrupt


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
    columns = (
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=steps)

        def tell(what: str) -> None:
            progress.update(task, description=what, advance=1)

        yield tell


def _print(table: Table, notes: Sequence[str], machine: dict[str, Any]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=NARROWEST)
    console.print(table)
    for note in notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    said = ", ".join(f"{name} {value}" for name, value in machine.items())
    console.print(said, highlight=False, soft_wrap=True)
