"""Shows what an audit has found: as tables for people, as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table

from libres.cli.terminal import printable, shortened

if TYPE_CHECKING:
    from rich.console import Console

    from libres.db.auditing import Finding

ROWS = 20
"""So many rows of a finding are shown; JSON has all of them."""

LONGEST = 60
"""Letters of a value in a table."""


def show(console: Console, findings: Sequence[Finding]) -> None:
    """Print each finding: what it is, which rows, what to do."""
    for finding in findings:
        kind = "" if finding.level == "error" else " (a notice)"
        console.print(f"{finding.check}{kind}: {finding.message}", style="bold")
        console.print(_table(finding))
        if len(finding.rows) > ROWS:
            console.print(f"… and {len(finding.rows) - ROWS} more; --json shows all.")
        console.print(f"{finding.remedy}\n")


def summary(findings: Sequence[Finding]) -> str:
    """Say in a sentence how much was found."""
    if not findings:
        return "Nothing is wrong."
    rows = sum(len(each.rows) for each in findings)
    mendable = sum(len(each.rows) for each in findings if each.repairable)
    found = f"{_counted(len(findings), 'finding')} with {_counted(rows, 'row')}"
    return f"{found}; --repair mends {mendable} of them."


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _table(finding: Finding) -> Table:
    names = list(finding.rows[0])
    table = Table(*names, box=None, header_style="dim", pad_edge=True)
    for row in finding.rows[:ROWS]:
        table.add_row(*(_cell(row[name]) for name in names))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    if isinstance(value, list):
        return shortened(", ".join(map(_cell, value)), LONGEST)
    return "" if value is None else shortened(printable(str(value)), LONGEST)


def as_json(findings: Sequence[Finding], repaired: Sequence[Finding] = ()) -> str:
    """Write findings, and what was mended, for programs."""
    told = {"findings": list(_told(findings)), "repaired": list(_told(repaired))}
    return json.dumps(told, indent=2, default=_plain)


def _told(findings: Sequence[Finding]) -> Iterator[dict[str, Any]]:
    for each in findings:
        yield {
            "check": each.check,
            "level": each.level,
            "message": each.message,
            "remedy": each.remedy,
            "repairable": each.repairable,
            "rows": [dict(row) for row in each.rows],
        }


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
