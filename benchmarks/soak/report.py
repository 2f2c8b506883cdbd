"""Tells in tables how a run went."""

from __future__ import annotations

from collections import Counter
from statistics import quantiles
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.soak.checking import Verdict
    from benchmarks.soak.ledger import Ledger

SHOWN = 10
"""So many of each kind of mistake are described."""


def operations(ledger: Ledger) -> Table:
    """Tell how often each operation was done, and how long it took."""
    table = Table(title="Operations", title_justify="left")
    table.add_column("operation")
    for heading in ("done", "refused", "retries", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for name in sorted(ledger.seconds):
        table.add_row(name, *_row(ledger, [name]))
    table.add_section()
    table.add_row("all", *_row(ledger, list(ledger.seconds)))
    return table


def _row(ledger: Ledger, names: Sequence[str]) -> list[str]:
    seconds = [each for name in names for each in ledger.seconds[name]]
    refused = sum(ledger.refusals[name].total() for name in names)
    retries = sum(ledger.retries[name] for name in names)
    counts = (len(seconds) - refused, refused, retries)
    times = (f"{each * 1000:.1f}" for each in _percentiles(seconds))
    return [*(f"{each:,}" for each in counts), *times]


def _percentiles(seconds: Sequence[float]) -> Iterator[float]:
    if not seconds:
        return iter((0.0, 0.0, 0.0))
    found = quantiles([*seconds, seconds[0]], n=100, method="inclusive")
    return iter((found[49], found[94], found[98]))


def refusals(ledger: Ledger) -> Table:
    """Tell why operations were refused, and what was retried."""
    table = Table(title="Refusals and conflicts", title_justify="left")
    table.add_column("what")
    table.add_column("how often", justify="right")
    errors = sum(ledger.refusals.values(), Counter[str]())
    for counted in (errors, ledger.conflicts):
        for name, number in counted.most_common():
            table.add_row(name, f"{number:,}")
        table.add_section()
    return table


def outcome(kills: Counter[str], died_alone: int, verdict: Verdict) -> Table:
    """Tell who was killed, and what must be 0."""
    table = Table(title="Outcome", title_justify="left")
    table.add_column("what")
    table.add_column("number", justify="right")
    for name, number in sorted(kills.items()):
        table.add_row(name, f"{number:,}")
    table.add_row("clients that ended by themselves", f"{died_alone:,}")
    table.add_section()
    table.add_row("double bookings", f"{len(verdict.double_bookings):,}")
    table.add_row("lost acknowledged reservations", f"{len(verdict.lost):,}")
    table.add_row("findings of the auditor", f"{len(verdict.findings):,}")
    return table


def mistakes(verdict: Verdict, ledger: Ledger) -> list[str]:
    """Describe what is wrong, some of each kind, and what is strange."""
    return [
        *ledger.surprises[:SHOWN],
        *verdict.double_bookings[:SHOWN],
        *verdict.lost[:SHOWN],
        *verdict.findings[:SHOWN],
    ]
