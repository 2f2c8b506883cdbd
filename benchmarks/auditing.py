"""Measures the auditor: ``python -m benchmarks.auditing [--slots N] [--dsn DSN]``.

The database is the one that :mod:`benchmarks.foreign` fills, in which all is in order.
Prints the seconds of each look and of all of them.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from benchmarks import foreign
from benchmarks.databases import databases
from libres.db.auditing import audit

if TYPE_CHECKING:
    from libres.db.auditing import Finding

SLOTS_OF_A_ROOM = 500
"""Ten on each of fifty days."""

NAME = "audited"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--slots", default=1_000_000, show_default=True, type=click.IntRange(500))
@click.option("--dsn", help="A server to use; else one is started and deleted.")
def main(slots: int, dsn: str | None) -> None:
    """Audit a large database that is in order, and print the seconds it takes.

    The exit status is 1 if anything is found.
    """
    with databases(dsn) as made:
        foreign.create(made, NAME, rooms=slots // SLOTS_OF_A_ROOM)
        [[counted]] = made.execute(NAME, "SELECT count(*) FROM reserved_slots")
        clock = Clock()
        findings = _audit(made.dsn(NAME), clock)
    Console().print(clock.table(counted))
    sys.exit(1 if findings else 0)


def _audit(dsn: str, clock: Clock) -> list[Finding]:
    engine = create_engine(dsn, isolation_level="REPEATABLE READ")
    with Session(engine) as session:
        found = audit(session, progress=clock.begin, notices=True)
    clock.end()
    engine.dispose()
    return found


class Clock:
    """Notes when each look begins."""

    def __init__(self) -> None:
        self._begun: list[tuple[str, float]] = []

    def begin(self, look: str) -> None:
        """Note that the next look begins now."""
        self._begun.append((look, time.perf_counter()))

    def end(self) -> None:
        """Note that the last one is done."""
        self.begin("all of them")

    def table(self, slots: int) -> Table:
        """Return a table of the seconds."""
        table = Table("look", "seconds", title=f"{slots:,} slots")
        starts = [begun for _, begun in self._begun]
        seconds = [end - start for start, end in pairwise(starts)]
        seconds.append(starts[-1] - starts[0])
        for (look, _), each in zip(self._begun, seconds, strict=True):
            table.add_row(look, f"{each:.2f}")
        return table


if __name__ == "__main__":
    main()
